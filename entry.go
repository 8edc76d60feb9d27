package l4mysql

import (
	"sync"

	"github.com/l4mysql/l4mysql/mysqldump"
)

// An entry is a record on its way to the log, with bytes of its own.
type entry struct {
	mysqldump.Record
	peer    *conversation
	dropped uint64 // records that the queue has dropped since the one before
	text    []byte // what the record's slices point into
}

var entries = sync.Pool{New: func() any { return new(entry) }}

// keptEntry is the capacity in bytes up to which a free entry keeps its memory.
const keptEntry = 8 << 10

// newEntry returns a copy of r, which is the session's and changes when this returns.
func newEntry(r *mysqldump.Record, peer *conversation) *entry {
	e := entries.Get().(*entry)
	e.Record, e.peer, e.dropped = *r, peer, 0
	fields := [...]*[]byte{
		&e.Query, &e.StmtPrepareQuery, &e.SQLState, &e.ErrorMessage, &e.Info, (*[]byte)(&e.Attributes),
	}
	size := 0
	for _, f := range fields {
		size += len(*f)
	}
	if e.text == nil || cap(e.text) < size { // in nil, an empty text would be none
		e.text = make([]byte, 0, max(size, 256))
	}
	text := e.text[:0]
	for _, f := range fields {
		if *f != nil {
			start := len(text)
			text = append(text, *f...)
			*f = text[start:len(text):len(text)]
		}
	}
	return e
}

// free gives e back after it was written or dropped.
func (e *entry) free() {
	text := e.text
	if cap(text) > keptEntry {
		text = nil
	}
	*e = entry{text: text}
	entries.Put(e)
}
