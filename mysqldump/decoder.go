package mysqldump

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash"
	"hash/adler32"
	"io"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// errCorrupt says that the frame around what a decoder reads is not as its RFC has it.
var errCorrupt = errors.New("corrupt")

// A zlibDecoder inflates zlib streams (RFC 1950), one after the other. It takes about 40 KiB, of which 32
// are the window.
//
// It is built on klauspost's flate rather than on the standard library's: that one has less than two
// thirds of its speed and allocates for each block. And on flate rather than on zlib: flate hands
// on its window, where zlib has to be given a buffer to copy it to.
type zlibDecoder struct {
	in      *bufio.Reader // flate has a loop of its own for this type, without a call for each byte
	flate   io.ReadCloser
	sum     hash.Hash32
	out     io.Writer
	scratch [4]byte
}

var zlibPool = sync.Pool{New: func() any {
	d := &zlibDecoder{in: bufio.NewReaderSize(nil, 512), sum: adler32.New()}
	d.flate = flate.NewReader(d.in)
	return d
}}

// inflateZlib reads a zlib stream from b and writes to b what it holds. A decoder that has met an error
// is not used again.
func inflateZlib(b *frameBody) error {
	d := zlibPool.Get().(*zlibDecoder)
	if err := d.inflate(b); err != nil {
		return err
	}
	d.in.Reset(nil)
	d.out = nil
	zlibPool.Put(d)
	return nil
}

func (d *zlibDecoder) inflate(b *frameBody) error {
	d.in.Reset(b)
	d.sum.Reset()
	d.out = b
	if _, err := io.ReadFull(d.in, d.scratch[:2]); err != nil {
		return err
	}
	cmf, flg := d.scratch[0], d.scratch[1]
	deflated, dictionary := cmf&0x0f == 8 && cmf>>4 <= 7, flg&0x20 != 0
	if !deflated || dictionary || binary.BigEndian.Uint16(d.scratch[:])%31 != 0 {
		return errCorrupt
	}
	if err := d.flate.(flate.Resetter).Reset(d.in, nil); err != nil {
		return err
	}
	if _, err := d.flate.(io.WriterTo).WriteTo(d); err != nil {
		return err
	}
	if _, err := io.ReadFull(d.in, d.scratch[:4]); err != nil {
		return err
	}
	behind := d.in.Buffered() + len(b.arrived) + b.left
	if binary.BigEndian.Uint32(d.scratch[:]) != d.sum.Sum32() || behind > 0 {
		return errCorrupt
	}
	return nil
}

// Write takes what flate has inflated.
func (d *zlibDecoder) Write(p []byte) (int, error) {
	d.sum.Write(p)
	return d.out.Write(p)
}

// The windows of zstd frames (RFC 8878 section 3.1.1.1.2), as powers of two, in bytes.
const (
	minWindowLog = 15 // below it, what a decoder has besides its window is most of it
	maxWindowLog = 23 // 8 MiB, which the RFC wants every decoder to support

	maxZstdHeader    = 18 // bytes: magic number, descriptor, window, dictionary, content size
	windowDescriptor = 5  // where it is, in a header that has one
)

// zstdPools has the idle decoders by the largest window that they take, from minWindowLog on: one that has
// been grown for a large window is no burden for a frame with a small one.
//
// A decoder's history takes twice the window for one of less than 2 MiB, and 1 MiB more than the window
// from there on. Its blocks, which can only be decoded as a whole, take up to three times the window or
// 128 KiB, whichever is less.
var zstdPools [maxWindowLog - minWindowLog + 1]sync.Pool

// inflateZstd reads a zstd frame from b and writes to b what it holds. A decoder that has met an error is
// not used again.
func inflateZstd(b *frameBody) error {
	log, err := b.zstdWindow()
	if err != nil {
		return err
	}
	pool := &zstdPools[log-minWindowLog]
	d, _ := pool.Get().(*zstd.Decoder)
	if d == nil {
		// A concurrency of 1 is what keeps it from starting goroutines.
		d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(1<<log))
		if err != nil {
			return err
		}
	}
	if err = d.Reset(b); err != nil {
		return err
	}
	if _, err = d.WriteTo(b); err != nil {
		return err
	}
	if err = d.Reset(nil); err != nil {
		return err
	}
	pool.Put(d)
	return nil
}

// zstdWindow looks at the frame's header and returns the window that its decoder must have, as a power of
// two. Clients that compress as they go, Connector/J among them, announce a window of 2 MiB for each small
// query. No reference can go back further than the first byte, so the header that the decoder reads asks
// for no more than the frame inflates to.
func (b *frameBody) zstdWindow() (int, error) {
	n, err := io.ReadFull(b, b.head[:])
	if errors.Is(err, errStopped) {
		return 0, err
	}
	b.ahead = b.head[:n]
	var h zstd.Header
	if err := h.Decode(b.ahead); err != nil {
		return 0, err
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	switch {
	case h.Skippable:
		return 0, errCorrupt
	case window > 1<<maxWindowLog:
		return 0, errWindow
	case h.HasFCS && h.FrameContentSize != uint64(b.size):
		return 0, errCorrupt
	}
	log := max(minWindowLog, bits.Len64(min(window, uint64(b.size))-1))
	if !h.SingleSegment && window > 1<<log {
		b.head[windowDescriptor] = byte(log-10) << 3 // exponent, and a mantissa of 0
	}
	return log, nil
}
