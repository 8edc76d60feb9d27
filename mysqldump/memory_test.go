//go:build !race

// Under the race detector memory tells nothing.

package mysqldump_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// What a session holds, in bytes.
const (
	sessionLimit    = 64 << 10 // whatever is said, one command at a time
	statementsLimit = mysqldump.DefaultStatementsMemory + sessionLimit
	valuesLimit     = mysqldump.DefaultMaxParams * mysqldump.DefaultMaxParam
	zlibLimit       = sessionLimit + 32<<10 + 32<<10            // see TestInflaterMemory
	zstdLimit       = sessionLimit + 9<<20 + 3*128<<10 + 64<<10 // the same, of a window of 8 MiB
	idleLimit       = 12 << 10                                  // between two commands, beside its statements
)

// pipelineLimit is what a session holds, in bytes, of as many commands as are followed: what they are beside
// their texts and values, 256 bytes of each text, 32 KiB of what is longer, and the values of the first.
const pipelineLimit = sessionLimit + 1024*(104+128+256) + 32<<10 + valuesLimit*5/4

// A talk is a conversation behind the login. The last byte of what was said reaches the session only with what
// is said next, so that at any moment one is in flight.
type talk struct {
	tb      testing.TB
	session *mysqldump.Session
	before  int // bytes that were in use before the session was there
	most    int // bytes that it has held, as far as was looked

	side   mysqldump.Side // of the byte in flight
	flying bool
	byte   [1]byte

	records int
	last    string // what the last of them says
	lost    int    // records that lack the text of their statement
}

func newTalk(tb testing.TB, caps mysqlwire.Capability) *talk {
	tb.Helper()
	t := &talk{tb: tb}
	t.before = inUse()
	t.session = loggedIn(tb, caps, func(r *mysqldump.Record) {
		t.records++
		if r.StmtTextLost {
			t.lost++
		}
		t.last = fmt.Sprintf("%s rows=%d length=%d infile=%d values=%d attributes=%d cut=%t error=%d",
			r.CommandName(), r.Rows, r.QueryLength, r.InfileBytes, len(r.Values), len(r.QueryAttributes),
			r.QueryTruncated || r.ValuesTruncated, r.ErrorCode)
		for _, v := range r.Values[:min(len(r.Values), 1)] {
			t.last += fmt.Sprintf(" first=%d/%d", len(v.Data), v.Length)
		}
	})
	return t
}

// feed shows the session all of p but the last byte.
func (t *talk) feed(side mysqldump.Side, p []byte) {
	if len(p) == 0 {
		return
	}
	t.land()
	t.session.Feed(side, p[:len(p)-1], 0)
	t.side, t.flying, t.byte[0] = side, true, p[len(p)-1]
}

// land shows it the byte in flight.
func (t *talk) land() {
	if t.flying {
		t.session.Feed(t.side, t.byte[:], 0)
	}
	t.flying = false
}

// look takes notice of what the session holds now.
func (t *talk) look() {
	t.most = max(t.most, inUse()-t.before)
	runtime.KeepAlive(t.session)
}

// idle checks what the session holds when all is answered.
func (t *talk) idle() {
	t.tb.Helper()
	held := inUse() - t.before
	runtime.KeepAlive(t.session)
	t.tb.Logf("%d bytes held afterwards", held)
	if held > idleLimit {
		t.tb.Errorf("got %d bytes held afterwards, want at most %d", held, idleLimit)
	}
}

