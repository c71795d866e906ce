package controller

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func queueOf[R comparable](t *testing.T) workqueue.TypedRateLimitingInterface[R] {
	t.Helper()
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[R]())
	t.Cleanup(q.ShutDown)
	return q
}

// taken returns the requests in a queue, sorted, and removes them.
func taken(q workqueue.TypedRateLimitingInterface[string]) []string {
	var out []string
	for q.Len() > 0 {
		r, _ := q.Get()
		q.Done(r)
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

// Requests before the start are dropped, since the start requests all objects; later ones are handled at once. Requesting all
// objects never blocks: the reconciler lists them, and tries again if it cannot.
func TestTrigger(t *testing.T) {
	asked, failure := 0, error(nil)
	everything := []string{"a", "b"}
	tr := &trigger[string]{everything: func(context.Context) ([]string, error) { asked++; return everything, failure }}
	tr.add("early")
	tr.all()
	q := queueOf[string](t)
	if err := tr.Start(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{""}, taken(q)); diff != "" || asked > 0 {
		t.Errorf("at the start, %d listings (-want +got):\n%s", asked, diff)
	}
	var next []string
	r := tr.reconciler(reconcile.TypedFunc[string](func(_ context.Context, one string) (reconcile.Result, error) {
		next = append(next, one)
		return reconcile.Result{RequeueAfter: time.Minute}, nil
	}))
	if got, err := r.Reconcile(t.Context(), ""); err != nil || got != (reconcile.Result{}) {
		t.Errorf("everything: %+v, %v", got, err)
	}
	tr.add("c")
	tr.add("c")
	if diff := cmp.Diff([]string{"a", "b", "c"}, taken(q)); diff != "" {
		t.Errorf("all, and one that is named twice (-want +got):\n%s", diff)
	}
	if got, err := r.Reconcile(t.Context(), "c"); err != nil || got.RequeueAfter != time.Minute || len(next) != 1 || next[0] != "c" {
		t.Errorf("one: %+v, %v, %v", got, err, next)
	}
	failure = errors.New("the API server is away")
	if _, err := r.Reconcile(t.Context(), ""); !errors.Is(err, failure) {
		t.Errorf("a listing that fails is not tried again: %v", err)
	}
}

func TestUntil(t *testing.T) {
	const little = 10 * time.Millisecond
	now := at("02:30:00")
	for name, tc := range map[string]struct {
		instants []time.Time
		want     time.Duration
	}{
		"no instant":                      {nil, time.Minute},
		"one that is over":                {[]time.Time{at("02:29:59")}, time.Minute},
		"one that is now":                 {[]time.Time{now}, time.Minute},
		"one that never comes":            {[]time.Time{{}}, time.Minute},
		"one in a moment":                 {[]time.Time{at("02:30:20")}, 20*time.Second + little},
		"the first of two":                {[]time.Time{at("02:30:20"), at("02:30:10")}, 10*time.Second + little},
		"the one that is yet to come":     {[]time.Time{at("02:00:00"), at("02:30:05")}, 5*time.Second + little},
		"one that is later than a minute": {[]time.Time{at("02:35:00")}, time.Minute},
		"one that is a minute from now":   {[]time.Time{at("02:31:00")}, time.Minute},
		"a nanosecond from now":           {[]time.Time{now.Add(1)}, little + 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := until(now, time.Minute, tc.instants...); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// A keyed reconciler returns when its object is looked at again, and its error makes the queue try again.
func TestKeyed(t *testing.T) {
	failure := errors.New("no")
	var asked client.ObjectKey
	f := keyed(func(_ context.Context, key client.ObjectKey) (time.Duration, error) {
		asked = key
		return time.Minute, failure
	})
	got, err := f.Reconcile(t.Context(), windowRequest("payments", "rebuild"))
	if !errors.Is(err, failure) || got != (reconcile.Result{RequeueAfter: time.Minute}) || asked != (client.ObjectKey{Namespace: "payments", Name: "rebuild"}) {
		t.Errorf("asked about %s: %+v, %v", asked, got, err)
	}
}
