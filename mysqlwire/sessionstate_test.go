package mysqlwire

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// stateOf returns the entries given in hex; spaces are for the reader.
func stateOf(t *testing.T, entries string) SessionState {
	t.Helper()
	state, err := hex.DecodeString(strings.ReplaceAll(entries, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// told is everything that s says, as text.
func told(s SessionState) []string {
	var all []string
	for name, value := range s.SystemVariables() {
		all = append(all, string(name)+"="+string(value))
	}
	for _, part := range []struct {
		name string
		read func() ([]byte, bool)
	}{
		{"schema", s.Schema},
		{"gtids", s.GTIDs},
		{"state", s.TransactionState},
		{"characteristics", s.TransactionCharacteristics},
	} {
		if value, changed := part.read(); changed {
			all = append(all, part.name+":"+string(value))
		}
	}
	return all
}

// states are real ones by their names, and made ones.
var states = []struct {
	name    string
	entries string
	want    []string
}{
	{
		"MySQL 9.7.2, SET NAMES latin1",
		"00 1c 14 6368617261637465725f7365745f636c69656e74 06 6c6174696e31" +
			"00 20 18 6368617261637465725f7365745f636f6e6e656374696f6e 06 6c6174696e31" +
			"00 1d 15 6368617261637465725f7365745f726573756c7473 06 6c6174696e31" +
			"00 11 0c 73746174656d656e745f6964 03 373139 02 01 31",
		[]string{
			"character_set_client=latin1", "character_set_connection=latin1", "character_set_results=latin1", "statement_id=719",
		},
	},
	{
		"MySQL 9.7.2, COMMIT with session_track_gtids",
		"00 11 0c 73746174656d656e745f6964 03 373239" +
			"03 2a 00 28 38343663663333342d653463342d313166312d613463332d3032666330303030303030313a313033" +
			"05 09 08 5f5f5f5f5f5f5f5f 04 01 00",
		[]string{
			"statement_id=729", "gtids:846cf334-e4c4-11f1-a4c3-02fc00000001:103", "state:________", "characteristics:",
		},
	},
	{
		"MySQL 9.7.2, START TRANSACTION READ ONLY",
		"05 09 08 545f5f5f5f5f5f5f 04 1d 1c 5354415254205452414e53414354494f4e2052454144204f4e4c593b",
		[]string{"state:T_______", "characteristics:START TRANSACTION READ ONLY;"},
	},
	{
		"MariaDB 10.11.19, SET autocommit=1, START TRANSACTION and USE mysql",
		"00 0e 0a 6175746f636f6d6d6974 02 4f4e 05 09 08 545f5f5f5f5f5f5f 01 06 05 6d7973716c",
		[]string{"autocommit=ON", "schema:mysql", "state:T_______"},
	},
	{
		"several variables in one entry, an empty value, an entry of an unknown type",
		"00 0a 01 61 02 6231 02 6332 01 64 09 03 616263 00 03 01 65 00",
		[]string{"a=b1", "c2=d", "e="},
	},
	{
		"the last of each is what holds",
		"01 02 01 61 01 03 02 6262 05 02 01 54 05 03 02 5f5f 04 02 01 63 04 01 00 03 03 00 01 67 03 04 00 02 6868",
		[]string{"schema:bb", "gtids:hh", "state:__", "characteristics:"},
	},
	{
		"GTIDs in an encoding of the future",
		"03 03 01 01 67",
		nil,
	},
}

func TestSessionStateParts(t *testing.T) {
	for _, tt := range states {
		t.Run(tt.name, func(t *testing.T) {
			if got := told(stateOf(t, tt.entries)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSessionStateCut: an end that is missing takes its entry with it, and nothing else.
func TestSessionStateCut(t *testing.T) {
	for _, tt := range states[:5] {
		s := stateOf(t, tt.entries)
		for n := range len(s) {
			for i, got := range told(s[:n]) {
				if !slices.Contains(tt.want, got) {
					t.Errorf("%s, cut after %d: got %q as number %d, want one of %q", tt.name, n, got, i, tt.want)
				}
			}
		}
	}
}

// TestSessionStateMalformed: a length inside an entry that leads out of it ends that entry only.
func TestSessionStateMalformed(t *testing.T) {
	for _, tt := range []struct {
		name, entries string
		want          []string
	}{
		{"a value that is too long", "00 04 01 61 09 62 00 04 01 63 01 64", []string{"c=d"}},
		{"a second pair without a value", "00 06 01 61 01 62 01 63 00 04 01 65 01 66", []string{"a=b", "e=f"}},
		{"a length that is NULL", "00 02 fb 61 00 04 01 63 01 64", []string{"c=d"}},
		{"a length beyond everything", "00 0c fe ffffffffffffffff 616263 00 04 01 63 01 64", []string{"c=d"}},
		{"GTIDs without a text", "03 01 00", nil},
		{"an empty entry of each type", "00 00 01 00 02 00 03 00 04 00 05 00", nil},
		{"a state that is too long", "05 03 08 54 5f", nil},
		{"an entry that is too long", "00 05 01 61 01 62", nil},
	} {
		if got := told(stateOf(t, tt.entries)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestSessionStateSlices: what is returned points into the entries, and nothing is allocated.
func TestSessionStateSlices(t *testing.T) {
	for _, tt := range states {
		s := stateOf(t, tt.entries)
		check := func(b []byte) {
			if len(b) > 0 && (!inside(b, s) || cap(b) != len(b)) {
				t.Errorf("%s: %q (capacity %d) is not in the entries", tt.name, b, cap(b))
			}
		}
		read := func() {
			for name, value := range s.SystemVariables() {
				check(name)
				check(value)
			}
			for _, get := range [...]func(SessionState) ([]byte, bool){
				SessionState.Schema, SessionState.GTIDs, SessionState.TransactionState, SessionState.TransactionCharacteristics,
			} {
				value, _ := get(s)
				check(value)
			}
		}
		if n := testing.AllocsPerRun(10, read); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", tt.name, n)
		}
	}
}

// TestSessionStateStop: a caller may stop at any variable.
func TestSessionStateStop(t *testing.T) {
	s := stateOf(t, "00 08 01 61 01 62 01 63 01 64 00 04 01 65 01 66")
	for stop := range 3 {
		seen := 0
		for range s.SystemVariables() {
			if seen++; seen > stop {
				break
			}
		}
		if seen != stop+1 {
			t.Errorf("stopped after %d: got %d", stop+1, seen)
		}
	}
}

// FuzzSessionState checks that no entries make a reader panic, and that all slices lie inside them.
func FuzzSessionState(f *testing.F) {
	for _, tt := range states {
		state, err := hex.DecodeString(strings.ReplaceAll(tt.entries, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
	}
	f.Fuzz(func(t *testing.T, entries []byte) {
		s := SessionState(entries)
		check := func(value []byte, _ bool) {
			if !inside(value, entries) {
				t.Errorf("%q is not in the entries", value)
			}
		}
		for name, value := range s.SystemVariables() {
			check(name, true)
			check(value, true)
		}
		check(s.Schema())
		check(s.GTIDs())
		check(s.TransactionState())
		check(s.TransactionCharacteristics())
	})
}