// inUse returns the bytes in use in the heap, idle decoders not among them. (Of stacks only a session that
// inflates has one; TestInflaterMemory counts it.)
func inUse() int {
	runtime.GC() // twice: a pool lives through one
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// repeat feeds p so many times, in reads of 16 KiB.
func (t *talk) repeat(n int, side mysqldump.Side, p []byte) {
	for range n {
		for rest := p; len(rest) > 0; {
			k := min(len(rest), 16<<10)
			t.feed(side, rest[:k])
			rest = rest[k:]
		}
	}
}

func (t *talk) say(side mysqldump.Side, seq uint8, payload string) {
	t.feed(side, new(script).packet(seq, []byte(payload)...).b)
}

var filler = bytes.Repeat([]byte("x"), 16<<10)

// long feeds a payload of n bytes that begins with head, in as many packets as it takes, and looks before the
// last byte.
func (t *talk) long(side mysqldump.Side, seq uint8, head string, n int) {
	for last := false; !last; seq++ {
		size := min(n, mysqlwire.MaxPayload)
		last, n = size < mysqlwire.MaxPayload, n-size
		t.feed(side, mysqlwire.AppendHeader(nil, size, seq))
		t.feed(side, []byte(head))
		for size, head = size-len(head), ""; size > 0; {
			k := min(size, len(filler))
			t.feed(side, filler[:k])
			size -= k
		}
	}
	t.look()
}

// rows feeds the answer to a query, of so many rows of so many bytes.
func (t *talk) rows(count, size int) {
	question, answer := rows(0)
	end := len(mysqlwire.AppendHeader(nil, 0, 0)) + len(eofBody)
	t.feed(mysqldump.Client, question)
	t.feed(mysqldump.Server, answer[:len(answer)-end])
	row := append(mysqlwire.AppendHeader(nil, size, 9), 0xfd, byte(size-4), byte((size-4)>>8), byte((size-4)>>16))
	row = append(row, bytes.Repeat([]byte("x"), size-4)...)
	per := max(1, mib/len(row))
	t.repeat(count/per, mysqldump.Server, bytes.Repeat(row, per))
	t.repeat(count%per, mysqldump.Server, row)
	t.look()
	t.feed(mysqldump.Server, answer[len(answer)-end:])
	t.look()
}

// prepare prepares a statement.
func (t *talk) prepare(id uint32, text string, params int) {
	question, answer := preparation(id, text, params)
	t.feed(mysqldump.Client, question)
	t.repeat(1, mysqldump.Server, answer)
}

func (t *talk) ok() { t.say(mysqldump.Server, 1, okBody) }

func lenEnc(n uint64) string { return string(binary.LittleEndian.AppendUint64([]byte{0xfe}, n)) }

// TestSessionMemory measures what a session holds while the last byte of a large packet, or of many, is in flight.
func TestSessionMemory(t *testing.T) {
	const (
		attrs   = mysqlwire.QueryAttributes
		execute = "\x17\x07\x00\x00\x00\x00\x01\x00\x00\x00"
		blob    = execute + "\x00\x01\xfc\x00" // one parameter, bound as a blob
		bulk    = "\xfa\x07\x00\x00\x00\x80\x00\xfc\x00"
		insert  = "\x03INSERT INTO t VALUES ('"
	)
	for _, test := range []struct {
		name  string
		caps  mysqlwire.Capability
		limit int
		talk  func(t *talk)
		want  string // the last record
	}{
		{
			"1 GiB of rows of 100 bytes", 0, sessionLimit,
			func(t *talk) { t.rows(gib/100, 100) },
			"COM_QUERY rows=10737418 length=35 infile=0 values=0 attributes=0 cut=false error=0",
		},
		{
			"1 GiB of rows of 1 MiB", 0, sessionLimit,
			func(t *talk) { t.rows(gib/mib, mib) },
			"COM_QUERY rows=1024 length=35 infile=0 values=0 attributes=0 cut=false error=0",
		},
		{
			"a row of 1 GiB", 0, sessionLimit,
			func(t *talk) {
				question, answer := rows(0)
				t.feed(mysqldump.Client, question)
				t.feed(mysqldump.Server, answer[:len(answer)-9])
				t.long(mysqldump.Server, 4, "\xfe\x00\x00\x00\x40\x00\x00\x00\x00", gib)
				t.feed(mysqldump.Server, answer[len(answer)-9:])
			},
			"COM_QUERY rows=1 length=35 infile=0 values=0 attributes=0 cut=false error=0",
		},
		{
			"1 GiB of LOCAL INFILE", 0, sessionLimit,
			func(t *talk) {
				t.say(mysqldump.Client, 0, "\x03LOAD DATA LOCAL INFILE 'f' INTO TABLE t")
				t.say(mysqldump.Server, 1, "\xfbf")
				t.repeat(gib/(64<<10), mysqldump.Client, append(mysqlwire.AppendHeader(nil, 64<<10, 2), make([]byte, 64<<10)...))
				t.look()
				t.say(mysqldump.Client, 2, "")
				t.ok()
			},
			"COM_QUERY rows=0 length=39 infile=1073741824 values=0 attributes=0 cut=false error=0",
		},
		{
			"an INSERT of 64 MiB", 0, sessionLimit,
			func(t *talk) {
				t.long(mysqldump.Client, 0, insert, 64*mib)
				t.ok()
			},
			"COM_QUERY rows=0 length=67108863 infile=0 values=0 attributes=0 cut=true error=0",
		},
		{
			"an INSERT of 64 MiB behind a query attribute", attrs, sessionLimit,
			func(t *talk) {
				t.long(mysqldump.Client, 0, "\x03\x01\x01\x00\x01\xfe\x00\x01n\x01vINSERT INTO t VALUES ('", 64*mib)
				t.ok()
			},
			"COM_QUERY rows=0 length=67108853 infile=0 values=0 attributes=1 cut=true error=0",
		},
		{
			"a query attribute of 64 MiB", attrs, sessionLimit,
			func(t *talk) {
				t.long(mysqldump.Client, 0, "\x03\x01\x01\x00\x01\xfe\x00\x01n"+lenEnc(64*mib-18-8), 64*mib)
				t.ok()
			},
			"COM_QUERY rows=0 length=8 infile=0 values=0 attributes=1 cut=true error=0",
		},
		{
			"a query attribute whose name has 64 MiB", attrs, sessionLimit,
			func(t *talk) {
				t.long(mysqldump.Client, 0, "\x03\x01\x01\x00\x01\xfe\x00"+lenEnc(64*mib-16-8), 64*mib)
				t.ok()
			},
			"COM_QUERY rows=0 length=0 infile=0 values=0 attributes=0 cut=true error=0",
		},
		{
			"65,535 query attributes", attrs, sessionLimit + valuesLimit,
			func(t *talk) {
				const n = 65535
				types := strings.Repeat("\xfe\x00\xc8"+strings.Repeat("n", 200), n)
				values := strings.Repeat("\xc8"+strings.Repeat("v", 200), n)
				payload := "\x03" + lenEnc(n) + "\x01" + string(make([]byte, (n+7)/8)) + "\x01" + types + values + "SELECT 1"
				t.repeat(1, mysqldump.Client, huge(payload))
				t.look()
				t.ok()
			},
			"COM_QUERY rows=0 length=8 infile=0 values=0 attributes=64 cut=true error=0",
		},
		{
			"an EXECUTE with a parameter of 64 MiB", 0, sessionLimit,
			func(t *talk) {
				t.prepare(7, "INSERT INTO t VALUES (?)", 1)
				t.long(mysqldump.Client, 0, blob+lenEnc(64*mib-23), 64*mib)
				t.ok()
			},
			"COM_STMT_EXECUTE rows=0 length=0 infile=0 values=1 attributes=0 cut=true error=0 first=1024/67108841",
		},
		{
			"an EXECUTE with a parameter that claims 2^63 and 2^31 bytes", 0, sessionLimit,
			func(t *talk) {
				t.prepare(7, "INSERT INTO t VALUES (?)", 1)
				t.long(mysqldump.Client, 0, blob+lenEnc(1<<63|1<<31), 64*mib) // MySQL looks at the lower half
				t.ok()
			},
			"COM_STMT_EXECUTE rows=0 length=0 infile=0 values=1 attributes=0 cut=true error=0 first=1024/2147483648",
		},
		{
			"an EXECUTE that claims 2^63 parameters", attrs, sessionLimit,
			func(t *talk) {
				t.prepare(7, "INSERT INTO t VALUES (?)", 1)
				t.long(mysqldump.Client, 0, "\x17\x07\x00\x00\x00\x08\x01\x00\x00\x00"+lenEnc(1<<63), 64*mib)
				t.ok()
			},
			"COM_STMT_EXECUTE rows=0 length=0 infile=0 values=0 attributes=0 cut=true error=0",
		},
		{
			"an EXECUTE with 65,535 parameters of 1 KiB", 0, sessionLimit + valuesLimit,
			func(t *talk) {
				const n = 65535
				t.prepare(7, "INSERT INTO t VALUES (?)", n)
				types, values := strings.Repeat("\xfe\x00", n), strings.Repeat("\xfc\x00\x04"+strings.Repeat("v", 1<<10), n)
				t.repeat(1, mysqldump.Client, huge(execute+string(make([]byte, (n+7)/8))+"\x01"+types+values))
				t.look()
				t.ok()
			},
			"COM_STMT_EXECUTE rows=0 length=0 infile=0 values=64 attributes=0 cut=true error=0 first=1024/1024",
		},
		{
			"a BULK_EXECUTE with 65,536 rows of 1 KiB", 0, sessionLimit,
			func(t *talk) {
				t.prepare(7, "INSERT INTO t VALUES (?)", 1)
				row := "\x00\xfc\x00\x04" + strings.Repeat("v", 1<<10)
				t.repeat(1, mysqldump.Client, huge(bulk+strings.Repeat(row, 64<<10)))
				t.look()
				t.ok()
			},
			"COM_STMT_BULK_EXECUTE rows=0 length=0 infile=0 values=4 attributes=0 cut=false error=0 first=1024/1024",
		},
		{
			"a BULK_EXECUTE with a value of 64 MiB", 0, sessionLimit,
			func(t *talk) {
				t.prepare(7, "INSERT INTO t VALUES (?)", 1)
				head := len(bulk) + len("\x00") + len(lenEnc(64*mib))
				t.long(mysqldump.Client, 0, bulk+"\x00"+lenEnc(64*mib), head+64*mib)
				t.look()
				t.ok()
			},
			"COM_STMT_BULK_EXECUTE rows=0 length=0 infile=0 values=1 attributes=0 cut=true error=0 first=1024/67108864",
		},
		{
			"COM_STMT_SEND_LONG_DATA of 64 MiB", 0, sessionLimit,
			func(t *talk) {
				t.prepare(7, "INSERT INTO t VALUES (?)", 1)
				t.long(mysqldump.Client, 0, "\x18\x07\x00\x00\x00\x00\x00", 64*mib)
				t.say(mysqldump.Client, 0, blob)
				t.look()
				t.ok()
			},
			"COM_STMT_EXECUTE rows=0 length=0 infile=0 values=1 attributes=0 cut=true error=0 first=1024/67108857",
		},
		{
			"64 MiB in 65,536 COM_STMT_SEND_LONG_DATA", 0, sessionLimit,
			func(t *talk) {
				t.prepare(7, "INSERT INTO t VALUES (?)", 1)
				piece := append([]byte("\x18\x07\x00\x00\x00\x00\x00"), make([]byte, 1<<10)...)
				t.repeat(64<<10, mysqldump.Client, new(script).packet(0, piece...).b)
				t.look()
				t.say(mysqldump.Client, 0, blob)
				t.ok()
			},
			"COM_STMT_EXECUTE rows=0 length=0 infile=0 values=1 attributes=0 cut=true error=0 first=1024/67108864",
		},
		{
			"COM_CHANGE_USER of 64 MiB", 0, sessionLimit,
			func(t *talk) {
				t.long(mysqldump.Client, 0, "\x11app\x00\x00\x00", 64*mib)
				t.say(mysqldump.Server, 1, "\xff\x15\x04#28000Access denied")
			},
			"COM_CHANGE_USER rows=0 length=0 infile=0 values=0 attributes=0 cut=false error=1045",
		},
		{
			"an ERR of 64 MiB", 0, sessionLimit,
			func(t *talk) {
				t.say(mysqldump.Client, 0, "\x03SELECT 1")
				t.long(mysqldump.Server, 1, "\xff\x15\x04#28000", 64*mib)
			},
			"COM_QUERY rows=0 length=8 infile=0 values=0 attributes=0 cut=false error=1045",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			talk := newTalk(t, test.caps)
			test.talk(talk)
			talk.land()
			if talk.last != test.want {
				t.Errorf("got %q, want %q", talk.last, test.want)
			}
			t.Logf("%d bytes held", talk.most)
			if talk.most == 0 || talk.most > test.limit {
				t.Errorf("got %d bytes held, want at most %d", talk.most, test.limit)
			}
			talk.idle()
		})
	}
}

