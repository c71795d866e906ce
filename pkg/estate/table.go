package estate

import (
	"cmp"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
)

// table finds the owners of what data stores declare, by its name. A fork shares with the original whatever is not changed in it, so that the change
// of one data store does not cost what compiling all of them does.
type table struct {
	shards *[shardCount]map[string][]Owner
	// mine are the shards that are not shared, one bit each.
	mine uint64
}

const shardCount = 64

//nolint:gochecknoglobals // nobody outside of the process may know which names share a shard
var tableSeed = maphash.MakeSeed()

// makeTable returns an empty table with room for n names.
func makeTable(n int) table {
	t := table{shards: &[shardCount]map[string][]Owner{}, mine: ^uint64(0)}
	if n > shardCount {
		for i := range t.shards {
			t.shards[i] = make(map[string][]Owner, n/shardCount)
		}
	}
	return t
}

// fork returns a copy of which changes do not show in the original.
func (t *table) fork() table {
	shards := *t.shards
	return table{shards: &shards}
}

func shardOf(key string) int { return int(maphash.String(tableSeed, key) % shardCount) }

// get returns the owners of a name, sorted by the name of the data store. They must not be changed.
func (t *table) get(key string) []Owner {
	if t.shards == nil { // of an estate of nothing
		return nil
	}
	return t.shards[shardOf(key)][key]
}

// set gives a name other owners; none: the name is forgotten.
func (t *table) set(key string, owners []Owner) {
	i := shardOf(key)
	if t.mine>>i&1 == 0 {
		t.shards[i], t.mine = maps.Clone(t.shards[i]), t.mine|1<<i
	}
	switch {
	case len(owners) == 0:
		delete(t.shards[i], key)
		return
	case t.shards[i] == nil:
		t.shards[i] = map[string][]Owner{}
	}
	t.shards[i][key] = owners
}

// add gives a name one more owner, unless it has that one. Most names have one owner, and all names of a data store share it.
func (t *table) add(key string, own []Owner) { t.set(key, withOwner(t.get(key), own)) }

// remove takes an owner from a name, and reports whether it was one.
func (t *table) remove(key, store string) bool {
	owners := t.get(key)
	left := withoutOwner(owners, store)
	t.set(key, left)
	return len(left) < len(owners)
}

// all yields every name and its owners.
func (t *table) all() iter.Seq2[string, []Owner] {
	return func(yield func(string, []Owner) bool) {
		for _, shard := range t.shards {
			for key, owners := range shard {
				if !yield(key, owners) {
					return
				}
			}
		}
	}
}

func (t *table) len() int {
	n := 0
	for _, shard := range t.shards {
		n += len(shard)
	}
	return n
}

// withOwner returns owners and one more, sorted by their name. It does not change what it is given.
func withOwner(owners, own []Owner) []Owner {
	if len(owners) == 0 {
		return own
	}
	at, known := slices.BinarySearchFunc(owners, own[0].Store, func(o Owner, store string) int { return cmp.Compare(o.Store, store) })
	if known {
		return owners
	}
	return slices.Insert(slices.Clip(owners), at, own[0])
}

// withoutOwner returns the owners but one. It does not change what it is given.
func withoutOwner(owners []Owner, store string) []Owner {
	is := func(o Owner) bool { return o.Store == store }
	if !slices.ContainsFunc(owners, is) {
		return owners
	}
	return slices.DeleteFunc(slices.Clone(owners), is)
}
