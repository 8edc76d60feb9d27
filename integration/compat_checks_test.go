package integration

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// keepInsertID is a statement by which the server tells what last_insert_id should be.
const keepInsertID = "INSERT INTO ids VALUES (LAST_INSERT_ID())"

// checkInsertIDs compares last_insert_id with what the server had for LAST_INSERT_ID() thereafter.
func checkInsertIDs(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	var got []uint64
	for i, r := range records {
		if r.Query == keepInsertID {
			n := i - 1
			for records[n].LastInsertID == 0 && n > 0 { // a COM_STMT_CLOSE, say
				n--
			}
			got = append(got, records[n].LastInsertID)
		}
	}
	if want := storedColumn[uint64](t, m, task, "n", "ids"); !slices.Equal(got, want) || len(want) < 2 {
		t.Errorf("got last_insert_id %v, want %v, as the server has stored", got, want)
	}
}

// checkLengths compares query_length with the length that the server has found.
func checkLengths(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	var got []int64
	for _, r := range records {
		if strings.HasPrefix(r.Query, measureBegin) {
			got = append(got, int64(r.QueryLength-len(measureBegin)-len(measureEnd)))
		}
	}
	if want := storedColumn[int64](t, m, task, "n", "lengths"); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("got texts of %v bytes in query_length, want %v, as the server has stored", got, want)
	}
}

// checkCompressed wants that the server says that it has compressed, in the scenario's way, and does checkLengths.
func checkCompressed(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	status := storedColumn[string](t, m, task, "value", "attributes")
	if !slices.Contains(status, "ON") || task.Scenario == "zstd" && !slices.Contains(status, "zstd") {
		t.Errorf("the server says of its compression %q, want that it compresses", status)
	}
	checkLengths(t, m, task, records)
}

// checkBulk compares affected_rows, bulk_rows and the rows of values with the rows that are in the table, three of
// which were there before.
func checkBulk(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	const most = 4 // rows of values in one record
	stored := storedColumn[string](t, m, task, "v", "t")[3:]
	var affected, rows uint64
	for _, r := range records {
		affected, rows = affected+r.AffectedRows, rows+r.BulkRows
		if r.Command != "COM_STMT_BULK_EXECUTE" {
			continue
		}
		want := stored[rows-r.BulkRows:]
		if n := min(most, int(r.BulkRows)); len(r.Values) != n || n == 0 {
			t.Errorf("got %d rows of stmt_execute_values, want %d", len(r.Values), n)
		}
		for i, raw := range r.Values {
			var values []*string
			if err := json.Unmarshal(raw, &values); err != nil || len(values) != 1 {
				t.Fatalf("stmt_execute_values: got a row %s, error %v, want one value", raw, err)
			}
			if values[0] == nil {
				values[0] = new(string) // as storedColumn
			}
			if *values[0] != want[i] {
				t.Errorf("stmt_execute_values: got %s, want %q, as the server has stored", raw, want[i])
			}
		}
	}
	if want := uint64(len(stored)); affected != want || rows != want {
		t.Errorf("got affected_rows of %d rows and bulk_rows of %d, want %d, as the server has stored",
			affected, rows, want)
	}
}

// checkInfile compares infile_bytes with the lines that the server has stored.
func checkInfile(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	var got int64
	for _, r := range records {
		got += r.InfileBytes
	}
	want := storedColumn[int64](t, m, task, "SUM(LENGTH(v) + 1)", "t WHERE id > 3")[0]
	if got != want || want != int64(len(infile)) {
		t.Errorf("got infile_bytes %d, want %d, as the server has stored of %d bytes", got, want, len(infile))
	}
}

// checkPipeline wants that the client really was ahead of the server.
func checkPipeline(t *testing.T, _ *Matrix, _ Task, records []CompatRecord) {
	t.Helper()
	if !slices.ContainsFunc(records, func(r CompatRecord) bool { return r.Pipelined > 0 }) {
		t.Error("got no record with pipelined, want some")
	}
}

// checkLatin1 compares the literals in the texts with what the server has stored, in UTF-8, and likewise the
// values of parameters.
func checkLatin1(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	var got []string
	for _, r := range records {
		if text, ok := strings.CutPrefix(r.Query, "INSERT INTO t (v) VALUES ('"); ok {
			got = append(got, strings.TrimSuffix(text, "')"))
		}
	}
	if want := storedColumn[string](t, m, task, "v", "t")[3:]; !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("got literals %q in query, want %q, as the server has stored", got, want)
	}
	if slices.ContainsFunc(records, func(r CompatRecord) bool { return r.Command == "COM_STMT_EXECUTE" }) {
		checkValues(t, m, task, records)
	}
}

// checkAttributes compares query_attrs with what the server has found of them.
func checkAttributes(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	got := make(map[string]string)
	for _, r := range records {
		for name, raw := range r.Attributes {
			v, err := parseValue(raw)
			if err != nil {
				t.Errorf("query_attrs: %s: %v", raw, err)
			}
			got[name] = string(v.bytes)
		}
	}
	names := storedColumn[string](t, m, task, "name", "attributes")
	values := storedColumn[string](t, m, task, "value", "attributes")
	if len(names) == 0 || len(names) != len(got) {
		t.Errorf("got query_attrs %q, want those that the server has stored: %q", got, names)
	}
	for i, name := range names {
		if got[name] != values[i] {
			t.Errorf("got query_attrs %s %q, want %q, as the server has stored", name, got[name], values[i])
		}
	}
}

// storedColumn returns what an expression is for the rows of one of the schema's tables, in their order.
func storedColumn[T any](t *testing.T, m *Matrix, task Task, expression, table string) []T {
	t.Helper()
	rows, err := m.db.Admin.QueryContext(t.Context(), "SELECT "+expression+" FROM "+task.Database()+"."+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var values []T
	for rows.Next() {
		var v sql.Null[T]
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v.V)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
