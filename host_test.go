package l4mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4proxyprotocol"
	"go.uber.org/zap"
)

// What this package assumes of caddy-l4, each assumption as a test: a new version of it that breaks one
// fails here, with the assumption's name.

// probe is a handler whose doing a test sets.
type probe struct{}

var probing func(cx *layer4.Connection, next layer4.Handler) error

func init() { caddy.RegisterModule(probe{}) }

func (probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.handlers.test_probe", New: func() caddy.Module { return new(probe) }}
}

func (probe) Handle(cx *layer4.Connection, next layer4.Handler) error { return probing(cx, next) }

// memory is a connection that the client has filled and left.
type memory struct {
	fakeSocket
	io.Reader
}

func (m *memory) Read(p []byte) (int, error) { return m.Reader.Read(p) }

// TestHostMatchingBytes: what matchers have read stays in the connection's own buffer. Read returns it
// first, whatever Conn is then, and only once; a Wrap of the connection itself has it twice.
func TestHostMatchingBytes(t *testing.T) {
	cx := layer4.WrapConnection(&memory{Reader: strings.NewReader("tail")}, []byte("HEAD"), zap.NewNop())
	if got := string(cx.MatchingBytes()); got != "HEAD" {
		t.Errorf("MatchingBytes: got %q, want HEAD", got)
	}
	wrapped := cx.Wrap(struct{ net.Conn }{cx})
	if got, _ := io.ReadAll(wrapped); string(got) != "HEADHEADtail" {
		t.Errorf("through Wrap: got %q, want HEADHEADtail", got)
	}

	cx = layer4.WrapConnection(&memory{Reader: strings.NewReader("tail")}, []byte("HEAD"), zap.NewNop())
	cx.Conn = &memory{Reader: strings.NewReader("other")}
	if _, err := io.CopyN(io.Discard, cx, 2); err != nil {
		t.Fatal(err)
	}
	if got := string(cx.MatchingBytes()); got != "AD" {
		t.Errorf("MatchingBytes after two bytes: got %q, want AD", got)
	}
	if got, _ := io.ReadAll(cx); string(got) != "ADother" {
		t.Errorf("with another Conn: got %q, want ADother", got)
	}
	if got := cx.MatchingBytes(); len(got) != 0 {
		t.Errorf("MatchingBytes at the end: got %q, want none", got)
	}
}

// TestHostVariables: the variables are a bare map, so nothing may be set once a second goroutine is there.
func TestHostVariables(t *testing.T) {
	cx := layer4.WrapConnection(&memory{}, nil, zap.NewNop())
	cx.SetVar("a", 1)
	vars, ok := cx.Context.Value(layer4.VarsCtxKey).(map[string]any)
	if !ok || vars["a"] != 1 {
		t.Errorf("got %T with %v, want a map[string]any with what was set", cx.Context.Value(layer4.VarsCtxKey), vars)
	}
}

// TestHostSocketAddrs: {l4.conn.remote_addr} and local_addr are the socket's, as net.Addr, and stay so
// when Conn is replaced.
func TestHostSocketAddrs(t *testing.T) {
	server, _ := pipe(t, balancer)
	cx := layer4.WrapConnection(server, nil, zap.NewNop())
	cx.Conn = &fakeSocket{Conn: server, remote: stranger, local: stranger}
	cx = cx.Wrap(&fakeSocket{Conn: cx, remote: stranger, local: stranger})
	for key, want := range map[string]net.Addr{"l4.conn.remote_addr": balancer, "l4.conn.local_addr": listener} {
		if val, _ := cx.Replacer().Get(key); val != want {
			t.Errorf("%s: got %v (%T), want %v", key, val, val, want)
		}
	}
}

// TestHostGetConn: the stock proxy takes the addresses that it sends on from this variable.
func TestHostGetConn(t *testing.T) {
	server, _ := pipe(t, balancer)
	cx := layer4.WrapConnection(server, nil, zap.NewNop())
	want := &fakeSocket{Conn: server, remote: stranger, local: listener}
	cx.SetVar(proxyProtocolVar, want)
	if got := l4proxyprotocol.GetConn(cx); got != net.Conn(want) {
		t.Errorf("got %v, want what %s holds", got, proxyProtocolVar)
	}
}

