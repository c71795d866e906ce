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

// trigger tells a reconciler which objects to look at again. It is the source of a controller that needs no watch of its own,
// since the cache watches already. It never blocks: the zero request stands for all objects, and the reconciler lists them
// itself, and tries again if it cannot. A trigger drops requests before the controller of the leading replica starts, since
// the start requests all objects.
type trigger[R comparable] struct {
	// everything lists all requests of the reconciler.
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

// add adds one request.
func (t *trigger[R]) add(r R) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queue != nil {
		t.queue.Add(r)
	}
}

// all requests all objects.
func (t *trigger[R]) all() {
	var everything R
	t.add(everything)
}

// reconciler answers the zero request by adding all requests, and passes other requests to next.
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

// A write that fails is tried again: the first time soon, later at most a minute apart.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
)

// workers is how many objects a reconciler handles at once: one write that hangs must not delay the others.
const workers = 4

// No status is worth ending the process: an unfilled cache is waited for, and a reconciliation that hangs is given up.
const (
	syncPatience = 365 * 24 * time.Hour
	callPatience = time.Minute
)

// addReconciler adds a controller of the leading replica. An object whose reconciliation fails is tried again at growing
// intervals, and delays no other.
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

// keyed reconciles an object of one kind. It returns after what time the object must be looked at again even if nothing
// changes; 0 means never.
type keyed func(ctx context.Context, key client.ObjectKey) (time.Duration, error)

// Reconcile implements reconcile.Reconciler.
func (f keyed) Reconcile(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
	again, err := f(ctx, r.NamespacedName)
	return reconcile.Result{RequeueAfter: again}, err
}

// until returns the time until the first of some instants that is yet to come, and at most longest. It adds a little, since
// the instants in statuses have whole seconds.
func until(now time.Time, longest time.Duration, instants ...time.Time) time.Duration {
	out := longest
	for _, at := range instants {
		if d := at.Sub(now); d > 0 && d < out {
			out = d + 10*time.Millisecond
		}
	}
	return out
}
