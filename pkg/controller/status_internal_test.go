package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// caches are informers that report what a test makes them report, and read from the cluster of a stage.
type caches struct {
	*informertest.FakeInformers
	client.Reader
}

func (c *caches) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return c.Reader.Get(ctx, key, o, opts...)
}

func (c *caches) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	return c.Reader.List(ctx, l, opts...)
}

// manage returns a manager of controllers that talks only to the server of the stage.
func (s *stage) manage() (manager.Manager, *caches) {
	s.t.Helper()
	c := &caches{&informertest.FakeInformers{Scheme: s.scheme}, s.client}
	for _, o := range []client.Object{&v1alpha1.ChangeWindow{}, &v1alpha1.ChangeApproval{}} {
		if _, err := c.FakeInformerFor(s.t.Context(), o); err != nil { // now, since they are made without a lock
			s.t.Fatal(err)
		}
	}
	again := true
	mgr, err := manager.New(&rest.Config{Host: "http://localhost:1"}, manager.Options{
		Scheme: s.scheme, Logger: logr.Discard(), Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller:     config.Controller{SkipNameValidation: &again},
		NewCache:       func(*rest.Config, cache.Options) (cache.Cache, error) { return c, nil },
		NewClient:      func(*rest.Config, client.Options) (client.Client, error) { return s.client, nil },
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return s.client.RESTMapper(), nil },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return mgr, c
}

// run starts a manager until the test ends.
func (s *stage) run(mgr manager.Manager) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

// eventually waits until a condition is true.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// has returns how often a call was made.
func (s *stage) has(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c == call {
			n++
		}
	}
	return n
}

const oneOfEach = production + `
{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [db.example.com]}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: Exemption, metadata: {name: legacy}, spec: {rules: [BlastRadius], subjects: {users: [bob]}, objects: {kind: Pod, names: ["*"]}, reason: test, expiresAt: "2027-01-01T00:00:00Z"}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: stop}, spec: {environments: [production], reason: test}}
`

// A replica that begins to lead writes every status once, whatever was reported before; a failing write delays none of the
// others.
func TestLeaderWritesEveryStatus(t *testing.T) {
	s := newStage(t, oneOfEach, window(nil))
	s.broken["patch status of Environment production"] = errBroken
	mgr, _ := s.manage()
	w := newPendingDeclarations(prometheus.NewRegistry())
	if err := NewStatuses(s.memory, s.client, w).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	s.memory.tell(v1alpha1.KindEnvironment, "production") // too early to count
	s.run(mgr)
	written := []string{"patch status of DataStore orders", "patch status of Exemption legacy", "patch status of ChangeFreeze stop", "patch status of ChangeWindow rebuild"}
	for _, call := range written {
		eventually(t, call, func() bool { return s.has(call) > 0 })
	}
	s.mu.Lock()
	delete(s.broken, "patch status of Environment production")
	s.mu.Unlock()
	eventually(t, "the environment, tried again", func() bool { return s.has("patch status of Environment production") > 0 })
}

// A written object, an execution of a window, a new estate and a declaration that comes into force each cause the statuses
// that depend on them to be written.
func TestWhatHasStatusesWritten(t *testing.T) {
	for name, tc := range map[string]struct {
		tell func(*stage, *PendingDeclarations)
		want []string
		not  string
	}{
		"a freeze was written": {func(s *stage, _ *PendingDeclarations) { s.memory.tell(v1alpha1.KindChangeFreeze, "stop") },
			[]string{"stop"}, "production"},
		"an exemption was written": {func(s *stage, _ *PendingDeclarations) { s.memory.tell(v1alpha1.KindExemption, "legacy") },
			[]string{"legacy"}, "stop"},
		"there is a new estate": {func(s *stage, _ *PendingDeclarations) { s.memory.compile() },
			[]string{"production", "orders"}, "legacy"},
		"something comes into force": {func(_ *stage, w *PendingDeclarations) {
			w.set(map[declaration]obstacle{{"Environment", "production"}: {}})
		}, []string{"production", "orders"}, "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newStage(t, oneOfEach), newPendingDeclarations(prometheus.NewRegistry())
			q := queueOf[reconcile.Request](t)
			statuses := NewStatuses(s.memory, s.client, w)
			// Each moves the requests of its kind into one queue, with all objects listed one by one.
			var look []func()
			for _, k := range statuses.kinds() {
				tr, own := statuses.trigger(k), queueOf[reconcile.Request](t)
				if err := tr.Start(t.Context(), own); err != nil {
					t.Fatal(err)
				}
				look = append(look, func() {
					for own.Len() > 0 {
						r, _ := own.Get()
						own.Done(r)
						if r != (reconcile.Request{}) {
							q.Add(r)
							continue
						}
						everything, err := tr.everything(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						for _, r := range everything {
							q.Add(r)
						}
					}
				})
			}
			gather := func() []string {
				for _, f := range look {
					f()
				}
				return named(q)
			}
			if got := gather(); len(got) != 4 {
				t.Errorf("at the start it looks at %v, want all four", got)
			}
			tc.tell(s, w)
			got := gather()
			for _, want := range tc.want {
				if !strings.Contains(fmt.Sprint(got), want) {
					t.Errorf("it looks at %v, want %s too", got, want)
				}
			}
			if strings.Contains(fmt.Sprint(got), tc.not) {
				t.Errorf("it looks at %v, without need at %s", got, tc.not)
			}
		})
	}
}

