package view

import (
	"strings"
	"sync"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// shelf bounds the memory for all objects of a kind and for those of one namespace, since a user who may write ConfigMaps may
// write many. An object that finds no place is marked as large, and is read again by the request that uses it.
type shelf struct {
	*Table[reference.Packed]
	// limit and share are in bytes, for all objects and for one namespace.
	limit, share int64

	mu sync.Mutex
	// total is what all objects hold, used what those of each namespace hold.
	total int64
	used  map[string]int64
}

// newShelf returns a shelf that gives one namespace at most a quarter of limit.
func newShelf(t *Table[reference.Packed], limit int64) *shelf {
	return &shelf{Table: t, limit: limit, share: limit / 4, used: map[string]int64{}}
}

// bound makes a kind keep no more than the shelf has room for.
func (s *shelf) bound(k *Kind) {
	k.put = func(key string, value any) bool {
		contents, ok := value.(reference.Packed)
		return ok && s.put(key, contents)
	}
	k.drop = s.drop
}

// put keeps what there is room for in the place of what was there, and reports whether that differs.
func (s *shelf) put(key string, contents reference.Packed) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(key, -1)
	ns, _, _ := strings.Cut(key, "/")
	if size := int64(contents.Size()); s.total+size > s.limit || s.used[ns]+size > s.share {
		contents = reference.PackedLarge
	}
	changed = s.Put(key, contents)
	s.count(key, 1)
	return changed
}

func (s *shelf) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(key, -1)
	s.Delete(key)
}

// count adds what the object under a key takes, times a sign. One that is only marked takes no place.
func (s *shelf) count(key string, sign int64) {
	contents, known := s.Get(key)
	if !known || contents.Large() {
		return
	}
	ns, _, _ := strings.Cut(key, "/")
	size := sign * int64(contents.Size())
	s.total += size
	if s.used[ns] += size; s.used[ns] == 0 {
		delete(s.used, ns)
	}
}
