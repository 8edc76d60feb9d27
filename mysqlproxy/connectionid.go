package mysqlproxy

import "sync"

// ownConnectionID is set in each id that the proxy gives. Servers count theirs up from 1.
const ownConnectionID = 0x8000_0000

// IsOwnConnectionID reports whether id is one that [ConnectionIDs] gives, and not a server's.
func IsOwnConnectionID(id uint32) bool { return id&ownConnectionID != 0 }

// ConnectionIDs gives the ids by which clients know their connections before an upstream has given one. An
// id is unique as long as it is in use, and not given again soon after. The zero value is ready; a process
// has one.
type ConnectionIDs struct {
	mu   sync.Mutex
	last uint32
	used map[uint32]struct{}
}

// Take returns an id that is not in use: with the highest bit set, so never 0.
func (c *ConnectionIDs) Take() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used == nil {
		c.used = make(map[uint32]struct{})
	}
	for {
		c.last++
		id := c.last | ownConnectionID
		if _, taken := c.used[id]; !taken {
			c.used[id] = struct{}{}
			return id
		}
	}
}

// Release gives id back. An id that is not in use is ignored.
func (c *ConnectionIDs) Release(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.used, id)
}
