package mysqlwire

import "iter"

// Attributes are the connection attributes of a login, as they stand in the packet: pairs of
// length-encoded strings. nil means that the client sent none.
type Attributes []byte

// readAttributes reads the attributes with the total length before them. Clients are known to announce
// more than they send; what is there is kept.
func readAttributes(c *Cursor) Attributes {
	n := c.LenEnc("length of all key-values")
	return c.String(min(n, uint64(c.Len())), "key-values")
}

// All returns the names and values in the order sent, up to the first pair that is cut off. The slices
// point into a.
func (a Attributes) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		c := NewCursor(a)
		for c.Len() > 0 {
			name, value := c.LenEncString("key"), c.LenEncString("value")
			if c.Failed() || !yield(name, value) {
				return
			}
		}
	}
}
