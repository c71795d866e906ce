package controller

import (
	"context"
	"errors"
	"fmt"
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

// Cache holds what the webhook knows without a call to the API server. It is ready after everything has been read once.
type Cache struct {
	view     *view.View
	settings view.Settings
	log      logr.Logger
	clock    func() time.Time
	mirrors  []*reducedInformer
	declared *declarations
	// contact is nil where nothing measures it.
	contact *Contact

	dirty chan struct{}
	// due is true if part of the estate has changed since it was compiled.
	due atomic.Bool
	est atomic.Pointer[estate.Estate]
	// seen passes the UIDs of existing objects to the marker; sending to it never blocks a request. awaited are the UIDs that
	// the marker waits for: almost no review is about one of them.
	seen     chan types.UID
	awaited  atomic.Pointer[map[types.UID]struct{}]
	watchers struct {
		sync.Mutex
		f []func(e *estate.Estate, updated []string)
		// objects are called for every object of a kind that was written or deleted.
		objects map[string][]func(key string)
	}
}

// NewCache returns the cache of a server. c must be able to watch everything that the chart's ClusterRole permits.
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
		m.mirrors = append(m.mirrors, newReducedInformer(c, k, clock, changed, func(key string) { m.tell(k.Kind, key) }))
	}
	// A workload that is reduced before its ConfigMaps are known would not name the targets in them.
	var contents []*reducedInformer
	for _, s := range m.mirrors {
		switch {
		case s.kind.Contents:
			contents = append(contents, s)
		case s.kind.Uses:
			s.after = contents
		}
	}
	m.declared = newDeclarations(c, s.Namespace, m.mirrors, clock, m.touch, log.WithName("declarations"))
	return m
}

// WithContact has the cache give no view once the API server has been silent for too long.
func (m *Cache) WithContact(c *Contact) *Cache {
	m.contact = c
	return m
}

// maxAge is how old what a replica knows may be. Beyond, it may not know that something is production.
const maxAge = 30 * time.Second

// View returns the present view for the webhook. It is an error, whose text is for the requester, if not everything has been read once, and if the API
// server has told nothing for more than half a minute.
func (m *Cache) View() (*policy.ClusterView, error) {
	e := m.est.Load()
	if e == nil || !m.Synced() {
		return nil, errStarting
	}
	if age := m.Age(); age > maxAge {
		return nil, staleError{age}
	}
	v := m.view.ClusterView(e)
	v.Degraded = m.declared.degraded
	return v, nil
}

var errStarting = errors.New("Firebreak has just started and does not know the cluster yet; try again") //nolint:staticcheck // a sentence for the requester

// staleError is the error of a replica that the API server does not answer.
type staleError struct{ age time.Duration }

func (s staleError) Error() string {
	return fmt.Sprintf("Firebreak has not heard from the API server for %s, so it does not know what has been declared since; try again", s.age.Round(time.Second))
}

// Age returns for how long the API server has told nothing of environments, data stores and what belongs to them.
func (m *Cache) Age() time.Duration {
	age := m.contact.Silence()
	for _, s := range m.mirrors {
		if s.kind.Estate && !s.kind.Later {
			age = max(age, s.behind())
		}
	}
	return age
}

// Held returns how many declarations of a kind vanished though nobody has deleted them.
func (m *Cache) Held(kind string) int { return m.declared.heldOf(kind) }

// Estate returns the present estate. It is nil before the first compilation.
func (m *Cache) Estate() *estate.Estate { return m.est.Load() }

// Remember keeps the UID of a service account of kube-system that was read live.
func (m *Cache) Remember(name, uid string) { m.view.Remember(name, uid) }

// Synced reports whether everything has been read once.
func (m *Cache) Synced() bool {
	return m.est.Load() != nil && m.declared.ready() && m.read(func(k *view.Kind) bool { return !k.Later })
}

// read reports whether all objects of each kind that the predicate accepts were read once.
func (m *Cache) read(which func(*view.Kind) bool) bool {
	return !slices.ContainsFunc(m.mirrors, func(s *reducedInformer) bool { return which(s.kind) && !s.synced() })
}

// OnEstate calls f after every change of the estate. updated are the names of data stores if nothing else has changed, and nil otherwise.
func (m *Cache) OnEstate(f func(e *estate.Estate, updated []string)) {
	m.watchers.Lock()
	defer m.watchers.Unlock()
	m.watchers.f = append(m.watchers.f, f)
}

// OnObject calls f with the key of every object of one of Firebreak's kinds that is written, in any field, or deleted. f must
// not block.
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

// await collects the UIDs of pending reservations; it is called when an execution has changed.
func (m *Cache) await() {
	uids := map[types.UID]struct{}{}
	m.view.Executions.Each(func(_ string, x v1alpha1.ChangeExecution) {
		if pending(&x) {
			uids[x.Spec.Object.UID] = struct{}{}
		}
	})
	m.awaited.Store(&uids)
}

// Settle returns how long changes are collected before the estate is compiled again, after a compilation took so long, rests included. The
// longest is such that a change is in force in less than a second.
func Settle(took time.Duration) time.Duration {
	return min(max(2*took, 25*time.Millisecond), 500*time.Millisecond)
}

// Start compiles the estate after every change of its objects, outside of requests.
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
		begun := time.Now()
		m.compile()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(Settle(time.Since(begun))):
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica needs the estate.
func (m *Cache) NeedLeaderElection() bool { return false }

// readable reports whether everything in the estate was read: an estate that is compiled earlier would forget production.
func (m *Cache) readable() bool {
	return m.declared.ready() && m.read(func(k *view.Kind) bool { return k.Estate && !k.Later })
}

func (m *Cache) compile() {
	m.due.Store(false)
	e, updated := m.view.Recompile(m.est.Load())
	m.est.Store(e)
	m.watchers.Lock()
	told := slices.Clone(m.watchers.f)
	m.watchers.Unlock()
	for _, f := range told { // without the lock, which every informer takes
		f(e, updated)
	}
}

// Behind reports whether a change of the estate's objects is not compiled yet. OnEstate tells when it is.
func (m *Cache) Behind() bool { return m.due.Load() }

// Seen notes that an object exists. It never blocks: if it notes nothing now, the watch notes it later.
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

// Runnables returns the runnables that keep the cache up to date.
func (m *Cache) Runnables() []manager.Runnable {
	out := []manager.Runnable{m, m.declared}
	for _, s := range m.mirrors {
		out = append(out, s)
	}
	return out
}
