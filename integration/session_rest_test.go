package integration

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// sessions returns how many sessions Caddy has: of these states, or of any.
func (c *Caddy) sessions(t testing.TB, states ...string) float64 {
	t.Helper()
	sum := 0.0
	for series, n := range c.metrics(t, "caddy_l4mysql_sessions{") {
		if len(states) == 0 || slices.ContainsFunc(states, func(s string) bool { return strings.Contains(series, `state="`+s+`"`) }) {
			sum += n
		}
	}
	return sum
}

// A footprint is what Caddy holds besides memory.
type footprint struct {
	goroutines []string // those with this module or caddy-l4 on their stack, by where they began
	files      int      // open descriptors
}

// footprint returns what Caddy holds at this moment.
func (c *Caddy) footprint(t testing.TB) *footprint {
	t.Helper()
	response, err := http.Get("http://" + c.admin + "/debug/pprof/goroutine?debug=2")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	f := new(footprint)
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		if !strings.Contains(stack, "github.com/l4mysql/l4mysql") && !strings.Contains(stack, "github.com/mholt/caddy-l4") {
			continue
		}
		lines := strings.Split(strings.TrimSpace(stack), "\n")
		began := lines[max(0, len(lines)-2)]
		if i := strings.Index(began, " in goroutine"); i >= 0 {
			began = began[:i]
		}
		f.goroutines = append(f.goroutines, began)
	}
	slices.Sort(f.goroutines)
	if runtime.GOOS == "linux" {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		f.files = len(list)
	}
	return f
}

// beyond returns an error if f is more than before. Goroutines that come and go may have been there before.
func (f *footprint) beyond(before *footprint) error {
	left := slices.Clone(before.goroutines)
	for _, began := range f.goroutines {
		i := slices.Index(left, began)
		if i < 0 {
			return fmt.Errorf("goroutines:\n%s\nwant no more than before:\n%s",
				strings.Join(f.goroutines, "\n"), strings.Join(before.goroutines, "\n"))
		}
		left = slices.Delete(left, i, i+1)
	}
	if f.files > before.files {
		return fmt.Errorf("%d open files, want %d as before", f.files, before.files)
	}
	return nil
}

// rests waits until Caddy has no session, and holds no more than before.
func (c *Caddy) rests(t testing.TB, before *footprint) {
	t.Helper()
	eventually(t, func() error {
		if n := c.sessions(t); n != 0 {
			return fmt.Errorf("%v sessions are counted, want none", n)
		}
		return c.footprint(t).beyond(before)
	})
}
