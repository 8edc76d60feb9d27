package l4mysql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/pires/go-proxyproto"
)

// TestLiveRequire has a server that speaks first, behind the stock proxy, and both directions' half-close.
func TestLiveRequire(t *testing.T) {
	upstream := serve(t, greetAndEcho)
	addr, logged := startCaddy(t, fmt.Sprintf(`[{"handle": [
		{"handler": "proxy_header", "allow": ["127.0.0.0/8"]},
		{"handler": "proxy", "upstreams": [{"dial": [%q]}]}
	]}]`, upstream))

	conn := dial(t, addr)
	write(t, conn, headerTCP4())
	expect(t, conn, "greeting\n")
	write(t, conn, payload)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, conn, payload)

	check := dial(t, addr) // a TCP check, which leaves with a reset
	if err := check.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = check.Close()
	eventually(t, logged, "peer left without sending a byte", `"level":"debug"`, check.LocalAddr().String())

	bad := dial(t, addr)
	write(t, bad, "PROXY TCP4 nonsense\r\n")
	expectEnd(t, bad, "")
	eventually(t, logged, "refused connection", `"level":"info"`, `"reason":"malformed"`, bad.LocalAddr().String())
	noErrors(t, logged)
}

// TestLiveOptional: the greeting does not wait, the header is read when it comes, and a bad one ends both
// sides at once, without an ERROR line and without a byte for the server, however busy that is.
func TestLiveOptional(t *testing.T) {
	got := make(chan string, 10)
	upstream := serve(t, func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "greeting\n")
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := io.WriteString(conn, "."); err != nil {
						return
					}
				}
			}
		}()
		b, _ := io.ReadAll(conn)
		close(stop)
		got <- string(b)
	})
	addr, logged := startCaddy(t, fmt.Sprintf(`[{"handle": [
		{"handler": "proxy_header", "allow": ["127.0.0.0/8"], "mode": "optional"},
		{"handler": "proxy", "upstreams": [{"dial": [%q]}]}
	]}]`, upstream))

	for _, tt := range []struct{ in, want string }{
		{headerTCP4() + payload, payload},
		{payload, payload},
		{headerV1, ""},
		{"PROXY nonsense\r\n" + payload, ""},
		{headerV1 + headerTCP4() + payload, ""},
	} {
		for range 5 {
			conn := dial(t, addr)
			expect(t, conn, "greeting\n.")
			write(t, conn, tt.in)
			if !strings.Contains(tt.in, "nonsense") {
				_ = conn.CloseWrite()
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("sent %q: got %v, want the end", tt.in, err)
			}
			select {
			case data := <-got:
				if data != tt.want {
					t.Errorf("sent %q: the server got %q, want %q", tt.in, data, tt.want)
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("sent %q: the server's side did not end", tt.in)
			}
		}
	}
	eventually(t, logged, `"reason":"malformed"`)
	eventually(t, logged, `"reason":"duplicate"`)
	noErrors(t, logged)
}

// TestLiveRefusalReachesClient: a client whose header is refused late sees the end at once, though the
// server takes no notice of the client's half-close.
func TestLiveRefusalReachesClient(t *testing.T) {
	end := make(chan struct{})
	upstream := serve(t, func(*net.TCPConn) { <-end })
	addr, logged := startCaddy(t, fmt.Sprintf(`[{"handle": [
		{"handler": "proxy_header", "allow": ["127.0.0.0/8"], "mode": "optional"},
		{"handler": "proxy", "upstreams": [{"dial": [%q]}]}
	]}]`, upstream))
	conn := dial(t, addr)
	write(t, conn, "PROXY nonsense\r\n")
	expectEnd(t, conn, "")
	close(end)
	noErrors(t, logged)
}

// TestLiveServerCloses: a server that closes reaches the client at once, though the client stays.
func TestLiveServerCloses(t *testing.T) {
	upstream := serve(t, func(conn *net.TCPConn) { _, _ = io.WriteString(conn, "too many connections") })
	for _, mode := range []string{"require", "optional"} {
		addr, logged := startCaddy(t, fmt.Sprintf(`[{"handle": [
			{"handler": "proxy_header", "allow": ["127.0.0.0/8"], "mode": %q},
			{"handler": "proxy", "upstreams": [{"dial": [%q]}]}
		]}]`, mode, upstream))
		conn := dial(t, addr)
		if mode == "require" {
			write(t, conn, headerV1)
		}
		expectEnd(t, conn, "too many connections")
		noErrors(t, logged)
	}
}

