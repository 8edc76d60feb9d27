package mysqldump

import (
	"errors"
	"io"
	"iter"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

const (
	frameHeaderLen = 7
	maxPiece       = 32 << 10 // bytes of plain text handed on at a time
)

// errWindow says that a zstd frame needs more memory to be followed than a session may have.
var errWindow = errors.New("mysql: CompressedPacket: window too large")

// What ends a decoder early, for a reason that is not its own. Neither leaves the package.
var (
	errStopped = errors.New("stopped")
	errTooLong = errors.New("inflates to more than was announced")
)

// An inflater turns one direction of the compressed protocol back into the plain stream of packets. The
// zero value stands before the first frame, and inflates zlib.
//
// A frame's body is never assembled, and no length on the wire is believed: between two frames an
// inflater holds nothing, and within one no more than its decoder (see [zlibDecoder] and [inflateZstd])
// and a coroutine. That coroutine is why an inflater that was fed must be stopped.
//
// Compressed Packet: int<3> length of compressed payload, int<1> compressed sequence id, int<3> length of
// payload before compression (0: the payload is not compressed), compressed payload.
type inflater struct {
	zstd bool // the bodies are zstd frames, not zlib streams

	header [frameHeaderLen]byte
	have   uint8     // bytes of header that are there
	body   frameBody // the current frame's

	// The coroutine that inflates a body which comes in several calls; nil otherwise. It pauses where
	// the decoder, which pulls its bytes, has come to the end of those that feed was given.
	next func() (piece []byte, ok bool)
	end  func()
	err  error // what came of the coroutine
}

// feed takes the next bytes of the direction, cut anywhere, and calls plain with what they hold, in order.
// A piece has at most 32 KiB unless it came uncompressed, and is valid until plain returns. If plain
// returns false, feed returns nil at once.
//
// The error is a [*mysqlwire.ParseError], or errWindow. After one, and after plain has returned false,
// the inflater has stopped and must not be fed again. Pieces of a body that turns out to be malformed may
// have been handed on before.
//
// plain is kept until feed returns, in memory that is not the stack's: to allocate nothing, give the same
// func value each time.
func (f *inflater) feed(p []byte, plain func(piece []byte) bool) error {
	b := &f.body
	for len(p) > 0 {
		if f.have < frameHeaderLen {
			n := copy(f.header[f.have:], p)
			f.have += uint8(n)
			p = p[n:]
			if f.have < frameHeaderLen {
				return nil
			}
			b.left, b.size = uint24(f.header[0:]), uint24(f.header[4:])
		}
		n := min(b.left, len(p))
		if n == 0 && b.left > 0 {
			return nil
		}
		arrived := p[:n]
		p = p[n:]
		b.left -= n
		switch {
		case uint24(f.header[4:]) != 0:
			if err := f.inflate(arrived, plain); err != nil || b.stopped {
				f.stop()
				return err
			}
		case n > 0 && !plain(arrived):
			return nil
		}
		if b.left == 0 {
			f.have = 0
		}
	}
	return nil
}

// inflate goes on with the body, of which the bytes in arrived are the next.
func (f *inflater) inflate(arrived []byte, plain func([]byte) bool) error {
	b := &f.body
	b.arrived = arrived
	if f.next == nil && b.left == 0 {
		// The whole body is here, so the decoder can read it without a pause: no coroutine is needed.
		b.yield = plain
		err := f.decode()
		b.arrived, b.yield = nil, nil // the caller's
		return err
	}
	if f.next == nil {
		f.next, f.end = iter.Pull(f.pieces)
	}
	for {
		piece, ok := f.next()
		switch {
		case !ok:
			f.stop()
			return f.err
		case piece == nil:
			b.arrived = nil // even an empty slice would keep the caller's buffer
			return nil
		case !plain(piece):
			b.stopped = true
			return nil
		}
	}
}

// pieces yields what the body holds, and nil where it needs more bytes to go on.
func (f *inflater) pieces(yield func([]byte) bool) {
	f.body.yield = yield
	f.err = f.decode()
	f.body.yield = nil
}

// decode inflates one body, from its first byte to its last.
func (f *inflater) decode() error {
	b := &f.body
	var err error
	if f.zstd {
		err = inflateZstd(b)
	} else {
		err = inflateZlib(b)
	}
	switch {
	case b.stopped:
		return nil
	case errors.Is(err, errWindow):
		return err
	case errors.Is(err, errTooLong), err == nil && b.size > 0:
		return malformedFrame("length_of_payload_before_compression", 4)
	case err != nil:
		return malformedFrame("compressed_payload", frameHeaderLen)
	}
	return nil
}

func malformedFrame(field string, offset int) error {
	return &mysqlwire.ParseError{Message: "CompressedPacket", Field: field, Offset: offset, Err: mysqlwire.ErrMalformed}
}

// stop frees what the inflater holds. It may be called at any time and more than once; from within plain only
// if that then returns false.
func (f *inflater) stop() {
	if f.end != nil {
		f.end()
		f.next, f.end = nil, nil
	}
	f.body.arrived = nil
}

// A frameBody is that of one compressed frame, as its decoder sees it: it reads from it, and writes to it what
// it has made of that.
type frameBody struct {
	arrived []byte // not read yet
	left    int    // bytes to come after those
	size    int    // bytes that it must still become
	yield   func(piece []byte) bool
	stopped bool // yield has returned false

	head  [maxZstdHeader]byte
	ahead []byte // of head, to be read before arrived
}

// Read reads what has arrived. Without any it asks for more, and the coroutine pauses there.
func (b *frameBody) Read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	for len(b.arrived) == 0 {
		if b.left == 0 {
			return 0, io.EOF
		}
		if b.stopped = b.stopped || !b.yield(nil); b.stopped {
			return 0, errStopped
		}
	}
	n := copy(p, b.arrived)
	b.arrived = b.arrived[n:]
	return n, nil
}

// Write hands on what the decoder has made.
func (b *frameBody) Write(p []byte) (int, error) {
	if len(p) > b.size {
		return 0, errTooLong
	}
	b.size -= len(p)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), maxPiece)
		if b.stopped = b.stopped || !b.yield(rest[:n]); b.stopped {
			return 0, errStopped
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
