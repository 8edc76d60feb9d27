package mysqldump

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/internal/convtest"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestPieces reads fields that are cut at every place.
func TestPieces(t *testing.T) {
	const payload = "\x07" + "\xfc\x02\x01" + "\xfd\x05\x04\x03" + "\xfe\x08\x07\x06\x05\x04\x03\x02\x01" + "abcdef" + "12345"
	want := []uint64{7, 0x0102, 0x030405, 0x05060708}
	for step := 1; step <= len(payload); step++ {
		var r pieces
		var numbers []uint64
		var fixed, rest string
		for part := range slices.Chunk([]byte(payload), step) {
			r.p = slices.Clone(part)
			for len(numbers) < len(want) {
				n, whole, valid := r.lenEnc()
				if !valid {
					t.Fatalf("in steps of %d: number %d is not valid", step, len(numbers))
				}
				if !whole {
					break
				}
				numbers = append(numbers, n)
			}
			if len(numbers) == len(want) && fixed == "" {
				fixed = string(r.next(6))
			}
			if fixed != "" {
				rest += string(r.upTo(uint64(5 - len(rest))))
			}
			clear(r.p) // a field that is held must have been copied
		}
		if !slices.Equal(numbers, want) || fixed != "abcdef" || rest != "12345" || len(r.held) > 0 {
			t.Errorf("in steps of %d: got %x, %q, %q, %d bytes held; want %x, abcdef, 12345, none", step, numbers, fixed, rest, len(r.held), want)
		}
	}
}

func TestPiecesNotValid(t *testing.T) {
	for _, first := range []byte{0xfb, 0xff} {
		r := pieces{p: []byte{first, 1, 2}}
		if _, whole, valid := r.lenEnc(); whole || valid {
			t.Errorf("%x: got whole %t, valid %t; want neither", first, whole, valid)
		}
	}
	var r pieces
	if _, ok := r.peek(); ok {
		t.Error("peek found a byte in nothing")
	}
	if n, whole, valid := r.lenEnc(); n != 0 || whole || !valid {
		t.Errorf("nothing: got %d, whole %t, valid %t; want a number that has not come", n, whole, valid)
	}
	if got := r.upTo(math.MaxUint64); len(got) != 0 {
		t.Errorf("got %q of nothing", got)
	}
	r.p = []byte("abc")
	if got := string(r.upTo(math.MaxUint64)); got != "abc" || len(r.p) != 0 {
		t.Errorf("got %q, %d bytes left; want all of them", got, len(r.p))
	}
}

// A decoding is what a payload with binary values holds.
type decoding struct {
	values, attrs []plainValue
	rows          uint64
	types         []paramType
	text          []byte
}

type plainValue struct {
	name   string
	kind   ValueKind
	text   string
	length int
	cuts   bool // text may be cut: it is a string
}

