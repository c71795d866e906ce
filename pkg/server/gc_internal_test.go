package server

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// The heap may grow by the same number of bytes whatever is live, but by no less than 60 % and no more than 800 %. Before the first collection the pace is
// that of Go.
func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 1 << 20: 800, 8 << 20: 400, 16 << 20: 200, 32 << 20: 100, 100 << 20: 60} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d bytes live: %d %%, want %d %%", live, got, want)
		}
	}
}

// Memory is returned after half a minute of little to do, and only if there is enough of it. What is allocated meanwhile has it begin anew.
func TestCalmness(t *testing.T) {
	const live = 60 << 20
	large, small := heap{live: live, held: live + worth}, heap{live: live, held: live + worth - 1}
	for name, test := range map[string]struct {
		heap heap
		busy int // the second in which much is allocated
		want int // how often memory is returned in two minutes
	}{
		"much to return":             {large, -1, 4},
		"little to return":           {small, -1, 0},
		"busy in the 50th second":    {large, 50, 3},
		"nothing known of the heap":  {heap{}, -1, 0},
		"busy in the first second":   {large, 0, 3},
		"busy in the 119th second":   {large, 119, 3},
		"all of it in use":           {heap{live: live, held: live}, -1, 0},
		"more in use than was found": {heap{live: live, held: live / 2}, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var c calmness
			got := 0
			for second := range 120 {
				test.heap.allocated += 1000
				if second == test.busy {
					test.heap.allocated += busy
				}
				if c.returns(test.heap) {
					got++
				}
			}
			if got != test.want {
				t.Errorf("memory is returned %d times, want %d", got, test.want)
			}
		})
	}
}

func TestReadHeap(t *testing.T) {
	kept := make([]byte, 32<<20)
	before := readHeap()
	debug.FreeOSMemory()
	h := readHeap()
	if h.live < uint64(len(kept)) || h.held < h.live || h.allocated < before.allocated {
		t.Errorf("%+v, want at least %d bytes live", h, len(kept))
	}
	runtime.KeepAlive(kept)
}
