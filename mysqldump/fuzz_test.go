package mysqldump_test

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/l4mysql/l4mysql/internal/convtest"
	"github.com/l4mysql/l4mysql/mysqldump"
)

// The fuzzer's input is a conversation: the first byte is a step, then each piece has a byte for its side
// and two for its length in bytes, little endian. A piece longer than what is left ends there.

func encodePieces(step byte, list []piece) []byte {
	b := []byte{step}
	for _, p := range list {
		for data := p.data; len(data) > 0; {
			n := min(len(data), 1<<16-1)
			b = append(b, byte(p.side))
			b = binary.LittleEndian.AppendUint16(b, uint16(n))
			b = append(b, data[:n]...)
			data = data[n:]
		}
	}
	return b
}

func decodePieces(b []byte) (step int, list []piece) {
	if len(b) == 0 {
		return 1, nil
	}
	step = max(1, int(b[0]))
	for b = b[1:]; len(b) > 3; {
		side := mysqldump.Side(b[0] & 1)
		n := min(int(binary.LittleEndian.Uint16(b[1:])), len(b)-3)
		if n > 0 {
			list = append(list, piece{side: side, data: b[3 : 3+n], turn: len(list) + 1})
		}
		b = b[3+n:]
	}
	return step, list
}

// FuzzSession checks that no conversation makes the session panic or lose count of bytes, that what it tells
// does not depend on how the bytes are cut, and that a conversation that ends early loses records, never
// invents one.
func FuzzSession(f *testing.F) {
	seeds := 0
	add := func(list []piece) {
		// Longer ones reach no more code, and take the time of the others.
		if b := encodePieces(1, list); len(b) < 16<<10 {
			f.Add(b)
			seeds++
		}
	}
	for _, file := range conversations(f) {
		script, err := convtest.Read(file)
		if err != nil {
			f.Fatal(err)
		}
		add(pieces(script.Turns))
	}
	scripts := seeds
	captures, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range captures {
		for _, segments := range readCapture(f, file) {
			var list []piece
			for _, s := range segments {
				list = append(list, piece{side: s.side, data: s.data})
			}
			add(list)
		}
	}
	if scripts == 0 || seeds == scripts {
		f.Fatalf("got %d seeds from scripts, %d from captures; want some of both", scripts, seeds-scripts)
	}

	f.Fuzz(func(t *testing.T, b []byte) {
		step, list := decodePieces(b)
		for _, as := range []*setup{
			{Options: mysqldump.Options{Commands: mysqldump.AllCommands(), Events: mysqldump.AllEvents}, times: true},
			{Options: mysqldump.Options{
				MaxQuery: 16, MaxParams: 2, MaxParam: 3, StatementsMemory: 1000,
				Commands: mysqldump.DefaultCommands(), Events: mysqldump.DefaultEvents,
			}, times: true},
			{Options: mysqldump.Options{Commands: mysqldump.AllCommands(), Events: mysqldump.AllEvents}, times: true, midstream: true},
		} {
			told := play(t, as, list)
			if got := play(t, as, inSteps(list, step)); got.String() != told.String() {
				t.Fatalf("in steps of %d: got:\n%swant:\n%s", step, got, told)
			}
			untimed := *as
			untimed.times = false
			want := play(t, &untimed, list).String()
			if got := play(t, &untimed, joined(list)); got.String() != want {
				t.Fatalf("in as few pieces as can be: got:\n%swant:\n%s", got, want)
			}
			total := 0
			for _, p := range list {
				total += len(p.data)
			}
			for n := step; n < total; n += max(step, total/8) {
				if err := play(t, as, cutAfter(list, n)).begins(told); err != nil {
					t.Fatalf("cut after %d bytes: %v", n, err)
				}
			}
		}
	})
}