// decodePlainly decodes a payload, without its command byte, that is there as a whole, in the order of the
// manual's tables. ok is false if it is not what the protocol has there.
func decodePlainly(a *argumentCase, st *statement) (d decoding, ok bool) {
	c, id := mysqlwire.NewCursor(a.payload), a.id
	params, total, bound, named := st.params, uint64(st.params), true, a.caps.Has(mysqlwire.QueryAttributes)
	switch id {
	case mysqlwire.ComQuery:
		params, total = 0, plainLength(&c)
		c.LenEnc("parameter_set_count")
	case mysqlwire.ComStmtExecute:
		c.Skip(4, "statement_id")
		flags := c.Uint8("flags")
		c.Skip(4, "iteration_count")
		if named && (params > 0 || flags&flagParameterCount != 0) {
			total = plainLength(&c)
		}
	default:
		c.Skip(4, "statement_id")
		bound, named = c.Uint16("bulk_flags")&flagBulkTypes != 0, false
	}
	bulk := id == mysqlwire.ComStmtBulkExecute
	if c.Failed() || total > mostArguments || total > maxTypes && id != mysqlwire.ComQuery || total < uint64(params) || bulk && params == 0 {
		return d, false
	}
	var nulls []byte
	if total > 0 && !bulk {
		nulls = c.String((total+7)/8, "null_bitmap")
		bound = c.Uint8("new_params_bind_flag") != 0
	}
	d.types = st.types
	var names []string
	if bound {
		d.types = nil
		for range total {
			d.types = append(d.types, paramType(c.Uint16("parameter_type")))
			if named {
				names = append(names, string(c.String(plainLength(&c), "parameter_name")))
			}
		}
	} else if total != uint64(params) || id == mysqlwire.ComQuery || len(d.types) < params {
		return d, false
	}
	if c.Failed() {
		return d, false
	}
	for row := 0; bulk && c.Len() > 0 || row == 0 && !bulk; row++ {
		for i := range int(total) {
			v := plainValue{kind: ValueNull}
			indicator := uint8(indicatorNone)
			long := st.longData(i)
			if bulk {
				indicator, long = c.Uint8("indicator"), nil
			} else if nulls[i/8]>>(i%8)&1 != 0 {
				indicator = indicatorNull
			}
			switch {
			case long != nil && i < params:
				v = plainString(d.types[i], long.data)
				v.length = int(long.length)
			case indicator == indicatorNone:
				if v, ok = plainOf(&c, d.types[i], i >= params); !ok {
					return d, false
				}
			case indicator == indicatorDefault:
				v.kind = ValueDefault
			case indicator == indicatorIgnore, indicator == indicatorIgnoreRow:
				v.kind = ValueIgnored
			case indicator != indicatorNull:
				return d, false
			}
			if i < params {
				d.values = append(d.values, v)
			} else {
				if v.name = ""; i < len(names) {
					v.name = names[i]
				}
				d.attrs = append(d.attrs, v)
			}
		}
		if bulk {
			d.rows++
		}
		if c.Failed() {
			return d, false
		}
	}
	d.text = c.Rest("query")
	d.types = d.types[:min(params, len(d.types))]
	return d, !c.Failed()
}

// plainLength reads int<lenenc>, of whose 8 bytes servers look at 4.
func plainLength(c *mysqlwire.Cursor) uint64 { return c.LenEnc("length") & math.MaxUint32 }

// plainOf reads a value of type t: of an attribute, or of a parameter.
func plainOf(c *mysqlwire.Cursor, t paramType, attribute bool) (v plainValue, ok bool) {
	var b []byte
	encoding, size := t.field().Encoding()
	switch t.field() {
	case mysqlwire.TypeNull, mysqlwire.TypeInt24, mysqlwire.TypeYear:
		if attribute {
			encoding = mysqlwire.EncodingString
		} else if t.field() != mysqlwire.TypeNull {
			return v, false
		}
	case mysqlwire.TypeBit, mysqlwire.TypeGeometry:
		if !attribute {
			return v, false
		}
	default:
		if attribute && encoding == mysqlwire.EncodingUnknown {
			encoding = mysqlwire.EncodingString
		}
	}
	switch encoding {
	case mysqlwire.EncodingString:
		b = c.String(plainLength(c), "value")
		return plainString(t, b), !c.Failed()
	case mysqlwire.EncodingTemporal:
		b = c.String(uint64(c.Uint8("length")), "value")
	case mysqlwire.EncodingFixed:
		if size == 0 {
			return plainValue{kind: ValueNull}, true
		}
		b = c.String(uint64(size), "value")
	default:
		return v, false
	}
	text, number, ok := mysqlwire.AppendValue(nil, t.field(), t.unsigned(), b)
	v = plainValue{kind: ValueText, text: string(text), length: len(text)}
	if number {
		v.kind = ValueNumber
	}
	return v, ok && !c.Failed()
}

func plainString(t paramType, b []byte) plainValue {
	v := plainValue{kind: ValueBytes, text: string(b), length: len(b), cuts: true}
	if t.field().IsText() {
		v.kind = ValueText
	}
	return v
}

// An argumentCase is a payload and how it is read.
type argumentCase struct {
	id                  mysqlwire.Command
	caps                mysqlwire.Capability
	maxParams, maxParam int
	params              int
	types               []paramType
	long                int // the parameter that has long data
	step                int
	payload             []byte
}

