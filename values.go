package l4mysql

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/proxyheader"
)

// addArguments adds the values that a command carries beside its text.
func (e *entry) addArguments(enc zapcore.ObjectEncoder) error {
	addTrue(enc, "values_truncated", e.ValuesTruncated)
	if e.BulkRows > 0 {
		enc.AddUint64("bulk_rows", e.BulkRows)
	}
	if e.Values != nil {
		if err := enc.AddArray("stmt_execute_values", (*parameters)(e)); err != nil {
			return err
		}
	}
	if len(e.QueryAttributes) == 0 {
		return nil
	}
	return enc.AddObject("query_attrs", (*queryAttributes)(e))
}

// parameters are those of a prepared statement, in order; of COM_STMT_BULK_EXECUTE they are rows of them.
// The types of this file are entries, so that to encode one allocates nothing.
type parameters entry

// MarshalLogArray adds the values, or the rows of values.
func (p *parameters) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	if p.RowWidth == 0 {
		return row(p.Values).MarshalLogArray(enc)
	}
	for rest := p.Values; len(rest) > 0; {
		n := min(p.RowWidth, len(rest))
		if err := enc.AppendArray(row(rest[:n])); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

type row []mysqldump.Value

// MarshalLogArray adds the values of one row.
func (r row) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for i := range r {
		if err := appendValue(enc, &r[i]); err != nil {
			return err
		}
	}
	return nil
}

type queryAttributes entry

// MarshalLogObject adds the query attributes under their names.
func (a *queryAttributes) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for i := range a.QueryAttributes {
		q := &a.QueryAttributes[i]
		if err := addValue(enc, proxyheader.Text(q.Name), &q.Value); err != nil {
			return err
		}
	}
	return nil
}

// appendValue adds a value to an array.
func appendValue(enc zapcore.ArrayEncoder, v *mysqldump.Value) error {
	switch v.Kind {
	case mysqldump.ValueNull:
		return enc.AppendReflected(nil)
	case mysqldump.ValueNumber:
		return appendNumber(enc, v.Data)
	case mysqldump.ValueDefault, mysqldump.ValueIgnored:
		return enc.AppendObject(noValue(v.Kind))
	default:
		if v.Cut || !isText(v, v.Data) {
			return enc.AppendObject((*partValue)(v))
		}
		enc.AppendByteString(v.Data)
		return nil
	}
}

// addValue adds a value, which is not of a bulk command, to an object.
func addValue(enc zapcore.ObjectEncoder, key string, v *mysqldump.Value) error {
	switch {
	case v.Kind == mysqldump.ValueNull:
		return enc.AddReflected(key, nil)
	case v.Kind == mysqldump.ValueNumber:
		return enc.AddReflected(key, json.Number(v.Data))
	case v.Cut || !isText(v, v.Data):
		return enc.AddObject(key, (*partValue)(v))
	default:
		enc.AddString(key, string(v.Data)) // for Caddy's filters: see entry.MarshalLogObject
		return nil
	}
}

// appendNumber adds the number that is written in b, exactly. Integers allocate nothing, or nearly so.
func appendNumber(enc zapcore.ArrayEncoder, b []byte) error {
	if !bytes.ContainsAny(b, ".e") && string(b) != "-0" { // a fraction would make strconv allocate an error
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			enc.AppendInt64(n)
			return nil
		}
		if n, err := strconv.ParseUint(string(b), 10, 64); err == nil {
			enc.AppendUint64(n)
			return nil
		}
	}
	return enc.AppendReflected(json.Number(b))
}

// A partValue is a value that JSON has no form of its own for: bytes that are no text, or the beginning of
// something long.
type partValue mysqldump.Value

// MarshalLogObject adds the text or, of bytes, their base64, and of what is cut the full length.
func (p *partValue) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	v := (*mysqldump.Value)(p)
	data := v.Data
	if v.Cut {
		data = data[:len(data)-incomplete(data)]
	}
	if isText(v, data) {
		enc.AddString("value", string(data))
	} else {
		enc.AddString("base64", base64.StdEncoding.EncodeToString(v.Data))
	}
	if v.Cut {
		enc.AddUint64("length", v.Length)
	}
	return nil
}

// A noValue is what a bulk command has in place of a value: {"default":true} or {"ignore":true}.
type noValue mysqldump.ValueKind

// MarshalLogObject adds the word.
func (v noValue) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	addTrue(enc, "default", mysqldump.ValueKind(v) == mysqldump.ValueDefault)
	addTrue(enc, "ignore", mysqldump.ValueKind(v) == mysqldump.ValueIgnored)
	return nil
}

// isText reports whether data, of v, can stand as a text in JSON. Bytes can where they are one: many
// clients send texts as bytes.
func isText(v *mysqldump.Value, data []byte) bool {
	return utf8.Valid(data) && (v.Kind == mysqldump.ValueText || bytes.IndexByte(data, 0) < 0)
}

// incomplete returns how many bytes at the end of b begin a character of UTF-8 that is not all there.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
