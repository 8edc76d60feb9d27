package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
)

// A CompatRecord is a Record with the keys that only the compatibility matrix compares.
type CompatRecord struct {
	Record
	Warnings     int                        `json:"warnings"`
	LastInsertID uint64                     `json:"last_insert_id"`
	Pipelined    int                        `json:"pipelined"`
	BulkRows     uint64                     `json:"bulk_rows"`
	InfileBytes  int64                      `json:"infile_bytes"`
	Values       []json.RawMessage          `json:"stmt_execute_values"` // of a bulk execution its first rows
	Attributes   map[string]json.RawMessage `json:"query_attrs"`
}

// A recordReader reads a growing file of records.
type recordReader struct {
	path        string
	offset      int64
	connections map[string][]CompatRecord // by conn_id
	users       map[string]string         // conn_id, by the user who has logged in
}

// read reads the lines that were added.
func (r *recordReader) read() error {
	file, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(r.offset, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	r.offset += int64(len(text))
	if r.connections == nil {
		r.connections, r.users = make(map[string][]CompatRecord), make(map[string]string)
	}
	for line := range bytes.Lines(text) {
		var record CompatRecord
		if err := json.Unmarshal(line, &record); err != nil {
			return permanent{fmt.Errorf("%q: %w", line, err)}
		}
		r.connections[record.ConnID] = append(r.connections[record.ConnID], record)
		if record.Event == "connect" {
			r.users[record.Username] = record.ConnID
		}
	}
	return nil
}

// connection waits until the connection that a user has logged in with has ended, also for the server, and
// returns its records.
func (m *Matrix) connection(t testing.TB, user string) []CompatRecord {
	t.Helper()
	var records []CompatRecord
	eventually(t, func() error {
		if err := m.records.read(); err != nil {
			return err
		}
		records = m.records.connections[m.records.users[user]]
		if len(records) == 0 || records[len(records)-1].Event != "close" {
			return fmt.Errorf("no record says that the connection of %s has ended: %+v", user, records)
		}
		return nil
	})
	eventually(t, func() error {
		var n int
		row := m.db.Admin.QueryRowContext(t.Context(),
			"SELECT COUNT(*) FROM performance_schema.threads WHERE processlist_id = ?", records[0].ThreadID)
		if err := row.Scan(&n); err != nil || n == 0 {
			return err
		}
		return fmt.Errorf("the server still has thread %d", records[0].ThreadID)
	})
	return records
}