// huge returns a payload as packets.
func huge(payload string) (b []byte) {
	for seq, last := uint8(0), false; !last; seq++ {
		n := min(len(payload), mysqlwire.MaxPayload)
		b = append(mysqlwire.AppendHeader(b, n, seq), payload[:n]...)
		last, payload = n < mysqlwire.MaxPayload, payload[n:]
	}
	return b
}

// TestPreparedMemory has a client prepare and execute, and never close.
func TestPreparedMemory(t *testing.T) {
	for _, test := range []struct {
		name    string
		count   int
		text    int  // bytes
		long    int  // bytes of long data that are sent for each parameter ahead of the execution,
		left    bool // which does not come
		params  int
		atLeast int // statements that are known at the end
	}{
		{"100,000 of 100 bytes", 100_000, 100, 0, false, 3, 600},
		{"100,000 of 1 byte", 100_000, 1, 0, false, 3, 800},
		{"100,000 of 4 KiB", 100_000, 4 << 10, 0, false, 3, 55},
		{"1000 of 64 KiB", 1000, 64 << 10, 0, false, 3, 55},
		{"100,000 with long data of 2 KiB", 100_000, 100, 2 << 10, true, 3, 60},
		{"10,000 with long data of 1 byte", 10_000, 100, 1, true, 3, 300},
		{"10,000 with long data of 2 KiB, executed", 10_000, 100, 2 << 10, false, 3, 600},
		{"100 with long data for 2000 parameters", 100, 100, 1, true, 2000, 1},
		{"1000 of 2000 parameters", 1000, 100, 0, false, 2000, 90},
	} {
		t.Run(test.name, func(t *testing.T) {
			talk := newTalk(t, 0)
			prepare, prepared := preparation(0, strings.Repeat("x", test.text), test.params)
			number := func(packet []byte, at int, n int) []byte {
				binary.LittleEndian.PutUint32(packet[at:], uint32(n))
				return packet
			}
			var more []byte
			for i := range test.params * min(test.long, 1) {
				data := append([]byte{0x18, 0, 0, 0, 0, byte(i), byte(i >> 8)}, make([]byte, test.long)...)
				more = append(more, new(script).packet(0, data...).b...)
			}
			each := len(more) / max(test.params, 1)
			types, values := strings.Repeat("\x03\x00", test.params), strings.Repeat("\x01\x00\x00\x00", test.params)
			execute := new(script).packet(0, []byte("\x17\x00\x00\x00\x00\x00\x01\x00\x00\x00"+
				string(make([]byte, (test.params+7)/8))+"\x01"+types+values)...).b
			for id := range test.count {
				talk.repeat(1, mysqldump.Client, prepare)
				talk.repeat(1, mysqldump.Server, number(prepared, 5, id))
				for at := 0; at < len(more); at += each {
					talk.feed(mysqldump.Client, number(more[at:at+each], 5, id))
				}
				if !test.left {
					talk.feed(mysqldump.Client, number(execute, 5, id))
					talk.ok()
				}
			}
			talk.look()
			talk.land()
			talk.lost = 0
			for id := test.count - test.atLeast; id < test.count; id++ {
				talk.feed(mysqldump.Client, number(execute, 5, id))
				talk.ok()
			}
			talk.land()
			if talk.lost > 0 {
				t.Errorf("got %d of the last %d statements lost, want none", talk.lost, test.atLeast)
			}
			t.Logf("%d bytes held", talk.most)
			if talk.most > statementsLimit {
				t.Errorf("got %d bytes held, want at most %d", talk.most, statementsLimit)
			}
			followed(t, talk.session)
		})
	}
}

