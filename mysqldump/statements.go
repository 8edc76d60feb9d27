package mysqldump

import (
	"cmp"
	"container/list"
	"slices"
)

// A statement is what is known of a prepared statement.
type statement struct {
	id     uint32
	text   []byte   // that it was made from
	cut    bool     // text lacks the end
	plain  bool     // see command.plain
	secret bool     // see command.secret
	set    *charset // that text is in
	params int
	types  []paramType // of the execution before, of at most maxTypes parameters
	long   []longData  // for the execution to come, by parameter
	lost   bool        // more of it was sent, and it is not known for which execution
	size   int         // bytes that it counts for
}

// A longData is the value of a parameter that COM_STMT_SEND_LONG_DATA has sent.
type longData struct {
	param  int
	data   []byte // its beginning
	length uint64
}

const (
	statementOverhead = 256 // bytes that a statement takes beside its text
	longDataOverhead  = 48
)

func (s *statement) weight() int {
	n := statementOverhead + len(s.text) + 2*cap(s.types)
	for i := range s.long {
		n += longDataOverhead + cap(s.long[i].data)
	}
	return n
}

// longData returns what was sent for a parameter, or nil.
func (s *statement) longData(param int) *longData {
	if i, found := s.findLong(param); found {
		return &s.long[i]
	}
	return nil
}

func (s *statement) findLong(param int) (i int, found bool) {
	return slices.BinarySearchFunc(s.long, param, func(l longData, param int) int { return cmp.Compare(l.param, param) })
}

// addLong takes over data for a parameter, of which length bytes were sent and at most limit are kept.
// Parameters without a type that is remembered, and those that the statement does not have, are left out.
func (s *statement) addLong(param int, data []byte, length uint64, limit int) {
	if param >= min(s.params, maxTypes) {
		return
	}
	i, found := s.findLong(param)
	if !found {
		s.long = slices.Insert(s.long, i, longData{param: param})
	}
	l := &s.long[i]
	l.data = append(l.data, data[:max(0, min(len(data), limit-len(l.data)))]...)
	l.length += length
}

// statements are the prepared statements of a connection that are known. Clients are known to prepare
// without ever closing: the least recently used are forgotten.
type statements struct {
	byID  map[uint32]*list.Element
	used  list.List // of *statement, least recently used first
	size  int       // bytes
	limit int       // bytes
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
	s.size = 0
	t.weigh(s)
}

// weigh takes into account that s, which is the one used last, takes more or less memory than before.
func (t *statements) weigh(s *statement) {
	if e := t.byID[s.id]; e == nil || e.Value.(*statement) != s {
		return // forgotten meanwhile
	}
	size := s.weight()
	t.size += size - s.size
	s.size = size
	for t.size > t.limit && t.used.Len() > 1 {
		t.drop(t.used.Front().Value.(*statement).id)
	}
}

func (t *statements) drop(id uint32) {
	if e := t.byID[id]; e != nil {
		t.size -= e.Value.(*statement).size
		t.used.Remove(e)
		delete(t.byID, id)
	}
}

func (t *statements) clear() { *t = statements{limit: t.limit} }
