package mysqlproxy

import "sync/atomic"

// ownConnectionID is set in each id that the proxy gives. Servers count theirs up from 1.
const ownConnectionID = 0x8000_0000

// IsOwnConnectionID reports whether id is one that [ConnectionIDs] gives, and not a server's.
func IsOwnConnectionID(id uint32) bool { return id&ownConnectionID != 0 }

// ConnectionIDs gives the ids by which clients know their connections before an upstream has given one. An
// id is not given again before 2^31 others. The zero value is ready; a process has one.
type ConnectionIDs struct{ last atomic.Uint32 }

// Take returns an id that inUse does not report: with the highest bit set, so never 0.
func (c *ConnectionIDs) Take(inUse func(id uint32) bool) uint32 {
	for {
		if id := c.last.Add(1) | ownConnectionID; !inUse(id) {
			return id
		}
	}
}
