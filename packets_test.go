package l4mysql

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadPacket(t *testing.T) {
	const limit = 10_000
	long := strings.Repeat("x", limit)
	for _, tt := range []struct {
		name, in string
		seq      uint8
		want     string
		refusal  uint16
		err      error
	}{
		{"a packet, and what follows is left", "\x03\x00\x00\x01abcd", 1, "abc", 0, nil},
		{"the longest", "\x10\x27\x00\x02" + long, 2, long, 0, nil},
		{"longer", "\x11\x27\x00\x02" + long, 2, "", 1043, nil},
		{"another sequence id", "\x03\x00\x00\x02abc", 1, "", 1043, nil},
		{"nothing in it", "\x00\x00\x00\x01", 1, "", 1043, nil},
		{"a PROXY header, version 1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 1, "", 1043, nil},
		{"a PROXY header, version 2", "\r\n\r\n\x00\r\nQUIT\n", 2, "", 1043, nil},
		{"HTTP", "GET / HTTP/1.1\r\n", 1, "", 1043, nil},
		{"nothing", "", 1, "", 0, io.EOF},
		{"half a header", "\x03\x00", 1, "", 0, io.ErrUnexpectedEOF},
		{"half a payload", "\x10\x27\x00\x01abc", 1, "", 0, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
				got, refusal, err := readPacket(r, tt.seq, limit)
				if string(got) != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("got %d bytes, %v, want %d, %v", len(got), err, len(tt.want), tt.err)
				}
				if refusal == nil != (tt.refusal == 0) || refusal != nil && refusal.Code != tt.refusal {
					t.Errorf("got refusal %v, want %d", refusal, tt.refusal)
				}
				if rest, _ := io.ReadAll(r); tt.want == "abc" && string(rest) != "d" {
					t.Errorf("got %q behind the packet, want d", rest)
				}
			}
		})
	}
}

// TestReadPacketMemory: memory is taken for what arrives.
func TestReadPacketMemory(t *testing.T) {
	const announced = 1 << 20
	header := []byte{0, 0, announced >> 16, 1}
	grown := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = readPacket(io.MultiReader(bytes.NewReader(header), strings.NewReader("x")), 1, announced)
		}
	}).AllocedBytesPerOp()
	if grown > 16<<10 {
		t.Errorf("got %d bytes taken for one that has come of %d announced", grown, announced)
	}
}
