package server

import "testing"

// The heap may grow by the same number of bytes whatever is live, but by no less than 60 % and no more than 800 %. Before the first collection the pace is
// that of Go.
func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 1 << 20: 800, 8 << 20: 400, 16 << 20: 200, 32 << 20: 100, 100 << 20: 60} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d bytes live: %d %%, want %d %%", live, got, want)
		}
	}
}
