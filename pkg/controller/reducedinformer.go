package controller

import (
	"context"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/view"
)

// reducedInformer keeps one kind of the view up to date by a watch. Only the reduced form of an object stays in memory.
type reducedInformer struct {
	kind   *view.Kind
	source cache.ListerWatcher
	// changed is called after every change; it must not block.
	changed func()
	// told is called with the key of every object that was written or deleted; it must not block.
	told func(key string)
	// after are the informers of the kinds that this one's objects are reduced by.
	after []*reducedInformer
	sync  chan struct{}
}

func newReducedInformer(c client.WithWatch, k *view.Kind, changed func(), told func(key string)) *reducedInformer {
	m := &reducedInformer{kind: k, changed: changed, told: told, sync: make(chan struct{})}
	if c != nil {
		m.source = listWatch(c, k)
	}
	return m
}

func listWatch(c client.WithWatch, k *view.Kind) cache.ListerWatcher {
	with := func(o metav1.ListOptions) []client.ListOption {
		out := []client.ListOption{&client.ListOptions{Raw: &o}}
		if k.Namespace != "" {
			out = append(out, client.InNamespace(k.Namespace))
		}
		return out
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			l, err := k.NewList()
			if err != nil {
				return nil, err
			}
			return l, c.List(ctx, l, with(o)...)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			l, err := k.NewList()
			if err != nil {
				return nil, err
			}
			return c.Watch(ctx, l, with(o)...)
		},
	}
}

// reduced is the form that the informer's own store keeps: an object's name, and, until the view has it, what is left of the object.
type reduced struct {
	namespace, name string
	value           any
	// dropped is true if the reduction left nothing of the object.
	dropped bool
}

// GetObjectMeta implements metav1.ObjectMetaAccessor. The store needs no more than the name, and whole metadata would be most of what it
// holds.
func (r *reduced) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: r.namespace, Name: r.name}
}

func (r *reduced) key() string { return view.Qualified(r.namespace, r.name) }

func (m *reducedInformer) transform(in any) (any, error) {
	o, ok := in.(runtime.Object)
	if !ok {
		return in, nil // already reduced, or the marker of a missed deletion
	}
	meta, ok := in.(metav1.Object)
	if !ok {
		return in, nil
	}
	value, keep := m.kind.Reduce(o)
	return &reduced{namespace: strings.Clone(meta.GetNamespace()), name: strings.Clone(meta.GetName()), value: value, dropped: !keep}, nil
}

// Start runs until the context ends.
func (m *reducedInformer) Start(ctx context.Context) error {
	for _, other := range m.after {
		select {
		case <-ctx.Done():
			return nil
		case <-other.sync:
		}
	}
	_, c := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: m.source,
		ObjectType:    m.kind.Sample(),
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
func (m *reducedInformer) NeedLeaderElection() bool { return false }

func (m *reducedInformer) awaitSync(ctx context.Context, c cache.Controller) {
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
func (m *reducedInformer) synced() bool {
	select {
	case <-m.sync:
		return true
	default:
		return false
	}
}

func (m *reducedInformer) put(in any) {
	r, ok := in.(*reduced)
	if !ok {
		return
	}
	key := r.key()
	switch {
	case r.dropped:
		m.kind.Drop(key)
		m.changed()
	case r.value != nil && m.kind.Put(key, r.value):
		m.changed()
	}
	r.value = nil // the view has it
	m.told(key)
}

func (m *reducedInformer) drop(in any) {
	k, err := cache.DeletionHandlingMetaNamespaceKeyFunc(in)
	if err != nil {
		return
	}
	m.kind.Drop(k)
	m.changed()
	m.told(k)
}

func (m *reducedInformer) String() string { return "mirror of " + m.kind.Name }