// named returns the requests in a queue, and removes them.
func named(q interface {
	Len() int
	Get() (reconcile.Request, bool)
	Done(reconcile.Request)
}) []string {
	var out []string
	for q.Len() > 0 {
		r, _ := q.Get()
		q.Done(r)
		out = append(out, r.Name)
	}
	return out
}

// An execution causes the status of its window to be written; an unknown execution that is gone causes nothing.
func TestExecutionsHaveTheirWindowLookedAt(t *testing.T) {
	w := window(nil)
	s := newStage(t, production, w.DeepCopy())
	mgr, _ := s.manage()
	if err := NewStatuses(s.memory, s.client, nil).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	s.run(mgr)
	eventually(t, "all windows at the start", func() bool { return s.has("patch status of ChangeWindow rebuild") == 1 })
	s.memory.tell(v1alpha1.KindChangeExecution, own+"/gone")
	s.know(execution(w, "x-1", nil))
	s.memory.tell(v1alpha1.KindChangeExecution, own+"/x-1")
	eventually(t, "the window that was used", func() bool { return s.has("patch status of ChangeWindow rebuild") == 2 })
	if got := windowStatusOf(t, s, w).executions; got != "1 [x-1]" {
		t.Errorf("its executions are %s", got)
	}
}

// The caches report windows and approvals: both cause the status of the window to be written.
func TestCachesHaveWindowsLookedAt(t *testing.T) {
	const written = "patch status of ChangeWindow rebuild"
	w := window(nil)
	s := newStage(t, production, w.DeepCopy())
	mgr, informers := s.manage()
	if err := NewStatuses(s.memory, s.client, nil).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	s.run(mgr)
	eventually(t, "all windows at the start", func() bool { return s.has(written) == 1 })
	approval := word(w, "alice", "Approve")
	if err := s.client.Create(t.Context(), approval.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	approvals, err := informers.FakeInformerFor(t.Context(), approval)
	if err != nil {
		t.Fatal(err)
	}
	approvals.Add(approval)
	eventually(t, "the window that was approved", func() bool { return s.has(written) == 2 })
	if got := windowStatusOf(t, s, w); got.phase != "Open" || got.approvals != "1/1" {
		t.Errorf("its status is %+v", got)
	}
	if err := s.client.Delete(t.Context(), approval); err != nil {
		t.Fatal(err)
	}
	windows, err := informers.FakeInformerFor(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	windows.Update(w, w)
	eventually(t, "the window that was written", func() bool { return s.has(written) == 3 })
}

// Writes beyond the limit wait, and a server that stops waits no longer.
func TestStatusesAreWrittenSlowly(t *testing.T) {
	s := newStage(t, production)
	statuses := NewStatuses(s.memory, s.client, nil)
	if statuses.writes.Limit() != 50 || statuses.writes.Burst() != 50 {
		t.Errorf("it writes %v a second, %d at once", statuses.writes.Limit(), statuses.writes.Burst())
	}
	statuses.writes = rate.NewLimiter(rate.Every(time.Hour), 1)
	env, _ := s.memory.view.Environments.Get("production")
	after := env.DeepCopy()
	after.Status.Namespaces = 3
	if err := statuses.write(t.Context(), &env, after.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := statuses.write(ctx, &env, after)
	if !errors.Is(err, context.Canceled) || err.Error() != "wait to write the status of /production: context canceled" {
		t.Errorf("got %v", err)
	}
	s.wantCalls("patch status of Environment production")
}

// A condition that does not change keeps the time of its transition, and exists once for its type.
func TestConditions(t *testing.T) {
	before := metav1.NewTime(at("01:00:00"))
	list := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Compiled", Message: "a", LastTransitionTime: before, ObservedGeneration: 1}}
	condition(&list, "Ready", true, "Compiled", "b", 2)
	want := []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Compiled", Message: "b", LastTransitionTime: before, ObservedGeneration: 2}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	condition(&list, "Ready", false, "Malformed", "c", 3)
	if len(list) != 1 || list[0].Status != metav1.ConditionFalse || list[0].LastTransitionTime.Equal(&before) {
		t.Errorf("after a transition: %+v", list)
	}
}
