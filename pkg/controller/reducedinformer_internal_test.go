package controller

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// mirror returns the informer of a kind, by its plural name.
func (s *stage) mirror(name string) *reducedInformer {
	s.t.Helper()
	for _, m := range s.memory.mirrors {
		if m.kind.Name == name {
			return m
		}
	}
	s.t.Fatalf("there is no mirror of %s", name)
	return nil
}

// arrive makes an informer take in an object, as a watch does.
func (m *reducedInformer) arrive(t *testing.T, o client.Object) {
	t.Helper()
	r, err := m.transform(o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.transform(r) // an informer may transform twice
	if err != nil || again != r {
		t.Fatalf("transformed twice: %v, %v", again, err)
	}
	m.put(r)
}

// due reports whether the estate is to be compiled again, and resets that.
func (s *stage) due() bool {
	select {
	case <-s.memory.dirty:
		return true
	default:
		return false
	}
}

// A changed status is reported, and does not compile the estate, since Firebreak writes many. A spec, a label or a deletion
// does compile it.
func TestWhatCompilesTheEstate(t *testing.T) {
	env := func(change func(*v1alpha1.Environment)) client.Object {
		e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production", ResourceVersion: "2", CreationTimestamp: *instant("02:00:00")}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction}}
		change(e)
		return e
	}
	store := func(change func(*v1alpha1.DataStore)) client.Object {
		d := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: "production", CreationTimestamp: *instant("02:00:00")}}
		change(d)
		return d
	}
	exemption := func(change func(*v1alpha1.Exemption)) client.Object {
		x := &v1alpha1.Exemption{ObjectMeta: metav1.ObjectMeta{Name: "production"}}
		change(x)
		return x
	}
	for name, tc := range map[string]struct {
		mirror        string
		before, after client.Object
		due           bool
	}{
		"an environment's status": {"environments", env(func(*v1alpha1.Environment) {}), env(func(e *v1alpha1.Environment) { e.Status.Namespaces, e.ResourceVersion = 3, "3" }), false},
		"an environment's spec":   {"environments", env(func(*v1alpha1.Environment) {}), env(func(e *v1alpha1.Environment) { e.Spec.Tier = v1alpha1.TierShared }), true},
		"an environment's seal":   {"environments", env(func(*v1alpha1.Environment) {}), env(func(e *v1alpha1.Environment) { e.Annotations = map[string]string{v1alpha1.AnnotationSealed: "true"} }), true},
		"a data store's status":   {"data stores", store(func(*v1alpha1.DataStore) {}), store(func(d *v1alpha1.DataStore) { d.Status.Tier = v1alpha1.TierShared }), false},
		"a data store's spec":     {"data stores", store(func(*v1alpha1.DataStore) {}), store(func(d *v1alpha1.DataStore) { d.Spec.Environment = "a" }), true},
		"an exemption's status":   {"exemptions", exemption(func(*v1alpha1.Exemption) {}), exemption(func(x *v1alpha1.Exemption) { x.Status.ObservedGeneration = 1 }), false},
		"an exemption's spec":     {"exemptions", exemption(func(*v1alpha1.Exemption) {}), exemption(func(x *v1alpha1.Exemption) { x.Spec.ExpiresAt = *instant("03:00:00") }), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, "")
			m := s.mirror(tc.mirror)
			var told []string
			s.memory.OnObject(m.kind.Kind, func(key string) { told = append(told, key) })
			m.arrive(t, tc.before)
			if !s.due() {
				t.Error("a new object does not have the estate compiled")
			}
			m.arrive(t, tc.before.DeepCopyObject().(client.Object))
			if s.due() {
				t.Error("what has not changed has the estate compiled")
			}
			m.arrive(t, tc.after)
			if got := s.due(); got != tc.due {
				t.Errorf("the estate is compiled: %t, want %t", got, tc.due)
			}
			m.drop(cache.DeletedFinalStateUnknown{Key: "production"})
			s.memory.declared.letGo(m, s.memory.declared.missed(m.kind), time.Unix(1, 0))
			if !s.due() {
				t.Error("a deletion does not have the estate compiled")
			}
			if diff := cmp.Diff([]string{"production", "production", "production", "production"}, told); diff != "" {
				t.Errorf("told of (-want +got):\n%s", diff)
			}
		})
	}
}

