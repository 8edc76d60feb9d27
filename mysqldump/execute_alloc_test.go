package mysqldump_test

import (
	"testing"
	"time"

	"github.com/l4mysql/l4mysql/mysqldump"
	"github.com/l4mysql/l4mysql/mysqlwire"
)

// TestArgumentAllocations holds the claim of the benchmarks of commands with values: a session allocates
// nothing for them, whether they come in one piece or in two.
func TestArgumentAllocations(t *testing.T) {
	for _, test := range []struct {
		name                 string
		caps                 mysqlwire.Capability
		packet               []byte
		values, attrs, nulls int
	}{
		{"an execution that binds 8 parameters", 0, execution(true), 8, 0, 1},
		{"an execution that does not bind them again", 0, execution(false), 8, 0, 1},
		{"a statement with 2 query attributes", mysqlwire.QueryAttributes, attributed(), 0, 2, 0},
		{"a bulk execution of 100 rows of 2", 0, bulkExecution(100), 8, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var values, attrs, nulls, cut, records int
			s := loggedIn(t, test.caps, func(r *mysqldump.Record) {
				records++
				values, attrs, nulls, cut = len(r.Values), len(r.QueryAttributes), 0, 0
				for _, v := range r.Values {
					if v.Kind == mysqldump.ValueNull {
						nulls++
					}
				}
				if r.ValuesTruncated && r.BulkRows == 0 {
					cut++
				}
			})
			prepareAll(s)
			ok := new(script).packet(1, []byte(okBody)...).b
			now := time.Second
			s.Feed(mysqldump.Client, execution(true), now) // so that there are types to keep
			s.Feed(mysqldump.Server, ok, now)
			records = 0
			const runs = 1000
			for _, first := range []int{len(test.packet), 1, 9, len(test.packet) - 1} {
				n := testing.AllocsPerRun(runs, func() {
					s.Feed(mysqldump.Client, test.packet[:first], now)
					s.Feed(mysqldump.Client, test.packet[first:], now)
					s.Feed(mysqldump.Server, ok, now)
				})
				if n != 0 {
					t.Errorf("the first %d bytes first: got %v allocations, want 0", first, n)
				}
				if values != test.values || attrs != test.attrs || nulls != test.nulls || cut != 0 {
					t.Errorf("the first %d bytes first: got %d values, %d NULL, %d attributes, %d cut; want %d, %d, %d, 0",
						first, values, nulls, attrs, cut, test.values, test.nulls, test.attrs)
				}
			}
			if want := 4 * (runs + 1); records != want {
				t.Errorf("got %d records, want %d", records, want)
			}
			followed(t, s)
		})
	}
}
