package l4mysql

import (
	"errors"
	"fmt"
	"net"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/l4mysql/l4mysql/proxyheader"
)

// A ProxyProtocol says which PROXY header an upstream gets.
type ProxyProtocol struct {
	// Version is `v1` or `v2`.
	Version string `json:"version,omitempty"`

	// Server is the kind of server, whose limits the header keeps: `mariadb`, which reads a header that comes
	// with the client's first bytes, too, or `percona`. Default: neither is assumed, and the header goes
	// first.
	Server string `json:"server,omitempty"`

	// TLVs are those of the header that came to hand on, by name or as 0xNN. They need v2. What does not fit into
	// what the server takes is left out, from the last. Default: none.
	TLVs []string `json:"tlvs,omitempty"`
}

// The values of [ProxyProtocol].Version and Server.
const (
	proxyV1       = "v1"
	proxyV2       = "v2"
	serverMariaDB = "mariadb"
	serverPercona = "percona"
)

func (p *ProxyProtocol) validate() error {
	switch {
	case p == nil:
		return nil
	case p.Version != proxyV1 && p.Version != proxyV2:
		return fmt.Errorf("proxy_protocol: '%s' is neither v1 nor v2", p.Version)
	case p.Server != "" && p.Server != serverMariaDB && p.Server != serverPercona:
		return fmt.Errorf("proxy_protocol: '%s' is neither mariadb nor percona", p.Server)
	case len(p.TLVs) > 0 && p.Version == proxyV1:
		return errors.New("proxy_protocol: tlvs need v2")
	}
	for _, name := range p.TLVs {
		typ, ok := proxyheader.TypeOf(name)
		if !ok || typ == proxyheader.TypeCRC32C || typ == proxyheader.TypeNoop {
			return fmt.Errorf("proxy_protocol: '%s' is neither the name of a TLV to hand on nor a type as 0xNN", name)
		}
	}
	return nil
}

// What the servers take behind the fixed part of a version 2 header, in bytes: MariaDB reads 256 bytes, Percona
// Server peeks at 108, and the fixed part has 16.
const (
	mariaDBHeaderLength = 240
	perconaHeaderLength = 92
)

// header returns the PROXY header that says out; nothing where p is nil. TLVs that the server has no room for are left
// out.
func (p *ProxyProtocol) header(out proxyheader.Outgoing, logger *zap.Logger) ([]byte, error) {
	if p == nil {
		return nil, nil
	}
	version, limit := 2, maxHeaderSize
	if p.Version == proxyV1 {
		version = 1
	}
	switch p.Server {
	case serverMariaDB:
		limit = mariaDBHeaderLength
	case serverPercona:
		limit = perconaHeaderLength
	}
	b, leftOut, err := proxyheader.Append(nil, version, limit, out)
	if err == nil && len(leftOut) > 0 {
		logger.Debug("TLVs do not fit into the PROXY header for the upstream", zap.Int("left_out", len(leftOut)))
	}
	return b, err
}

// outgoing returns what an upstream is told of the client at cx.
func (p *ProxyProtocol) outgoing(cx *layer4.Connection) proxyheader.Outgoing {
	state := headerStateOf(cx)
	if state == nil {
		if conn, ok := cx.GetVar(proxyProtocolVar).(net.Conn); ok {
			return proxyheader.Outgoing{Source: conn.RemoteAddr(), Destination: conn.LocalAddr()}
		}
		peer, local := socketAddrs(cx)
		return proxyheader.Outgoing{Source: peer, Destination: local}
	}
	return p.outgoingOf(state)
}

func (p *ProxyProtocol) outgoingOf(state *headerState) proxyheader.Outgoing {
	h := state.header()
	out := proxyheader.Outgoing{Source: state.source(), Destination: state.destination()}
	if h == nil {
		return out
	}
	out.Local = h.command == proxyheader.Local
	for _, name := range p.TLVs {
		wanted, _ := proxyheader.TypeOf(name)
		for typ, value := range h.tlvs.All() {
			if typ == wanted {
				out.TLVs = append(out.TLVs, proxyheader.TLV{Type: typ, Value: value})
			}
		}
	}
	return out
}