// Freezes and executions are not in the estate. Each change of one is reported, in any field, and only to listeners of its
// kind.
func TestWhatCompilesNoEstate(t *testing.T) {
	s := newStage(t, "")
	var told []string
	s.memory.OnObject(v1alpha1.KindChangeFreeze, func(key string) { told = append(told, "freeze "+key) })
	s.memory.OnObject(v1alpha1.KindChangeExecution, func(key string) { told = append(told, "execution "+key) })
	freeze, x := stop(v1alpha1.LiftedByAnyone), execution(window(nil), "x-1", nil)
	s.mirror("freezes").arrive(t, freeze)
	s.mirror("executions").arrive(t, x)
	s.mirror("executions").drop(&reduced{key: view.Key(x)})
	if diff := cmp.Diff([]string{"freeze stop", "execution " + own + "/x-1", "execution " + own + "/x-1"}, told); diff != "" {
		t.Errorf("told of (-want +got):\n%s", diff)
	}
	if s.due() {
		t.Error("the estate is compiled")
	}
	if len(s.memory.view.Freezes.All()) != 1 || len(s.memory.view.Executions.All()) != 0 {
		t.Errorf("kept are %v and %v", s.memory.view.Freezes.All(), s.memory.view.Executions.All())
	}
}

// An object of which a reduction leaves nothing is forgotten, and a value that is not an object is left alone.
func TestMirrorForgets(t *testing.T) {
	s := newStage(t, production)
	m := s.mirror("environments")
	m.put("a marker")
	m.drop(3)
	if _, known := s.memory.view.Environments.Get("production"); !known || s.due() {
		t.Error("what is no object has changed something")
	}
	m.arrive(t, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "production"}}) // not an environment
	if _, known := s.memory.view.Environments.Get("production"); known || !s.due() {
		t.Error("it is kept though nothing is left of it")
	}
	if got, err := m.transform(&metav1.Status{}); err != nil || !cmp.Equal(got, &metav1.Status{}) {
		t.Errorf("what has no name becomes %v: %v", got, err)
	}
	if got := m.String(); got != "mirror of environments" {
		t.Errorf("it is called %q", got)
	}
}

