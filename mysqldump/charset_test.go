package mysqldump

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// serverTables are what servers make of all characters (testdata/charsets/make.sh).
var serverTables = []string{"testdata/charsets/mariadb-10.11.19.txt", "testdata/charsets/mysql-9.7.4.txt"}

// TestCharsetsLikeServer converts every character of every set, and every sequence of bytes that is none,
// and compares with what the servers have made of them.
func TestCharsetsLikeServer(t *testing.T) {
	seen := make(map[string]int)
	for _, file := range serverTables {
		table, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			if line[0] == '#' {
				continue
			}
			name, row, _ := strings.Cut(strings.TrimSpace(line), " ")
			key, want, _ := strings.Cut(row, " ")
			first, err := strconv.ParseUint(key, 16, 32)
			if err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
			seen[name]++
			c := charsetNamed(name)
			if c == nil || c.forms == nil {
				t.Fatalf("%s: %s is not converted", file, name)
			}
			if got := rowOf(c, byte(first>>8), byte(first), len(key)/2); got != want {
				t.Errorf("%s %s: got %s, want %s", name, key, got, want)
			}
		}
	}
	for name, c := range charsets {
		if c == nil || c.forms == nil {
			continue
		}
		want := 8 // rows of 16 bytes
		switch last := c.forms[len(c.forms)-1]; len(last) {
		case 2: // rows by the first byte
			want = 256
		case 3: // and by the two first of those of three
			want = 512
		case 4: // and by the first of those of four
			want = 256 + 126
		}
		if seen[name] != want {
			t.Errorf("%s: got %d rows, want %d", name, seen[name], want)
		}
	}
}

