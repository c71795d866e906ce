package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/snapshot"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// declarations holds to what was declared until something shows that it was meant to go. Whoever deletes a CustomResourceDefinition deletes all its
// objects, and no admission is asked about any of them; production would be open, and nobody would have said so.
//
// An object that vanishes was meant to go if its definition is served, and is not younger than the object: then somebody has deleted the object
// itself, and that was judged. One that vanished otherwise is held, also over restarts, until it is declared again.
type declarations struct {
	client    client.Reader
	namespace string
	kinds     []*reducedInformer
	log       logr.Logger
	clock     func() time.Time
	every     time.Duration
	// changed is called after a declaration was restored or let go.
	changed func()

	kick chan struct{}
	// compared is closed once the copy of the last time was read and compared with what is stored.
	compared chan struct{}

	mu sync.Mutex
	// missing are the declarations that are kept and not stored, by the definition and the key, and since when.
	missing map[string]map[string]time.Time
	// held is how many of them vanished with their definition, by kind.
	held atomic.Pointer[map[string]int]
}

func newDeclarations(c client.Reader, namespace string, mirrors []*reducedInformer, clock func() time.Time, changed func(), log logr.Logger) *declarations {
	d := &declarations{
		client: c, namespace: namespace, log: log, clock: clock, every: 2 * time.Second, changed: changed,
		kick: make(chan struct{}, 1), compared: make(chan struct{}), missing: map[string]map[string]time.Time{},
	}
	for _, m := range mirrors {
		if m.kind.Definition != "" {
			d.kinds = append(d.kinds, m)
			m.declared = d
		}
	}
	return d
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica judges by what it knows.
func (d *declarations) NeedLeaderElection() bool { return false }

// Start compares what was known the last time with what is stored, and then looks at each declaration that vanishes.
func (d *declarations) Start(ctx context.Context) error {
	d.restore(ctx)
	t := time.NewTicker(d.every)
	defer t.Stop()
	for {
		d.settle(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-d.kick:
		case <-t.C:
		}
	}
}

// ready reports whether the copy of the last time was compared with what is stored.
func (d *declarations) ready() bool {
	select {
	case <-d.compared:
		return true
	default:
		return false
	}
}

// vanished takes in that the watch tells of a declaration's end.
func (d *declarations) vanished(k *view.Kind, key string) {
	d.mu.Lock()
	d.miss(k, key)
	d.mu.Unlock()
	select {
	case d.kick <- struct{}{}:
	default: // it is looked at anyway
	}
}

func (d *declarations) miss(k *view.Kind, key string) {
	if d.missing[k.Definition] == nil {
		d.missing[k.Definition] = map[string]time.Time{}
	}
	d.missing[k.Definition][key] = d.clock()
}

// stored keeps a declaration that is stored, and reports whether it is news.
func (d *declarations) stored(k *view.Kind, key string, value any) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.missing[k.Definition], key)
	return k.Put(key, value)
}

// settle lets go of what was meant to go, and counts what is held.
func (d *declarations) settle(ctx context.Context) {
	held := map[string]int{}
	for _, m := range d.kinds {
		keys := d.missed(m.kind)
		if m.unserved.Load() {
			held[m.kind.Kind] = m.kind.Count() // nobody can see them, though they may still be stored
			continue
		}
		if len(keys) == 0 {
			continue
		}
		since, err := d.definedSince(ctx, m.kind)
		if err != nil {
			if ctx.Err() == nil {
				d.log.Error(err, "could not look whether declarations were meant to go; they are held meanwhile", "kind", m.kind.Kind)
			}
			held[m.kind.Kind] = len(keys)
			continue
		}
		held[m.kind.Kind] = len(keys) - d.letGo(m, keys, since)
	}
	d.count(held)
}

func (d *declarations) missed(k *view.Kind) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]string, 0, len(d.missing[k.Definition]))
	for key := range d.missing[k.Definition] {
		out = append(out, key)
	}
	return out
}

// letGo forgets those declarations that are not older than their definition, and returns how many these are.
func (d *declarations) letGo(m *reducedInformer, keys []string, since time.Time) int {
	gone := 0
	for _, key := range keys {
		if !meant(m.kind, key, since) {
			continue
		}
		d.mu.Lock()
		_, still := d.missing[m.kind.Definition][key] // it may be stored again meanwhile
		delete(d.missing[m.kind.Definition], key)
		if still {
			m.kind.Drop(key)
		}
		d.mu.Unlock()
		gone++
		d.changed()
		m.told(key)
	}
	return gone
}

// meant reports whether a declaration was meant to go: its definition, which is served since some time, is not younger. since is zero for a
// definition that is not served.
func meant(k *view.Kind, key string, since time.Time) bool {
	created, known := k.Created(key)
	return !known || !since.IsZero() && !created.Before(since)
}

