package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// reconciler returns the reconciler of the status of a kind.
func reconciler(t *testing.T, s *Statuses, kind string) statusKind {
	t.Helper()
	for _, k := range s.kinds() {
		if k.kind == kind {
			return k
		}
	}
	t.Fatalf("nothing writes the status of %s", kind)
	return statusKind{}
}

// wantStatus reconciles one object twice. The status must be as wanted, the second time nothing may be written, and the
// object must be looked at again at the right time.
func wantStatus(t *testing.T, s *stage, waiting *PendingDeclarations, kind, name, want string, again time.Duration) {
	t.Helper()
	reconcile := reconciler(t, NewStatuses(s.memory, s.client, waiting), kind).reconcile
	for i, calls := range [][]string{{"patch status of " + kind + " " + name}, nil} {
		got, err := reconcile(t.Context(), client.ObjectKey{Name: name})
		if err != nil || got != again {
			t.Errorf("time %d: it is looked at again after %s, want %s: %v", i+1, got, again, err)
		}
		if diff := cmp.Diff(want, s.status(kind, "", name)); diff != "" {
			t.Errorf("time %d (-want +got):\n%s", i+1, diff)
		}
		s.wantCalls(calls...)
		s.learn(kind, "", name)
	}
}

func TestStatusOfEnvironments(t *testing.T) {
	for name, tc := range map[string]struct {
		docs string
		want string
	}{
		"all of it is in force": {production + `
apiVersion: firebreak.dev/v1alpha1
kind: DataStore
metadata: {name: orders}
spec: {environment: production, hosts: [orders.prod.db.example.com]}
`, lines(
			"dataStores: 1", "namespaces: 1", "observedGeneration: 7",
			"Ready True Compiled of 7: the whole spec is in force",
			"Conflict False NoOverlap of 7: nothing else claims the same",
		)},
		"its selector cannot be read": {`
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: production, generation: 2}
spec: {tier: Production, namespaces: {selector: {matchExpressions: [{key: a, operator: Near, values: [b]}]}}}
`, lines(
			"observedGeneration: 2",
			`Ready False Malformed of 2: spec.namespaces.selector: "Near" is not a valid label selector operator`,
			"Conflict False NoOverlap of 2: nothing else claims the same",
		)},
		"another claims its namespace": {production + `
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: test}
spec: {tier: NonProduction, namespaces: {names: ["pay*"]}}
`, lines(
			"namespaces: 1", "observedGeneration: 7",
			"Ready True Compiled of 7: the whole spec is in force",
			`Conflict True NamespaceClaimedTwice of 7: namespace "payments" is claimed by "production" and "test" (Production); the stricter holds`,
		)},
		"its status was of another spec": {`
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: production, generation: 3}
spec: {tier: Production}
status: {observedGeneration: 2, namespaces: 5, dataStores: 4, conditions: [{type: Ready, status: "False", reason: Malformed, message: a, observedGeneration: 2, lastTransitionTime: "2026-11-01T00:00:00Z"}]}
`, lines(
			"observedGeneration: 3",
			"Ready True Compiled of 3: the whole spec is in force",
			"Conflict False NoOverlap of 3: nothing else claims the same",
		)},
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, newStage(t, tc.docs), nil, v1alpha1.KindEnvironment, "production", tc.want, 2*time.Second)
		})
	}
}

