package mysqldump

import "container/list"

// A statement is the text that a prepared statement was made from.
type statement struct {
	id     uint32
	text   []byte
	cut    bool // text lacks the end
	plain  bool // see command.plain
	secret bool // see command.secret
}

const (
	statementsMemory  = 256 << 10 // bytes that the texts of one connection may take
	statementOverhead = 192       // bytes that a statement takes beside its text
)

// statements are the prepared statements of a connection whose texts are known. Clients are known to
// prepare without ever closing: the least recently used are forgotten.
type statements struct {
	byID map[uint32]*list.Element
	used list.List // of *statement, least recently used first
	size int       // bytes
}

func (t *statements) get(id uint32) *statement {
	e := t.byID[id]
	if e == nil {
		return nil
	}
	t.used.MoveToBack(e)
	return e.Value.(*statement)
}

func (t *statements) put(s *statement) {
	t.drop(s.id)
	if t.byID == nil {
		t.byID = make(map[uint32]*list.Element)
	}
	t.byID[s.id] = t.used.PushBack(s)
	t.size += len(s.text) + statementOverhead
	for t.size > statementsMemory && t.used.Len() > 1 {
		t.drop(t.used.Front().Value.(*statement).id)
	}
}

func (t *statements) drop(id uint32) {
	if e := t.byID[id]; e != nil {
		t.size -= len(e.Value.(*statement).text) + statementOverhead
		t.used.Remove(e)
		delete(t.byID, id)
	}
}

func (t *statements) clear() { *t = statements{} }
