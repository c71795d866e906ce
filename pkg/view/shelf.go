package view

import (
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// shelf bounds the memory for all objects of a kind and for those of one namespace, since a user who may write ConfigMaps may
// write many. An object that finds no place is marked as large, and is read again by the request that uses it.
type shelf struct {
	// limit and share are in bytes, for all objects and for one namespace.
	limit, share int64

	mu    sync.Mutex
	sizes map[string]int64
	// total is what all objects hold, used what those of each namespace hold.
	total int64
	used  map[string]int64
}

// newShelf returns a shelf that gives one namespace at most a quarter of limit.
func newShelf(limit int64) *shelf {
	return &shelf{limit: limit, share: limit / 4, sizes: map[string]int64{}, used: map[string]int64{}}
}

// bound makes a kind keep no more than the shelf has room for.
func (s *shelf) bound(k *Kind) {
	reduce, drop := k.reduce, k.drop
	k.reduce = func(o runtime.Object) (any, bool) {
		value, keep := reduce(o)
		contents, ok := value.(reference.Contents)
		meta, named := o.(metav1.Object)
		if !keep || !ok || !named {
			return nil, false
		}
		return s.put(Key(meta), contents), true
	}
	k.drop = func(key string) {
		s.remove(key)
		drop(key)
	}
}

// put returns the contents that may be kept of an object, and gives back the place of the earlier ones.
func (s *shelf) put(key string, c reference.Contents) reference.Contents {
	size := int64(c.Size())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(key)
	ns, _, _ := strings.Cut(key, "/")
	if s.total+size > s.limit || s.used[ns]+size > s.share {
		return reference.Contents{Large: true}
	}
	s.sizes[key] = size
	s.total += size
	s.used[ns] += size
	return c
}

func (s *shelf) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(key)
}

func (s *shelf) free(key string) {
	ns, _, _ := strings.Cut(key, "/")
	s.total -= s.sizes[key]
	if s.used[ns] -= s.sizes[key]; s.used[ns] == 0 {
		delete(s.used, ns)
	}
	delete(s.sizes, key)
}
