package mysqlwire

import (
	"slices"
	"testing"
)

// TestFieldTypeEncoding asks for every type that can be written.
func TestFieldTypeEncoding(t *testing.T) {
	fixed := map[FieldType]int{
		0x01: 1, 0x02: 2, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 0, 0x08: 8, 0x09: 4, 0x0d: 2, 0xf4: 1,
	}
	temporal := []FieldType{0x07, 0x0a, 0x0b, 0x0c}
	texts := []FieldType{0x00, 0x0f, 0xf5, 0xf6, 0xf7, 0xf8, 0xfd, 0xfe}
	binaries := []FieldType{0x10, 0xf2, 0xf9, 0xfa, 0xfb, 0xfc, 0xff}
	for i := range 256 {
		kind := FieldType(i)
		want, wantSize := EncodingUnknown, 0
		size, isFixed := fixed[kind]
		switch {
		case isFixed:
			want, wantSize = EncodingFixed, size
		case slices.Contains(temporal, kind):
			want = EncodingTemporal
		case slices.Contains(texts, kind), slices.Contains(binaries, kind):
			want = EncodingString
		}
		if got, gotSize := kind.Encoding(); got != want || gotSize != wantSize {
			t.Errorf("%#02x: got encoding %d of %d bytes, want %d of %d", i, got, gotSize, want, wantSize)
		}
		if got, want := kind.IsText(), slices.Contains(texts, kind); got != want {
			t.Errorf("%#02x: got text %t, want %t", i, got, want)
		}
	}
}
