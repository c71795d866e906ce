package estate

import (
	"math/rand/v2"
	"testing"
)

// What was added is found with its bits, however much the set has grown, and in a fork; what was not is found with none, but by chance.
func TestHashes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	l := makeLayered(0)
	want := map[uint64]uint64{}
	add := func(l *layered, n int) {
		for range n {
			h, info := r.Uint64(), 1+r.Uint64N(information)
			l.add(h, info)
			want[h&^information] |= info
		}
	}
	check := func(l *layered, what string) {
		t.Helper()
		for h, info := range want {
			if got := l.bits(h | r.Uint64N(information+1)); got != info {
				t.Fatalf("%s: %x has the bits %b, want %b", what, h, got, info)
			}
		}
		for range 10_000 {
			if h := r.Uint64(); want[h&^information] == 0 && l.bits(h) != 0 {
				t.Fatalf("%s: %x was not added", what, h)
			}
		}
	}
	add(&l, 5_000)
	check(&l, "the set")
	fork := l.fork()
	late := r.Uint64()
	fork.add(late, 1)
	if l.bits(late) != 0 || fork.bits(late) != 1 {
		t.Error("what is added to a fork shows in the original, or is not in the fork")
	}
	again := fork.fork()
	add(&again, 500)
	check(&again, "a fork of a fork")
}
