// Package convtest reads conversations: scripts of what a MySQL client and a server say to each other, and
// what a test wants to be told of it. A script is a txtar file with a description, the turns and the
// expected text; settings for the test may stand between.
//
//	A client that leaves out the NUL behind its user name is understood.
//
//	-- options --
//	max_query 16
//	-- in --
//	include login-mysql84.txtar           # the turns of another script, from the same directory
//	C[0]: 03 "SELECT 1"                   # one packet with sequence id 0: the header is computed
//	S: 01 00 00 01                        # raw bytes, for what is malformed on purpose
//	  01                                  # an indented line continues its turn
//	S[2]*300: 01 "x"                      # 300 packets; their sequence ids count up from 2 and wrap
//	C[0]: 03 "INSERT '" "x"*16777215 "'"  # an item with a count is repeated; a long payload is split
//	zlib C[0]: 03 "SELECT 2"              # the turn in one compressed packet; or zstd, or stored
//	zlib S: 01 00 00 01  01  0200         # what is in a compressed packet, in raw form
//	S closes                              # the server ends the connection
//	-- want --
//	...
//
// Items are pairs of hex digits and Go string literals.
//
// # Limits
//
// This is not a general txtar reader: a script has these sections in this order.
package convtest

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// A Turn is what one side sends in one go, or its leaving.
type Turn struct {
	Client bool // the client's; else the server's
	Data   []byte
	Closes bool // the side ends the connection; Data is nil
}

// A Conversation is a script that was read.
type Conversation struct {
	Options map[string]string
	Turns   []Turn
	Want    string

	head string // the file's text before the expected text
}

// Read reads the script in file.
func Read(file string) (*Conversation, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var c Conversation
	head, want, found := strings.Cut(string(text), "-- want --\n")
	if !found {
		return nil, fmt.Errorf("%s: no section want", file)
	}
	c.head, c.Want = head, want
	description, in, found := strings.Cut(head, "-- in --\n")
	if !found {
		return nil, fmt.Errorf("%s: no section in", file)
	}
	description, options, _ := strings.Cut(description, "-- options --\n")
	if strings.TrimSpace(description) == "" {
		return nil, fmt.Errorf("%s: no description", file)
	}
	c.Options = make(map[string]string)
	for line := range strings.Lines(options) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.Options[name] = value
	}
	delete(c.Options, "")
	c.Turns, err = Turns(in, filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &c, nil
}

// Rewrite writes the script back to file with another expected text.
func (c *Conversation) Rewrite(file, want string) error {
	return os.WriteFile(file, []byte(c.head+"-- want --\n"+want), 0o644)
}

// start is how a line that begins a turn looks.
var start = regexp.MustCompile(`^(?:(stored|zlib|zstd) )?([CS])(?:\[(\d+)\](?:\*(\d+))?)?(:| closes)`)

// Turns reads turns, as they stand in the section in. dir is where the scripts lie that they include.
func Turns(in, dir string) ([]Turn, error) {
	var list []Turn
	finish := func() {} // makes packets of the last turn, once all its lines are read
	for line := range strings.Lines(in) {
		rest := strings.TrimSpace(line)
		name, include := strings.CutPrefix(rest, "include ")
		switch m := start.FindStringSubmatch(line); {
		case rest == "" || rest[0] == '#':
			continue
		case include:
			name, _, _ = strings.Cut(name, "#")
			other, err := Read(filepath.Join(dir, strings.TrimSpace(name)))
			if err != nil {
				return nil, err
			}
			finish()
			list, finish = append(list, other.Turns...), func() {}
			continue
		case m != nil && (m[1] == "" || m[5] == ":"):
			finish()
			list = append(list, Turn{Client: m[2] == "C", Closes: m[5] != ":"})
			frame, compress := framing(&list[len(list)-1], m[3], m[4]), compressing(&list[len(list)-1], m[1])
			finish = func() { frame(); compress() }
			rest = line[len(m[0]):]
		case len(list) == 0 || line[0] != ' ' && line[0] != '\t':
			return nil, fmt.Errorf("%q begins like no turn", rest)
		}
		t := &list[len(list)-1]
		data, err := items(t.Data, rest)
		if err != nil {
			return nil, err
		}
		if t.Closes && len(data) > 0 {
			return nil, fmt.Errorf("%q: a side that closes sends nothing", rest)
		}
		t.Data = data
	}
	finish()
	return list, nil
}

// framing returns what makes packets of a turn's payload: count of them, the first with sequence id seq;
// nothing if seq is empty.
func framing(t *Turn, seq, count string) func() {
	if seq == "" {
		return func() {}
	}
	first, _ := strconv.Atoi(seq)
	n, _ := strconv.Atoi(count)
	return func() {
		payload := t.Data
		t.Data = nil
		for id := range max(1, n) {
			t.Data = AppendPacket(t.Data, payload, uint8(first+id))
		}
	}
}

// AppendPacket appends payload to b as a packet with sequence id seq; one that is too long for a packet
// is split.
func AppendPacket(b, payload []byte, seq uint8) []byte {
	for {
		n := min(len(payload), mysqlwire.MaxPayload)
		b = append(mysqlwire.AppendHeader(b, n, seq), payload[:n]...)
		if n < mysqlwire.MaxPayload {
			return b
		}
		payload, seq = payload[n:], seq+1
	}
}

// compressing returns what puts a turn into a compressed packet; nothing if method is empty.
func compressing(t *Turn, method string) func() {
	if method == "" {
		return func() {}
	}
	return func() { t.Data = AppendCompressed(nil, t.Data, method) }
}

// AppendCompressed appends plain, of less than 16 MiB, to b as one compressed packet with sequence id 0. method
// is zlib, zstd, or stored for one whose payload is not compressed.
//
// Compressed Packet
func AppendCompressed(b, plain []byte, method string) []byte {
	body, size := plain, len(plain)
	switch method {
	case "zlib":
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(plain) // to memory
		_ = w.Close()
		body = z.Bytes()
	case "zstd":
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)) // options that are right
		body = w.EncodeAll(plain, nil)
	default:
		size = 0
	}
	b = mysqlwire.AppendHeader(b, len(body), 0)
	b = append(b, byte(size), byte(size>>8), byte(size>>16))
	return append(b, body...)
}

// item is one item of a line, with its count.
var item = regexp.MustCompile(`^(?:((?:[0-9a-f]{2})+)|("(?:[^"\\]|\\.)*"|` + "`[^`]*`" + `))(?:\*(\d+))?(?:\s+|$)`)

// items appends the bytes of a line's items to b.
func items(b []byte, line string) ([]byte, error) {
	for line = strings.TrimSpace(line); line != "" && line[0] != '#'; {
		m := item.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("no item at %q", line)
		}
		one, err := hex.DecodeString(m[1])
		if m[2] != "" {
			var text string
			text, err = strconv.Unquote(m[2])
			one = []byte(text)
		}
		if err != nil {
			return nil, err
		}
		n, _ := strconv.Atoi(m[3])
		b = append(b, bytes.Repeat(one, max(1, n))...)
		line = line[len(m[0]):]
	}
	return b, nil
}