// rowOf is the row of the tables for the sequences that begin with the bytes of the key.
func rowOf(c *charset, high, low byte, keyLen int) string {
	sum := crc32.NewIEEE()
	show := func(text ...byte) {
		if got, ok := c.appendUTF8(nil, text, false); ok {
			sum.Write(got)
		} else {
			sum.Write([]byte("-"))
		}
	}
	switch {
	case len(c.forms[0]) == 1 && len(c.forms) == 1:
		var points []string
		for i := range byte(16) {
			if got, ok := c.appendUTF8(nil, []byte{low + i}, false); ok {
				points = append(points, fmt.Sprintf("%x", []rune(string(got))[0]))
			} else {
				points = append(points, "-")
			}
		}
		return strings.Join(points, " ")
	case keyLen == 1:
		for b := range 256 {
			show(low, byte(b))
		}
	case len(c.forms[len(c.forms)-1]) == 3:
		for b := range 256 {
			show(high, low, byte(b))
		}
	default:
		for b := byte('0'); b <= '9'; b++ {
			for c := byte(0x81); c <= 0xfe; c++ {
				for d := byte('0'); d <= '9'; d++ {
					show(high, b, c, d)
				}
			}
		}
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}

// TestCharsetNames: every set that a server has is UTF-8, converted, or known not to be.
func TestCharsetNames(t *testing.T) {
	names := make(map[string]bool)
	for id := range 4096 {
		names[mysqlwire.Charset(uint16(id))] = true
	}
	var unknown []string
	for name := range names {
		if charsetNamed(name) == unknownCharset {
			unknown = append(unknown, name)
		}
		delete(names, name)
	}
	slices.Sort(unknown)
	if want := []string{"armscii8", "dec8", "geostd8", "hp8", "keybcs2", "macce"}; !slices.Equal(unknown, want) {
		t.Errorf("got %q without a decoder, want %q", unknown, want)
	}
	if charsetNamed("klingon") != unknownCharset {
		t.Error("klingon: got a decoder")
	}
}

// TestCharsetsSorted: the search for a character ends at the first exception behind it.
func TestCharsetsSorted(t *testing.T) {
	for name, c := range charsets {
		if c != nil && !slices.IsSortedFunc(c.but, func(a, b exception) int { return strings.Compare(a.first, b.first) }) {
			t.Errorf("%s: the exceptions are not in order", name)
		}
	}
}

func TestCharsetText(t *testing.T) {
	const valid, cut = true, true
	for _, tt := range []struct {
		charset, text string
		cut           bool
		want          string
		ok            bool
	}{
		{"utf8mb4", "größe \xff", !cut, "größe \xff", valid}, // none of its business
		{"", "größe", !cut, "größe", valid},
		{"binary", "\xff", !cut, "\xff", valid},
		{"latin1", "", !cut, "", valid},
		{"latin1", "gr\xf6\xdfe \x80\x81", !cut, "größe €\u0081", valid},
		{"latin1", "gr\xf6\xdfe \x80", cut, "größe €", valid},
		{"greek", "\xe1\xd2", !cut, "", !valid},
		{"sjis", "SELECT '\x95\x5c', '\xb1\\'", !cut, "SELECT '表', 'ｱ\\'", valid}, // a backslash as second byte
		{"sjis", "\x95", !cut, "", !valid},
		{"sjis", "a\x95", cut, "a", valid},
		{"sjis", "a\x95\x20b", cut, "", !valid},
		{"sjis", "a\x80", cut, "", !valid}, // begins no character
		{"gbk", "\xbf\x5c'", !cut, "縗'", valid},
		{"gbk", "\xbf'", !cut, "", !valid},
		{"big5", "\xa4\xa4\xa4\xe5\xa4", cut, "中文", valid},
		{"euckr", "\xc7\xd1\xb1\xdb", !cut, "한글", valid},
		{"ujis", "\x8e\xb1\x8f\xb0\xa1\xc6\xfc", !cut, "ｱ丂日", valid},
		{"ujis", "\xc6\xfc\x8f", cut, "日", valid},
		{"ujis", "\xc6\xfc\x8f\xb0", cut, "日", valid},
		{"ujis", "\xc6\xfc\x8f\xb0", !cut, "", !valid},
		{"gb18030", "\x81\x30\x81\x30\xd6\xd0", !cut, "\u0080中", valid},
		{"gb18030", "\x94\x39\xda\x33", !cut, "\U0001f4a9", valid},
		{"gb18030", "a\x94\x39\xda", cut, "a", valid},
		{"gb18030", "a\x94\x39\xda", !cut, "", !valid},
		{"gb18030", "a\x94\x39", cut, "a", valid},
		{"gb18030", "a\x94\x39\x20", cut, "", !valid},
		{"macce", "SELECT 1", !cut, "SELECT 1", valid},
		{"macce", "\x8a", !cut, "", !valid},
		{"swe7", "SELECT 1", !cut, "", !valid}, // brackets are letters
	} {
		c := charsetNamed(tt.charset)
		got, ok := c.appendUTF8([]byte("before "), []byte(tt.text), tt.cut)
		if want := "before " + tt.want; string(got) != want || ok != tt.ok {
			t.Errorf("%s %q, cut %v: got %q, %v; want %q, %v", tt.charset, tt.text, tt.cut, got, ok, want, tt.ok)
		}
	}
}

// TestCharsetCut: a text that is cut anywhere is the beginning of the whole.
func TestCharsetCut(t *testing.T) {
	for name, text := range map[string]string{
		"latin1": "a\xe4\xf6", "sjis": "a\x95\x5c\xb1\\\x95\x7e", "gb18030": "\x81\x30\x81\x30a\xd6\xd0\x94\x39\xda\x33",
		"ujis": "\x8e\xb1a\x8f\xb0\xa1\xc6\xfc", "big5": "\xa4\xa4a\xa4\xe5", "eucjpms": "\x8f\xf4\xfea\xf5\xa1",
	} {
		c := charsetNamed(name)
		whole, ok := c.appendUTF8(nil, []byte(text), false)
		if !ok {
			t.Fatalf("%s: %q is not valid", name, text)
		}
		for n := range len(text) {
			got, ok := c.appendUTF8(nil, []byte(text[:n]), true)
			if !ok || !bytes.HasPrefix(whole, got) {
				t.Errorf("%s: %q cut after %d: got %q, %v; want a beginning of %q", name, text, n, got, ok, whole)
			}
		}
	}
}

func TestCharsetNeeded(t *testing.T) {
	for _, tt := range []struct {
		charset, text string
		want          bool
	}{
		{"utf8mb4", "größe", false},
		{"utf8mb3", "\xff", false},
		{"ascii", "\xff", false},
		{"binary", "\xff", false},
		{"", "\xff", false},
		{"latin1", "SELECT 1", false},
		{"latin1", "gr\xf6\xdfe", true},
		{"sjis", "\\", false},
		{"macce", "SELECT 1", false},
		{"macce", "\xff", true},
		{"swe7", "[", true},
		{"ucs2", "\x00a", true},
	} {
		if got := charsetNamed(tt.charset).needed([]byte(tt.text)); got != tt.want {
			t.Errorf("%s %q: got %v, want %v", tt.charset, tt.text, got, tt.want)
		}
	}
}

// TestCharsetAllocs: a text is converted into what dst has room for, whatever its set.
func TestCharsetAllocs(t *testing.T) {
	dst := make([]byte, 0, 256)
	for _, name := range slices.Sorted(maps.Keys(charsets)) {
		text := []byte("SELECT '\xd1\xd1\xd1\xd1', '\xa1\xc1'")
		c := charsetNamed(name)
		if n := testing.AllocsPerRun(10, func() { c.appendUTF8(dst, text, false) }); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, n)
		}
	}
}

