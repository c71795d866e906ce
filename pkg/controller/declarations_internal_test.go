package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/snapshot"
)

// definition returns the definition of environments, created at an instant.
func definition(created string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "environments.firebreak.dev", "creationTimestamp": created},
	}}
}

const (
	older   = "2025-12-31T00:00:00Z" // than the Environment of production
	younger = "2026-01-02T00:00:00Z"
)

// vanishing returns a stage whose definitions are real objects.
func vanishing(t *testing.T, definitions ...client.Object) *stage {
	t.Helper()
	s := newStage(t, production, append(definitions, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "firebreak", UID: "role-1"}})...)
	s.synced()
	s.memory.declared.client = s.client
	return s
}

// A declaration that vanishes is forgotten if its definition is served and not younger than the declaration, since then somebody has deleted it, and
// was judged. Otherwise it is held.
func TestWhatVanishes(t *testing.T) {
	going := definition(older)
	going.SetDeletionTimestamp(instant("02:29:00"))
	going.SetFinalizers([]string{"customresourcecleanup.apiextensions.k8s.io"})
	for name, tc := range map[string]struct {
		definition client.Object
		broken     error
		held       int
	}{
		"somebody deleted it":                     {definition: definition(older)},
		"its definition is gone":                  {held: 1},
		"its definition is going":                 {definition: going, held: 1},
		"its definition is another, younger one":  {definition: definition(younger), held: 1},
		"the API server does not say":             {definition: definition(older), broken: errBroken, held: 1},
		"it was made in the second of definition": {definition: definition("2026-01-01T00:00:00Z")},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if tc.definition != nil {
				objects = append(objects, tc.definition)
			}
			s := vanishing(t, objects...)
			s.broken["get CustomResourceDefinition environments.firebreak.dev"] = tc.broken
			s.mirror("environments").drop(cache.DeletedFinalStateUnknown{Key: "production"})
			if _, known := s.memory.view.Environments.Get("production"); !known {
				t.Fatal("it is forgotten before it is known whether it was meant to go")
			}
			s.memory.declared.settle(t.Context())
			if _, known := s.memory.view.Environments.Get("production"); known != (tc.held > 0) || s.memory.Held("Environment") != tc.held {
				t.Errorf("it is known: %t; %d are held, want %d", known, s.memory.Held("Environment"), tc.held)
			}
			cluster, err := s.memory.View()
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tc.held > 0 {
				want = "1 environment vanished from the API server though nobody deleted them, and Firebreak holds to what it knew; whoever runs Firebreak declares them again"
			}
			if got := cluster.Degraded(); got != want {
				t.Errorf("it says %q, want %q", got, want)
			}
		})
	}
}

// A kind that is no longer served, although its definition and its objects are still there, is held, too, and told.
func TestAKindThatIsNotServed(t *testing.T) {
	s := vanishing(t, definition(older))
	m := s.mirror("environments")
	for _, unserved := range []bool{true, false} {
		m.unserved.Store(unserved)
		s.memory.declared.settle(t.Context())
		cluster, err := s.memory.View()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.memory.Held("Environment") == 1 && strings.HasPrefix(cluster.Degraded(), "1 environment vanished"); got != unserved {
			t.Errorf("unserved: %t; %d are held, and it says %q", unserved, s.memory.Held("Environment"), cluster.Degraded())
		}
	}
}

// What is held is held until it is declared again, and then may be deleted like anything else.
func TestWhatIsHeldIsDeclaredAgain(t *testing.T) {
	s := vanishing(t)
	m := s.mirror("environments")
	m.drop(cache.DeletedFinalStateUnknown{Key: "production"})
	s.memory.declared.settle(t.Context())
	s.wantLogged("declarations are gone, and nobody has deleted them")
	again := s.read(production)[0].(*v1alpha1.Environment)
	again.CreationTimestamp = *instant("02:30:00")
	if err := s.client.Create(t.Context(), definition(younger)); err != nil {
		t.Fatal(err)
	}
	m.arrive(t, again.DeepCopy())
	s.memory.declared.settle(t.Context())
	if n := s.memory.Held("Environment"); n != 0 {
		t.Errorf("%d are held", n)
	}
	m.drop(again)
	s.memory.declared.settle(t.Context())
	if _, known := s.memory.view.Environments.Get("production"); known || s.memory.Held("Environment") != 0 {
		t.Error("what somebody deleted is held")
	}
}

