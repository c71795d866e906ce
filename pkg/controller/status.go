package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Statuses writes the statuses of Firebreak's kinds, for people: nothing is decided by them. Each kind has its own queue.
type Statuses struct {
	memory *Cache
	client client.Client
	// waiting tells which declarations are not in force. It is nil if nothing is declared.
	waiting *PendingDeclarations
	// firewall tells how far the network policies are in place. It is nil if none are written.
	firewall *FirewallState
	// writes limits how many statuses are written per second, since the API server has other requests to serve.
	writes *rate.Limiter
}

const statusesPerSecond = 50

// heartbeat is after what time, at the latest, a status that changes with the clock is computed again: an approval may lapse,
// or an approver may lose their membership. It is computed earlier at the next instant that it tells.
const heartbeat = 30 * time.Second

// recount is how often the peaks of replicas in the status of an Environment are updated.
const recount = 2 * time.Second

// NewStatuses returns the writer of statuses. c reads windows and approvals from caches; waiting is nil if nothing is
// declared.
func NewStatuses(m *Cache, c client.Client, waiting *PendingDeclarations) *Statuses {
	return &Statuses{memory: m, client: c, waiting: waiting, writes: rate.NewLimiter(statusesPerSecond, statusesPerSecond)}
}

// WithFirewall has the statuses of environments tell how far the network policies are in place. f may be nil.
func (s *Statuses) WithFirewall(f *FirewallState) *Statuses {
	s.firewall = f
	return s
}

// statusKind is a kind whose status is written.
type statusKind struct {
	kind string
	// objects lists the keys of all objects.
	objects   func() []client.ObjectKey
	reconcile keyed
	// onEstate is true if the status depends on the estate, onDeclared if it depends on which declarations are in force.
	onEstate, onDeclared bool
}

func (s *Statuses) kinds() []statusKind {
	v := s.memory.view
	return []statusKind{
		{kind: v1alpha1.KindEnvironment, objects: keysOf(&v.Environments), reconcile: s.environment, onEstate: true, onDeclared: true},
		{kind: v1alpha1.KindDataStore, objects: keysOf(&v.Stores), reconcile: s.store, onEstate: true, onDeclared: true},
		{kind: v1alpha1.KindExemption, objects: keysOf(&v.Exemptions), reconcile: s.exemption},
		{kind: v1alpha1.KindChangeFreeze, objects: keysOf(&v.Freezes), reconcile: s.freeze},
	}
}

// SetupWithManager adds a reconciler for each kind. They run in the leading replica.
func (s *Statuses) SetupWithManager(mgr manager.Manager) error {
	for _, k := range s.kinds() {
		if err := addReconciler(mgr, strings.ToLower(k.kind)+"-status", k.reconcile, s.trigger(k)); err != nil {
			return err
		}
	}
	return s.setupWindows(mgr)
}

// trigger returns the trigger that causes the statuses of a kind to be written.
func (s *Statuses) trigger(k statusKind) *trigger[reconcile.Request] {
	t := &trigger[reconcile.Request]{everything: func(context.Context) ([]reconcile.Request, error) { return requests(k.objects()), nil }}
	s.memory.OnObject(k.kind, func(key string) { t.add(reconcile.Request{NamespacedName: client.ObjectKey{Name: key}}) })
	if k.onEstate {
		s.memory.OnEstate(func(_ *estate.Estate, updated []string) {
			if updated == nil || k.kind != v1alpha1.KindDataStore {
				t.all()
				return
			}
			for _, name := range updated {
				t.add(reconcile.Request{NamespacedName: client.ObjectKey{Name: name}})
			}
		})
	}
	if k.onDeclared {
		s.waiting.onChange(t.all)
	}
	return t
}

func keysOf[T any](t *view.Table[T]) func() []client.ObjectKey {
	return func() []client.ObjectKey {
		var out []client.ObjectKey
		t.Each(func(key string, _ T) { out = append(out, client.ObjectKey{Name: key}) })
		return out
	}
}

func requests(keys []client.ObjectKey) []reconcile.Request {
	out := make([]reconcile.Request, len(keys))
	for i, k := range keys {
		out[i].NamespacedName = k
	}
	return out
}

// write patches the status if it differs. For an object that is gone it does nothing.
func (s *Statuses) write(ctx context.Context, before, after client.Object) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	if err := s.writes.Wait(ctx); err != nil {
		return fmt.Errorf("wait to write the status of %s: %w", client.ObjectKeyFromObject(after), err)
	}
	answer, ok := after.DeepCopyObject().(client.Object) // it is decoded into what may be shared otherwise
	if !ok {
		return fmt.Errorf("%T is not an object", after)
	}
	if err := s.client.Status().Patch(ctx, answer, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("status of %T %s: %w", after, client.ObjectKeyFromObject(after), err)
	}
	return nil
}

func condition(list *[]metav1.Condition, kind string, holds bool, reason, message string, generation int64) {
	status := metav1.ConditionFalse
	if holds {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(list, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: generation,
	})
}