// Only the objects in a kind's namespace are listed; for kinds without one, all objects.
func TestMirrorsList(t *testing.T) {
	w := window(nil)
	elsewhere := execution(w, "x-2", nil)
	elsewhere.Namespace = "payments"
	s := newStage(t, production, execution(w, "x-1", nil), elsewhere)
	for name, want := range map[string]string{"executions": "[x-1]", "environments": "[production]"} {
		list, err := s.mirror(name).listWatch(listsFirst{s.client}).(*cache.ListWatch).ListWithContextFunc(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		switch l := list.(type) {
		case *v1alpha1.ChangeExecutionList:
			for _, x := range l.Items {
				names = append(names, x.Name)
			}
		case *v1alpha1.EnvironmentList:
			for _, e := range l.Items {
				names = append(names, e.Name)
			}
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("of %s it lists %s, want %s", name, got, want)
		}
	}
}

// Workloads are read after all contents that they may name; an informer that waits for them ends with its context.
func TestMirrorsThatWait(t *testing.T) {
	s := newStage(t, "")
	for _, m := range s.memory.mirrors {
		if waits := len(m.after) > 0; waits != m.kind.Uses {
			t.Errorf("%s waits for others: %t", m, waits)
		}
	}
	deployments := s.mirror("deployments")
	if len(deployments.after) != 1 || deployments.after[0] != s.mirror("config maps") {
		t.Errorf("deployments wait for %v", deployments.after)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- deployments.Start(ctx) }() // it would panic: there is nothing to list from
	cancel()
	if err := <-done; err != nil || deployments.synced() {
		t.Errorf("it is read: %t, %v", deployments.synced(), err)
	}
}

// The cache is ready when everything was read and the estate compiled, not before. It does not wait for kinds that an older
// chart does not let it read.
func TestMemoryIsReady(t *testing.T) {
	s := newStage(t, production)
	close(s.memory.declared.compared)
	for _, last := range s.memory.mirrors {
		for _, m := range s.memory.mirrors {
			m.sync, m.once = make(chan struct{}), sync.Once{}
			if m != last {
				close(m.sync)
			}
		}
		cluster, err := s.memory.View()
		if s.memory.Synced() != last.kind.Later || (err == nil) != last.kind.Later || (cluster != nil) != last.kind.Later {
			t.Errorf("without the %s it is ready: %t, %v", last.kind.Name, s.memory.Synced(), err)
		}
		if s.memory.readable() != (last.kind.Later || !last.kind.Estate) {
			t.Errorf("without the %s the estate may be compiled: %t", last.kind.Name, s.memory.readable())
		}
		close(last.sync)
		if cluster, err := s.memory.View(); err != nil || cluster.Estate != s.memory.Estate() {
			t.Errorf("with the %s it is not ready", last.kind.Name)
		}
	}
}

// Without an estate the cache is not ready; a live read adds to what is known.
func TestMemoryWithoutAnEstate(t *testing.T) {
	s := newStage(t, production)
	s.synced()
	est := s.memory.est.Swap(nil)
	if _, err := s.memory.View(); err == nil || s.memory.Synced() || s.memory.Estate() != nil {
		t.Error("without an estate it is ready")
	}
	s.memory.est.Store(est)
	s.memory.Remember("job-controller", "uid-1")
	cluster, _ := s.memory.View()
	if uid, known := cluster.ControllerUID("job-controller"); uid != "uid-1" || !known {
		t.Errorf("what was read live is %q: %t", uid, known)
	}
}

// The estate is compiled after everything in it was read, and its listeners are called.
func TestMemoryCompiles(t *testing.T) {
	s := newStage(t, "")
	s.memory.est.Store(nil)
	told := make(chan int, 10)
	s.memory.OnEstate(func(e *estate.Estate, _ []string) { told <- len(e.Environments()) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.memory.Start(ctx) }()
	s.mirror("environments").arrive(t, s.read(production)[0])
	eventually(t, "the change is taken", func() bool { return len(s.memory.dirty) == 0 })
	if s.memory.Estate() != nil {
		t.Error("an estate is compiled before everything in it was read")
	}
	s.synced()
	s.memory.touch()
	s.memory.touch() // does not block
	if n := <-told; n != 1 || s.memory.Estate() == nil {
		t.Errorf("told of %d environments", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A request is never delayed by the objects that it has seen; only those that a reservation waits for are noted.
func TestSeenNeverBlocks(t *testing.T) {
	s := newStage(t, "")
	s.memory.Seen("job-1")
	w := window(nil)
	m := s.mirror("executions")
	m.arrive(t, execution(w, "x-1", nil))
	m.arrive(t, execution(w, "x-2", func(x *v1alpha1.ChangeExecution) { x.Spec.Object.UID, x.Status.State = "job-2", v1alpha1.ExecutionUsed }))
	m.arrive(t, execution(w, "x-3", func(x *v1alpha1.ChangeExecution) {
		x.Spec.Object.UID, x.Status.State = "job-3", v1alpha1.ExecutionPending
	}))
	for _, uid := range []string{"job-1", "job-2", "job-3", "job-4"} {
		s.memory.Seen(types.UID(uid))
	}
	if n := len(s.memory.seen); n != 2 {
		t.Errorf("%d are noted, want the two that are awaited", n)
	}
	for range 2 * cap(s.memory.seen) {
		s.memory.Seen("job-1")
	}
	if len(s.memory.seen) != cap(s.memory.seen) {
		t.Errorf("%d are noted", len(s.memory.seen))
	}
	m.drop(cache.DeletedFinalStateUnknown{Key: own + "/x-1"})
	for len(s.memory.seen) > 0 {
		<-s.memory.seen
	}
	if s.memory.Seen("job-1"); len(s.memory.seen) > 0 {
		t.Error("an object is noted whose reservation is gone")
	}
}

// Every replica runs the cache and an informer of every kind.
func TestRunnables(t *testing.T) {
	s := newStage(t, "")
	all := s.memory.Runnables()
	if len(all) != 2+len(s.memory.view.Kinds()) || all[0] != manager.Runnable(s.memory) {
		t.Errorf("%d run", len(all))
	}
	for _, r := range all {
		if l, ok := r.(manager.LeaderElectionRunnable); !ok || l.NeedLeaderElection() {
			t.Errorf("%v runs in the leading replica alone", r)
		}
	}
}