// definedSince returns when the definition of a kind was created. It is zero if there is none, or if it is being deleted.
func (d *declarations) definedSince(ctx context.Context, k *view.Kind) (time.Time, error) {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := d.client.Get(ctx, client.ObjectKey{Name: k.Definition}, o)
	switch {
	case apierrors.IsNotFound(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("get the definition %q: %w", k.Definition, err)
	case o.DeletionTimestamp != nil:
		return time.Time{}, nil
	}
	return o.CreationTimestamp.Time, nil
}

func (d *declarations) count(held map[string]int) {
	for kind, n := range held {
		if before := d.heldOf(kind); n > before {
			d.log.Error(errors.New("declarations are gone, and nobody has deleted them"),
				"degraded: they hold until they are declared again", "kind", kind, "declarations", n)
		} else if n == 0 {
			delete(held, kind)
		}
	}
	d.held.Store(&held)
}

func (d *declarations) heldOf(kind string) int {
	if held := d.held.Load(); held != nil {
		return (*held)[kind]
	}
	return 0
}

// degraded says, as a clause, what is held; it is empty if nothing is.
func (d *declarations) degraded() string {
	held := d.held.Load()
	if held == nil || len(*held) == 0 {
		return ""
	}
	var parts []string
	for _, m := range d.kinds {
		if n := (*held)[m.kind.Kind]; n > 0 {
			parts = append(parts, estate.Counted(n, strings.TrimSuffix(m.kind.Name, "s")))
		}
	}
	return fmt.Sprintf("%s vanished from the API server though nobody deleted them, and Firebreak holds to what it knew; whoever runs Firebreak declares them again",
		strings.Join(parts, " and "))
}

// restore reads the copy of the last time, and takes from it what vanished meanwhile though nobody meant it to. A kind that is not served is known
// from the copy alone. It returns once all kinds were read or restored, or the context ends.
func (d *declarations) restore(ctx context.Context) {
	before := d.last(ctx)
	todo := slices.Clone(d.kinds)
	for {
		todo = slices.DeleteFunc(todo, func(m *reducedInformer) bool { return d.compare(ctx, m, before) })
		if len(todo) == 0 {
			close(d.compared)
			d.changed()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// last returns the declarations of the copy by kind. It asks until the API server answers. There is no copy before the first one was written, and one
// that is broken is told of, and will be written anew.
func (d *declarations) last(ctx context.Context) map[string][]client.Object {
	for {
		out, answered, err := d.copied(ctx)
		if err == nil || ctx.Err() != nil {
			return out
		}
		d.log.Error(err, "could not read the copy of what was declared")
		if answered {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// copied reads the copy. answered is false if a second try may help.
func (d *declarations) copied(ctx context.Context) (out map[string][]client.Object, answered bool, err error) {
	answered = true
	get := func(name string) (*corev1.ConfigMap, error) {
		cm := &corev1.ConfigMap{}
		err := d.client.Get(ctx, client.ObjectKey{Namespace: d.namespace, Name: name}, cm)
		answered = answered && (err == nil || apierrors.IsNotFound(err) || apierrors.IsForbidden(err))
		return cm, err
	}
	index, err := get(snapshot.Index)
	if err != nil {
		return nil, answered, client.IgnoreNotFound(err)
	}
	s, err := snapshot.Read(index, get)
	if err != nil {
		return nil, answered, err
	}
	return s.Objects(), true, nil
}

// compare takes from the copy what it must of one kind. It returns false while the kind is still being read.
func (d *declarations) compare(ctx context.Context, m *reducedInformer, before map[string][]client.Object) bool {
	unserved := m.unserved.Load()
	if !m.synced() && (!unserved || len(before[m.kind.Kind]) == 0) {
		return false
	}
	var since time.Time
	if !unserved && len(before[m.kind.Kind]) > 0 {
		var err error
		if since, err = d.definedSince(ctx, m.kind); err != nil {
			d.log.Error(err, "could not look whether declarations were meant to go", "kind", m.kind.Kind)
			if !apierrors.IsForbidden(err) { // an older chart does not give this right, and what is stored is known
				return false
			}
		}
	}
	for _, o := range before[m.kind.Kind] {
		d.recall(m, o, since)
	}
	m.standIn()
	return true
}

// recall keeps a declaration of the copy that is not stored and was not meant to go.
func (d *declarations) recall(m *reducedInformer, o client.Object, since time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := view.Key(o)
	if _, stored := m.kind.Created(key); stored || !since.IsZero() && !o.GetCreationTimestamp().Time.Before(since) {
		return
	}
	if value, keep := m.kind.Reduce(o); keep {
		m.kind.Put(key, value)
		d.miss(m.kind, key)
	}
}
