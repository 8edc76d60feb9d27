package mysqldump

import (
	"bytes"
	"testing"
)

func TestStatements(t *testing.T) {
	table := statements{limit: DefaultStatementsMemory}
	if got := table.get(1); got != nil {
		t.Errorf("empty: got %v", got)
	}
	table.drop(1)
	one, two := &statement{id: 1, text: []byte("one")}, &statement{id: 2, text: []byte("two")}
	table.put(one)
	table.put(two)
	if table.get(1) != one || table.get(2) != two || table.get(3) != nil {
		t.Errorf("got %v, %v, %v; want the first two", table.get(1), table.get(2), table.get(3))
	}
	again := &statement{id: 1, text: []byte("again")}
	table.put(again)
	if got := table.get(1); got != again {
		t.Errorf("put again: got %v", got)
	}
	if want := len("again") + len("two") + 2*statementOverhead; table.size != want || table.used.Len() != 2 || len(table.byID) != 2 {
		t.Errorf("got %d bytes, %d, %d entries; want %d, 2, 2", table.size, table.used.Len(), len(table.byID), want)
	}
	table.drop(1)
	table.drop(1)
	if want := len("two") + statementOverhead; table.get(1) != nil || table.size != want {
		t.Errorf("dropped: got %v, %d bytes; want none, %d", table.get(1), table.size, want)
	}
	table.clear()
	if table.get(2) != nil || table.size != 0 || table.used.Len() != 0 {
		t.Errorf("cleared: got %v, %d bytes, %d entries; want none", table.get(2), table.size, table.used.Len())
	}
}

// TestStatementsMemory: the least recently used make room, and what is too large by itself may stay alone.
func TestStatementsMemory(t *testing.T) {
	table := statements{limit: DefaultStatementsMemory}
	text := make([]byte, 1000-statementOverhead)
	const room = DefaultStatementsMemory / 1000
	for id := range uint32(room) {
		table.put(&statement{id: id, text: text})
	}
	if table.get(0) == nil || table.used.Len() != room {
		t.Fatalf("got %d statements, want %d", table.used.Len(), room)
	}
	table.put(&statement{id: room, text: text}) // 0 was used last: 1 has to go
	if table.get(0) == nil || table.get(1) != nil || table.get(2) == nil || table.get(room) == nil {
		t.Errorf("got 0: %v, 1: %v, 2: %v, new: %v; want all but 1",
			table.get(0) != nil, table.get(1) != nil, table.get(2) != nil, table.get(room) != nil)
	}
	if table.size > DefaultStatementsMemory || table.used.Len() != len(table.byID) {
		t.Errorf("got %d bytes, %d and %d entries", table.size, table.used.Len(), len(table.byID))
	}
	table.put(&statement{id: 7777, text: bytes.Repeat([]byte("x"), 2*DefaultStatementsMemory)})
	if table.used.Len() != 1 || table.get(7777) == nil {
		t.Errorf("a large one: got %d entries, want it alone", table.used.Len())
	}
	table.put(&statement{id: 1})
	if table.used.Len() != 1 || table.get(1) == nil || table.size != statementOverhead {
		t.Errorf("after a large one: got %d entries, %d bytes; want one, %d", table.used.Len(), table.size, statementOverhead)
	}
	half := make([]byte, DefaultStatementsMemory/2-statementOverhead)
	table.clear()
	table.put(&statement{id: 1, text: half})
	table.put(&statement{id: 2, text: half})
	if table.used.Len() != 2 || table.size != DefaultStatementsMemory {
		t.Errorf("two halves: got %d entries, %d bytes; want both", table.used.Len(), table.size)
	}
	// Statements without a text take memory, too.
	for id := range uint32(10_000) {
		table.put(&statement{id: id})
	}
	if got, most := table.used.Len(), DefaultStatementsMemory/statementOverhead; got != most {
		t.Errorf("without texts: got %d, want %d", got, most)
	}
}