// TestPipelinedMemory has a client send as many commands as are followed before it reads an answer, again and again.
func TestPipelinedMemory(t *testing.T) {
	const commands = 1024
	for _, test := range []struct {
		name    string
		caps    mysqlwire.Capability
		wave    int // commands, from the second time on
		payload string
	}{
		{"texts of 4 KiB", 0, commands, "\x03" + strings.Repeat("x", 4<<10)},
		{"texts of 2 KiB, then in waves of a dozen", 0, 12, "\x03" + strings.Repeat("x", 2<<10)},
		{"texts of 2 KiB, then in waves of three", 0, 4, "\x03" + strings.Repeat("x", 2<<10)},
		{"texts of 300 bytes", 0, commands, "\x03" + strings.Repeat("x", 300)},
		{"64 parameters of 1 KiB", 0, commands, execute64},
		{"a text of 4 KiB with 64 attributes of 1 KiB", mysqlwire.QueryAttributes, commands, query64},
	} {
		t.Run(test.name, func(t *testing.T) {
			talk := newTalk(t, test.caps)
			talk.prepare(7, "INSERT INTO t VALUES (?)", 64)
			packet := new(script).packet(0, []byte(test.payload)...).b
			for round, n := 0, commands; round < 100; round++ {
				talk.repeat(n, mysqldump.Client, packet)
				if round%20 == 0 {
					talk.look()
				}
				for range n {
					talk.ok()
				}
				n = test.wave - 1 // so that each round begins at another place of the queue
			}
			talk.land()
			t.Logf("%d bytes held", talk.most)
			if talk.most > pipelineLimit {
				t.Errorf("got %d bytes held, want at most %d", talk.most, pipelineLimit)
			}
			followed(t, talk.session)
			talk.idle()
		})
	}
}

