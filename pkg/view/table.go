package view

import (
	"maps"
	"reflect"
	"slices"
	"sync"
)

// Table keeps what the view needs of the objects of one kind, by namespace/name, or by name for objects without a namespace.
// Its zero value is empty. It is safe for concurrent use.
type Table[T any] struct {
	mu    sync.RWMutex
	items map[string]T
}

// Get returns the value under a key, and whether there is one.
func (t *Table[T]) Get(key string) (T, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v, ok := t.items[key]
	return v, ok
}

// Put keeps a value, and reports whether it differs from the one before: for most kinds, heartbeats and statuses change
// nothing.
func (t *Table[T]) Put(key string, v T) (changed bool) {
	t.mu.Lock()
	before, known := t.items[key]
	if t.items == nil {
		t.items = map[string]T{}
	}
	t.items[key] = v
	t.mu.Unlock()
	return !known || !reflect.DeepEqual(before, v)
}

// Delete removes the value under a key. It returns the value, and whether there was one.
func (t *Table[T]) Delete(key string) (T, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.items[key]
	delete(t.items, key)
	return v, ok
}

// Len returns how many values there are.
func (t *Table[T]) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.items)
}

// Each calls f for every key and value; f must not call the table.
func (t *Table[T]) Each(f func(key string, v T)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for k, v := range t.items {
		f(k, v)
	}
}

// All returns a copy of the table.
func (t *Table[T]) All() map[string]T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make(map[string]T, len(t.items))
	maps.Copy(out, t.items)
	return out
}

// Values returns all values, in the order of their keys.
func (t *Table[T]) Values() []T {
	all := t.All()
	out := make([]T, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[k])
	}
	return out
}
