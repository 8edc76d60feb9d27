package l4mysql

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A reason says why a connection was refused: in the log, and as the metric's label result.
type reason string

const (
	reasonUntrusted   reason = "untrusted"   // the peer is not in allow
	reasonMissing     reason = "missing"     // mode require, and no header came
	reasonMalformed   reason = "malformed"   // a header that breaks the specification, or that was cut off
	reasonTooLong     reason = "too_long"    // v2's length is over max_size
	reasonChecksum    reason = "checksum"    // the CRC32C is wrong
	reasonTimeout     reason = "timeout"     // a header began, and did not end in time
	reasonDuplicate   reason = "duplicate"   // another header right behind the first
	reasonUnsupported reason = "unsupported" // a datagram connection
)

// The reasons to refuse a login, besides [reasonTimeout].
const (
	reasonHandshake   reason = "bad_handshake" // no login, or one that claims what was not offered
	reasonTLS         reason = "tls_handshake" // TLS failed
	reasonTLSRequired reason = "tls_required"  // a login without TLS
	reasonNoRoute     reason = "no_route"      // nothing behind mysql_login took it
	reasonUpstream    reason = "upstream"      // no upstream can be used
	reasonShutdown    reason = "shutdown"      // Caddy is about to end
)

const (
	// refusalInterval is the least time between two log lines for the same peer and reason.
	refusalInterval = time.Minute

	// maxRefusals bounds the table, at about 100 bytes for each entry: a flood from many addresses must
	// not grow it.
	maxRefusals = 4096

	// sweepInterval is the least time between two sweeps of a full table.
	sweepInterval = time.Second
)

// refusals is the process's own, so that a reload does not let every peer's next line through.
var refusals = newRefusalLimit(time.Now)

// A refusalLimit decides which refusals are logged: for each peer and reason one at most in a
// [refusalInterval]. Peers without an IP address share one entry for each reason, and so do those that
// find the table full.
type refusalLimit struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[refusalKey]refusalEntry
	swept   time.Time
}

type refusalKey struct {
	peer   netip.Addr
	reason reason
}

type refusalEntry struct {
	logged  time.Time
	leftOut int // refusals since
}

func newRefusalLimit(now func() time.Time) *refusalLimit {
	return &refusalLimit{now: now, entries: make(map[refusalKey]refusalEntry)}
}

// admit reports whether to log this refusal, and how many like it were left out since the last one.
func (l *refusalLimit) admit(peer netip.Addr, r reason) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()

	key := refusalKey{peer, r}
	if _, known := l.entries[key]; !known && l.full(now) {
		key.peer = netip.Addr{}
	}
	entry, known := l.entries[key]
	if known && now.Sub(entry.logged) < refusalInterval {
		entry.leftOut++
		l.entries[key] = entry
		return 0, false
	}
	l.entries[key] = refusalEntry{logged: now}
	return entry.leftOut, true
}

// log says at INFO that a peer is refused, if it is to be said.
func (l *refusalLimit) log(logger *zap.Logger, message string, peer net.Addr, r reason, more ...zap.Field) {
	leftOut, ok := l.admit(addrOf(peer), r)
	if !ok {
		return
	}
	fields := []zap.Field{zap.String("remote", addrText(peer)), zap.String("reason", string(r))}
	if leftOut > 0 {
		fields = append(fields, zap.Int("left_out", leftOut))
	}
	logger.Info(message, append(fields, more...)...)
}

// full reports whether there is no room for another peer, after dropping those that have kept quiet.
func (l *refusalLimit) full(now time.Time) bool {
	if len(l.entries) < maxRefusals {
		return false
	}
	if now.Sub(l.swept) < sweepInterval {
		return true
	}
	l.swept = now
	for key, entry := range l.entries {
		if now.Sub(entry.logged) >= refusalInterval {
			delete(l.entries, key)
		}
	}
	return len(l.entries) >= maxRefusals
}