// newArgumentCase makes a case of what the fuzzer found. Its first 6 bytes say how the rest is read.
func newArgumentCase(b []byte) *argumentCase {
	var how [6]byte
	b = b[copy(how[:], b):]
	a := &argumentCase{
		id:        []mysqlwire.Command{mysqlwire.ComQuery, mysqlwire.ComStmtExecute, mysqlwire.ComStmtBulkExecute}[how[0]%3],
		maxParams: int(how[1]), maxParam: int(how[2]), params: int(how[3]), long: int(how[4] % 16), step: int(how[5]) + 1, payload: b,
	}
	if how[0]&0x80 != 0 || a.id == mysqlwire.ComQuery {
		a.caps = mysqlwire.QueryAttributes
	}
	for i := range min(a.params, int(how[0]>>2&0x0f)*2) { // of an execution before
		a.types = append(a.types, [...]paramType{paramType(mysqlwire.TypeLong), paramType(mysqlwire.TypeString), paramType(mysqlwire.TypeDate)}[i%3])
	}
	return a
}

// read lets an argumentReader read the payload in pieces of step bytes.
func (a *argumentCase) read(step, room int) (*arguments, *statement, []byte, *argumentReader) {
	st := &statement{params: a.params, types: slices.Clone(a.types)}
	st.addLong(a.long, []byte("long data"), 19, a.maxParam)
	r := &argumentReader{
		maxParams: a.maxParams, maxParam: a.maxParam, caps: a.caps,
		find: func(uint32) (*statement, bool) { return st, false },
	}
	args := new(arguments)
	r.begin(a.id, args, room)
	var text []byte
	for part := range slices.Chunk(a.payload, step) {
		piece := slices.Clone(part)
		text = append(text, r.feed(piece)...)
		clear(piece) // it must not have been kept
	}
	if !r.end() {
		text = nil
	}
	return args, st, text, r
}

// list returns arguments as they were kept.
func (a *arguments) list(from []argument) (list []plainValue) {
	for i := range from {
		v := &from[i]
		list = append(list, plainValue{string(a.bytes(v.name)), v.kind, string(a.bytes(v.value)), int(v.length), false})
	}
	return list
}

// kept returns what of v is kept.
func (a *argumentCase) kept(v plainValue) plainValue {
	if v.cuts {
		v.text, v.cuts = v.text[:min(len(v.text), a.maxParam)], false
	}
	v.name = v.name[:min(len(v.name), maxName)]
	return v
}

// FuzzArguments checks that what a payload with binary values says does not depend on how it is cut, that it is
// what a plain decoder says who has all of it, and that the memory is bounded, whatever a payload claims.
func FuzzArguments(f *testing.F) {
	seeds := 0
	files, err := filepath.Glob(filepath.Join(conversationsDir, "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		script, err := convtest.Read(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, turn := range script.Turns {
			if len(turn.Data) < 6 || len(turn.Data) > 8<<10 || !turn.Client || turn.Data[3] != 0 {
				continue
			}
			payload := turn.Data[mysqlwire.HeaderLen:]
			how := map[byte]byte{0x03: 0, 0x17: 1, 0xfa: 2}
			if i, ok := how[payload[0]]; ok {
				attributes := strings.Contains(file, "attributes")
				if i == 0 && !attributes {
					continue
				}
				if attributes {
					i |= 0x80 // makes 128 % 3 the next kind
					i = map[byte]byte{0x80: 0x81, 0x81: 0x82}[i]
				}
				for params := range byte(4) {
					f.Add(append([]byte{i, 64, 200, params, 9, 2}, payload[1:]...))
					seeds++
				}
			}
		}
	}
	if seeds < 100 {
		f.Fatalf("got %d seeds", seeds)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a := newArgumentCase(b)
		whole, st, text, _ := a.read(max(1, len(a.payload)), math.MaxInt32)
		cut, cutSt, cutText, _ := a.read(a.step, math.MaxInt32)
		if !slices.Equal(whole.params, cut.params) || !slices.Equal(whole.attrs, cut.attrs) || !bytes.Equal(whole.data, cut.data) ||
			whole.rows != cut.rows || whole.cut != cut.cut || whole.lost != cut.lost || !bytes.Equal(text, cutText) || !slices.Equal(st.types, cutSt.types) {
			t.Fatalf("in steps of %d: got %+v, text %q, types %x; want %+v, text %q, types %x", a.step, cut, cutText, cutSt.types, whole, text, st.types)
		}
		a.checkMemory(t)

		before := &statement{params: a.params, types: a.types}
		before.addLong(a.long, []byte("long data"), 19, a.maxParam)
		want, ok := decodePlainly(a, before)
		if !ok {
			return
		}
		a.check(t, whole, &want, text, st.types)
	})
}

