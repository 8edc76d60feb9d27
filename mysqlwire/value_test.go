package mysqlwire

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func float32Bytes(f float32) string {
	return string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
}

func float64Bytes(f float64) string {
	return string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)))
}

// values are values and their text. What MariaDB 10.11 shows otherwise (in its general log, and of CONCAT(?))
// is said beside it.
var values = []struct {
	name     string
	kind     FieldType
	unsigned bool
	in       string
	want     string
	number   bool
}{
	{"TINY", TypeTiny, false, "\x80", "-128", true},
	{"TINY unsigned", TypeTiny, true, "\x81", "129", true},
	{"BOOL", TypeBool, false, "\x01", "1", true},
	{"SHORT", TypeShort, false, "\x01\x80", "-32767", true},
	{"SHORT unsigned", TypeShort, true, "\x02\x80", "32770", true},
	{"YEAR", TypeYear, false, "\xea\x07", "2026", true},
	{"YEAR has no sign", TypeYear, false, "\xfe\xff", "65534", true},
	{"INT24", TypeInt24, false, "\x01\x00\x80\xff", "-8388607", true},
	{"INT24 unsigned", TypeInt24, true, "\xfd\xff\xff\x00", "16777213", true},
	{"LONG", TypeLong, false, "\x03\x00\x00\x80", "-2147483645", true},
	{"LONG unsigned", TypeLong, true, "\x04\x00\x00\x80", "2147483652", true},
	{"LONGLONG least", TypeLongLong, false, "\x00\x00\x00\x00\x00\x00\x00\x80", "-9223372036854775808", true},
	{"LONGLONG greatest", TypeLongLong, true, "\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615", true},

	{"FLOAT", TypeFloat, false, float32Bytes(-1.5), "-1.5", true},
	{"FLOAT in its own precision", TypeFloat, false, float32Bytes(0.1), "0.1", true},          // 0.10000000149011612
	{"FLOAT greatest", TypeFloat, false, float32Bytes(math.MaxFloat32), "3.4028235e38", true}, // 3.4028234663852886e38
	{"DOUBLE 0", TypeDouble, false, float64Bytes(0), "0", true},
	{"DOUBLE -0", TypeDouble, false, float64Bytes(math.Copysign(0, -1)), "-0", true}, // 0
	{"DOUBLE 100", TypeDouble, false, float64Bytes(100), "100", true},
	{"DOUBLE -0.1", TypeDouble, false, float64Bytes(-0.1), "-0.1", true},
	{"DOUBLE of 17 digits", TypeDouble, false, float64Bytes(123456789012345.25), "123456789012345.25", true},
	{"DOUBLE below 1e15", TypeDouble, false, float64Bytes(999999999999999), "999999999999999", true},
	{"DOUBLE 1e15", TypeDouble, false, float64Bytes(1e15), "1e15", true},
	{"DOUBLE above 1e15", TypeDouble, false, float64Bytes(1234567890123456), "1.234567890123456e15", true},
	{"DOUBLE 1e100", TypeDouble, false, float64Bytes(1e100), "1e100", true},
	{"DOUBLE 1e-15", TypeDouble, false, float64Bytes(1e-15), "0.000000000000001", true},
	{"DOUBLE below 1e-15", TypeDouble, false, float64Bytes(9.5e-16), "9.5e-16", true},
	{"DOUBLE least", TypeDouble, false, float64Bytes(5e-324), "5e-324", true},
	{"DOUBLE greatest", TypeDouble, false, float64Bytes(-math.MaxFloat64), "-1.7976931348623157e308", true},
	{"DOUBLE infinity", TypeDouble, false, float64Bytes(math.Inf(-1)), "-Inf", false}, // 0
	{"DOUBLE no number", TypeDouble, false, float64Bytes(math.NaN()), "NaN", false},   // 0

	{"DATE of 0", TypeDate, false, "", "0000-00-00", false},
	{"DATE", TypeDate, false, "\xea\x07\x03\x05", "2026-03-05", false},
	{"DATE without a day", TypeDate, false, "\xea\x07\x00\x00", "2026-00-00", false},
	{"DATE with a time", TypeDate, false, "\xea\x07\x03\x07\x08\x09\x0a", "2026-03-07", false},
	{"DATETIME of 0", TypeDateTime, false, "", "0000-00-00 00:00:00", false},
	{"DATETIME without a time", TypeDateTime, false, "\xea\x07\x03\x05", "2026-03-05 00:00:00", false},
	{"DATETIME", TypeDateTime, false, "\xea\x07\x03\x07\x08\x09\x0a", "2026-03-07 08:09:10", false},
	{"TIMESTAMP", TypeTimestamp, false, "\xb2\x07\x01\x02\x03\x04\x05", "1970-01-02 03:04:05", false},
	{"DATETIME with microseconds", TypeDateTime, false, "\xea\x07\x03\x08\x0c\x0d\x0e\x40\xe2\x01\x00", "2026-03-08 12:13:14.123456", false},
	{"DATETIME with a few microseconds", TypeDateTime, false, "\x0f\x27\x0c\x1f\x17\x3b\x3a\x07\x00\x00\x00", "9999-12-31 23:59:58.000007", false},
	{"DATETIME with 0 microseconds", TypeDateTime, false, "\xea\x07\x03\x08\x0c\x0d\x0e\x00\x00\x00\x00", "2026-03-08 12:13:14", false},
	{"DATETIME east", TypeDateTime, false, "\xea\x07\x03\x08\x0c\x0d\x0e\x01\x00\x00\x00\x59\x01", "2026-03-08 12:13:14.000001+05:45", false},
	{"DATETIME west", TypeDateTime, false, "\xea\x07\x03\x08\x0c\x0d\x0e\x00\x00\x00\x00\x78\xff", "2026-03-08 12:13:14-02:16", false},
	{"DATETIME of a year before 1000", TypeDateTime, false, "\x07\x00\x01\x02\x03\x04\x05", "0007-01-02 03:04:05", false},

	{"TIME of 0", TypeTime, false, "", "00:00:00", false},
	{"TIME", TypeTime, false, "\x00\x00\x00\x00\x00\x0c\x0d\x0e", "12:13:14", false},
	{"TIME negative", TypeTime, false, "\x01\x00\x00\x00\x00\x01\x02\x03", "-01:02:03", false},
	{"TIME least", TypeTime, false, "\x01\x22\x00\x00\x00\x16\x3b\x3b\x01\x00\x00\x00", "-838:59:59.000001", false},
	{"TIME of days", TypeTime, false, "\x00\x05\x00\x00\x00\x04\x03\x02\x40\xe2\x01\x00", "124:03:02.123456", false},
	{"TIME with 0 microseconds", TypeTime, false, "\x00\x22\x00\x00\x00\x16\x3b\x3b\x00\x00\x00\x00", "838:59:59", false},
	{"TIME of too many days", TypeTime, false, "\x00\xff\xff\xff\xff\x17\x3b\x3b", "103079215103:59:59", false}, // 838:59:59

	{"DECIMAL", TypeNewDecimal, false, "-12.50", "-12.50", false},
	{"VAR_STRING", TypeVarString, false, "a\x00b", "a\x00b", false},
	{"BLOB", TypeBlob, false, "\xff\x00", "\xff\x00", false},
	{"BLOB of 0 bytes", TypeBlob, false, "", "", false},
}