// TestHostStockAllow: the stock handler honours a header from a peer outside its allow. When this fails,
// the warning about it can go.
func TestHostStockAllow(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	stock := &l4proxyprotocol.Handler{Allow: []string{"10.0.0.0/8"}}
	if err := stock.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	server, client := pipe(t, stranger)
	go func() { _, _ = io.WriteString(client, headerV1) }()
	err := stock.Handle(layer4.WrapConnection(server, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
		if got := cx.RemoteAddr().String(); got != clientAddr {
			t.Errorf("got %s, want %s from the header of a peer that is not allowed", got, clientAddr)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// TestHostRoutes: a handler alone in its route gets its next handler's answer before later routes run, and
// these read from the Conn that it put in place.
func TestHostRoutes(t *testing.T) {
	steps := make(chan string, 2)
	probing = func(cx *layer4.Connection, next layer4.Handler) error {
		cx.Conn = &memory{fakeSocket{remote: balancer, local: listener, Conn: cx.Conn}, strings.NewReader("replaced")}
		err := next.Handle(cx)
		steps <- "next returned"
		return err
	}
	addr, _ := startCaddy(t, fmt.Sprintf(`[
		{"handle": [{"handler": "test_probe"}]},
		{"handle": [{"handler": "proxy", "upstreams": [{"dial": [%q]}]}]}
	]`, serve(t, func(conn *net.TCPConn) {
		b, _ := io.ReadAll(conn)
		steps <- "later route read " + string(b)
	})))
	expectEnd(t, dial(t, addr), "")
	if first, second := <-steps, <-steps; first != "next returned" || second != "later route read replaced" {
		t.Errorf("got %s, %s", first, second)
	}
}

// TestHostCloseWrite: the stock proxy asks the connection's Conn for CloseWrite when the server has closed.
func TestHostCloseWrite(t *testing.T) {
	asked := make(chan bool, 1)
	probing = func(cx *layer4.Connection, next layer4.Handler) error {
		cx.Conn = &closeWriter{cx.Conn, asked}
		return next.Handle(cx)
	}
	addr, _ := startCaddy(t, fmt.Sprintf(`[{"handle": [
		{"handler": "test_probe"}, {"handler": "proxy", "upstreams": [{"dial": [%q]}]}
	]}]`, serve(t, func(*net.TCPConn) {})))
	expectEnd(t, dial(t, addr), "")
	select {
	case <-asked:
	default:
		t.Errorf("the proxy did not ask for CloseWrite")
	}
}

type closeWriter struct {
	net.Conn
	asked chan bool
}

func (c *closeWriter) CloseWrite() error {
	c.asked <- true
	return closeWrite(c.Conn)
}

// TestHostErrors: an error that a handler returns is logged at ERROR; nil closes the connection quietly.
func TestHostErrors(t *testing.T) {
	answers := make(chan error, 2)
	answers <- nil
	answers <- errors.New("some reason")
	probing = func(*layer4.Connection, layer4.Handler) error { return <-answers }
	addr, logged := startCaddy(t, `[{"handle": [{"handler": "test_probe"}]}]`)
	expectEnd(t, dial(t, addr), "")
	eventually(t, logged, "stopped handling connection")
	noErrors(t, logged)
	expectEnd(t, dial(t, addr), "")
	eventually(t, logged, "some reason", `"level":"error"`)
}

// TestHostDeadline: a route list sets and clears the read deadline at will, so a deadline of ours must
// not be left to it.
func TestHostDeadline(t *testing.T) {
	set := make(chan bool, 10)
	probing = func(cx *layer4.Connection, next layer4.Handler) error {
		defer close(set)
		cx.Conn = &deadlines{cx.Conn, set}
		return next.Handle(cx)
	}
	addr, _ := startCaddy(t, `[{"handle": [
		{"handler": "test_probe"},
		{"handler": "subroute", "routes": [{"handle": [{"handler": "close"}]}]}
	]}]`)
	expectEnd(t, dial(t, addr), "")
	var got []bool
	for armed := range set {
		got = append(got, armed)
	}
	if !slices.Equal(got, []bool{true, false}) {
		t.Errorf("got deadlines %v, want one set and cleared", got)
	}
}

type deadlines struct {
	net.Conn
	set chan bool
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set <- !t.IsZero()
	return d.Conn.SetReadDeadline(t)
}

// TestHostRoutesBeginWithDeadline: a `subroute` sets a read deadline on the connection before it does anything else,
// and a handler that is the last in its route calls a next one that does not touch the connection. So mysql_login
// tells whether a login that nobody has taken may still be taken.
func TestHostRoutesBeginWithDeadline(t *testing.T) {
	for _, tt := range []struct {
		name, behind string
		want         bool
	}{
		{"nothing behind it in its route", "", false},
		{"a subroute without a match", `,{"handler":"subroute","routes":[{"match":[{"proxy_header":{}}],"handle":[{"handler":"test_probe"}]}]}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			routed := make(chan bool, 1)
			probing = func(cx *layer4.Connection, next layer4.Handler) error {
				p := watchRoutes(cx)
				before := cx.Conn
				err := next.Handle(cx)
				routed <- p.routed
				if p.routed == (cx.Conn == before) {
					t.Errorf("the probe is in the connection: %v, want the opposite of %v", cx.Conn == before, p.routed)
				}
				return err
			}
			addr, _ := startCaddy(t, `[{"handle":[{"handler":"test_probe"}`+tt.behind+`]}]`)
			expectEnd(t, dial(t, addr), "")
			if got := <-routed; got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
