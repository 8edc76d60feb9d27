package l4mysql

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mholt/caddy-l4/layer4"
)

// TestTapEnds has what is told of commands that are under way when one side goes, and of the end itself.
func TestTapEnds(t *testing.T) {
	one := mysqlQuery("SELECT 1")
	two := mysqlQuery("UPDATE 2")
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	tests := []struct {
		name string
		play func(*talk)
		want []string
	}{
		{
			"the client leaves between commands", func(k *talk) {
				k.asks(one)
				k.answers(mysqlRows("1"))
				k.fails(io.EOF)
			},
			[]string{"command COM_QUERY SELECT 1 rows=1", "close"},
		},
		{
			"the client says that it leaves", func(k *talk) {
				k.asks(mysqlQuit)
				k.fails(io.EOF)
			},
			[]string{"command COM_QUIT", "close"},
		},
		{
			"the client half-closes and waits", func(k *talk) {
				k.asks(one)
				k.fails(io.EOF)
				k.answers(mysqlRows("1"))
				k.serverCloses()
			},
			[]string{"command COM_QUERY SELECT 1 rows=1", "close"},
		},
		{
			"a command comes with the half-close", func(k *talk) {
				k.arrives(one, io.EOF)
				k.answers(mysqlRows("1"))
				k.serverCloses()
			},
			[]string{"command COM_QUERY SELECT 1 rows=1", "close"},
		},
		{
			"the client half-closes, and the server gives up", func(k *talk) {
				k.asks(one + two)
				k.fails(io.EOF)
				k.answers(mysqlRows("1"))
				k.serverCloses()
			},
			[]string{"command COM_QUERY SELECT 1 rows=1", "command COM_QUERY UPDATE 2 incomplete=client_closed", "close"},
		},
		{
			"the client resets", func(k *talk) {
				k.asks(one)
				k.fails(reset)
				k.answers(mysqlRows("1"))
			},
			[]string{"command COM_QUERY SELECT 1 incomplete=client_closed", "close"},
		},
		{
			"the client is gone when its answer comes", func(k *talk) {
				k.asks(one)
				k.client.writeErr = syscall.EPIPE
				k.answers(mysqlRows("1")[:20])
			},
			[]string{"command COM_QUERY SELECT 1 rows=0 incomplete=client_closed", "close"},
		},
		{
			"the server closes between commands", func(k *talk) {
				k.asks(one)
				k.answers(mysqlRows("1"))
				k.serverCloses()
				k.fails(io.EOF)
			},
			[]string{"command COM_QUERY SELECT 1 rows=1", "close"},
		},
		{
			"the server closes with a command under way", func(k *talk) {
				k.asks(one)
				k.answers(mysqlRows("1")[:20])
				k.serverCloses()
				k.fails(reset)
			},
			[]string{"command COM_QUERY SELECT 1 rows=0 incomplete=server_closed", "close"},
		},
		{
			"Close", func(k *talk) {
				k.asks(one)
				if err := k.cx.Conn.Close(); err != nil {
					k.t.Errorf("Close: %v", err)
				}
			},
			[]string{"command COM_QUERY SELECT 1 incomplete=server_closed", "close"},
		},
		{
			"a deadline passes", func(k *talk) {
				k.fails(os.ErrDeadlineExceeded)
				k.asks(one[:3])
				k.fails(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded})
				k.asks(one[3:])
				k.fails(os.ErrDeadlineExceeded)
				k.answers(mysqlRows("1"))
				k.fails(io.EOF)
			},
			[]string{"command COM_QUERY SELECT 1 rows=1", "close"},
		},
		{
			"bytes after the end", func(k *talk) {
				k.fails(io.EOF)
				k.asks(one)
				k.answers(mysqlRows("1"))
				k.serverCloses()
			},
			[]string{"close"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, sink := newLog(t, &MySQLLog{})
			newTalk(t, func(k *talk) {
				k.login()
				tt.play(k)
			}, h)
			wantRecords(t, recordsOf(t, h, sink), append([]string{"connect"}, tt.want...)...)
		})
	}
}

// TestTapCloses: the end of one side reaches the other, whatever the session makes of it.
func TestTapCloses(t *testing.T) {
	h, _ := newLog(t, &MySQLLog{})
	newTalk(t, func(k *talk) {
		k.serverCloses()
		if err := k.cx.Conn.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if got := strings.Join(k.client.calls, " "); got != "CloseWrite Close" {
			t.Errorf("the client's socket got %s", got)
		}
	}, h)

	behind(t, &memory{fakeSocket: fakeSocket{remote: balancer, local: listener}, Reader: strings.NewReader("")}, "",
		func(cx *layer4.Connection) {
			if err := cx.Conn.(*tap).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("above a socket that cannot be half-closed: got %v", err)
			}
		}, h)
}