func TestAppendValue(t *testing.T) {
	for _, tt := range values {
		t.Run(tt.name, func(t *testing.T) {
			got, number, ok := AppendValue([]byte("before "), tt.kind, tt.unsigned, []byte(tt.in))
			if string(got) != "before "+tt.want || number != tt.number || !ok {
				t.Errorf("got %q, number %t, ok %t; want %q, %t, true", got, number, ok, "before "+tt.want, tt.number)
			}
		})
	}
}

// TestAppendValueLengths tries every type with values of 0 to 20 bytes: only some lengths are of the type.
func TestAppendValueLengths(t *testing.T) {
	for i := range 256 {
		kind := FieldType(i)
		encoding, size := kind.Encoding()
		for n := range 21 {
			want := encoding == EncodingString
			switch {
			case encoding == EncodingFixed:
				want = n == size && n > 0
			case kind == TypeTime:
				want = n == 0 || n == 8 || n == 12
			case encoding == EncodingTemporal:
				want = n == 0 || n == 4 || n == 7 || n == 11 || n == 13
			}
			got, _, ok := AppendValue([]byte("before"), kind, false, make([]byte, n))
			if ok != want || !ok && string(got) != "before" {
				t.Errorf("type %#02x, %d bytes: got %q, ok %t; want ok %t", i, n, got, ok, want)
			}
		}
	}
}

