//go:build !race

// Under the race detector a pool loses some of what it is given, and memory tells nothing.

package mysqldump

import (
	"bytes"
	"runtime"
	"testing"
)

// TestInflaterMemory measures what connections hold that have sent a frame of 16 MiB and another but for its
// last byte.
func TestInflaterMemory(t *testing.T) {
	const size, connections = 1<<24 - 1, 3
	zeros, text := make([]byte, size), prose(size)
	for _, test := range []struct {
		name   string
		window int // of zstd; 0: zlib
		data   []byte
		want   int // bytes
	}{
		{"zlib, a bomb", 0, zeros, 32<<10 + 32<<10},
		{"zlib, text", 0, text, 32<<10 + 32<<10},
		{"zstd, a bomb, a window of 1 KiB", 1 << 10, zeros, 64 << 10},
		{"zstd, a bomb, a window of 32 KiB", 32 << 10, zeros, 5*32<<10 + 64<<10},
		{"zstd, a bomb, a window of 128 KiB", 128 << 10, zeros, 2*128<<10 + 3*128<<10 + 64<<10},
		{"zstd, a bomb, a window of 1 MiB", 1 << 20, zeros, 2<<20 + 3*128<<10 + 64<<10},
		{"zstd, a bomb, a window of 8 MiB", 8 << 20, zeros, 9<<20 + 3*128<<10 + 64<<10},
		{"zstd, text, a window of 32 KiB", 32 << 10, text, 5*32<<10 + 64<<10},
		{"zstd, text, a window of 1 MiB", 1 << 20, text, 2<<20 + 3*128<<10 + 64<<10},
		{"zstd, text, a window of 8 MiB", 8 << 20, text, 9<<20 + 3*128<<10 + 64<<10},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := bytes.Repeat(frame(size, packed(t, test.window, test.data)), 2)
			total := 0
			count := func(piece []byte) bool {
				if len(piece) > maxPiece {
					t.Errorf("got a piece of %d bytes, want at most %d", len(piece), maxPiece)
				}
				total += len(piece)
				return true
			}
			held := make([]inflater, connections)
			before := memory()
			for i := range held {
				f := &held[i]
				f.zstd = test.window > 0
				for p := stream[:len(stream)-1]; len(p) > 0; {
					n := min(1460, len(p))
					if err := f.feed(p[:n], count); err != nil {
						t.Fatal(err)
					}
					p = p[n:]
				}
			}
			got := int(memory()-before) / connections
			t.Logf("%d bytes are %d on the wire, and cost %d KiB", 2*size, len(stream), got>>10)
			if got > test.want {
				t.Errorf("got %d bytes held, want at most %d", got, test.want)
			}
			for i := range held {
				if err := held[i].feed(stream[len(stream)-1:], count); err != nil || held[i].next != nil {
					t.Errorf("the last byte: got error %v", err)
				}
			}
			if total != 2*size*connections {
				t.Errorf("got %d bytes, want %d", total, 2*size*connections)
			}
		})
	}
}

// memory returns the bytes in use in heap and stacks, idle decoders not among them.
func memory() int64 {
	runtime.GC() // twice: a pool lives through one
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestInflaterClaims has frames announce what they do not hold: nothing is allocated for a claim.
func TestInflaterClaims(t *testing.T) {
	for _, test := range []struct {
		name   string
		stream []byte
		want   uint64 // bytes
	}{
		{"a window of 128 MiB", frame(1<<24-1, zstdHead(17<<3, 0)), 4 << 10},
		{"a content of 2^60 bytes", frame(1<<24-1, zstdHead(0x50, 1<<60)), 4 << 10},
		{
			"a window of 8 MiB for 100 bytes",
			frame(100, append(zstdHead(13<<3, 0), 100<<3&0xff|3, 100<<3>>8, 0, 'x')),
			128 << 10,
		},
	} {
		var m1, m2 runtime.MemStats
		f := inflater{zstd: true}
		memory()
		runtime.ReadMemStats(&m1)
		f.feed(test.stream, func([]byte) bool { return true })
		runtime.ReadMemStats(&m2)
		f.stop()
		if got := m2.TotalAlloc - m1.TotalAlloc; got > test.want {
			t.Errorf("%s: got %d bytes allocated, want at most %d", test.name, got, test.want)
		}
	}
}

// TestInflaterAllocations holds that a frame which is complete in a read costs no allocation.
func TestInflaterAllocations(t *testing.T) {
	for name, isZstd := range algorithms {
		stream, want := mixed(t, isZstd)
		f := inflater{zstd: isZstd}
		total := 0
		plain := func(piece []byte) bool { total += len(piece); return true }
		const runs = 50
		const beforeBody = frameHeaderLen + len("\x01\x00\x00\x00\x0e") + 2*frameHeaderLen // see mixed
		n := testing.AllocsPerRun(runs, func() {
			// A frame's header may come alone, as some peers send it.
			for _, p := range [][]byte{stream[:beforeBody], stream[beforeBody:]} {
				if err := f.feed(p, plain); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n != 0 {
			t.Errorf("%s: got %v allocations for a read of complete frames, want 0", name, n)
		}
		if total != (runs+1)*len(want) {
			t.Errorf("%s: got %d bytes, want %d", name, total, (runs+1)*len(want))
		}
	}
}
