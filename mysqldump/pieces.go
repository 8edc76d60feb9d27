package mysqldump

import "encoding/binary"

// pieces hands out the fields of a payload that comes in pieces. What has not all come is held until the
// next piece; a field that is not cut is not copied.
type pieces struct {
	p    []byte // rest of the current piece
	held []byte // beginning of a field that did not end with its piece
}

// next returns the next n bytes, or nil if they have not all come. They are valid until the call after.
// n is a length that the caller has bounded.
func (r *pieces) next(n int) []byte {
	if len(r.held) == 0 && len(r.p) >= n {
		b := r.p[:n:n]
		r.p = r.p[n:]
		return b
	}
	k := min(n-len(r.held), len(r.p))
	r.held = append(r.held, r.p[:k]...)
	r.p = r.p[k:]
	if len(r.held) < n {
		return nil
	}
	b := r.held
	r.held = r.held[:0]
	return b
}

// peek returns the first byte of the next field, if it is there.
func (r *pieces) peek() (first byte, ok bool) {
	switch {
	case len(r.held) > 0:
		return r.held[0], true
	case len(r.p) > 0:
		return r.p[0], true
	default:
		return 0, false
	}
}

// lenEnc reads int<lenenc>. whole is false if it has not all come, valid if it is none (0xfb, 0xff).
func (r *pieces) lenEnc() (n uint64, whole, valid bool) {
	first, ok := r.peek()
	if !ok {
		return 0, false, true
	}
	size := 1
	switch first {
	case 0xfc:
		size = 3
	case 0xfd:
		size = 4
	case 0xfe:
		size = 9
	case 0xfb, 0xff:
		return 0, false, false
	}
	b := r.next(size)
	if b == nil {
		return 0, false, true
	}
	if size == 1 {
		return uint64(first), true, true
	}
	// Of 8 bytes servers look at the lower 4 (tried on MySQL 9.7.4): to believe the others would be to lose what
	// stands behind the field.
	var wide [4]byte
	copy(wide[:], b[1:])
	return uint64(binary.LittleEndian.Uint32(wide[:])), true, true
}

// upTo returns at most n of the bytes that have come, and takes them off. Nothing may be held.
func (r *pieces) upTo(n uint64) []byte {
	k := int(min(n, uint64(len(r.p))))
	b := r.p[:k]
	r.p = r.p[k:]
	return b
}
