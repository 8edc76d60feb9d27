package mysqldump

import "github.com/l4mysql/l4mysql/mysqlwire"

// How many bytes of a payload are copied when a packet is cut by the stream's reads. Two limits, because
// a small limit for texts must not cut what the session has to understand.
const (
	loginLimit   = 16 << 10 // HandshakeResponse41 with its attributes, COM_CHANGE_USER
	controlLimit = 4 << 10  // greeting, OK, ERR, EOF, the first packet of an answer
	keptBuffer   = 512      // capacity up to which a stream keeps its buffer
)

// A kind is what a client's packet is, decided when its first byte is seen.
type kind uint8

const (
	kindOther     kind = iota // of the server, or not known yet
	kindLogin                 // SSLRequest or login
	kindAuth                  // authentication data: counted, never kept
	kindCommand               // a command
	kindArguments             // a command with binary values
	kindData                  // file contents for LOCAL INFILE
	kindAnswered              // the rest of a command that was answered before it was complete
	kindReplica               // what a replica sends while it receives the binary log
)

// A stream is one direction of a conversation: where in which packet it is, and what it has kept of a
// packet that is not complete. It walks over payloads by their headers.
type stream struct {
	pos    uint64 // bytes seen
	length uint64 // of the current payload, as far as its headers have announced it
	left   int    // bytes of the current packet still to come, once its header is complete
	wanted int    // bytes of the payload still to be copied to buf
	buf    []byte // beginning of the current payload
	header [mysqlwire.HeaderLen]byte
	have   uint8 // bytes of header that are there
	seq    uint8 // sequence id of the payload's first packet
	kind   kind
	began  bool // the payload's first byte has been seen
	joined bool // the current packet continues the payload of the one before
}

// idle reports whether the stream stands between two payloads.
func (d *stream) idle() bool { return d.have == 0 && !d.joined }

// whole returns the payload of the packet at the start of p if the packet is complete in p, and is
// neither empty nor continued: the common case, which needs no copy. It returns nil otherwise.
func (d *stream) whole(p []byte) []byte {
	if len(p) <= mysqlwire.HeaderLen || !d.idle() {
		return nil
	}
	n := mysqlwire.PayloadLen((*[mysqlwire.HeaderLen]byte)(p))
	if n == 0 || n == mysqlwire.MaxPayload || n > len(p)-mysqlwire.HeaderLen {
		return nil
	}
	return p[mysqlwire.HeaderLen : mysqlwire.HeaderLen+n]
}

// part consumes bytes of p up to the next point at which the session has something to decide: the first
// byte of a payload is next (began is false and left is not 0), or a payload is complete (done). It
// returns the rest of p, and piece, what of p belongs to the payload.
func (d *stream) part(p []byte) (rest, piece []byte, done bool) {
	if d.have < mysqlwire.HeaderLen {
		n := copy(d.header[d.have:], p)
		d.have += uint8(n)
		d.pos += uint64(n)
		if d.have < mysqlwire.HeaderLen {
			return nil, nil, false
		}
		d.left = mysqlwire.PayloadLen(&d.header)
		if !d.joined {
			d.begin(d.header[3])
		}
		d.length += uint64(d.left)
		return p[n:], nil, d.end()
	}
	n := min(d.left, len(p))
	if keep := min(n, d.wanted); keep > 0 {
		d.buf = append(d.buf, p[:keep]...)
		d.wanted -= keep
	}
	d.left -= n
	d.pos += uint64(n)
	return p[n:], p[:n], d.end()
}

// arrived returns how many bytes of a payload that is not complete have come.
func (d *stream) arrived() uint64 {
	if d.have < mysqlwire.HeaderLen && !d.joined {
		return 0
	}
	return d.length - uint64(d.left)
}

func (d *stream) begin(seq uint8) {
	d.seq, d.length, d.wanted, d.began, d.kind = seq, 0, 0, false, kindOther
	d.buf = d.buf[:0]
}

// end reports whether the current packet, and with it the payload, is complete.
func (d *stream) end() bool {
	if d.left > 0 {
		return false
	}
	d.joined = mysqlwire.PayloadLen(&d.header) == mysqlwire.MaxPayload
	d.have = 0
	return !d.joined
}

// release gives back a large buffer after its payload was looked at.
func (d *stream) release() {
	if cap(d.buf) > keptBuffer {
		d.buf = nil
	}
}