// TestLiveKeep: with keep the server gets the header as it was sent; with the stock proxy's own
// proxy_protocol it gets one with the original addresses.
func TestLiveKeep(t *testing.T) {
	got := make(chan string, 1)
	upstream := serve(t, func(conn *net.TCPConn) {
		b, _ := io.ReadAll(conn)
		got <- string(b)
	})
	sent := headerTCP4(tlv(0x05, "unique")) + payload

	addr, logged := startCaddy(t, fmt.Sprintf(`[{"handle": [
		{"handler": "proxy_header", "allow": ["127.0.0.0/8"], "keep": true},
		{"handler": "proxy", "upstreams": [{"dial": [%q]}]}
	]}]`, upstream))
	conn := dial(t, addr)
	write(t, conn, sent)
	_ = conn.CloseWrite()
	expectEnd(t, conn, "")
	if b := <-got; b != sent {
		t.Errorf("keep: the server got %q, want %q", b, sent)
	}
	noErrors(t, logged)

	addr, logged = startCaddy(t, fmt.Sprintf(`[{"handle": [
		{"handler": "proxy_header", "allow": ["127.0.0.0/8"]},
		{"handler": "proxy", "proxy_protocol": "v2", "upstreams": [{"dial": [%q]}]}
	]}]`, upstream))
	conn = dial(t, addr)
	write(t, conn, sent)
	_ = conn.CloseWrite()
	expectEnd(t, conn, "")
	header := proxyproto.HeaderProxyFromAddrs(2, tcpAddr(t, clientAddr), tcpAddr(t, targetAddr))
	want, err := header.Format()
	if err != nil {
		t.Fatal(err)
	}
	if b := <-got; b != string(want)+payload {
		t.Errorf("proxy_protocol v2: the server got %q, want %q", b, string(want)+payload)
	}
	noErrors(t, logged)
}

func tcpAddr(t *testing.T, addr string) *net.TCPAddr {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestLiveMatcher routes by the header: in one route with a subroute, and in routes of their own. The
// load balancer's check never reaches a server.
func TestLiveMatcher(t *testing.T) {
	named := func(name string) string {
		return serve(t, func(conn *net.TCPConn) { _, _ = io.WriteString(conn, name) })
	}
	inner := fmt.Sprintf(`
		{"match": [{"proxy_header": {"command": ["LOCAL"]}}], "handle": [{"handler": "close"}]},
		{"match": [{"proxy_header": {"tlv": {"unique_id": ["acme"]}}}], "handle": [{"handler": "proxy", "upstreams": [{"dial": [%q]}]}]},
		{"match": [{"proxy_header": {"src": ["203.0.113.0/24"]}}], "handle": [{"handler": "proxy", "upstreams": [{"dial": [%q]}]}]}`,
		named("acme"), named("others"))
	header := `{"handler": "proxy_header", "allow": ["127.0.0.0/8"]}`
	for name, routes := range map[string]string{
		"subroute": fmt.Sprintf(`[{"handle": [%s, {"handler": "subroute", "routes": [%s]}]}]`, header, inner),
		"routes":   fmt.Sprintf(`[{"handle": [%s]}, %s]`, header, inner),
	} {
		t.Run(name, func(t *testing.T) {
			addr, logged := startCaddy(t, routes)
			for _, tt := range []struct{ header, want string }{
				{headerTCP4(tlv(0x05, "acme")), "acme"},
				{headerTCP4(tlv(0x05, "other")), "others"},
				{headerV1, "others"},
				{headerV2(0x20, 0), ""},
				{headerUnknown, ""},
				{headerV1TCP6, ""},
			} {
				conn := dial(t, addr)
				write(t, conn, tt.header)
				expectEnd(t, conn, tt.want)
			}
			noErrors(t, logged)
		})
	}
}

// TestLiveThrottle: a handler before this one whose connection cannot be unwrapped takes nothing away.
func TestLiveThrottle(t *testing.T) {
	addr, logged := startCaddy(t, `[{"handle": [
		{"handler": "throttle", "read_bytes_per_second": 1000000, "read_burst_size": 5},
		{"handler": "proxy_header", "allow": ["127.0.0.0/8"]},
		{"handler": "echo"}
	]}]`)
	conn := dial(t, addr)
	write(t, conn, headerTCP4(tlv(0xe5, strings.Repeat("x", 1000)))+payload)
	_ = conn.CloseWrite()
	expectEnd(t, conn, payload)
	noErrors(t, logged)
}

// TestConfigRoundTrip: Caddy takes the JSON that both modules write, and a wrong value fails the load with
// the option's name.
func TestConfigRoundTrip(t *testing.T) {
	handler, err := json.Marshal(struct {
		Handler string `json:"handler"`
		*ProxyHeader
	}{"proxy_header", &ProxyHeader{Allow: []string{"10.0.0.0/8"}, Mode: modeOptional, MaxSize: 100, Keep: true}})
	if err != nil {
		t.Fatal(err)
	}
	startCaddy(t, fmt.Sprintf(`[{"handle": [%s]}]`, handler))

	wrong := bytes.Replace(handler, []byte(`"optional"`), []byte(`"lazy"`), 1)
	config := fmt.Sprintf(`{"admin": {"disabled": true, "config": {"persist": false}},
		"apps": {"layer4": {"servers": {"test": {"listen": [%q], "routes": [{"handle": [%s]}]}}}}}`, freeAddr(t), wrong)
	if err := caddy.Load([]byte(config), true); err == nil || !strings.Contains(err.Error(), "mode: 'lazy' is neither require nor optional") {
		t.Errorf("got %v, want the error about mode", err)
	}
}
