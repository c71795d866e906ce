package estate

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
)

// hashes is a set of 64-bit hashes with a few bits of information each: an open table, which holds no pointers and needs no sorting. The
// lowest bits of a hash give way to the information.
type hashes struct {
	slots []uint64
	used  int
	// sieve has a bit for each hash, which another may share: it is small enough to stay near the processor, and most of what is asked for is not in
	// the set.
	sieve []uint64
	// seed spreads the hashes over the slots, in another way in each process.
	seed uint64
}

// information are the bits of a slot that hold it. A slot without any is empty.
const information = 15

func makeHashes(n int) hashes {
	size := 8
	for size < n+n/4 {
		size *= 2
	}
	return hashes{slots: make([]uint64, size), sieve: make([]uint64, size*sieveBits/64), seed: maphash.String(maphash.MakeSeed(), "") | 1}
}

// sieveBits is how many bits the sieve has for each slot.
const sieveBits = 8

// sieved returns the word of the sieve and the bit in it that stand for a hash.
func (s *hashes) sieved(h uint64) (word *uint64, bit uint64) {
	i := (h &^ information) * s.seed >> bits.LeadingZeros64(uint64(len(s.sieve))*64-1)
	return &s.sieve[i/64], 1 << (i % 64)
}

// add adds bits to those of a hash.
func (s *hashes) add(h, info uint64) {
	if s.used+1 > len(s.slots)/8*7 {
		old := s.slots
		*s = makeHashes(2 * len(old))
		for _, slot := range old {
			if slot != 0 {
				s.add(slot, slot&information)
			}
		}
	}
	slot := s.find(h)
	if *slot == 0 {
		s.used++
	}
	*slot |= h&^information | info&information
	word, bit := s.sieved(h)
	*word |= bit
}

// bits returns those of a hash; 0: it is not in the set.
func (s *hashes) bits(h uint64) uint64 {
	if len(s.slots) == 0 {
		return 0
	}
	if word, bit := s.sieved(h); *word&bit == 0 {
		return 0
	}
	return *s.find(h) & information
}

// find returns the slot of a hash, or the empty one that it belongs in.
func (s *hashes) find(h uint64) *uint64 {
	mask := uint64(len(s.slots) - 1)
	for i := (h &^ information) * s.seed >> 32 & mask; ; i = (i + 1) & mask {
		if slot := &s.slots[i]; *slot == 0 || (*slot^h)&^information == 0 {
			return slot
		}
	}
}

// counts is an upper bound of how often hashes were counted: two may share a counter.
type counts []uint8

func makeCounts(n int) counts {
	size := 64
	for size < 4*n {
		size *= 2
	}
	return make(counts, size)
}

func (c counts) slot(h uint64) *uint8 { return &c[(h^h>>32)&uint64(len(c)-1)] }

func (c counts) add(h uint64) {
	if n := c.slot(h); *n < math.MaxUint8 {
		*n++
	}
}

func (c counts) of(h uint64) uint8 { return *c.slot(h) }

// layered is a set of hashes that does not change once it is large, and the few that came later. A fork shares the former.
type layered struct{ base, later hashes }

func makeLayered(n int) layered { return layered{base: makeHashes(n)} }

// add adds bits to those of a hash.
func (l *layered) add(h, bits uint64) {
	if len(l.later.slots) == 0 {
		l.base.add(h, bits)
		return
	}
	l.later.add(h, bits)
}

// bits returns those of a hash; 0: it is not in the set.
func (l *layered) bits(h uint64) uint64 { return l.base.bits(h) | l.later.bits(h) }

// fork returns a copy of which changes do not show in the original.
func (l *layered) fork() layered {
	out := *l
	if len(l.later.slots) == 0 {
		out.later = makeHashes(0)
	}
	out.later.slots, out.later.sieve = slices.Clone(out.later.slots), slices.Clone(out.later.sieve)
	return out
}
