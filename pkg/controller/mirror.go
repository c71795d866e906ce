package controller

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// mirror keeps a reduced copy of every object of one kind: only what the reduction leaves stays in memory.
type mirror[T any] struct {
	name   string
	source cache.ListerWatcher
	sample runtime.Object
	// reduce must not keep its argument.
	reduce func(runtime.Object) (T, bool)
	// shelve, if any, returns what may be kept of an object.
	shelve func(key string, v T) T
	// gone, if any, is called with what was kept of an object that is there no more.
	gone func(key string, v T)
	// changed is called after every change; it must not block.
	changed func()

	mu    sync.RWMutex
	items map[string]T
	sync  chan struct{}
}

func newMirror[T any](name string, source cache.ListerWatcher, sample runtime.Object, reduce func(runtime.Object) (T, bool), changed func()) *mirror[T] {
	return &mirror[T]{
		name: name, source: source, sample: sample, reduce: reduce, changed: changed,
		items: map[string]T{}, sync: make(chan struct{}),
	}
}

// reduced is what the informer's own store keeps.
type reduced[T any] struct {
	metav1.ObjectMeta
	value T
}

func (m *mirror[T]) transform(in any) (any, error) {
	o, ok := in.(runtime.Object)
	if !ok {
		return in, nil // already reduced, or the marker of a deletion that was missed
	}
	meta, ok := in.(metav1.Object)
	if !ok {
		return in, nil
	}
	value, keep := m.reduce(o)
	r := &reduced[T]{ObjectMeta: metav1.ObjectMeta{
		Namespace: meta.GetNamespace(), Name: meta.GetName(), UID: meta.GetUID(), ResourceVersion: meta.GetResourceVersion(),
	}}
	if keep {
		if m.shelve != nil {
			value = m.shelve(key(r), value)
		}
		r.value = value
		return r, nil
	}
	r.Annotations = map[string]string{dropped: ""}
	return r, nil
}

// dropped marks an object that the reduction left nothing of.
const dropped = "dropped"

// Start runs until the context ends.
func (m *mirror[T]) Start(ctx context.Context) error {
	_, c := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: m.source,
		ObjectType:    m.sample,
		Transform:     m.transform,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    m.put,
			UpdateFunc: func(_, o any) { m.put(o) },
			DeleteFunc: m.drop,
		},
	})
	go m.awaitSync(ctx, c)
	c.RunWithContext(ctx)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica answers requests, so every replica needs it.
func (m *mirror[T]) NeedLeaderElection() bool { return false }

func (m *mirror[T]) awaitSync(ctx context.Context, c cache.Controller) {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if c.HasSynced() {
				close(m.sync)
				m.changed()
				return
			}
		}
	}
}

// synced reports whether everything has been read once.
func (m *mirror[T]) synced() bool {
	select {
	case <-m.sync:
		return true
	default:
		return false
	}
}

func (m *mirror[T]) put(in any) {
	r, ok := in.(*reduced[T])
	if !ok {
		return
	}
	m.mu.Lock()
	before, known := m.items[key(r)]
	_, gone := r.Annotations[dropped]
	if gone {
		delete(m.items, key(r))
	} else {
		m.items[key(r)] = r.value
	}
	m.mu.Unlock()
	// Heartbeats and statuses change nothing of what is kept, and must not have the estate compiled again.
	if known == gone || !reflect.DeepEqual(before, r.value) {
		m.changed()
	}
}

func (m *mirror[T]) drop(in any) {
	k, err := cache.DeletionHandlingMetaNamespaceKeyFunc(in)
	if err != nil {
		return
	}
	m.mu.Lock()
	v := m.items[k]
	delete(m.items, k)
	m.mu.Unlock()
	if m.gone != nil {
		m.gone(k, v)
	}
	m.changed()
}

func key(o metav1.Object) string {
	if o.GetNamespace() == "" {
		return o.GetName()
	}
	return o.GetNamespace() + "/" + o.GetName()
}

func (m *mirror[T]) get(k string) (T, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.items[k]
	return v, ok
}

func (m *mirror[T]) set(k string, v T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items[k] = v
}

// each calls f for every item; f must not call the mirror.
func (m *mirror[T]) each(f func(T)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, v := range m.items {
		f(v)
	}
}

// eachKey does the same with the key of each.
func (m *mirror[T]) eachKey(f func(string, T)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for k, v := range m.items {
		f(k, v)
	}
}

// all returns a copy of everything.
func (m *mirror[T]) all() map[string]T {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make(map[string]T, len(m.items))
	for k, v := range m.items {
		out[k] = v
	}
	return out
}

func (m *mirror[T]) String() string { return fmt.Sprintf("mirror of %s", m.name) }
