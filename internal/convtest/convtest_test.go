package convtest

import (
	"bytes"
	"compress/zlib"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// write writes a script with the given turns and returns its path.
func write(t *testing.T, dir, name, in string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte("About "+name+".\n\n-- in --\n"+in+"-- want --\nnothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTurns(t *testing.T) {
	long := strings.Repeat("x", mysqlwire.MaxPayload)
	tests := []struct {
		name, in string
		want     []Turn
	}{
		{"raw bytes", "C: 01 0203ff\n", []Turn{{Client: true, Data: []byte{1, 2, 3, 255}}}},
		{"packet", "S[7]: 0a\n", []Turn{{Data: []byte{1, 0, 0, 7, 10}}}},
		{"empty packet", "C[2]:\n", []Turn{{Client: true, Data: []byte{0, 0, 0, 2}}}},
		{"literals", `C: "a\x00\"#" ` + "`\\`" + " # no item\n", []Turn{{Client: true, Data: []byte("a\x00\"#\\")}}},
		{"repeated items", `C: 00*3 0102*2 "ab"*2` + "\n", []Turn{{Client: true, Data: []byte("\x00\x00\x00\x01\x02\x01\x02abab")}}},
		{"continued lines", "C[0]: 01 # one\n\n# between\n  02\n\t03\n", []Turn{{Client: true, Data: []byte{3, 0, 0, 0, 1, 2, 3}}}},
		{"repeated packets", "S[254]*3: 09\n", []Turn{{Data: []byte{1, 0, 0, 254, 9, 1, 0, 0, 255, 9, 1, 0, 0, 0, 9}}}},
		{"two turns of a side", "C: 01\nC: 02\n", []Turn{{Client: true, Data: []byte{1}}, {Client: true, Data: []byte{2}}}},
		{"stored", "stored C[5]: 01 02\n", []Turn{{Client: true, Data: []byte{6, 0, 0, 0, 0, 0, 0, 2, 0, 0, 5, 1, 2}}}},
		{"stored raw bytes", "stored S: 03\n  04\n", []Turn{{Data: []byte{2, 0, 0, 0, 0, 0, 0, 3, 4}}}},
		{"closes", "C closes\nS closes # late\n", []Turn{{Client: true, Closes: true}, {Closes: true}}},
		{"payload as long as a packet", `C[255]: "x"*16777215` + "\n", []Turn{{Client: true, Data: []byte("\xff\xff\xff\xff" + long + "\x00\x00\x00\x00")}}},
		{"payload longer than a packet", `C[3]: "x"*16777215 "y"` + "\n", []Turn{{Client: true, Data: []byte("\xff\xff\xff\x03" + long + "\x01\x00\x00\x04y")}}},
		{"include", "S: 01\ninclude other.txtar # comment\nS: 04\n", []Turn{{Data: []byte{1}}, {Client: true, Data: []byte{2}}, {Data: []byte{4}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "other.txtar", "C: 02\n")
			c, err := Read(write(t, dir, "this.txtar", tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(c.Turns, tt.want) {
				if len(c.Turns) == 1 && len(c.Turns[0].Data) > 1000 {
					t.Fatalf("got %d other bytes", len(c.Turns[0].Data))
				}
				t.Errorf("got %v, want %v", c.Turns, tt.want)
			}
		})
	}
}

// TestCompressed looks into compressed packets with the decoders of their formats.
func TestCompressed(t *testing.T) {
	zstdReader, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer zstdReader.Close()
	for method, decode := range map[string]func(body []byte) ([]byte, error){
		"zlib": func(body []byte) ([]byte, error) {
			r, err := zlib.NewReader(bytes.NewReader(body))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		"zstd": func(body []byte) ([]byte, error) { return zstdReader.DecodeAll(body, nil) },
	} {
		t.Run(method, func(t *testing.T) {
			turns, err := Turns(method+` S[7]*2: "x"*70000`+"\nC: 01\n", t.TempDir())
			if err != nil || len(turns) != 2 || !bytes.Equal(turns[1].Data, []byte{1}) {
				t.Fatalf("got %d turns, error %v; want 2, the last uncompressed", len(turns), err)
			}
			frame := turns[0].Data
			if n := len(frame) - 7; int(frame[0])|int(frame[1])<<8|int(frame[2])<<16 != n || frame[3] != 0 {
				t.Errorf("got length and sequence id % x; want those of %d bytes, and 0", frame[:4], n)
			}
			want := "\x70\x11\x01\x07" + strings.Repeat("x", 70000)
			want += "\x70\x11\x01\x08" + strings.Repeat("x", 70000)
			if size := int(frame[4]) | int(frame[5])<<8 | int(frame[6])<<16; size != len(want) {
				t.Errorf("got a length before compression of %d, want %d", size, len(want))
			}
			if got, err := decode(frame[7:]); err != nil || string(got) != want {
				t.Errorf("got %d other bytes, error %v", len(got), err)
			}
		})
	}
}

func TestTurnsErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, wantErr string }{
		{"odd digits", "C: 0\n", `no item at "0"`},
		{"upper case", "C: 0A\n", `no item at "0A"`},
		{"no such escape", `C: "\0"` + "\n", "invalid syntax"},
		{"literal without end", `C: "abc` + "\n", `no item at "\"abc"`},
		{"items without space", `C: 01"a"` + "\n", "no item at"},
		{"no such compression", "lzma C: 01\n", `"lzma C: 01" begins like no turn`},
		{"compressed leaving", "zlib C closes\n", `"zlib C closes" begins like no turn`},
		{"no side", "X: 01\n", `"X: 01" begins like no turn`},
		{"no turn to continue", "  01\n", "begins like no turn"},
		{"closing with bytes", "C closes 01\n", "sends nothing"},
		{"include of nothing", "include nosuch.txtar\n", "nosuch.txtar"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Read(write(t, t.TempDir(), "this.txtar", tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("got %v, error %v; want an error with %q", c, err, tt.wantErr)
			}
		})
	}
}

func TestSections(t *testing.T) {
	const text = "About it.\n\n-- options --\nmax_query 16\n\ncommands com_query com_ping\n-- in --\nC: 01\n-- want --\none\n"
	file := filepath.Join(t.TempDir(), "it.txtar")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"max_query": "16", "commands": "com_query com_ping"}; !reflect.DeepEqual(c.Options, want) {
		t.Errorf("got options %v, want %v", c.Options, want)
	}
	if c.Want != "one\n" {
		t.Errorf("got want %q", c.Want)
	}
	if err := c.Rewrite(file, "two\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if want := strings.Replace(text, "one\n", "two\n", 1); err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("rewritten: got %q, %v; want %q", got, err, want)
	}

	for _, missing := range []string{"About it.\n", "-- in --\n", "-- want --\n"} {
		if err := os.WriteFile(file, []byte(strings.Replace(text, missing, "", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file); err == nil {
			t.Errorf("without %q: got no error", missing)
		}
	}
}
