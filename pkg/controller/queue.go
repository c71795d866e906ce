package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// trigger names to a reconciler what it has to look at again. It is the source of a controller that needs no watch of its own, since
// the memory watches already. What it is told before the controller of the leading replica starts is dropped: the start names all.
type trigger[R comparable] struct {
	// everything lists all that the reconciler deals with.
	everything func() []R

	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[R]
}

// Start implements source.TypedSource.
func (t *trigger[R]) Start(_ context.Context, q workqueue.TypedRateLimitingInterface[R]) error {
	t.mu.Lock()
	t.queue = q
	t.mu.Unlock()
	t.all()
	return nil
}

// add names one request.
func (t *trigger[R]) add(r R) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queue != nil {
		t.queue.Add(r)
	}
}

// all names everything.
func (t *trigger[R]) all() {
	t.mu.Lock()
	started := t.queue != nil
	t.mu.Unlock()
	if !started {
		return
	}
	for _, r := range t.everything() {
		t.add(r)
	}
}

// Retries of a write that fails: the first soon, the later ones at most a minute apart.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
)

// workers of a reconciler. One write that hangs must not keep the others waiting.
const workers = 4

// addReconciler adds a controller of the leading replica. An object whose reconciliation fails is tried again by itself, less and less
// often, and keeps no other waiting.
func addReconciler[R comparable](mgr manager.Manager, name string, r reconcile.TypedReconciler[R], sources ...source.TypedSource[R]) error {
	c, err := ctrlcontroller.NewTyped(name, mgr, ctrlcontroller.TypedOptions[R]{
		Reconciler: r, MaxConcurrentReconciles: workers,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[R](firstRetry, lastRetry),
	})
	if err != nil {
		return fmt.Errorf("make controller %s: %w", name, err)
	}
	for _, s := range sources {
		if err := c.Watch(s); err != nil {
			return fmt.Errorf("start controller %s: %w", name, err)
		}
	}
	return nil
}

// keyed is the reconciler of one kind of object: it returns after what time the object must be looked at again though nothing changes;
// 0: never.
type keyed func(ctx context.Context, key client.ObjectKey) (time.Duration, error)

// Reconcile implements reconcile.Reconciler.
func (f keyed) Reconcile(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
	again, err := f(ctx, r.NamespacedName)
	return reconcile.Result{RequeueAfter: again}, err
}

// until returns how long it takes to the first of some instants that is yet to come, and at most longest. The instants that statuses
// tell have whole seconds, so it is a little more.
func until(now time.Time, longest time.Duration, instants ...time.Time) time.Duration {
	out := longest
	for _, at := range instants {
		if d := at.Sub(now); d > 0 && d < out {
			out = d + 10*time.Millisecond
		}
	}
	return out
}
