package l4mysql

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// slicesOf returns the slices of r, by name.
func slicesOf(r *mysqldump.Record) map[string][]byte {
	all := map[string][]byte{
		"Query": r.Query, "StmtPrepareQuery": r.StmtPrepareQuery, "SQLState": r.SQLState,
		"ErrorMessage": r.ErrorMessage, "Info": r.Info, "Attributes": r.Attributes, "Changes": r.Changes,
	}
	for i := range r.Values {
		all[fmt.Sprintf("Values[%d]", i)] = r.Values[i].Data
	}
	for i := range r.QueryAttributes {
		all[fmt.Sprintf("QueryAttributes[%d].Name", i)] = r.QueryAttributes[i].Name
		all[fmt.Sprintf("QueryAttributes[%d].Data", i)] = r.QueryAttributes[i].Data
	}
	return all
}

// TestEntryCopies: an entry keeps what the record said, though the session writes over its bytes, and none
// of its slices can grow into another.
func TestEntryCopies(t *testing.T) {
	wire := []byte("SELECT 1|PREPARED|42000|a message|an info|\x01k\x01v|\x01\x02\x01x|first value|second||name|value|an other name|")
	parts := bytes.Split(wire, []byte("|"))
	r := mysqldump.Record{Event: mysqldump.EventCommand, Seq: 7, Who: mysqldump.Who{Username: "app", ThreadID: 9}}
	r.Query, r.StmtPrepareQuery, r.SQLState = parts[0], parts[1], parts[2]
	r.ErrorMessage, r.Info, r.Attributes = parts[3], parts[4], mysqlwire.Attributes(parts[5])
	r.Changes = mysqlwire.SessionState(parts[6])
	r.Values = []mysqldump.Value{{Data: parts[7], Length: 11}, {Kind: mysqldump.ValueText, Data: parts[8]}, {Data: parts[9]}, {}}
	r.QueryAttributes = []mysqldump.QueryAttribute{
		{Name: parts[10], Value: mysqldump.Value{Data: parts[11]}}, {Name: parts[12], Value: mysqldump.Value{Data: parts[13]}},
	}
	list, attributes := r.Values, r.QueryAttributes
	want := map[string]string{}
	for name, b := range slicesOf(&r) {
		want[name] = string(b)
	}

	peer := new(conversation)
	e := newEntry(&r, peer)
	for i := range wire {
		wire[i] = 'x'
	}
	clear(list)
	clear(attributes)
	r = mysqldump.Record{}
	if e.Seq != 7 || e.Username != "app" || e.ThreadID != 9 || e.peer != peer || e.dropped != 0 {
		t.Errorf("got %+v", e)
	}
	if e.Values[0].Length != 11 || e.Values[1].Kind != mysqldump.ValueText {
		t.Errorf("got %+v", e.Values)
	}
	if got := slicesOf(&e.Record); len(got) != len(want) {
		t.Errorf("got %d slices, want %d", len(got), len(want))
	}
	for name, b := range slicesOf(&e.Record) {
		if string(b) != want[name] {
			t.Errorf("%s: got %q, want %q", name, b, want[name])
		}
		_ = append(b, "overrun"...)
	}
	for name, b := range slicesOf(&e.Record) {
		if string(b) != want[name] {
			t.Errorf("%s after an append to another: got %q, want %q", name, b, want[name])
		}
	}
}

// TestEntryAbsent: nil stays nil and empty stays empty, whichever entry the pool gives: the one is a key
// that is absent, the other an empty text.
func TestEntryAbsent(t *testing.T) {
	record := func() *mysqldump.Record { return &mysqldump.Record{Query: []byte{}} }
	check := func(e *entry) {
		t.Helper()
		for name, b := range slicesOf(&e.Record) {
			if (b != nil) != (name == "Query") {
				t.Fatalf("%s: got %#v", name, b)
			}
		}
	}
	for range 100 { // new ones, and then those with memory of their own
		check(newEntry(record(), nil))
	}
	long := newEntry(&mysqldump.Record{Query: []byte(strings.Repeat("x", 2*keptEntry))}, nil)
	long.free()
	for range 100 {
		e := newEntry(record(), nil)
		check(e)
		e.free()
	}
}

