package l4mysql

import (
	"io"
	"sync"
)

// heldSize has room for a header with HAProxy's usual TLVs. A longer one grows out of it.
const heldSize = 512

var heldPool = sync.Pool{New: func() any { return new([heldSize]byte) }}

// heldBytes are bytes that were read and cannot be handed on yet. The zero value holds nothing, and
// nothing is what it costs: its memory is lent while there are bytes.
type heldBytes struct {
	b    []byte
	lent *[heldSize]byte // where b lies, unless it has grown
}

// put takes a copy of b. Nothing may be held.
func (h *heldBytes) put(b []byte) {
	if len(b) > 0 {
		h.borrow()
		h.grow(len(b))
		h.b = append(h.b, b...)
	}
}

// fill reads once from r and appends what came.
func (h *heldBytes) fill(r io.Reader) error {
	if h.b == nil {
		h.borrow()
	}
	if len(h.b) == cap(h.b) {
		h.grow(len(h.b))
	}
	n, err := r.Read(h.b[len(h.b):cap(h.b)])
	h.b = h.b[:len(h.b)+n]
	if len(h.b) == 0 {
		h.release()
	}
	return err
}

// drop forgets the first n bytes.
func (h *heldBytes) drop(n int) {
	h.b = h.b[n:]
	if len(h.b) == 0 {
		h.release()
	}
}

func (h *heldBytes) borrow() {
	h.lent = heldPool.Get().(*[heldSize]byte)
	h.b = h.lent[:0]
}

// grow makes room for n more bytes.
func (h *heldBytes) grow(n int) {
	if cap(h.b)-len(h.b) >= n {
		return
	}
	b := append(make([]byte, 0, len(h.b)+n), h.b...)
	h.release()
	h.b = b
}

func (h *heldBytes) release() {
	if h.lent != nil {
		heldPool.Put(h.lent)
	}
	h.b, h.lent = nil, nil
}
