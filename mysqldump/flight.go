package mysqldump

import (
	"math"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// maxInFlight is how many commands may wait for their answers; a client that sends more is not followed.
const maxInFlight = 1024

// A command is one that the client has begun to send and that has no whole answer yet.
type command struct {
	id       mysqlwire.Command
	seq      uint8
	empty    bool
	complete bool // its last byte has been seen
	cut      bool // text lacks the end
	hasStmt  bool
	stmtID   uint32
	before   int           // commands in flight when it was sent
	plain    bool          // text is a single statement of a kind that needs no closer look
	secret   bool          // text may hold a password
	sent     time.Duration // since the start of the conversation
	bytesIn  uint64
	textLen  uint64
	text     []byte
	change   *mysqlwire.ChangeUser // whom it changes to
	args     *arguments            // its binary values; nil if it has none
	more     bool                  // it has something that release takes back
	unsure   bool                  // what it means for prepared statements is known from its answer only
	held     int                   // bytes that it holds beside text
}

// A flight is the queue of commands in flight, in the order sent, which is the order of the answers. It
// keeps the buffers of the texts for the commands to come.
type flight struct {
	ring      []command
	head, n   int
	textBytes int          // sum of len(text) and held
	unsure    int          // commands that are
	spare     []*arguments // of former commands
}

const (
	textBudget = 32 << 10 // bytes of text in flight beyond which only the beginning of a text is kept
	leastText  = 256      // bytes of that beginning: it may be USE, or be the name in COM_INIT_DB
	keptRing   = 4        // commands in flight up to which their memory is kept for those to come
	keptText   = 2 << 10  // capacity of a text buffer in bytes up to which it is kept for the next command
)

// push adds a command and returns it, or nil if the flight is full.
func (f *flight) push() *command {
	if f.n == len(f.ring) {
		if f.n >= maxInFlight {
			return nil
		}
		grown := make([]command, max(2, 2*len(f.ring)))
		for i := range f.n {
			grown[i] = *f.at(i)
		}
		f.ring, f.head = grown, 0
	}
	c := f.at(f.n)
	c.empty, c.complete, c.cut, c.plain, c.secret, c.hasStmt = false, false, false, false, false, false
	c.before, c.textLen, c.text = f.n, 0, c.text[:0]
	f.n++
	return c
}

// at returns the i-th command in flight; the ring's length is a power of two.
func (f *flight) at(i int) *command { return &f.ring[(f.head+i)&(len(f.ring)-1)] }

func (f *flight) first() *command { return &f.ring[f.head] }
func (f *flight) last() *command  { return f.at(f.n - 1) }

// keep copies at most limit bytes of text into c.
func (f *flight) keep(c *command, text []byte, limit int) {
	if f.n > 1 {
		limit = min(limit, max(leastText, textBudget-f.textBytes))
	}
	text = text[:min(len(text), limit)]
	c.text = append(c.text[:0], text...)
	c.cut = uint64(len(text)) < c.textLen
	f.textBytes += len(text)
}

// pop removes the first command, which has been released.
func (f *flight) pop() {
	c := f.first()
	f.textBytes -= len(c.text)
	c.change = nil
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
}

// room returns how many bytes the last command may hold beside its text.
func (f *flight) room() int {
	if f.n > 1 {
		return max(0, textBudget-f.textBytes)
	}
	return math.MaxInt32 // its parameters are bounded by number and size
}

// arguments gives c memory for its arguments.
func (f *flight) arguments(c *command) *arguments {
	if n := len(f.spare); n > 0 {
		c.args, f.spare = f.spare[n-1], f.spare[:n-1]
	} else {
		c.args = new(arguments)
	}
	c.more = true
	return c.args
}

// hold counts bytes that c holds beside its text.
func (f *flight) hold(c *command, bytes int) {
	f.textBytes += bytes
	c.held += bytes
	c.more = true
}

// unsettle notes that until the answer to c nobody knows which prepared statements there are, or of what
// types their parameters.
func (f *flight) unsettle(c *command) {
	f.unsure++
	c.unsure, c.more = true, true
}

// settled ends what unsettle has begun.
func (f *flight) settled(c *command) {
	f.unsure--
	c.unsure = false
}

// release takes back what the first command, c, has beside its text, and a buffer that is large.
func (f *flight) release(c *command) {
	if cap(c.text) > keptText || cap(c.text) > leastText && len(f.ring) > keptRing {
		f.textBytes -= len(c.text)
		c.text = nil
	}
	f.textBytes -= c.held
	if c.unsure {
		f.settled(c)
	}
	if a := c.args; a != nil && cap(a.data) <= keptText && len(f.spare) < 2 {
		f.spare = append(f.spare, a)
	}
	c.args, c.held, c.unsure, c.more = nil, 0, false, false
}