// The replicas that workloads asked for within the last hour are in the status of their own environment only; older ones are
// removed.
func TestStatusTellsReplicas(t *testing.T) {
	s := newStage(t, production+`
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: other}
spec: {tier: Production, namespaces: {names: [billing]}}
---
apiVersion: v1
kind: Namespace
metadata: {name: billing}
`)
	web := view.Workload{Namespace: "payments", Kind: "Deployment.apps", Name: "web"}
	s.memory.view.Peaks.Note(web, 10, at("02:00:00"))
	s.memory.view.Peaks.Note(web, 4, at("02:20:00"))
	s.memory.view.Peaks.Note(view.Workload{Namespace: "gone", Kind: "Deployment.apps", Name: "web"}, 10, at("02:00:00"))
	s.memory.view.Peaks.Gone(view.Workload{Namespace: "gone", Kind: "Deployment.apps", Name: "web"}, at("02:20:00"))
	rest := []string{"Ready True Compiled of 7: the whole spec is in force", "Conflict False NoOverlap of 7: nothing else claims the same"}
	wantStatus(t, s, nil, v1alpha1.KindEnvironment, "production", lines(append([]string{"namespaces: 1", "observedGeneration: 7",
		`recentReplicas: [{"kind":"Deployment.apps","name":"web","namespace":"payments","replicas":10,"until":"2026-11-28T02:20:00Z"}]`}, rest...)...), 2*time.Second)
	wantStatus(t, s, nil, v1alpha1.KindEnvironment, "other", lines("namespaces: 1",
		"Ready True Compiled of <nil>: the whole spec is in force", "Conflict False NoOverlap of <nil>: nothing else claims the same"), 2*time.Second)
	s.now = at("03:20:00")
	wantStatus(t, s, nil, v1alpha1.KindEnvironment, "production", lines(append([]string{"namespaces: 1", "observedGeneration: 7"}, rest...)...), 2*time.Second)
}

func TestStatusOfDataStores(t *testing.T) {
	store := func(spec string) string {
		return "---\n{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders, generation: 4}, spec: " + spec + "}\n"
	}
	for name, tc := range map[string]struct{ docs, want string }{
		"all of it is in force": {production + store("{environment: production, hosts: [db.example.com]}"), lines(
			"observedGeneration: 4", `tier: "Production"`,
			"Ready True Compiled of 4: the whole spec is in force",
			"Conflict False NoOverlap of 4: nothing else claims the same",
		)},
		"a range is none": {production + store("{environment: production, cidrs: [10.0.0.0/8, 10.0.0.0/99]}"), lines(
			"observedGeneration: 4", `tier: "Production"`,
			`Ready False Malformed of 4: spec.cidrs[1]: "10.0.0.0/99" is not an address range`,
			"Conflict False NoOverlap of 4: nothing else claims the same",
		)},
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, newStage(t, tc.docs), nil, v1alpha1.KindDataStore, "orders", tc.want, 0)
		})
	}
}