// BenchmarkCharset: a text of characters of two bytes in the commonest sets of their kinds; no allocation
// (TestCharsetAllocs).
func BenchmarkCharset(b *testing.B) {
	for name, text := range map[string]string{
		"latin1": "gr\xf6\xdfe ", "gbk": "\xd6\xd0\xce\xc4 ", "gb18030": "\xd6\xd0\xa1\xa3 ", "sjis": "\x95\x5c\xb1 ",
	} {
		b.Run(name, func(b *testing.B) {
			text := bytes.Repeat([]byte(text), 200)
			dst := make([]byte, 0, 4*len(text))
			c := charsetNamed(name)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.appendUTF8(dst, text, false); !ok {
					b.Fatal("not valid")
				}
			}
		})
	}
}

// FuzzCharset checks that what is converted is UTF-8, that nothing is appended otherwise, and that what is
// cut off a text takes nothing with it but the character it was in.
func FuzzCharset(f *testing.F) {
	names := slices.Sorted(maps.Keys(charsets))
	for i := range names {
		f.Add(uint8(i), []byte("a\x95\x5c\xb1\x8f\xb0\xa1\x81\x30\x81\x30\xd6\xd0"))
		f.Add(uint8(i), []byte("'\xa1\xa1\xf5\xa1\xfe\xfe"))
	}
	f.Fuzz(func(t *testing.T, set uint8, text []byte) {
		c := charsetNamed(names[int(set)%len(names)])
		text = text[:min(len(text), 64)] // the work grows with its square
		before := []byte("before ")
		whole, ok := c.appendUTF8(before, text, false)
		switch {
		case !ok && string(whole) != "before ":
			t.Errorf("got %q appended to a text that is not valid", whole)
		case ok && c != nil && !utf8.Valid(whole):
			t.Errorf("got %q, which is not UTF-8", whole)
		}
		for n := range len(text) {
			got, valid := c.appendUTF8(before, text[:n], true)
			if ok && c != nil && (!valid || !bytes.HasPrefix(whole, got)) {
				t.Errorf("cut after %d: got %q, %v; want a beginning of %q", n, got, valid, whole)
			}
		}
	})
}
