package mysqlproxy

import (
	"math"
	"sync"
	"testing"
)

func TestConnectionIDs(t *testing.T) {
	var ids ConnectionIDs
	ids.last.Store(math.MaxUint32 - 3) // the count is about to begin anew
	inUse := make(map[uint32]bool)
	for range 8 {
		id := ids.Take(func(id uint32) bool { return inUse[id] })
		if inUse[id] || !IsOwnConnectionID(id) {
			t.Errorf("got %#x, want one with the highest bit that is not among %v", id, inUse)
		}
		inUse[id] = true
	}
	first := uint32(math.MaxUint32 - 2)
	if !inUse[first] || !inUse[0x8000_0000] {
		t.Fatalf("got %v, want ids before and after the count began anew", inUse)
	}

	// One that is in use is passed over when its turn comes again, and one that is not any more is not.
	ids.last.Store(first - 1)
	delete(inUse, first+1)
	if got := ids.Take(func(id uint32) bool { return inUse[id] }); got != first+1 {
		t.Errorf("got %#x, want %#x, the only one of the next that is free", got, first+1)
	}
	if IsOwnConnectionID(0) || IsOwnConnectionID(math.MaxInt32) {
		t.Error("an id of a server is taken for our own")
	}
}

func TestConnectionIDsConcurrently(t *testing.T) {
	var ids ConnectionIDs
	var taken sync.Map
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				if id := ids.Take(func(uint32) bool { return false }); id == 0 {
					t.Error("0 is no id")
				} else if _, twice := taken.LoadOrStore(id, true); twice {
					t.Errorf("%#x was given twice", id)
				}
			}
		})
	}
	group.Wait()
}
