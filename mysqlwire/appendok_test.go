package mysqlwire

import (
	"reflect"
	"testing"
)

// TestAppendOK: what is appended is what is parsed, with and without session tracking.
func TestAppendOK(t *testing.T) {
	for _, want := range []OK{
		{Status: StatusAutocommit},
		{AffectedRows: 300, LastInsertID: 1 << 40, Status: StatusInTransaction | StatusSlow, Warnings: 0x0102},
	} {
		payload := AppendOK([]byte("before"), &want)[len("before"):]
		for _, caps := range []Capability{Protocol41, Protocol41 | SessionTrack} {
			if got, err := ParseOK(payload, caps); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	}
}
