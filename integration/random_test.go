package integration

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
)

// ports are those that freePort gave away.
var ports struct {
	sync.Mutex
	taken map[int]bool
}

// freePort returns a TCP port that nothing listens on, and that no later call returns. It lies below the
// ports that systems give to outgoing connections, so that none of them takes it before the server does.
func freePort(t testing.TB) int {
	t.Helper()
	port, err := drawPort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func drawPort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.taken == nil {
		ports.taken = make(map[int]bool)
	}
	for range 1000 {
		port := 20000 + mathrand.IntN(12000)
		if ports.taken[port] {
			continue
		}
		l, err := net.Listen("tcp", local(port))
		if err != nil {
			continue
		}
		ports.taken[port] = true
		return port, l.Close()
	}
	return 0, errors.New("no free TCP port found")
}

// local returns the address of a port on this machine's IPv4 loopback.
func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// word returns a word that was never seen before: 16 letters and digits, the first one a letter.
func word() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return "w" + hex.EncodeToString(b)[1:]
}

// randomIPv4 returns an address from the range that is for benchmarks, so nobody's.
func randomIPv4() netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(mathrand.IntN(256)), byte(1 + mathrand.IntN(254))})
}

// randomIPv6 returns an address from the range that is for documentation, so nobody's.
func randomIPv6() netip.Addr {
	a := netip.MustParseAddr("2001:db8::").As16()
	_, _ = rand.Read(a[8:]) // never fails
	return netip.AddrFrom16(a)
}
