package proxyheader

import (
	"fmt"
	"net"
	"net/netip"
)

// Command says on whose behalf the connection was made (section 2.2, the 13th byte).
type Command uint8

const (
	// Local is a connection of the sender's own, as a health check: its endpoints are the socket's.
	Local Command = 0x0
	// Proxy is a connection on behalf of a client.
	Proxy Command = 0x1
)

// String returns the specification's word, "LOCAL" or "PROXY".
func (c Command) String() string {
	switch c {
	case Local:
		return "LOCAL"
	case Proxy:
		return "PROXY"
	}
	return fmt.Sprintf("Command(0x%x)", uint8(c))
}

// Network is the address family and transport protocol of the client's connection (section 2.2, the 14th
// byte).
type Network uint8

// The protocol bytes that section 2.2 lists; Unspec is a connection whose kind the sender does not tell.
const (
	Unspec     Network = 0x00
	TCP4       Network = 0x11
	UDP4       Network = 0x12
	TCP6       Network = 0x21
	UDP6       Network = 0x22
	UnixStream Network = 0x31
	UnixDgram  Network = 0x32
)

// String returns the network's name as package net spells it, or "unspec".
func (n Network) String() string {
	switch n {
	case Unspec:
		return "unspec"
	case TCP4:
		return "tcp4"
	case UDP4:
		return "udp4"
	case TCP6:
		return "tcp6"
	case UDP6:
		return "udp6"
	case UnixStream:
		return "unix"
	case UnixDgram:
		return "unixgram"
	}
	return fmt.Sprintf("Network(0x%02x)", uint8(n))
}

// Header is a decoded header. Its slices point into the bytes given to [Parse].
//
// Where Command is [Local] or Network is [Unspec] there are no addresses: the connection's endpoints are
// the socket's own.
type Header struct {
	// Version is 1 or 2.
	Version uint8
	// Command is Local for version 1's UNKNOWN too, which has the same meaning (section 2.1).
	Command Command
	// Network is Unspec for Local, whatever family the sender named: section 2.2 tells to ignore it.
	Network Network
	// Source and Destination are zero unless Network is TCP or UDP. An IPv4-mapped IPv6 address
	// (::ffff:192.0.2.1) is given as the IPv4 address that it means, also where Network is TCP6 or UDP6, so
	// that one client has one spelling and a list of IPv4 prefixes cannot be evaded.
	Source, Destination netip.AddrPort
	// SourcePath and DestinationPath are set for UNIX sockets: sun_path without its padding, empty for an
	// unnamed socket, with a leading NUL for a name in Linux's abstract namespace.
	SourcePath, DestinationPath []byte
	// TLVs is version 2's checked TLV area; nil where there is none and for Local.
	TLVs TLVs
}

// SourceAddr returns the client's address as a new *net.TCPAddr, *net.UDPAddr or *net.UnixAddr, or nil for
// [Local] and [Unspec].
//
// An abstract UNIX name begins with '@', as in package net. A UNIX name is otherwise the sender's bytes:
// pass it through [Text] before showing it.
func (h *Header) SourceAddr() net.Addr { return h.addr(h.Source, h.SourcePath) }

// DestinationAddr returns the address that the client connected to, in the manner of [Header.SourceAddr].
func (h *Header) DestinationAddr() net.Addr { return h.addr(h.Destination, h.DestinationPath) }

func (h *Header) addr(ip netip.AddrPort, path []byte) net.Addr {
	if h.Command == Local {
		return nil
	}
	switch h.Network {
	case TCP4, TCP6:
		return net.TCPAddrFromAddrPort(ip)
	case UDP4, UDP6:
		return net.UDPAddrFromAddrPort(ip)
	case UnixStream, UnixDgram:
		name := string(path)
		if name != "" && name[0] == 0 {
			name = "@" + name[1:]
		}
		return &net.UnixAddr{Name: name, Net: h.Network.String()}
	case Unspec:
	}
	return nil
}
