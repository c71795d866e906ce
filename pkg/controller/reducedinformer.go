package controller

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
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
	// declared is not nil for declarations, which are not forgotten just because they vanish.
	declared *declarations
	clock    func() time.Time
	sync     chan struct{}
	once     sync.Once
	// unserved is true while the API server does not serve the kind. failing is since when it gives neither a list nor a watch for another reason, in
	// nanoseconds; it is 0 while it does.
	unserved atomic.Bool
	failing  atomic.Int64
}

func newReducedInformer(c client.WithWatch, k *view.Kind, clock func() time.Time, changed func(), told func(key string)) *reducedInformer {
	m := &reducedInformer{kind: k, clock: clock, changed: changed, told: told, sync: make(chan struct{})}
	if c != nil {
		m.source = m.listWatch(c)
	}
	return m
}

func (m *reducedInformer) listWatch(c client.WithWatch) cache.ListerWatcher {
	k := m.kind
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
			return l, m.asked(ctx, func() error { return c.List(ctx, l, with(o)...) })
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (out watch.Interface, err error) {
			l, err := k.NewList()
			if err != nil {
				return nil, err
			}
			err = m.asked(ctx, func() (err error) {
				out, err = c.Watch(ctx, l, with(o)...)
				return err
			})
			return out, err
		},
	}
}

// asked asks the API server until it answers and serves the kind, each second: the informer itself would wait for up to a minute, and what is
// declared meanwhile would not be known.
func (m *reducedInformer) asked(ctx context.Context, f func() error) error {
	for {
		err := f()
		m.note(err)
		var answer apierrors.APIStatus
		if err == nil || ctx.Err() != nil || errors.As(err, &answer) && !m.unserved.Load() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func (m *reducedInformer) note(err error) {
	unserved := apierrors.IsNotFound(err) || meta.IsNoMatchError(err)
	m.unserved.Store(unserved)
	if err == nil || unserved {
		m.failing.Store(0)
		return
	}
	m.failing.CompareAndSwap(0, m.clock().UnixNano())
}

// behind returns for how long the API server has given neither a list nor a watch of the kind, though it serves it.
func (m *reducedInformer) behind() time.Duration {
	if since := m.failing.Load(); since > 0 {
		return m.clock().Sub(time.Unix(0, since))
	}
	return 0
}

// reduced is the form that the informer's own store keeps: an object's name, and, until the view has it, what is left of the object.
type reduced struct {
	// key is that of the view, which keeps it, too.
	key   string
	value any
	// dropped is true if the reduction left nothing of the object.
	dropped bool
}

// GetObjectMeta implements metav1.ObjectMetaAccessor. The store needs no more than its key, which it makes of the namespace and the name, and whole
// metadata would be most of what it holds. A name that is the key already is kept once.
func (r *reduced) GetObjectMeta() metav1.Object { return &metav1.ObjectMeta{Name: r.key} }

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
	return &reduced{key: strings.Clone(view.Key(meta)), value: value, dropped: !keep}, nil
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
				m.standIn()
				return
			}
		}
	}
}

// standIn lets requests be judged by what is known of the kind.
func (m *reducedInformer) standIn() {
	m.once.Do(func() {
		close(m.sync)
		m.changed()
	})
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
	key := r.key
	switch {
	case r.dropped:
		m.kind.Drop(key)
		m.changed()
	case r.value != nil && m.keep(key, r.value):
		m.changed()
	}
	r.value = nil // the view has it
	m.told(key)
}

func (m *reducedInformer) keep(key string, value any) bool {
	if m.declared != nil {
		return m.declared.stored(m.kind, key, value)
	}
	return m.kind.Put(key, value)
}

func (m *reducedInformer) drop(in any) {
	k, err := cache.DeletionHandlingMetaNamespaceKeyFunc(in)
	if err != nil {
		return
	}
	if m.declared != nil {
		m.declared.vanished(m.kind, k)
		return
	}
	m.kind.Drop(k)
	m.changed()
	m.told(k)
}

func (m *reducedInformer) String() string { return "mirror of " + m.kind.Name }