// TestEntryNoValues: no list of parameters is not an empty one, whichever entry the pool gives.
func TestEntryNoValues(t *testing.T) {
	value := mysqldump.Value{Kind: mysqldump.ValueText, Data: []byte("former")}
	attribute := mysqldump.QueryAttribute{Name: []byte("former")}
	for range 100 {
		for _, r := range []mysqldump.Record{
			{},
			{Arguments: mysqldump.Arguments{Values: []mysqldump.Value{}}},
			{Arguments: mysqldump.Arguments{QueryAttributes: []mysqldump.QueryAttribute{attribute}}},
			{Arguments: mysqldump.Arguments{Values: []mysqldump.Value{value, value}}},
			{Arguments: mysqldump.Arguments{Values: make([]mysqldump.Value, keptValues+1)}},
		} {
			e := newEntry(&r, nil)
			if (e.Values == nil) != (r.Values == nil) || len(e.Values) != len(r.Values) ||
				len(e.QueryAttributes) != len(r.QueryAttributes) {
				t.Fatalf("got %#v, want %#v", e.Arguments, r.Arguments)
			}
			e.free()
		}
	}
}

// TestEntryReuse: nothing of a former record is left in an entry, and no more memory than a usual record
// needs.
func TestEntryReuse(t *testing.T) {
	full := mysqldump.Record{
		Event: mysqldump.EventCommand, Seq: 1, Who: mysqldump.Who{Username: "app", Database: "shop"},
		Query: []byte("SELECT 'former'"), StmtPrepareQuery: []byte("former"), HasStmt: true, StmtID: 3, Pipelined: 4,
		Answer: mysqldump.Answer{ErrorCode: 1064, SQLState: []byte("42000"), ErrorMessage: []byte("former"), Info: []byte("former")},
		Reason: "former", Attributes: mysqlwire.Attributes("\x01k\x06former"),
		Arguments: mysqldump.Arguments{
			BulkRows: 1, RowWidth: 1, ValuesTruncated: true, QueryAttributes: []mysqldump.QueryAttribute{{Name: []byte("former")}},
		},
	}
	for _, size := range []int{1, keptEntry, keptEntry + 1} {
		full.Query = bytes.Repeat([]byte("f"), size)
		full.Values = make([]mysqldump.Value, (size+keptEntry/keptValues-1)/(keptEntry/keptValues))
		for i := range full.Values {
			full.Values[i].Data = []byte("f")
		}
		e := newEntry(&full, new(conversation))
		e.dropped = 5
		e.free()
		if e.Seq != 0 || e.Username != "" || e.peer != nil || e.dropped != 0 || e.HasStmt || e.Reason != "" || cap(e.text) > keptEntry ||
			e.Values != nil || e.QueryAttributes != nil || e.BulkRows != 0 || e.RowWidth != 0 || e.ValuesTruncated ||
			cap(e.values) > keptValues {
			t.Errorf("%d bytes: a free entry has %+v, and %d bytes", size, e.Record, cap(e.text))
		}
		for name, b := range slicesOf(&e.Record) {
			if b != nil {
				t.Errorf("%d bytes: a free entry has %s: %q", size, name, b)
			}
		}
		for _, v := range e.values[:cap(e.values)] {
			if v.Data != nil {
				t.Errorf("%d bytes: a free entry holds on to a value: %q", size, v.Data)
			}
		}
		next := newEntry(&mysqldump.Record{Query: []byte("SELECT 2"), Answer: mysqldump.Answer{Info: []byte("new")}}, nil)
		if string(next.Query) != "SELECT 2" || string(next.Info) != "new" || next.ErrorMessage != nil || next.Attributes != nil {
			t.Errorf("%d bytes: got %+v", size, next.Record)
		}
	}
}
