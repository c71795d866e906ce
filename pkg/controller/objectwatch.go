package controller

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// objectWatch sees every object of one kind that has existed since it began, as long as it is unbroken. An informer would not
// do: after a gap it shows only the objects that exist now.
type objectWatch struct {
	client  client.WithWatch
	gvk     schema.GroupVersionKind
	observe func(context.Context, client.Object)
	log     logr.Logger

	mu    sync.Mutex
	since time.Time
	seen  map[types.UID]time.Time
}

// remembered is how long a UID is kept after it was last seen: longer than a reservation stays pending.
const remembered = 10 * time.Minute

func newObjectWatch(c client.WithWatch, gvk schema.GroupVersionKind, observe func(context.Context, client.Object), log logr.Logger) *objectWatch {
	return &objectWatch{client: c, gvk: gvk, observe: observe, log: log.WithValues("kind", gvk.Kind), seen: map[types.UID]time.Time{}}
}

// saw reports whether an object was seen.
func (w *objectWatch) saw(uid types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.seen[uid]
	return ok
}

// unbroken returns the time since which nothing can have been missed, and false if the watch is broken.
func (w *objectWatch) unbroken() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.since, !w.since.IsZero()
}

func (w *objectWatch) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.session(ctx)
		w.mu.Lock()
		w.since = time.Time{}
		w.mu.Unlock()
		pause(ctx, time.Second)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d + time.Duration(rand.Int64N(int64(d)))):
	}
}

// session lists once and then watches, and resumes after each watch that ends, until it may have missed something.
func (w *objectWatch) session(ctx context.Context) {
	began := time.Now()
	list, version, err := w.list(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.log.Error(err, "could not list objects to settle reservations")
		}
		return
	}
	for _, o := range list {
		w.note(ctx, o)
	}
	w.mu.Lock()
	w.since = began
	w.mu.Unlock()
	for ctx.Err() == nil {
		next, ok := w.follow(ctx, version)
		if !ok {
			return
		}
		version = next
		pause(ctx, 50*time.Millisecond)
	}
}

func (w *objectWatch) fresh() client.ObjectList {
	if w.gvk.Kind == "Job" {
		return &batchv1.JobList{}
	}
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(w.gvk.GroupVersion().WithKind(w.gvk.Kind + "List"))
	return l
}

func (w *objectWatch) list(ctx context.Context) ([]client.Object, string, error) {
	l := w.fresh()
	if err := w.client.List(ctx, l); err != nil {
		return nil, "", err
	}
	var out []client.Object
	switch l := l.(type) {
	case *batchv1.JobList:
		for i := range l.Items {
			out = append(out, &l.Items[i])
		}
	case *metav1.PartialObjectMetadataList:
		for i := range l.Items {
			out = append(out, &l.Items[i])
		}
	}
	return out, l.GetResourceVersion(), nil
}

// follow watches from a version on. It returns the version to resume from, and false if it may have missed something.
func (w *objectWatch) follow(ctx context.Context, version string) (string, bool) {
	watcher, err := w.client.Watch(ctx, w.fresh(), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true}})
	if err != nil {
		// Nothing was missed yet: the next try resumes from the same version. If that has become too old, the watch reports it.
		if ctx.Err() == nil {
			w.log.V(1).Info("could not watch", "error", err.Error())
			pause(ctx, 200*time.Millisecond)
		}
		return version, true
	}
	defer watcher.Stop()
	for {
		var event watch.Event
		select {
		case <-ctx.Done():
			return version, true
		case next, open := <-watcher.ResultChan():
			if !open {
				return version, true
			}
			event = next
		}
		o, ok := event.Object.(client.Object)
		if event.Type == watch.Error || !ok {
			w.log.Info("the watch broke; reservations of this time stay used", "event", event.Type)
			return "", false
		}
		version = o.GetResourceVersion()
		if event.Type != watch.Bookmark {
			w.note(ctx, o)
		}
	}
}

func (w *objectWatch) note(ctx context.Context, o client.Object) {
	now := time.Now()
	w.mu.Lock()
	w.seen[o.GetUID()] = now
	if len(w.seen)%256 == 0 {
		for uid, at := range w.seen {
			if now.Sub(at) > remembered {
				delete(w.seen, uid)
			}
		}
	}
	w.mu.Unlock()
	w.observe(ctx, o)
}
