package controller

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watched is an API server whose watches the test plays: each is taken from the list, and the last one stays open.
type watched struct {
	client.WithWatch
	jobs    []batchv1.Job
	down    error
	refused int
	watches []*watch.FakeWatcher
	// from are the versions from which watches were requested.
	from []string
}

func (w *watched) List(_ context.Context, l client.ObjectList, _ ...client.ListOption) error {
	if jobs, ok := l.(*batchv1.JobList); ok {
		jobs.Items = w.jobs
	}
	l.SetResourceVersion("10")
	return w.down
}

func (w *watched) Watch(_ context.Context, _ client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	var o client.ListOptions
	o.ApplyOptions(opts)
	if !o.Raw.AllowWatchBookmarks {
		return nil, fmt.Errorf("it asks for no bookmarks")
	}
	w.from = append(w.from, o.Raw.ResourceVersion)
	if w.refused > 0 {
		w.refused--
		return nil, errBroken
	}
	next := w.watches[0]
	w.watches = w.watches[1:]
	return next, nil
}

// played returns a watch that has sent everything already.
func played(events ...watch.Event) *watch.FakeWatcher {
	f := watch.NewFakeWithChanSize(len(events), false)
	for _, e := range events {
		f.Action(e.Type, e.Object)
	}
	f.Stop()
	return f
}

func versioned(uid, version string, status batchv1.JobStatus) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: uid, UID: types.UID(uid), ResourceVersion: version}, Status: status}
}

func jobWatch(c client.WithWatch, s *stage, observe func(types.UID)) *objectWatch {
	return newObjectWatch(c, batchv1.SchemeGroupVersion.WithKind("Job"), func(_ context.Context, o client.Object) { observe(o.GetUID()) }, s.log())
}

// Objects that exist, come, change or go are seen and reported. A watch that ends is resumed from its position; one that
// breaks is not.
func TestObjectWatch(t *testing.T) {
	s := newStage(t, "")
	c := &watched{
		jobs: []batchv1.Job{*versioned("there", "9", batchv1.JobStatus{})},
		watches: []*watch.FakeWatcher{
			played(watch.Event{Type: watch.Added, Object: versioned("came", "11", batchv1.JobStatus{})}),
			played(watch.Event{Type: watch.Deleted, Object: versioned("went", "12", batchv1.JobStatus{})}, watch.Event{Type: watch.Bookmark, Object: versioned("", "20", batchv1.JobStatus{})}),
			played(watch.Event{Type: watch.Modified, Object: versioned("changed", "21", batchv1.JobStatus{})},
				watch.Event{Type: watch.Error, Object: &metav1.Status{Reason: metav1.StatusReasonExpired}},
				watch.Event{Type: watch.Added, Object: versioned("late", "22", batchv1.JobStatus{})}),
		},
	}
	told := map[types.UID]int{}
	w := jobWatch(c, s, func(uid types.UID) { told[uid]++ })
	if _, unbroken := w.unbroken(); unbroken {
		t.Error("it is unbroken before it began")
	}
	before := time.Now()
	w.session(t.Context())
	since, unbroken := w.unbroken()
	if !unbroken || since.Before(before) {
		t.Errorf("unbroken: %t, since %s", unbroken, since)
	}
	for uid, want := range map[types.UID]bool{"there": true, "came": true, "went": true, "changed": true, "late": false, "": false} {
		if w.saw(uid) != want || told[uid] > 0 != want {
			t.Errorf("%q is seen: %t, told of %d times, want %t", uid, w.saw(uid), told[uid], want)
		}
	}
	if got := fmt.Sprint(c.from); got != "[10 11 20]" {
		t.Errorf("it watches from %s, want from where it was", got)
	}
	s.wantLogged(`"msg"="the watch broke; reservations of this time stay used" "kind"="Job" "event"="ERROR"`)
}

// A watch that is refused has missed nothing: it is requested again from the same version.
func TestObjectWatchIsRefused(t *testing.T) {
	c := &watched{refused: 1}
	w := jobWatch(c, newStage(t, ""), func(types.UID) {})
	ctx, cancel := context.WithCancel(t.Context())
	go cancel() // so that nothing waits
	if version, ok := w.follow(ctx, "33"); version != "33" || !ok {
		t.Errorf("it goes on from %q: %t", version, ok)
	}
}

// A list that fails means that objects were missed, which is logged.
func TestObjectWatchCannotList(t *testing.T) {
	s := newStage(t, "")
	w := jobWatch(&watched{down: errBroken}, s, func(types.UID) {})
	w.session(t.Context())
	if _, unbroken := w.unbroken(); unbroken {
		t.Error("it is unbroken though nothing was listed")
	}
	s.wantLogged(`"msg"="could not list objects to settle reservations" "error"="the API server is away" "kind"="Job"`)
}

// After a gap nothing is unbroken, whatever was before.
func TestObjectWatchAfterAGap(t *testing.T) {
	open := watch.NewFakeWithChanSize(1, false)
	w := jobWatch(&watched{watches: []*watch.FakeWatcher{open}}, newStage(t, ""), func(types.UID) {})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	eventually(t, "it is unbroken", func() bool { _, ok := w.unbroken(); return ok })
	open.Error(&metav1.Status{})
	eventually(t, "the gap is noted", func() bool { _, ok := w.unbroken(); return !ok })
	cancel()
	<-done
}

// For kinds other than Job only the metadata is requested.
func TestObjectWatchAsksForMetadata(t *testing.T) {
	s := newStage(t, "", &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "payments", UID: "web-1"}})
	w := newObjectWatch(s.client, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, func(context.Context, client.Object) {}, s.log())
	list, _, err := w.list(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("listed %v: %v", list, err)
	}
	if _, ok := list[0].(*metav1.PartialObjectMetadata); !ok {
		t.Errorf("it lists %T", list[0])
	}
	w.note(t.Context(), list[0])
	if !w.saw("web-1") {
		t.Error("it is not seen")
	}
}

// UIDs are forgotten some time after they were last seen: the memory for them does not grow for ever.
func TestObjectWatchForgets(t *testing.T) {
	w := jobWatch(nil, newStage(t, ""), func(types.UID) {})
	for i := range 255 {
		w.seen[types.UID(fmt.Sprint("old-", i))] = time.Now().Add(-remembered - time.Minute)
	}
	w.seen["old-0"] = time.Now().Add(-remembered + time.Minute)
	w.note(t.Context(), versioned("new", "1", batchv1.JobStatus{}))
	if len(w.seen) != 2 || !w.saw("new") || !w.saw("old-0") {
		t.Errorf("it remembers %d", len(w.seen))
	}
}