// check compares what was read with what the plain decoder says.
func (a *argumentCase) check(t *testing.T, got *arguments, want *decoding, text []byte, types []paramType) {
	t.Helper()
	var values, attrs []plainValue
	for i, v := range want.values {
		if row, param := i/a.params, i%a.params; param < a.maxParams && row < bulkRows {
			values = append(values, a.kept(v))
		}
	}
	for _, v := range want.attrs[:min(len(want.attrs), a.maxParams)] {
		attrs = append(attrs, a.kept(v))
	}
	if got.lost || !slices.Equal(got.list(got.params), values) || got.rows != want.rows {
		t.Fatalf("got %+v, %v, %d rows; want %v, %d rows", got, got.list(got.params), got.rows, values, want.rows)
	}
	if list := got.list(got.attrs); !slices.Equal(list, attrs) {
		t.Fatalf("got attributes %v, want %v", list, attrs)
	}
	if a.id == mysqlwire.ComQuery {
		if !bytes.Equal(text, want.text) {
			t.Fatalf("got text %q, want %q", text, want.text)
		}
		return
	}
	if !slices.Equal(types, want.types) {
		t.Fatalf("got types %x, want %x", types, want.types)
	}
}

// checkMemory reads with little room.
func (a *argumentCase) checkMemory(t *testing.T) {
	t.Helper()
	const room, longestNumber = 1000, 48
	args, st, _, r := a.read(a.step, room)
	n := len(args.params) + len(args.attrs)
	if most := room + longestNumber*n + maxName*len(args.attrs); n > room/argumentSize || len(args.data) > most || len(args.data) > maxLate+most {
		t.Fatalf("got %d arguments with %d bytes of %d", n, len(args.data), room)
	}
	if len(r.types) > maxTypes || len(st.types) > maxTypes || cap(r.held) > 64 {
		t.Fatalf("got %d types, %d of the statement, %d bytes held", len(r.types), len(st.types), cap(r.held))
	}
}

// TestArgumentReaderForgets: a reader is used for one command after the other, and nothing of the one before
// shows in the next.
func TestArgumentReaderForgets(t *testing.T) {
	st := &statement{params: 2}
	r := &argumentReader{maxParams: 8, maxParam: 8, find: func(uint32) (*statement, bool) { return st, false }}
	args := new(arguments)
	header := append([]byte{7, 0, 0, 0}, 0, 1, 0, 0, 0)
	payloads := [][]byte{
		append(slices.Clone(header), "\x02\x01\x01\x00\xfd\x00\x07"...),              // NULL bit of the second
		append(slices.Clone(header), "\x00\x01\x01\x00\xfd\x00\x08\x05ab"...),        // ends within the string
		append(slices.Clone(header), "\x00\x01\x01\x00"...),                          // ends within the types
		append(slices.Clone(header), "\x00\x01\xf3\x00\xfd\x00\x08\x03abc"...),       // no such type
		append(slices.Clone(header), "\x00\x01\x01\x00\xfd\x00\x09\x03\x61\x62c"...), // all right
	}
	for _, payload := range payloads {
		r.begin(mysqlwire.ComStmtExecute, args, math.MaxInt32)
		r.feed(payload)
		r.end()
	}
	want := []plainValue{{"", ValueNumber, "9", 1, false}, {"", ValueText, "abc", 3, false}}
	if got := args.list(args.params); !slices.Equal(got, want) || args.cut || args.lost || len(args.attrs) > 0 {
		t.Errorf("got %v, cut %t, lost %t; want %v", got, args.cut, args.lost, want)
	}
	if got := binary.LittleEndian.Uint32(payloads[4]); got != 7 {
		t.Errorf("the payload was changed: %d", got)
	}
}
