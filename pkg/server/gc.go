package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// headroom is how many bytes the heap may grow by before garbage is collected. What the server keeps is small, so that Go's default, which
// lets the heap double, would collect many times a second under load.
const headroom = 32 << 20

// startPercent is by how many percent the heap may grow while a server starts: what it keeps of the lists that it reads lies scattered over the memory
// that their garbage takes between two collections, which cannot be returned later.
const startPercent = 20

// calm is how many seconds of little to do come before memory is returned to the system.
const calm = 30

// TuneGC sets the pace of garbage collection by what is live, until the context ends, and returns memory to the system while there is little to
// do: a heap that nobody allocates from is not collected, and would stay as large as it was in the busiest hour. The environment variables
// GOGC and GOMEMLIMIT take precedence. limit is how many bytes the process may use; 0 means that the limit is not known. reading reports whether the
// lists of the cluster are still being read; nil: they are not.
func TuneGC(ctx context.Context, limit int64, reading func() bool) {
	if limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9) // the rest is for memory that the runtime does not count
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var c calmness
	for set := 0; ; {
		h := readHeap()
		p := gcPercent(h.live)
		if reading != nil && reading() {
			p = startPercent
		} else if reading != nil || c.returns(h) {
			reading = nil
			debug.FreeOSMemory() // the lists of a large cluster are many times what is kept of them
		}
		if p != set { // setting it stops the world
			set = p
			debug.SetGCPercent(p)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// calmness says when memory is worth returning to the system. It is asked once a second.
type calmness struct {
	allocated uint64
	seconds   int
}

const (
	// busy is how many bytes are allocated in a second by a server that has something to do.
	busy = 4 << 20
	// worth is how many bytes are worth the collection that returning them takes.
	worth = 6 << 20
)

// returns reports whether there has been little to do for a while, and there is enough to return.
func (c *calmness) returns(h heap) bool {
	rate := h.allocated - c.allocated
	c.allocated = h.allocated
	if c.seconds++; rate > busy {
		c.seconds = 0
	}
	if c.seconds < calm || h.held < h.live+worth {
		return false
	}
	c.seconds = 0
	return true
}

// gcPercent returns the growth in percent that comes to the headroom, within bounds: a large heap is collected more often than by default,
// and a tiny one is not left alone for ever. Before the first collection nothing is known of it. The result is rounded, so that it rarely
// changes.
func gcPercent(live uint64) int {
	if live == 0 {
		return 100
	}
	return int(max(60, min(800, headroom*100/live))) / 20 * 20
}

// heap is what the runtime says of it, in bytes.
type heap struct {
	// live is what the last collection found in use, held what is held of the system for the heap, and allocated all that was ever allocated.
	live, held, allocated uint64
}

func readHeap() heap {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	return heap{live: s[0].Value.Uint64(), allocated: s[1].Value.Uint64(), held: s[2].Value.Uint64() + s[3].Value.Uint64() + s[4].Value.Uint64()}
}
