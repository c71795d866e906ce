package view

import (
	"maps"
	"slices"
	"sync"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// maxChanges is how many changed data stores are told apart.
const maxChanges = 1000

// changes are those of the estate's objects since it was compiled.
type changes struct {
	mu     sync.Mutex
	stores map[string]estate.StoreChange
	// others is true if anything but data stores has changed, or too many of these.
	others bool
}

// observe has a kind of the estate's objects note its changes.
func (v *View) observe(k *Kind) {
	put, drop := k.put, k.drop
	if k.Kind != v1alpha1.KindDataStore {
		k.put = func(key string, value any) bool {
			news := put(key, value)
			if news {
				v.changes.other()
			}
			return news
		}
		k.drop = func(key string) {
			drop(key)
			v.changes.other()
		}
		return
	}
	k.put = func(key string, value any) bool {
		before := v.storeAt(key)
		news := put(key, value)
		if news {
			v.changes.store(key, before, v.storeAt(key))
		}
		return news
	}
	k.drop = func(key string) {
		before := v.storeAt(key)
		drop(key)
		v.changes.store(key, before, nil)
	}
}

func (v *View) storeAt(key string) *v1alpha1.DataStore {
	d, ok := v.Stores.Get(key)
	if !ok {
		return nil
	}
	return &d
}

func (c *changes) other() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others, c.stores = true, nil
}

func (c *changes) store(key string, before, after *v1alpha1.DataStore) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch earlier, again := c.stores[key]; {
	case c.others:
		return
	case again:
		before = earlier.Before
	case len(c.stores) >= maxChanges:
		c.others, c.stores = true, nil
		return
	case c.stores == nil:
		c.stores = map[string]estate.StoreChange{}
	}
	if before == nil && after == nil { // it came and went
		delete(c.stores, key)
		return
	}
	c.stores[key] = estate.StoreChange{Before: before, After: after}
}

func (c *changes) take() (stores map[string]estate.StoreChange, others bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stores, others = c.stores, c.others
	c.stores, c.others = nil, false
	return stores, others
}

// Recompile returns the estate of the objects that are kept, given the one that it returned last; nil: there is none yet. Where only a few data stores
// have changed since, they are updated in it, and updated are their names; nil: everything was compiled.
func (v *View) Recompile(last *estate.Estate) (e *estate.Estate, updated []string) {
	stores, others := v.changes.take()
	if last != nil && !others && len(stores) > 0 {
		if e := last.Update(stores); e != nil {
			return e, slices.Sorted(maps.Keys(stores))
		}
	}
	return v.Compile(), nil
}