// A data store of an environment that does not exist says so, and no longer shows its earlier tier.
func TestStatusOfDataStoresWithoutEnvironment(t *testing.T) {
	s := newStage(t, production+"{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders, generation: 4}, spec: {environment: prod, hosts: [db.example.com]}, status: {tier: Shared}}\n")
	if again, err := NewStatuses(s.memory, s.client, nil).store(t.Context(), client.ObjectKey{Name: "orders"}); err != nil || again != 0 {
		t.Errorf("again after %s: %v", again, err)
	}
	want := lines("observedGeneration: 4",
		`Ready False EnvironmentNotFound of 4: environment "prod" does not exist; the data store counts as Production for non-production subjects`,
		"Conflict False NoOverlap of 4: nothing else claims the same")
	if diff := cmp.Diff(want, s.status(v1alpha1.KindDataStore, "", "orders")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Two environments own one host: both data stores say so.
func TestStatusOfDataStoresThatClash(t *testing.T) {
	s := newStage(t, production+`
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: test}
spec: {tier: NonProduction}
---
{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [db.example.com]}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: copy}, spec: {environment: test, hosts: [db.example.com]}}
`)
	statuses := NewStatuses(s.memory, s.client, nil)
	for _, name := range []string{"orders", "copy"} {
		if _, err := statuses.store(t.Context(), client.ObjectKey{Name: name}); err != nil {
			t.Fatal(err)
		}
		var d v1alpha1.DataStore
		if err := s.client.Get(t.Context(), client.ObjectKey{Name: name}, &d); err != nil {
			t.Fatal(err)
		}
		c := d.Status.Conditions[1]
		if c.Type != "Conflict" || c.Status != "True" || c.Reason != "HostClaimedTwice" || c.Message == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// A declared object's status says whether it waits, for both kinds.
func TestStatusTellsWhatWaits(t *testing.T) {
	docs := production + "{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders, generation: 4}, spec: {environment: production, hosts: [db.example.com]}}\n"
	s, w := newStage(t, docs), newPendingDeclarations(prometheus.NewRegistry())
	w.set(map[declaration]obstacle{{"Environment", "production"}: {reasonPending, "it needs a window"}, {"DataStore", "orders"}: {}})
	wantStatus(t, s, w, v1alpha1.KindEnvironment, "production", lines("dataStores: 1", "namespaces: 1", "observedGeneration: 7",
		"Ready True Compiled of 7: the whole spec is in force",
		"Conflict False NoOverlap of 7: nothing else claims the same",
		"PendingApproval True PendingApproval of 7: it needs a window"), 2*time.Second)
	wantStatus(t, s, w, v1alpha1.KindDataStore, "orders", lines("observedGeneration: 4", `tier: "Production"`,
		"Ready True Compiled of 4: the whole spec is in force",
		"Conflict False NoOverlap of 4: nothing else claims the same",
		"PendingApproval False Applied of 4: what the chart's values declare is in force"), 0)
}

func TestStatusOfExemptions(t *testing.T) {
	const legacy = `{apiVersion: firebreak.dev/v1alpha1, kind: Exemption, metadata: {name: legacy, generation: 2}, spec: {rules: [BlastRadius],
  subjects: {users: [bob]}, objects: {kind: Pod, names: ["*"]}, reason: test, expiresAt: "2026-11-28T03:00:00Z"}}`
	for name, tc := range map[string]struct {
		now   string
		want  string
		again time.Duration
	}{
		"long before it expires":         {"01:00:00", "Active True Counts of 2: until 2026-11-28 03:00:00 UTC", time.Hour},
		"half an hour before":            {"02:30:00", "Active True Counts of 2: until 2026-11-28 03:00:00 UTC", 30*time.Minute + 10*time.Millisecond},
		"a second before":                {"02:59:59", "Active True Counts of 2: until 2026-11-28 03:00:00 UTC", 1010 * time.Millisecond},
		"at the instant that it expires": {"03:00:00", "Active False Expired of 2: until 2026-11-28 03:00:00 UTC", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, legacy)
			s.now = at(tc.now)
			wantStatus(t, s, nil, v1alpha1.KindExemption, "legacy", lines("observedGeneration: 2", tc.want), tc.again)
		})
	}
}

func TestStatusOfFreezes(t *testing.T) {
	const heart = 30 * time.Second
	for name, tc := range map[string]struct {
		spec  string
		want  string
		again time.Duration
	}{
		"one until somebody lifts it": {"requestedBy: {username: bob}", `Active True Holds of 1: bob froze it at 2026-11-28 01:00:00 UTC until somebody lifts it (freeze "stop": "peak")`, heart},
		"one without a stamp":         {"level: Changes", `Active True Holds of 1: somebody froze it at 2026-11-28 01:00:00 UTC until somebody lifts it (freeze "stop": "peak")`, heart},
		"one that ends in a moment": {`requestedBy: {username: bob}, schedule: {end: "2026-11-28T02:30:05Z"}`,
			`Active True Holds of 1: bob froze it at 2026-11-28 01:00:00 UTC until 2026-11-28 02:30:05 UTC (freeze "stop": "peak")`, 5*time.Second + 10*time.Millisecond},
		"one that begins in a moment": {`requestedBy: {username: bob}, schedule: {start: "2026-11-28T02:30:07Z", end: "2026-11-28T05:00:00Z"}`,
			`Active False NotYet of 1: bob froze it at 2026-11-28 02:30:07 UTC until 2026-11-28 05:00:00 UTC (freeze "stop": "peak")`, 7*time.Second + 10*time.Millisecond},
		"one that ends now": {`requestedBy: {username: bob}, schedule: {start: "2026-11-28T02:00:00Z", end: "2026-11-28T02:30:00Z"}`,
			`Active False Over of 1: bob froze it at 2026-11-28 01:00:00 UTC until 2026-11-28 02:30:00 UTC (freeze "stop": "peak")`, heart},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: stop, generation: 1, creationTimestamp: "2026-11-28T01:00:00Z"},
  spec: {environments: [production], reason: peak, `+tc.spec+`}}`)
			wantStatus(t, s, nil, v1alpha1.KindChangeFreeze, "stop", lines("observedGeneration: 1", tc.want), tc.again)
		})
	}
}

// A status that cannot be written is an error of its own object, which is tried again; the next status is written.
func TestStatusThatCannotBeWritten(t *testing.T) {
	s := newStage(t, production+"{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: test}, spec: {tier: NonProduction}}\n")
	s.broken["patch status of Environment production"] = errBroken
	statuses := NewStatuses(s.memory, s.client, nil)
	_, err := statuses.environment(t.Context(), client.ObjectKey{Name: "production"})
	if !errors.Is(err, errBroken) || err.Error() != "status of *v1alpha1.Environment /production: the API server is away" {
		t.Errorf("got %v", err)
	}
	if _, err := statuses.environment(t.Context(), client.ObjectKey{Name: "test"}); err != nil {
		t.Error(err)
	}
	s.wantCalls("patch status of Environment test")
	if kept, _ := s.memory.view.Environments.Get("production"); len(kept.Status.Conditions) > 0 {
		t.Errorf("the memory's own object was changed: %+v", kept.Status)
	}
}

// An object that is gone, from the cache or from the cluster, needs no status and is not an error.
func TestStatusOfWhatIsGone(t *testing.T) {
	s := newStage(t, "")
	for _, k := range NewStatuses(s.memory, s.client, nil).kinds() {
		if again, err := k.reconcile(t.Context(), client.ObjectKey{Name: "gone"}); err != nil || again != 0 {
			t.Errorf("%s: again after %s: %v", k.kind, again, err)
		}
	}
	s.know(s.read(production)[0]) // no longer in the cluster
	s.memory.compile()
	if _, err := NewStatuses(s.memory, s.client, nil).environment(t.Context(), client.ObjectKey{Name: "production"}); err != nil {
		t.Error(err)
	}
	s.wantCalls()
}

// Before the estate is known, no status that depends on it is written.
func TestStatusWithoutAnEstate(t *testing.T) {
	s := newStage(t, production+"{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [db.example.com]}}\n", window(nil))
	s.memory.est.Store(nil)
	statuses := NewStatuses(s.memory, s.client, nil)
	for name, f := range map[string]keyed{"production": statuses.environment, "orders": statuses.store, "rebuild": statuses.window} {
		if again, err := f(t.Context(), client.ObjectKey{Namespace: map[string]string{"rebuild": "payments"}[name], Name: name}); err != nil || again != map[string]time.Duration{"orders": soon}[name] {
			t.Errorf("%s: again after %s: %v", name, again, err)
		}
	}
	s.wantCalls()
}

// While the estate is being compiled, a data store is looked at again soon: the change may be that of another one, after which nobody would.
func TestStoresWaitForTheEstate(t *testing.T) {
	s := newStage(t, production)
	s.know(s.read(`{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [orders.example.com]}}`)...)
	statuses := NewStatuses(s.memory, s.client, nil)
	for name, want := range map[string]time.Duration{"orders": soon, "gone": 0} {
		s.memory.touch()
		if again, err := statuses.store(t.Context(), client.ObjectKey{Name: name}); err != nil || again != want {
			t.Errorf("%s is looked at again after %s (%v), want %s", name, again, err, want)
		}
	}
}