// copy writes the copy of what a stage knows.
func (s *stage) copied(events record.EventRecorder) *EstateCopier {
	s.t.Helper()
	c := NewEstateCopier(s.memory, s.client, events, s.log())
	if err := c.once(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// restart returns a stage that knows nothing, and has the objects of another.
func (s *stage) restart(t *testing.T) *stage {
	t.Helper()
	next := newStage(t, "")
	next.client = s.client
	next.memory.declared.client = s.client
	return next
}

// A replica that starts takes from the copy what vanished meanwhile, and nothing that somebody deleted or that is stored.
func TestWhatARestartKnows(t *testing.T) {
	for name, tc := range map[string]struct {
		definition       client.Object
		unserved, stored bool
		known            bool
		held             int
	}{
		"it is stored":                     {definition: definition(older), stored: true, known: true},
		"somebody deleted it":              {definition: definition(older)},
		"another definition is served":     {definition: definition(younger), known: true, held: 1},
		"the kind is not served":           {unserved: true, known: true, held: 1},
		"it is defined again, and stored":  {definition: definition(younger), stored: true, known: true},
		"the definition is not served any": {definition: definition(older), unserved: true, known: true, held: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := vanishing(t)
			s.copied(nil)
			if tc.definition != nil {
				if err := s.client.Create(t.Context(), tc.definition); err != nil {
					t.Fatal(err)
				}
			}
			next := s.restart(t)
			m := next.mirror("environments")
			for _, other := range next.memory.mirrors {
				if other != m || !tc.unserved {
					if other == m && tc.stored {
						m.arrive(t, s.read(production)[0])
					}
					other.standIn()
				}
			}
			m.unserved.Store(tc.unserved)
			if next.memory.Synced() {
				t.Error("it is ready before the copy was compared")
			}
			next.memory.declared.restore(t.Context())
			next.memory.declared.settle(t.Context())
			next.memory.compile()
			if !next.memory.Synced() {
				t.Error("it is not ready")
			}
			if tc.unserved && tc.definition != nil {
				return // here the definition that is there is taken for served
			}
			_, known := next.memory.view.Environments.Get("production")
			if known != tc.known || next.memory.Held("Environment") != tc.held {
				t.Errorf("it is known: %t, want %t; %d are held, want %d", known, tc.known, next.memory.Held("Environment"), tc.held)
			}
		})
	}
}

// A kind that is not served, and of which there is no copy, is not known: the replica does not become ready.
func TestNothingIsKnownOfAKindThatWasNeverServed(t *testing.T) {
	s := newStage(t, "")
	s.memory.declared.client = s.client
	m := s.mirror("environments")
	m.unserved.Store(true)
	before := s.memory.declared.last(t.Context())
	if before != nil || s.memory.declared.compare(t.Context(), m, before) {
		t.Error("it is taken for known")
	}
}

// A copy that cannot be read does not stop a replica that can read what is stored; while the API server does not answer, it is asked again.
func TestABrokenCopy(t *testing.T) {
	s := vanishing(t)
	if err := s.client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: snapshot.Index}}); err != nil {
		t.Fatal(err)
	}
	out, answered, err := s.memory.declared.copied(t.Context())
	if out != nil || !answered || err == nil || err.Error() != "the index of the copy of the estate cannot be read" {
		t.Errorf("%v %t %v", out, answered, err)
	}
	if s.memory.declared.last(t.Context()) != nil {
		t.Error("something is read of it")
	}
	s.wantLogged("could not read the copy of what was declared")
	s.broken["get ConfigMap "+snapshot.Index] = errBroken
	if _, answered, err = s.memory.declared.copied(t.Context()); answered || !errors.Is(err, errBroken) {
		t.Errorf("%t %v", answered, err)
	}
	s.broken["get ConfigMap "+snapshot.Index] = apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, snapshot.Index, errBroken)
	if _, answered, _ = s.memory.declared.copied(t.Context()); !answered {
		t.Error("it would ask for ever")
	}
}

