package mysqlproxy

import (
	"math"
	"sync"
	"testing"
)

func TestConnectionIDs(t *testing.T) {
	var ids ConnectionIDs
	ids.last = math.MaxUint32 - 3 // the count is about to begin anew
	inUse := make(map[uint32]bool)
	for range 8 {
		id := ids.Take()
		if inUse[id] || !IsOwnConnectionID(id) {
			t.Errorf("got %#x, want one with the highest bit that is not among %v", id, inUse)
		}
		inUse[id] = true
	}
	first := uint32(math.MaxUint32 - 2)
	if !inUse[first] || !inUse[0x8000_0000] {
		t.Fatalf("got %v, want ids before and after the count began anew", inUse)
	}

	// One that is in use is passed over when its turn comes again, and one that was given back is not.
	ids.last = first - 1
	ids.Release(first + 1)
	ids.Release(first + 1)
	if got := ids.Take(); got != first+1 {
		t.Errorf("got %#x, want %#x, the only one of the next that is free", got, first+1)
	}
	if IsOwnConnectionID(0) || IsOwnConnectionID(math.MaxInt32) {
		t.Error("an id of a server is taken for our own")
	}
}

func TestConnectionIDsConcurrently(t *testing.T) {
	var ids ConnectionIDs
	var mu sync.Mutex
	inUse := make(map[uint32]bool)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				id := ids.Take()
				mu.Lock()
				if inUse[id] {
					t.Errorf("%#x is in use twice", id)
				}
				inUse[id] = true
				mu.Unlock()

				mu.Lock()
				delete(inUse, id)
				mu.Unlock()
				ids.Release(id)
			}
		})
	}
	group.Wait()
	if len(ids.used) != 0 {
		t.Errorf("%d ids are still in use", len(ids.used))
	}
}
