package mysqldump

import (
	"errors"
	"time"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A Side is an end of the conversation.
type Side uint8

// The two ends. The server is the one that greets.
const (
	Client Side = 0
	Server Side = 1
)

// String returns "client" or "server".
func (s Side) String() string { return [...]string{"client", "server"}[s] }

// phase is what the session expects next.
//
//	greeting --S--> login --C--> auth --S:OK--> ready (commands and answers, see answer)
//	   |              |            |
//	   +----S:ERR-----+----S:ERR---+--> refused
//
//	login --C:SSLRequest--> opaque
//	ready --C:COM_BINLOG_DUMP, S:events--> replicating --S:ERR, EOF--> refused
//	seeking --C--> trying --S: the answer's first packet--> ready
//	   ^            |
//	   +--S-- missed <--C: no command
//
//	any   --what cannot be followed--> opaque
//	any   --End--> ended
//
// docs/protocol.md explains this drawing and that of answer.
type phase uint8

const (
	inGreeting phase = iota
	inLogin
	inAuth
	seeking // joining: the client's next byte may begin a command
	missed  // joining: it did not; the server's next byte is the next chance
	trying  // joining: it may have, and the answer must show it
	ready
	replicating // the server sends its binary log, packet by packet
	compressing // the login was accepted: what follows is compressed
	refused     // the server has ended it: nothing more is expected, nothing is decoded
	opaque
	ended
)

var phaseNames = [...]string{"greeting", "login", "auth", "seeking", "missed", "trying", "ready", "replicating", "compressing", "refused", "opaque", "ended"}

// walks reports whether the session looks at packets in phase p. The phases before compressing do.
func (p phase) walks() bool { return p < compressing }

func (p phase) String() string { return phaseNames[p] }

// A Session follows one conversation and calls back with a [Record] for each command and event. It must
// be given both directions in causal order: a command before its answer.
//
// A Session is not safe for concurrent use. The callback is called from within [Session.Feed] and
// [Session.End], must not call either, and must not keep the record or its slices.
type Session struct {
	opts     *Options
	emit     func(*Record)
	maxQuery int // bytes of a text to show
	keepText int // bytes of a text to keep

	maxParams int // parameters to keep
	maxParam  int // bytes of one

	phase  phase
	now    time.Duration // as given with the bytes being looked at
	client stream
	server stream
	detour detour       // why the bytes do not go straight to their stream
	wire   [2]uint64    // bytes that each side has sent; counted on detours only, where a stream's pos is not all
	packed *compression // nil unless both sides compress
	join   *joining     // nil unless it has joined in the middle

	// The login.
	early         []byte // what the client has sent ahead of the greeting
	serverVersion string
	serverCaps    mysqlwire.Capability
	caps          mysqlwire.Capability // in effect
	charset       string               // that the login has asked for
	authPlugin    string
	attributes    mysqlwire.Attributes

	reason, message string // why the conversation is opaque

	// The command phase.
	flight     flight
	stmts      statements
	reader     *argumentReader // of the client's current command; nil until one has arguments
	lastStmt   *statement      // what statement id 0xFFFFFFFF means
	longAhead  bool            // long data was sent for the statement that is still being prepared
	clientText *charset        // of what the client sends
	serverText *charset        // of the server's messages
	converted  []byte          // texts of rec that are not in the packets' own bytes
	answer     answer
	infile     bool // the client is sending a file; its packets are no commands until an empty one
	quit       bool // the client has sent COM_QUIT
	ties       ties

	// The answer to the first command in flight.
	rec         Record           // as far as it has been seen
	values      []Value          // of rec
	attrs       []QueryAttribute // the same
	aside       bool             // clientText or serverText is not nil
	begun       bool             // its first byte has been seen, at firstByte
	firstByte   time.Duration
	definitions uint32  // packets of definitions still to come
	results     int     // complete results
	changed     changed // what the server says has changed

	commands   uint64        // seen
	seq        uint64        // of the last record
	clientMark uint64        // client.pos at the end of the last command
	serverMark uint64        // server.pos at the end of the last answer
	answered   time.Duration // end of the last answer
}

// NewSession returns a session that stands before the server's greeting. emit receives the records that
// opts asks for.
func NewSession(opts *Options, emit func(*Record)) *Session {
	s := &Session{opts: opts, emit: emit, maxQuery: opts.MaxQuery, detour: holding}
	if s.maxQuery = min(s.maxQuery, mostKept); s.maxQuery <= 0 {
		s.maxQuery = DefaultMaxQuery
	}
	// The beginning of a text is also what tells that it is USE, or holds a password.
	s.keepText = max(s.maxQuery, 512)
	if s.maxParams = max(0, opts.MaxParams); opts.MaxParams == 0 {
		s.maxParams = DefaultMaxParams
	}
	if s.maxParam = min(opts.MaxParam, mostKept); s.maxParam <= 0 {
		s.maxParam = DefaultMaxParam
	}
	if s.stmts.limit = opts.StatementsMemory; s.stmts.limit <= 0 {
		s.stmts.limit = DefaultStatementsMemory
	}
	return s
}

// mostKept is the largest limit in bytes that options set: a packet is not longer.
const mostKept = 1 << 30

// Feed tells the session that side has sent p, and when: at is the time since whatever moment the caller
// counts from, the same for the whole session. The bytes must follow those given before for the same
// side; any cut will do. Feed never keeps p.
func (s *Session) Feed(side Side, p []byte, at time.Duration) {
	if len(p) == 0 {
		return
	}
	s.now = at
	switch {
	case s.detour != straight:
		s.feedDetour(side, p)
	case side == Server:
		s.feedServer(p)
	default:
		s.feedClient(p)
	}
}

// A detour is what has to be done with bytes before they go to their stream.
type detour uint8

const (
	straight  detour = iota
	holding          // the client's are held until the greeting is there
	joins            // it has joined in the middle
	inflating        // they are compressed
)

func (s *Session) feedDetour(side Side, p []byte) {
	switch {
	case s.detour == inflating:
		s.wire[side] += uint64(len(p))
		s.feedPacked(side, p)
	case s.detour == joins:
		s.wire[side] += uint64(len(p))
		s.feedJoining(side, p)
	case side == Server:
		s.feedServer(p)
	case s.phase == inGreeting:
		s.hold(p)
	default: // no greeting has come
		s.feedClient(p)
	}
}

func (s *Session) feedClient(p []byte) {
	d := &s.client
	for len(p) > 0 && s.phase.walks() {
		if payload := d.whole(p); payload != nil {
			d.seq, d.length = p[3], uint64(len(payload))
			d.pos += uint64(mysqlwire.HeaderLen + len(payload))
			p = p[mysqlwire.HeaderLen+len(payload):]
			keep := s.clientBegins(payload[0]) // no more than of a packet that comes in pieces
			s.clientPacket(payload[:min(len(payload), keep)])
			continue
		}
		p = s.clientPiece(p)
	}
	d.pos += uint64(len(p))
}

// clientPiece looks at what p has of a packet that comes in pieces, and returns the rest of p.
func (s *Session) clientPiece(p []byte) (rest []byte) {
	d := &s.client
	if d.have == mysqlwire.HeaderLen && !d.began {
		d.began = true
		if d.wanted = s.clientBegins(p[0]); d.kind == kindArguments {
			d.wanted = s.reader.prefix()
		}
		return p
	}
	rest, piece, done := d.part(p)
	if d.kind == kindArguments && len(piece) > 0 {
		s.argumentPiece(piece)
	}
	if done {
		if d.length == 0 {
			s.clientBegins(0)
		}
		s.clientPacket(d.buf)
		d.release()
	}
	return rest
}

func (s *Session) feedServer(p []byte) {
	d := &s.server
	for len(p) > 0 && s.phase.walks() {
		if d.idle() {
			if !s.begun {
				s.begun, s.firstByte = true, s.now
			}
			if s.phase == ready && s.flight.n > 0 && !s.quit && s.answer <= answerRows {
				if p = s.skipPlain(p); len(p) == 0 {
					return
				}
			}
		}
		if payload := d.whole(p); payload != nil {
			p = p[mysqlwire.HeaderLen+len(payload):]
			d.pos += uint64(mysqlwire.HeaderLen + len(payload))
			s.serverPacket(payload[:min(len(payload), controlLimit)], uint64(len(payload)))
			continue
		}
		if d.have == mysqlwire.HeaderLen && !d.began {
			d.began = true
			d.wanted = s.serverBegins(p[0])
			continue
		}
		var done bool
		if p, _, done = d.part(p); done {
			s.serverPacket(d.buf, d.length)
			d.release()
		}
	}
	if s.phase == compressing {
		s.phase = ready
		s.compressed(p)
		return
	}
	d.pos += uint64(len(p))
}

// fail turns the session opaque because of err.
func (s *Session) fail(err error) {
	reason := "malformed"
	for _, cause := range []error{mysqlwire.ErrTruncated, mysqlwire.ErrOutOfOrder} {
		if errors.Is(err, cause) {
			reason = cause.Error()
		}
	}
	s.turnOpaque(EventOpaque, reason, err.Error())
}

// outOfOrder turns the session opaque because side has sent what nobody can expect in this phase.
func (s *Session) outOfOrder(side Side, what string) {
	s.fail(&mysqlwire.ParseError{Message: side.String() + " " + what + " in phase " + s.phase.String(), Err: mysqlwire.ErrOutOfOrder})
}

// turnOpaque ends the decoding and says so once. What is in flight is told as it stands.
func (s *Session) turnOpaque(event Event, reason, message string) {
	if s.join != nil && !s.join.trusted {
		s.seekAgain() // nothing was certain yet
		return
	}
	s.abandon(WentOpaque)
	s.phase, s.reason, s.message = opaque, reason, message
	if r := s.event(event); r != nil {
		r.Reason, r.Message = reason, message
		s.send(r)
	}
}

// End tells the session that the connection has ended and which side ended it; what is in flight will
// have no answer. Everything after the first End is ignored.
func (s *Session) End(by Side, at time.Duration) {
	if s.phase == ended {
		return
	}
	s.now = at
	s.packed.stop()
	s.abandon([...]string{ClientClosed, ServerClosed}[by])
	s.phase = ended
	if r := s.event(EventClose); r != nil {
		r.BytesIn, r.BytesOut, r.Commands = s.client.pos, s.server.pos, s.commands
		if s.detour > holding {
			r.BytesIn, r.BytesOut = s.wire[Client], s.wire[Server]
		}
		s.send(r)
	}
}

// Discard gives back what the session holds and tells nothing any more: instead of [Session.End], for a
// session that has failed.
func (s *Session) Discard() {
	s.phase = ended
	s.packed.stop()
}

// InFlight returns how many commands, a login included, have no whole answer yet.
func (s *Session) InFlight() int {
	if s.phase == inAuth {
		return s.flight.n + 1
	}
	return s.flight.n
}

// Opaque returns why the conversation can no longer be followed, in one of few words and in words for a
// person; both are empty as long as it can.
func (s *Session) Opaque() (reason, message string) { return s.reason, s.message }

// event returns a record of event e with what is known of the session, or nil if nobody wants it.
func (s *Session) event(e Event) *Record {
	if !s.opts.Events.Has(e) {
		return nil
	}
	return &Record{Event: e, At: s.now, Who: s.rec.Who}
}

func (s *Session) send(r *Record) {
	s.seq++
	r.Seq = s.seq
	s.emit(r)
}
