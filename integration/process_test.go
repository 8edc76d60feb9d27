package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is long, because a machine that builds and
// tests at the same time is slow; nothing waits for it when all is well.
const patience = 30 * time.Second

// A process is a server that the tests started. It ends with the test, or with the test process.
type process struct {
	cmd    *exec.Cmd
	out    *output
	signal os.Signal     // asks it to end
	ended  chan struct{} // closed when it has ended
	err    error         // how it ended; read it after ended
}

// errStubborn says that a process had to be killed.
var errStubborn = errors.New("did not end when asked to")

// running holds every process that was not stopped.
var running struct {
	sync.Mutex
	list []*process
}

// startProcess starts cmd and waits until ready returns nil.
func startProcess(cmd *exec.Cmd, ready func(*process) error) (*process, error) {
	p := &process{cmd: cmd, out: new(output), signal: syscall.SIGTERM, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	if err := start(cmd); err != nil {
		return nil, err
	}
	running.Lock()
	running.list = append(running.list, p)
	running.Unlock()
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	err := poll(func() error {
		select {
		case <-p.ended:
			return permanent{fmt.Errorf("ended: %v", cmd.ProcessState)}
		default:
			return ready(p)
		}
	})
	if err != nil {
		_ = p.stop()
		return nil, fmt.Errorf("%v: %w\n%s", cmd.Args, err, p.out.tail())
	}
	return p, nil
}

// stop asks the process to end and waits until it has. It returns how the process ended, or errStubborn.
func (p *process) stop() error {
	running.Lock()
	running.list = slices.DeleteFunc(running.list, func(q *process) bool { return p == q })
	running.Unlock()
	if p.cmd.Process.Signal(p.signal) != nil {
		kill(p.cmd) // it has ended, or the system has no signals
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		kill(p.cmd)
		<-p.ended
		return errStubborn
	}
	return p.err
}

// stopAfter stops the process at the end of t, and shows the last of its output when t has failed.
func (p *process) stopAfter(t testing.TB) {
	t.Cleanup(func() {
		if err := p.stop(); errors.Is(err, errStubborn) {
			t.Errorf("%s %v", p.cmd.Path, err)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", p.cmd.Path, p.out.tail())
		}
	})
}

// stopAll ends what is shared between tests and what a failed test left behind.
func stopAll() {
	running.Lock()
	left := slices.Clone(running.list)
	running.Unlock()
	for _, p := range left {
		_ = p.stop()
	}
}

// output collects what a process prints, by line.
type output struct {
	mu      sync.Mutex
	lines   []string
	partial string
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(o.partial+string(b), "\n")
	o.partial = lines[len(lines)-1]
	o.lines = append(o.lines, lines[:len(lines)-1]...)
	return len(b), nil
}

// Lines returns the complete lines so far.
func (o *output) Lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

// contains reports whether a complete line has s.
func (o *output) contains(s string) bool {
	return slices.ContainsFunc(o.Lines(), func(line string) bool { return strings.Contains(line, s) })
}

func (o *output) tail() string {
	const most = 80
	lines := o.Lines()
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// permanent is an error that waiting does not mend.
type permanent struct{ error }

// poll calls check until it returns nil, a permanent error, or patience is at its end.
func poll(check func() error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil || time.Now().After(deadline) || errors.As(err, new(permanent)) {
			return err
		}
	}
}

// eventually fails the test with the last error of check, if it goes on returning one.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	if err := poll(check); err != nil {
		t.Fatal(err)
	}
}
