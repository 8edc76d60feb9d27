package integration

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A benchTarget is a ratio to baseSide that this project means to reach.
type benchTarget struct {
	load, side string
	figure     int // its place in benchFigures
	bound      float64
}

var benchTargets = []benchTarget{
	{"select-8", "server-first", rate, 1.00},
	{"download", "server-first", proxy, 1.15},
	{"upload", "server-first", proxy, 1.15},
	{"login-1", "login-first", rate, 0.60},
	{"login-8", "login-first", rate, 0.60},
}

// report writes the medians of each load as a table, and then the targets.
func (b *bench) report(w io.Writer, machine, began string) {
	fmt.Fprintf(w, "\n%s\n%d rounds, load average %s at the beginning, %s at the end\n", machine, b.rounds, began, loadAverage())
	fmt.Fprintf(w, "Medians. In brackets: the median of the rounds' ratios to %s, and the least and the greatest of them.\n", baseSide)
	for i := range b.loads {
		load := &b.loads[i]
		fmt.Fprintf(w, "\n%s: %s\n\n", load.name, load.what)
		rows := [][]string{{"side", load.unit.rate, "p50 us", "p99 us", "proxy CPU, " + load.unit.cost, "server CPU, " + load.unit.cost}}
		for _, side := range b.sides {
			m := medianOf(b.results[load.name][side.name])
			rows = append(rows, []string{
				side.name,
				number(m[rate]*load.unit.rateScale) + b.bracket(load, side.name, rate),
				number(m[median] * 1e6),
				number(m[p99] * 1e6),
				number(m[proxy]*load.unit.costScale) + b.bracket(load, side.name, proxy),
				number(m[server] * load.unit.costScale),
			})
		}
		writeTable(w, rows)
	}
	rows := [][]string{{"target", "got", "wanted", ""}}
	for _, target := range benchTargets {
		ratio, ok := b.ratio(target.load, target.side, target.figure)
		if !ok {
			continue
		}
		what, wanted, met := "rate", "at least", ratio.median >= target.bound
		if target.figure == proxy {
			what, wanted, met = "CPU", "at most", ratio.median <= target.bound
		}
		verdict := "met"
		if !met {
			verdict = "missed"
		}
		rows = append(rows, []string{
			fmt.Sprintf("%s, %s: %s / %s", target.load, target.side, what, baseSide),
			fmt.Sprintf("%.2f", ratio.median), fmt.Sprintf("%s %.2f", wanted, target.bound), verdict,
		})
	}
	if len(rows) > 1 {
		fmt.Fprintln(w)
		writeTable(w, rows)
	}
}

// ratio compares a side with baseSide, within each round.
func (b *bench) ratio(load, side string, figure int) (spread, bool) {
	of, base := b.results[load][side], b.results[load][baseSide]
	if len(of) == 0 || len(of) != len(base) {
		return spread{}, false
	}
	rounds := make([]float64, len(of))
	for i := range of {
		rounds[i] = of[i][figure] / base[i][figure]
	}
	s := spreadOf(rounds, func(r float64) float64 { return r })
	return s, !math.IsNaN(s.median)
}

// bracket returns a ratio as it stands in a table.
func (b *bench) bracket(load *benchLoad, side string, figure int) string {
	ratio, ok := b.ratio(load.name, side, figure)
	if !ok || side == baseSide {
		return ""
	}
	return fmt.Sprintf(" (%.2f; %.2f to %.2f)", ratio.median, ratio.least, ratio.most)
}

// number returns x with three digits or more.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "-"
	case x < 9.995:
		return fmt.Sprintf("%.2f", x)
	case x < 99.95:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// writeTable writes a table that is readable as text and as Markdown. The first row has the titles. Columns without
// a figure are left out.
func writeTable(w io.Writer, rows [][]string) {
	for i := len(rows[0]) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(rows[1:], func(row []string) bool { return row[i] != "-" }) {
			for r := range rows {
				rows[r] = slices.Delete(rows[r], i, i+1)
			}
		}
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(w, "| %-*s ", widths[i], cell)
		}
		fmt.Fprintln(w, "|")
		if i == 0 {
			for _, width := range widths {
				fmt.Fprint(w, "|", strings.Repeat("-", width+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
}

// machine says what the figures come from.
func machine(t testing.TB, db *MariaDB) string {
	t.Helper()
	var version string
	if err := db.Admin.QueryRowContext(t.Context(), "SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	parts := []string{fmt.Sprintf("%d CPUs", runtime.NumCPU())}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, model, ok := strings.Cut(string(text), "model name"); ok {
			model, _, _ = strings.Cut(model, "\n")
			parts[0] += " (" + strings.TrimLeft(model, "\t :") + ")"
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts = append(parts, runtime.GOOS+" "+strings.TrimSpace(string(text)))
	}
	haproxy, _, _ := strings.Cut(run(t, "haproxy", "-v"), " 20") // the date, and what follows
	return strings.Join(append(parts, runtime.Version(), "MariaDB "+version, haproxy), ", ")
}

// loadAverage returns the mean number of runnable processes in the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// TestBenchReport: ratios are those within the rounds, and what is missing is left out.
func TestBenchReport(t *testing.T) {
	round := func(perSecond, cpu float64) benchFigures {
		return benchFigures{rate: perSecond, median: math.NaN(), p99: math.NaN(), proxy: cpu, server: 1e-9}
	}
	b := &bench{
		rounds: 3,
		loads:  []benchLoad{{name: "download", what: "some bytes", unit: byteUnit}},
		sides:  []benchSide{{name: baseSide}, {name: "server-first"}},
		results: map[string]map[string][]benchFigures{"download": {
			baseSide:       {round(100e6, 2e-9), round(10e6, 1e-9), round(400e6, 4e-9)},
			"server-first": {round(200e6, 2e-9), round(30e6, 2e-9), round(100e6, 5e-9)},
		}},
	}
	var text strings.Builder
	b.report(&text, "a machine", "0.00")
	want := `
| side         | MB/s                    | proxy CPU, s/GB          | server CPU, s/GB |
|--------------|-------------------------|--------------------------|------------------|
| haproxy      | 100                     | 2.00                     | 1.00             |
| server-first | 100 (2.00; 0.25 to 3.00) | 2.00 (1.25; 1.00 to 2.00) | 1.00             |

| target                               | got  | wanted       |        |
|--------------------------------------|------|--------------|--------|
| download, server-first: CPU / haproxy | 1.25 | at most 1.15 | missed |
`
	// How wide the columns are is not compared.
	words := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "-", "")), " ") }
	if got := text.String(); !strings.HasSuffix(words(got), words(want)) {
		t.Errorf("got\n%s\nwant at its end\n%s", got, want)
	}
}
