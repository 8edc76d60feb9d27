package mysqlproxy

import "github.com/l4mysql/l4mysql/mysqlwire"

// A guard keeps COM_CHANGE_USER from what a [SecrecyError] keeps a login from: the client answers by the looks of its own
// leg, and the server's has others.
type guard struct {
	exchange exchange
	held     []byte // of the server: a packet that is not whole
	changing bool   // an exchange is under way
}

// newGuard returns the guard of a session, nil if it needs none.
func newGuard(s *Session) *guard {
	leg, ok := s.Server.(*Leg)
	if !ok || s.Tracker == nil || leg.Secret == s.Secret && leg.TLS == s.Secret {
		return nil
	}
	return &guard{exchange: exchange{Relay: &Relay{Secret: s.Secret, Server: leg}}}
}

// inspect returns what the client may get of p, bytes of the server. changing says that they belong to COM_CHANGE_USER. The
// refusal, a packet for the client, is not nil if the exchange must not go on.
func (g *guard) inspect(p []byte, changing bool) (pass, refusal []byte) {
	if changing && !g.changing {
		g.exchange.plugin = "" // the one that the client has named, which may be any
	}
	g.changing = changing
	if !changing && len(g.held) == 0 {
		return p, nil
	}
	g.held = append(g.held, p...)
	for len(g.held) >= mysqlwire.HeaderLen {
		header := [mysqlwire.HeaderLen]byte(g.held)
		n := mysqlwire.PayloadLen(&header)
		if n > maxLoginPacket {
			return pass, refusalPacket(header[3], "the upstream has sent something else than an authentication")
		}
		end := mysqlwire.HeaderLen + n
		if len(g.held) < end {
			return pass, nil
		}
		payload := g.held[mysqlwire.HeaderLen:end]
		if exposed := g.exchange.exposed(payload); exposed != nil {
			return pass, refusalPacket(header[3], exposed.text())
		}
		pass = append(pass, g.held[:end]...)
		g.held = g.held[end:]
	}
	if !changing {
		pass = append(pass, g.held...)
		g.held = nil
	}
	return pass, nil
}

func refusalPacket(seq uint8, text string) []byte {
	payload := UnknownError(text).Append(nil)
	return append(mysqlwire.AppendHeader(nil, len(payload), seq), payload...)
}
