package l4mysql

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// An entry is a record on its way to the log, with bytes of its own.
type entry struct {
	mysqldump.Record
	peer    *conversation
	dropped uint64 // records that the queue has dropped since the one before
	text    []byte // what the record's slices of bytes point into
	values  []mysqldump.Value
}

var entries = sync.Pool{New: func() any { return new(entry) }}

// keptEntry is the capacity in bytes up to which a free entry keeps its memory.
const keptEntry = 8 << 10

// keptValues is the same for its values.
const keptValues = 64

// newEntry returns a copy of r, which is the session's and changes when this returns.
func newEntry(r *mysqldump.Record, peer *conversation) *entry {
	e := entries.Get().(*entry)
	e.Record, e.peer, e.dropped = *r, peer, 0
	fields := [...]*[]byte{
		&e.Query, &e.StmtPrepareQuery, &e.SQLState, &e.ErrorMessage, &e.Info,
		(*[]byte)(&e.Attributes), (*[]byte)(&e.Changes),
	}
	size := 0
	for _, f := range fields {
		size += len(*f)
	}
	for i := range r.Values {
		size += len(r.Values[i].Data)
	}
	for i := range r.QueryAttributes {
		size += len(r.QueryAttributes[i].Name) + len(r.QueryAttributes[i].Data)
	}
	if e.text == nil || cap(e.text) < size { // in nil, an empty text would be none
		e.text = make([]byte, 0, max(size, 256))
	}
	e.text = e.text[:0]
	for _, f := range fields {
		e.own(f)
	}
	if r.Values != nil || r.QueryAttributes != nil {
		e.ownValues()
	}
	return e
}

// own makes b point to a copy in e.text, where there is room.
func (e *entry) own(b *[]byte) {
	if *b != nil {
		start := len(e.text)
		e.text = append(e.text, *b...)
		*b = e.text[start:len(e.text):len(e.text)]
	}
}

// ownValues is own for the values of the record.
func (e *entry) ownValues() {
	if e.Values != nil {
		if e.values == nil {
			e.values = make([]mysqldump.Value, 0, len(e.Values)) // nil would be no list
		}
		e.values = append(e.values[:0], e.Values...)
		e.Values = e.values
	}
	for i := range e.Values {
		e.own(&e.Values[i].Data)
	}
	e.QueryAttributes = slices.Clone(e.QueryAttributes)
	for i := range e.QueryAttributes {
		e.own(&e.QueryAttributes[i].Name)
		e.own(&e.QueryAttributes[i].Data)
	}
}

// size returns how many bytes e takes, as far as that depends on the record.
func (e *entry) size() int {
	const value, attribute = int(unsafe.Sizeof(mysqldump.Value{})), int(unsafe.Sizeof(mysqldump.QueryAttribute{}))
	return cap(e.text) + cap(e.values)*value + cap(e.QueryAttributes)*attribute
}

// free gives e back after it was written or dropped.
func (e *entry) free() {
	text, values := e.text, e.values
	if cap(text) > keptEntry {
		text = nil
	}
	if cap(values) > keptValues {
		values = nil
	}
	clear(values)
	*e = entry{text: text, values: values[:0]}
	entries.Put(e)
}