// An execution and a query with 64 values of 1 KiB.
var (
	values64  = strings.Repeat("\xfc\x00\x04"+strings.Repeat("v", 1<<10), 64)
	execute64 = "\x17\x07\x00\x00\x00\x00\x01\x00\x00\x00" + string(make([]byte, 8)) + "\x01" +
		strings.Repeat("\xfe\x00", 64) + values64
	query64 = "\x03\x40\x01" + string(make([]byte, 8)) + "\x01" +
		strings.Repeat("\xfe\x00\x01n", 64) + values64 + strings.Repeat("x", 4<<10)
)

// bomb returns a compressed packet that holds the packet of size bytes which begins with head and goes on with
// zeros, in as few bytes as can be.
func bomb(tb testing.TB, isZstd bool, size int, head []byte) []byte {
	tb.Helper()
	if !isZstd {
		return compressedPacket(tb, false, append(head, make([]byte, size-len(head))...))
	}
	// RFC 8878: a window of 8 MiB, a raw block, and blocks of up to 128 KiB that are one byte each.
	const windowLog, raw, rle, last = 23, 0, 2, 1
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3}
	block := func(kind, n int, content ...byte) {
		b = append(b, byte(kind|n<<3), byte(n>>5), byte(n>>13))
		b = append(b, content...)
	}
	block(raw, len(head), head...)
	left := size - len(head)
	for ; left > 128<<10; left -= 128 << 10 {
		block(rle, 128<<10, 0)
	}
	block(rle|last, left, 0)
	return framed(size, b)
}