// TestTapOrder: what a side has said is known before the other can react to it.
func TestTapOrder(t *testing.T) {
	h, sink := newLog(t, &MySQLLog{})
	newTalk(t, func(k *talk) {
		k.login()
		session := k.cx.Conn.(*tap).session
		for want := range 3 {
			k.asks(mysqlQuery("SELECT 1"))
			if got := session.InFlight(); got != want+1 { // the proxy has the bytes, the server not yet
				t.Errorf("got %d commands in flight, want %d", got, want+1)
			}
		}
		for want := 2; want >= 0; want-- {
			k.client.onWrite = func() {
				if got := session.InFlight(); got != want {
					t.Errorf("the client is given an answer with %d commands in flight, want %d", got, want)
				}
				if got := len(recordsOf(t, h, sink)); got != 4-want {
					t.Errorf("the client is given an answer after %d records, want %d", got, 4-want)
				}
			}
			k.answers(mysqlRows("1"))
		}
	}, h)
}

// TestTapPanic: a defect of the session ends the session, and nothing else. Without a queue every record
// is one.
func TestTapPanic(t *testing.T) {
	for _, events := range []string{"connect", "close"} {
		h, sink := newLog(t, &MySQLLog{Commands: []string{"com_ping"}, Events: []string{events}})
		h.queue = nil
		newTalk(t, func(k *talk) {
			k.login()
			k.asks(mysqlQuery("SELECT 1"))
			k.answers(mysqlRows("1"))
			k.serverCloses()
			k.fails(io.EOF)
			if got, want := k.client.got.String(), mysqlGreeting+mysqlLoginOK+mysqlRows("1"); got != want {
				t.Errorf("the client got %q, want %q", got, want)
			}
			if got := strings.Join(k.client.calls, " "); got != "CloseWrite" {
				t.Errorf("the client's socket got %q, want CloseWrite", got)
			}
		}, h)
		lines := logLines(t, sink.String(), logName)
		if len(lines) != 1 || lines[0]["level"] != "error" || lines[0]["msg"] != "stopped decoding: internal error" ||
			lines[0]["remote"] != balancer.String() || !strings.Contains(lines[0]["stack"].(string), "tap.go") {
			t.Errorf("%s: got %v, want one error with the peer and the stack", events, lines)
		}
	}
}

// TestTapConcurrency is for the race detector: one goroutine reads and one writes, as in `proxy`, while
// the records are written and others ask for the addresses. Every statement has its record, in order.
func TestTapConcurrency(t *testing.T) {
	const statements = 500
	optional, _ := newHandler(t, &ProxyHeader{Mode: modeOptional})
	h, sink := newLog(t, &MySQLLog{Commands: []string{"com_query"}})
	want, asked := []string{"connect"}, []string(nil)
	for i := range statements {
		asked = append(asked, fmt.Sprintf("SELECT %d", i))
		want = append(want, fmt.Sprintf("command COM_QUERY SELECT %d rows=1", i))
	}
	down, client := pipe(t, balancer)
	upstream, server := net.Pipe()
	go func() {
		mysqlServer(server)
		_ = server.Close()
	}()
	go func() {
		if _, err := io.ReadFull(client, make([]byte, len(mysqlGreeting))); err != nil {
			return
		}
		go func() { _, _ = io.Copy(io.Discard, client) }()
		_, _ = io.WriteString(client, headerV1+mysqlLogin)
		for chunk := range slices.Chunk(asked, 3) {
			var pipelined string
			for _, text := range chunk {
				pipelined += mysqlQuery(text)
			}
			_, _ = io.WriteString(client, pipelined)
		}
		_, _ = io.WriteString(client, mysqlQuit)
	}()

	behind(t, down, "", func(cx *layer4.Connection) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(upstream, cx)
		}()
		if _, err := io.Copy(cx, upstream); err != nil {
			t.Error(err)
		}
		_ = cx.Conn.Close()
		<-done
	}, optional, h)
	records := recordsOf(t, h, sink)
	wantRecords(t, records, want...)
	for i, r := range records {
		if number(t, r, "conn_seq_num") != i+1 || r["origin_addr"] != clientAddr {
			t.Fatalf("record %d is number %v, of %v", i, r["conn_seq_num"], r["origin_addr"])
		}
	}
}