// The copy is written when what is declared changes, and again if somebody takes it away. What is held is in it, and told once.
func TestTheCopyIsKept(t *testing.T) {
	s := vanishing(t)
	events := record.NewFakeRecorder(10)
	c := s.copied(events)
	shard, index := "apply ConfigMap firebreak-last-good-a-0 as firebreak-copier", "apply ConfigMap firebreak-last-good as firebreak-copier"
	s.wantCalls(shard, index)
	again := func(want ...string) {
		t.Helper()
		for range 2 {
			if err := c.once(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.wantCalls(want...)
	}
	again()
	s.memory.compile()
	again()
	stored := &corev1.ConfigMap{}
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: own, Name: snapshot.Index}, stored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]metav1.OwnerReference{{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "firebreak", UID: "role-1"}}, stored.OwnerReferences); diff != "" {
		t.Errorf("it belongs to (-want +got):\n%s", diff)
	}
	if err := s.client.Delete(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	s.wantCalls("delete ConfigMap firebreak-last-good of UID any")
	again(shard, index)
	s.mirror("environments").drop(cache.DeletedFinalStateUnknown{Key: "production"})
	s.memory.declared.settle(t.Context())
	s.memory.compile()
	again()
	if got := <-events.Events; !strings.HasPrefix(got, "Warning Degraded 1 environment vanished") || len(events.Events) > 0 {
		t.Errorf("it says %s, and %d more", got, len(events.Events))
	}
}

// Beyond half a minute of silence a replica gives no view, and says why; the metrics tell how long it has lasted.
func TestSilence(t *testing.T) {
	s := vanishing(t)
	now := s.now
	contact := NewContact(func() time.Time { return now })
	s.memory.WithContact(contact)
	m := s.mirror("data stores")
	registry := prometheus.NewRegistry()
	RegisterAge(s.memory, registry)
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"it has just answered", func() {}, ""},
		{"half a minute ago", func() { now = now.Add(30 * time.Second) }, ""},
		{"longer ago", func() { now = now.Add(time.Second) }, "Firebreak has not heard from the API server for 31s, so it does not know what has been declared since; try again"},
		{"it answers", func() { contact.last.Store(now.UnixNano()) }, ""},
		{"it gives no data stores", func() { m.note(errBroken); s.now = s.now.Add(2 * time.Minute) }, "Firebreak has not heard from the API server for 2m0s, so it does not know what has been declared since; try again"},
		{"it still gives none", func() { m.note(errBroken); s.now = s.now.Add(time.Minute) }, "Firebreak has not heard from the API server for 3m0s, so it does not know what has been declared since; try again"},
		{"it does not serve them", func() { m.note(apierrors.NewNotFound(schema.GroupResource{}, "")) }, ""},
		{"it gives them", func() { m.note(nil) }, ""},
	} {
		step.do()
		got := ""
		if _, err := s.memory.View(); err != nil {
			got = err.Error()
		}
		if got != step.want {
			t.Errorf("%s: it says %q, want %q", step.name, got, step.want)
		}
	}
	now = now.Add(7 * time.Second)
	if diff := cmp.Diff([]string{"firebreak_estate_age_seconds 7", "firebreak_estate_held kind=DataStore 0", "firebreak_estate_held kind=Environment 0"}, metrics(t, registry)); diff != "" {
		t.Errorf("the metrics (-want +got):\n%s", diff)
	}
}
