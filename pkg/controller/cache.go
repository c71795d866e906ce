package controller

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Cache is what the webhook knows without asking. It is ready once everything has been read once.
type Cache struct {
	view     *view.View
	settings view.Settings
	log      logr.Logger
	clock    func() time.Time
	mirrors  []*reducedInformer

	dirty chan struct{}
	// due: something of the estate has changed since it was compiled.
	due atomic.Bool
	est atomic.Pointer[estate.Estate]
	// seen tells the marker of objects that exist; it never blocks a request. awaited are the UIDs that it waits for:
	// almost no review is about one.
	seen     chan types.UID
	awaited  atomic.Pointer[map[types.UID]struct{}]
	watchers struct {
		sync.Mutex
		f []func(*estate.Estate)
		// objects are told of every object of a kind that was written or has gone.
		objects map[string][]func(key string)
	}
}

// NewCache returns the cache of a server. c must be able to watch everything that the chart's ClusterRole lets it.
func NewCache(c client.WithWatch, s view.Settings, clock func() time.Time, log logr.Logger) *Cache {
	m := &Cache{view: view.New(s, clock), settings: s, clock: clock, log: log, dirty: make(chan struct{}, 1), seen: make(chan types.UID, 1024)}
	for _, k := range m.view.Kinds() {
		changed := func() {}
		switch {
		case k.Estate:
			changed = m.touch
		case k.Kind == v1alpha1.KindChangeExecution:
			changed = m.await
		}
		m.mirrors = append(m.mirrors, newReducedInformer(c, k, changed, func(key string) { m.tell(k.Kind, key) }))
	}
	// A workload that is reduced before its ConfigMaps are known would name nothing of what they say.
	var contents []*reducedInformer
	for _, s := range m.mirrors {
		switch {
		case s.kind.Contents:
			contents = append(contents, s)
		case s.kind.Uses:
			s.after = contents
		}
	}
	return m
}

// View implements the cache of the webhook.
func (m *Cache) View() (*policy.ClusterView, bool) {
	e := m.est.Load()
	if e == nil || !m.Synced() {
		return nil, false
	}
	return m.view.ClusterView(e), true
}

// Estate returns the present estate; nil before it was compiled for the first time.
func (m *Cache) Estate() *estate.Estate { return m.est.Load() }

// Remember keeps the UID of a service account of kube-system that was read live.
func (m *Cache) Remember(name, uid string) { m.view.Remember(name, uid) }

// Synced reports whether everything has been read once.
func (m *Cache) Synced() bool {
	return m.est.Load() != nil && m.read(func(k *view.Kind) bool { return !k.Later })
}

// read reports whether all objects of the kinds were read once that a predicate is true of.
func (m *Cache) read(which func(*view.Kind) bool) bool {
	return !slices.ContainsFunc(m.mirrors, func(s *reducedInformer) bool { return which(s.kind) && !s.synced() })
}

// OnEstate calls f after every change of the estate.
func (m *Cache) OnEstate(f func(*estate.Estate)) {
	m.watchers.Lock()
	defer m.watchers.Unlock()
	m.watchers.f = append(m.watchers.f, f)
}

// OnObject calls f with the key of every object of one of Firebreak's kinds that was written, in whatever field, or has gone. f must not
// block.
func (m *Cache) OnObject(kind string, f func(key string)) {
	m.watchers.Lock()
	defer m.watchers.Unlock()
	if m.watchers.objects == nil {
		m.watchers.objects = map[string][]func(string){}
	}
	m.watchers.objects[kind] = append(m.watchers.objects[kind], f)
}

func (m *Cache) tell(kind, key string) {
	m.watchers.Lock()
	told := m.watchers.objects[kind]
	m.watchers.Unlock()
	for _, f := range told {
		f(key)
	}
}

func (m *Cache) touch() {
	m.due.Store(true)
	select {
	case m.dirty <- struct{}{}:
	default: // a rebuild is due already
	}
}

// await gathers the UIDs of pending reservations, whenever an execution has changed.
func (m *Cache) await() {
	uids := map[types.UID]struct{}{}
	m.view.Executions.Each(func(_ string, x v1alpha1.ChangeExecution) {
		if pending(&x) {
			uids[x.Spec.Object.UID] = struct{}{}
		}
	})
	m.awaited.Store(&uids)
}

// settle is how long changes are gathered before the estate is compiled again.
const settle = 25 * time.Millisecond

// Start compiles the estate whenever something in it changed, off the request path.
func (m *Cache) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.dirty:
		}
		if !m.readable() {
			continue
		}
		m.compile()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica needs the estate.
func (m *Cache) NeedLeaderElection() bool { return false }

// readable: an estate compiled before everything in it was read would forget production.
func (m *Cache) readable() bool {
	return m.read(func(k *view.Kind) bool { return k.Estate && !k.Later })
}

func (m *Cache) compile() {
	m.due.Store(false)
	e := m.view.Compile()
	m.est.Store(e)
	m.watchers.Lock()
	told := slices.Clone(m.watchers.f)
	m.watchers.Unlock()
	for _, f := range told { // not under the lock, which every mirror takes
		f(e)
	}
}

// Behind reports whether something of the estate has changed that is not compiled yet. OnEstate tells when it is.
func (m *Cache) Behind() bool { return m.due.Load() }

// Seen notes that an object exists. It never blocks: what is not noted now is noted by the watch.
func (m *Cache) Seen(uid types.UID) {
	awaited := m.awaited.Load()
	if awaited == nil {
		return
	}
	if _, ok := (*awaited)[uid]; !ok {
		return
	}
	select {
	case m.seen <- uid:
	default:
	}
}

// Runnables returns what must run for the memory to stay true.
func (m *Cache) Runnables() []manager.Runnable {
	out := []manager.Runnable{m}
	for _, s := range m.mirrors {
		out = append(out, s)
	}
	return out
}