// TestCompressedMemory has each side send what inflates to 200 MB.
func TestCompressedMemory(t *testing.T) {
	const (
		size   = mysqlwire.MaxPayload
		frames = 12
	)
	question, answer := rows(0)
	ok, eof := new(script).packet(1, []byte(okBody)...).b, new(script).packet(9, []byte(eofBody)...).b
	for _, algorithm := range []struct {
		name  string
		caps  mysqlwire.Capability
		limit int
		wire  int // bytes, at most
	}{
		{"zlib", mysqlwire.Compress, zlibLimit, 200_000}, // it cannot compress by more than 1032
		{"zstd", mysqlwire.ZstdCompression, zstdLimit, 7000},
	} {
		isZstd := algorithm.caps == mysqlwire.ZstdCompression
		packet := func(seq uint8, head string) []byte { // that fills a frame
			return bomb(t, isZstd, size, append(mysqlwire.AppendHeader(nil, size-mysqlwire.HeaderLen, seq), head...))
		}
		for _, test := range []struct {
			name       string
			side       mysqldump.Side
			data       []byte
			begin, end func(say func(side mysqldump.Side, packets []byte))
			want       string
		}{
			{
				"rows", mysqldump.Server, packet(4, ""),
				func(say func(mysqldump.Side, []byte)) {
					say(mysqldump.Client, question)
					say(mysqldump.Server, answer[:len(answer)-len(eof)])
				},
				func(say func(mysqldump.Side, []byte)) { say(mysqldump.Server, eof) },
				"COM_QUERY rows=12 length=35 infile=0 values=0 attributes=0 cut=false error=0",
			},
			{
				"a file", mysqldump.Client, packet(2, ""),
				func(say func(mysqldump.Side, []byte)) {
					say(mysqldump.Client, new(script).packet(0, []byte("\x03LOAD DATA LOCAL INFILE 'f' INTO TABLE t")...).b)
					say(mysqldump.Server, new(script).packet(1, []byte("\xfbf")...).b)
				},
				func(say func(mysqldump.Side, []byte)) {
					say(mysqldump.Client, new(script).packet(2).b)
					say(mysqldump.Server, ok)
				},
				"COM_QUERY rows=0 length=39 infile=201326532 values=0 attributes=0 cut=false error=0",
			},
			{
				"statements", mysqldump.Client, packet(0, "\x03"),
				func(func(mysqldump.Side, []byte)) {},
				func(say func(mysqldump.Side, []byte)) { say(mysqldump.Server, bytes.Repeat(ok, frames)) },
				"COM_QUERY rows=0 length=16777210 infile=0 values=0 attributes=0 cut=true error=0",
			},
		} {
			t.Run(algorithm.name+", "+test.name, func(t *testing.T) {
				talk := newTalk(t, algorithm.caps)
				say := func(side mysqldump.Side, packets []byte) { talk.feed(side, compressedPacket(t, isZstd, packets)) }
				test.begin(say)
				talk.repeat(frames, test.side, test.data)
				talk.look()
				test.end(say)
				talk.land()
				if talk.last != test.want {
					t.Errorf("got %q, want %q", talk.last, test.want)
				}
				wire := frames * len(test.data)
				t.Logf("%d bytes are %d on the wire and make the session hold %d", frames*size, wire, talk.most)
				if wire > algorithm.wire {
					t.Errorf("got %d bytes on the wire, want a bomb of at most %d", wire, algorithm.wire)
				}
				if talk.most > algorithm.limit {
					t.Errorf("got %d bytes held, want at most %d", talk.most, algorithm.limit)
				}
				followed(t, talk.session)
				talk.idle()
			})
		}
	}
}
