package mysqldump

import (
	"errors"

	"github.com/l4mysql/l4mysql/mysqlwire"
)

// compression is what a session needs where both sides compress: one inflater for each.
type compression struct {
	inflaters [2]inflater
	plain     [2]func(p []byte) bool
}

// compressionName returns the name of the algorithm that caps put into effect, or "" if none is. Where
// both are named, servers take zlib.
func compressionName(caps mysqlwire.Capability) string {
	switch {
	case caps.Has(mysqlwire.Compress):
		return "zlib"
	case caps.Has(mysqlwire.ZstdCompression):
		return "zstd"
	default:
		return ""
	}
}

// compressed begins the compressed part of the conversation, of which rest has come with the OK that
// ended the login.
//
// Compression
func (s *Session) compressed(rest []byte) {
	if s.flight.n > 0 || !s.client.idle() {
		// Nobody knows whether the client compresses what the server has not agreed to yet.
		s.turnOpaque(EventOpaque, "compression", "the client has sent commands ahead of the answer to its login, and compresses")
		s.server.pos += uint64(len(rest))
		return
	}
	c := new(compression)
	c.plain[Client] = func(p []byte) bool { s.feedClient(p); return s.phase < refused }
	c.plain[Server] = func(p []byte) bool { s.feedServer(p); return s.phase < refused }
	for side := range c.inflaters {
		c.inflaters[side].zstd = compressionName(s.caps) == "zstd"
	}
	s.packed, s.detour = c, inflating
	s.wire = [2]uint64{s.client.pos, s.server.pos + uint64(len(rest))}
	s.feedPacked(Server, rest)
}

// feedPacked shows the session what the compressed bytes p hold.
func (s *Session) feedPacked(side Side, p []byte) {
	if s.phase >= refused || len(p) == 0 {
		return
	}
	switch err := s.packed.inflaters[side].feed(p, s.packed.plain[side]); {
	case errors.Is(err, errWindow):
		s.turnOpaque(EventOpaque, "compression", err.Error())
	case err != nil:
		s.fail(err)
	}
	if s.phase >= refused {
		s.packed.stop()
	}
}

// stop gives back what the inflaters hold.
func (c *compression) stop() {
	if c == nil {
		return
	}
	for side := range c.inflaters {
		c.inflaters[side].stop()
	}
}
