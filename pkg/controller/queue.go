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
// the memory watches already. It never blocks: everything is named by the zero request, upon which the reconciler itself lists what there
// is, and tries again if it cannot. What a trigger is told before the controller of the leading replica starts is dropped, since the start
// names everything.
type trigger[R comparable] struct {
	// everything lists all that the reconciler deals with.
	everything func(context.Context) ([]R, error)

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
	var everything R
	t.add(everything)
}

// reconciler answers the zero request by naming all others, and leaves these to next.
func (t *trigger[R]) reconciler(next reconcile.TypedReconciler[R]) reconcile.TypedReconciler[R] {
	return reconcile.TypedFunc[R](func(ctx context.Context, r R) (reconcile.Result, error) {
		var everything R
		if r != everything {
			return next.Reconcile(ctx, r)
		}
		all, err := t.everything(ctx)
		for _, one := range all {
			t.add(one)
		}
		return reconcile.Result{}, err
	})
}

// Retries of a write that fails: the first soon, the later ones at most a minute apart.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
)

// workers of a reconciler. One write that hangs must not keep the others waiting.
const workers = 4

// No status is worth the end of the process: a cache that cannot be filled is waited for, and a reconciliation that hangs is given up.
const (
	syncPatience = 365 * 24 * time.Hour
	callPatience = time.Minute
)

// addReconciler adds a controller of the leading replica. An object whose reconciliation fails is tried again by itself, less and less
// often, and keeps no other waiting.
func addReconciler[R comparable](mgr manager.Manager, name string, r reconcile.TypedReconciler[R], t *trigger[R], sources ...source.TypedSource[R]) error {
	c, err := ctrlcontroller.NewTyped(name, mgr, ctrlcontroller.TypedOptions[R]{
		Reconciler: t.reconciler(r), MaxConcurrentReconciles: workers, CacheSyncTimeout: syncPatience, ReconciliationTimeout: callPatience,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[R](firstRetry, lastRetry),
	})
	if err != nil {
		return fmt.Errorf("make controller %s: %w", name, err)
	}
	for _, s := range append([]source.TypedSource[R]{t}, sources...) {
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