func TestAppendValueAllocs(t *testing.T) {
	dst := make([]byte, 0, 64)
	allocs := testing.AllocsPerRun(10, func() {
		for _, v := range values {
			if _, _, ok := AppendValue(dst, v.kind, v.unsigned, []byte(v.in)); !ok {
				t.Errorf("%s: not ok", v.name)
			}
		}
	})
	if allocs > 0 {
		t.Errorf("got %v allocations, want none", allocs)
	}
}

// temporal is how a temporal value looks; what clients send need not be a date.
var temporal = regexp.MustCompile(`^(?:\d{4,5}-\d\d\d?-\d\d\d?(?: \d\d\d?:\d\d\d?:\d\d\d?(?:\.\d{6,10})?(?:[+-]\d\d\d?:\d\d)?)?|-?\d\d+:\d\d\d?:\d\d\d?(?:\.\d{6,10})?)$`)

// FuzzValue checks that no value makes AppendValue panic or write before its place, that what it calls a number
// is one in JSON and the same number, and that everything but a string is short.
func FuzzValue(f *testing.F) {
	for _, v := range values {
		f.Add(byte(v.kind), v.unsigned, []byte(v.in))
	}
	f.Fuzz(func(t *testing.T, kind byte, unsigned bool, b []byte) {
		const before = "before"
		dst := append(make([]byte, 0, 7), before...)
		got, number, ok := AppendValue(dst, FieldType(kind), unsigned, b)
		text, found := strings.CutPrefix(string(got), before)
		encoding, size := FieldType(kind).Encoding()
		switch {
		case !found || !ok && text != "":
			t.Fatalf("got %q", got)
		case !ok:
			return
		case encoding == EncodingString:
			if text != string(b) || number {
				t.Fatalf("got %q, number %t; want %q as it is", text, number, b)
			}
		case encoding == EncodingTemporal:
			if !temporal.MatchString(text) || len(text) > 48 || number {
				t.Fatalf("got %q, number %t", text, number)
			}
		case number:
			if !json.Valid([]byte(text)) || encodeNumber(t, FieldType(kind), text) != hex.EncodeToString(b) {
				t.Fatalf("got %s of % x, which is % s", text, b, encodeNumber(t, FieldType(kind), text))
			}
		case size < 4 || text != "+Inf" && text != "-Inf" && text != "NaN":
			t.Fatalf("got %q, which is no number", text)
		}
	})
}

// encodeNumber returns the bytes of a number of the given type, in hex.
func encodeNumber(t *testing.T, kind FieldType, text string) string {
	t.Helper()
	var n uint64
	switch kind {
	case TypeFloat:
		v, err := strconv.ParseFloat(text, 32)
		if err != nil {
			t.Fatal(err)
		}
		n = uint64(math.Float32bits(float32(v)))
	case TypeDouble:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		n = math.Float64bits(v)
	default:
		signed, err := strconv.ParseInt(text, 10, 64)
		if n = uint64(signed); err != nil {
			if n, err = strconv.ParseUint(text, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, size := kind.Encoding()
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, n)[:size])
}
