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

// startup is how many seconds after the start its memory is returned to the system.
const startup = 30

// TuneGC sets the pace of garbage collection by what is live, until the context ends. The environment variables GOGC and GOMEMLIMIT take
// precedence. limit is how many bytes the process may use; 0 means that the limit is not known.
func TuneGC(ctx context.Context, limit int64) {
	if limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9) // the rest is for memory that the runtime does not count
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for set, begun := 0, 0; ; begun++ {
		if begun == startup {
			debug.FreeOSMemory() // the lists of a large cluster have been read, and were many times what is kept of them
		}
		if p := gcPercent(liveHeap()); p != set { // setting it stops the world
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

// gcPercent returns the growth in percent that comes to the headroom, within bounds: a large heap is collected more often than by default,
// and a tiny one is not left alone for ever. Before the first collection nothing is known of it. The result is rounded, so that it rarely
// changes.
func gcPercent(live uint64) int {
	if live == 0 {
		return 100
	}
	return int(max(60, min(800, headroom*100/live))) / 20 * 20
}

// liveHeap returns how many bytes the last collection found in use.
func liveHeap() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
