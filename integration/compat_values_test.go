package integration

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A boundValue is an element of stmt_execute_values: null, a number, a string, or an object that says what is
// special about it.
type boundValue struct {
	null   bool
	bytes  []byte // a number as it is written
	length int    // of the whole value, in bytes
	cut    bool   // whether bytes is only its beginning
}

func parseValue(raw json.RawMessage) (boundValue, error) {
	var object struct {
		Value  *json.RawMessage `json:"value"`
		Base64 []byte           `json:"base64"`
		Length *int             `json:"length"`
	}
	var text string
	var number json.Number
	switch {
	case string(raw) == "null":
		return boundValue{null: true}, nil
	case json.Unmarshal(raw, &text) == nil:
		return boundValue{bytes: []byte(text), length: len(text)}, nil
	case json.Unmarshal(raw, &number) == nil:
		return boundValue{bytes: []byte(number), length: len(number)}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&object); err != nil {
		return boundValue{}, err
	}
	v := boundValue{bytes: object.Base64}
	if object.Value != nil {
		if object.Base64 != nil {
			return boundValue{}, errors.New("both value and base64")
		}
		var err error
		if v, err = parseValue(*object.Value); err != nil {
			return boundValue{}, err
		}
	}
	v.length = len(v.bytes)
	if object.Length != nil {
		v.length, v.cut = *object.Length, true
	}
	return v, nil
}

// is reports whether the value is what the server has stored in a column of the table kept.
func (v *boundValue) is(column string, stored sql.Null[[]byte]) bool {
	if v.null || !stored.Valid {
		return v.null && !stored.Valid
	}
	switch column {
	case "s", "x":
		if v.cut {
			return v.length == len(stored.V) && len(v.bytes) < v.length && bytes.HasPrefix(stored.V, v.bytes)
		}
		return bytes.Equal(v.bytes, stored.V)
	case "da", "ti", "dt": // the column has six digits for a fraction, whatever was sent
		return trimFraction(string(v.bytes)) == trimFraction(string(stored.V))
	case "f", "d":
		got, err1 := strconv.ParseFloat(string(v.bytes), 64)
		want, err2 := strconv.ParseFloat(string(stored.V), 64)
		tolerance := map[string]float64{"f": 1e-6}[column] // the server shows six digits of a FLOAT
		return err1 == nil && err2 == nil && math.Abs(got-want) <= tolerance*math.Abs(want)
	default:
		got, ok1 := new(big.Rat).SetString(string(v.bytes))
		want, ok2 := new(big.Rat).SetString(string(stored.V))
		return ok1 && ok2 && got.Cmp(want) == 0
	}
}

func trimFraction(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

var keptColumns = regexp.MustCompile(`^INSERT INTO kept \(([a-z0-9, ]+)\)`)

// checkValues compares stmt_execute_values with what the server has stored: each execution of the scenario has
// inserted a row into the table kept.
func checkValues(t *testing.T, m *Matrix, task Task, records []CompatRecord) {
	t.Helper()
	id := 0
	for _, r := range records {
		if r.Command != "COM_STMT_EXECUTE" {
			continue
		}
		match := keptColumns.FindStringSubmatch(r.StmtPrepareQuery)
		if match == nil {
			t.Fatalf("got an execution of %q, want only those that insert into the table kept", r.StmtPrepareQuery)
		}
		columns := strings.Split(match[1], ", ")
		id++
		stored := make([]sql.Null[[]byte], len(columns))
		targets := make([]any, len(columns))
		for i := range stored {
			targets[i] = &stored[i]
		}
		row := m.db.Admin.QueryRowContext(t.Context(),
			fmt.Sprintf("SELECT %s FROM %s.kept WHERE id = %d", match[1], task.Database(), id))
		if err := row.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		if len(r.Values) != len(columns) {
			t.Errorf("execution %d: got %d stmt_execute_values %s, want %d, as the server has stored",
				id, len(r.Values), r.Values, len(columns))
			continue
		}
		for i, column := range columns {
			if v, err := parseValue(r.Values[i]); err != nil || !v.is(column, stored[i]) {
				t.Errorf("execution %d, column %s: got %.300s (%v), want %.300q (NULL: %v), as the server has stored",
					id, column, r.Values[i], err, stored[i].V, !stored[i].Valid)
			}
		}
	}
	if id == 0 {
		t.Error("the scenario has executed nothing")
	}
}
