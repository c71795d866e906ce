package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// liveState is the state that live reads return.
type liveState struct {
	state change.State
	err   error
	asked int
}

func (l *liveState) State(context.Context, *policy.PreparedRequest, string) (*change.State, error) {
	l.asked++
	return &l.state, l.err
}

// declares is a stage with declared values.
type declares struct {
	*stage
	server *EstateApplier
	live   *liveState
	events *record.FakeRecorder
	gauge  *prometheus.Registry
}

func declaring(t *testing.T, docs, values string) *declares {
	t.Helper()
	s := newStage(t, docs, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "firebreak-estate", Namespace: own, UID: "cm-1"}, Data: map[string]string{estate.DeclaredKey: values},
	})
	s.synced()
	d := &declares{stage: s, live: &liveState{}, events: record.NewFakeRecorder(100), gauge: prometheus.NewRegistry()}
	d.server = NewEstateApplier(s.memory, s.client, d.live, client.ObjectKey{Namespace: own, Name: "firebreak-estate"}, d.events, d.gauge, s.log())
	return d
}

// values changes the declared values.
func (d *declares) values(text string) {
	d.t.Helper()
	var cm corev1.ConfigMap
	if err := d.client.Get(d.t.Context(), d.server.from, &cm); err != nil {
		d.t.Fatal(err)
	}
	cm.Data[estate.DeclaredKey] = text
	if err := d.client.Update(d.t.Context(), &cm); err != nil {
		d.t.Fatal(err)
	}
	d.calls = nil
}

// look compares once, and must not fail.
func (d *declares) look() {
	d.t.Helper()
	if err := d.server.once(d.t.Context()); err != nil {
		d.t.Error(err)
	}
}

// waits returns the known obstacle of a declaration.
func (d *declares) waits(kind, name string) string {
	o, declared := d.server.waiting.of(kind, name)
	switch {
	case !declared:
		return "not declared"
	case o.message == "":
		return "in force"
	}
	return o.reason + ": " + o.message
}

func (d *declares) wantWaits(kind, name, want string) {
	d.t.Helper()
	if got := d.waits(kind, name); got != want {
		d.t.Errorf("%s %q: %s; want %s", kind, name, got, want)
	}
}

// heard returns the Events that were made, and removes them.
func (d *declares) heard() []string {
	var out []string
	for len(d.events.Events) > 0 {
		out = append(out, <-d.events.Events)
	}
	return out
}

// protected is production with a data store of two hosts.
const protected = production + `
apiVersion: firebreak.dev/v1alpha1
kind: DataStore
metadata: {name: orders, uid: d-1}
spec: {environment: production, hosts: [db.example.com, db2.example.com]}
`

// fewer hosts than there are weaken the boundary.
const fewer = "dataStores: {orders: {environment: production, hosts: [db.example.com]}}"

// why is the obstacle for fewer hosts, as far as this package determines it.
const why = `PendingApproval: datastores.firebreak.dev "orders" is forbidden: request a window: kubectl firebreak request ` +
	`--resource DataStore.firebreak.dev/orders -n firebreak-system`

func TestDeclaredIsApplied(t *testing.T) {
	d := declaring(t, production, "environments: {test: {tier: NonProduction, namespaces: {names: [sandbox]}}}")
	d.look()
	d.wantCalls("try Environment test as firebreak-estate", "create SelfSubjectReview", "apply Environment test as firebreak-estate")
	d.wantWaits("Environment", "test", "in force")
	d.wantLogged(`"msg"="applied what the values declare" "kind"="Environment" "name"="test"`)
	got := d.stored("Environment", "", "test")
	if names, _, _ := unstructured.NestedStringSlice(got.Object, "spec", "namespaces", "names"); !cmp.Equal(names, []string{"sandbox"}) || got.GetLabels()["firebreak.dev/declared"] != "true" || !declaredOnce(got) {
		t.Errorf("stored is %v", got)
	}
	d.look()
	d.wantCalls() // neither side has changed
	d.values("environments: {test: {tier: NonProduction, namespaces: {names: [sandbox]}, enforcement: {default: Deny}}}")
	d.look()
	d.wantCalls("try Environment test as firebreak-estate", "apply Environment test as firebreak-estate")
	got = d.stored("Environment", "", "test")
	got.SetGeneration(9)
	if err := d.client.Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	d.calls = nil
	d.look() // somebody has changed it
	d.wantCalls("try Environment test as firebreak-estate", "apply Environment test as firebreak-estate")
	if heard := d.heard(); heard != nil {
		t.Errorf("Events: %s", heard)
	}
}

// A change that weakens the boundary waits: it is tried, reported once, and looked at again at growing intervals. A window
// lets it pass.
func TestDeclaredWaits(t *testing.T) {
	d := declaring(t, protected, fewer)
	const try = "try DataStore orders as firebreak-estate"
	d.look()
	d.wantCalls(try, "create SelfSubjectReview")
	if got := d.waits("DataStore", "orders"); !strings.HasPrefix(got, why) {
		t.Errorf("it waits since %s", got)
	}
	if heard := d.heard(); len(heard) != 1 || !strings.HasPrefix(heard[0], "Warning "+strings.Replace(why, ":", "", 1)) {
		t.Errorf("Events: %s", heard)
	}
	if diff := cmp.Diff([]string{"firebreak_estate_pending kind=DataStore name=orders reason=PendingApproval 1"}, metrics(t, d.gauge)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	var gaps []int
	for range 40 {
		d.now = d.now.Add(d.server.every)
		d.look()
		if len(d.calls) > 0 {
			gaps = append(gaps, 0)
			d.wantCalls(try)
		} else if len(gaps) > 0 {
			gaps[len(gaps)-1]++
		}
		if got := d.waits("DataStore", "orders"); !strings.HasPrefix(got, why) {
			t.Fatalf("it waits since %s", got)
		}
	}
	if got := fmt.Sprint(gaps[:5]); got != "[1 3 5 5 5]" {
		t.Errorf("between two tries it passes it over %s times", got)
	}
	if heard := d.heard(); heard != nil {
		t.Errorf("it is said again: %s", heard)
	}
	d.now = d.now.Add(again)
	d.look()
	if heard := d.heard(); len(heard) != 1 {
		t.Errorf("half an hour later it is said %d times", len(heard))
	}
	d.values("dataStores: {orders: {environment: production, hosts: [db.example.com, db2.example.com]}}")
	d.look() // at once, since it is another declaration
	d.wantCalls(try, "apply DataStore orders as firebreak-estate")
	d.wantWaits("DataStore", "orders", "in force")
	if got := metrics(t, d.gauge); got != nil {
		t.Errorf("metrics: %s", got)
	}
}

// An approved window lets a change pass, for exactly the spec that was approved.
func TestDeclaredPassesUnderAWindow(t *testing.T) {
	d := declaring(t, protected, fewer)
	d.look()
	_, after, _ := strings.Cut(d.waits("DataStore", "orders"), "--digest ")
	digest, _, _ := strings.Cut(after, " ")
	w := window(func(w *v1alpha1.ChangeWindow) {
		orders := v1alpha1.ScopedResource{Group: "firebreak.dev", Kind: "DataStore", Names: []v1alpha1.Glob{"orders"}}
		w.Namespace, w.Spec.Subjects.ServiceAccounts = own, []v1alpha1.ServiceAccountGlob{own + "/firebreak"}
		w.Spec.Scope = v1alpha1.Scope{Operations: []v1alpha1.Operation{v1alpha1.OperationUpdate}, Resources: []v1alpha1.ScopedResource{orders}, Clusters: []string{"prod-eu-1"}}
		w.Spec.Plan = &v1alpha1.Plan{Workloads: []v1alpha1.PlannedWorkload{{ScopedResource: orders, Digest: digest}}}
	})
	for _, tc := range []struct {
		words []v1alpha1.ChangeApproval
		want  string
	}{
		{nil, "has 0 of 1 approvals"},
		{[]v1alpha1.ChangeApproval{*word(w, "bob", "Approve")}, "has 0 of 1 approvals"},
		{[]v1alpha1.ChangeApproval{*word(w, "alice", "Approve")}, "in force"},
	} {
		d.live.state.Windows, d.live.state.Approvals = []v1alpha1.ChangeWindow{*w}, tc.words
		d.now, d.calls = d.now.Add(longestWait), nil
		d.look()
		if got := d.waits("DataStore", "orders"); !strings.Contains(got, tc.want) || strings.Contains(strings.Join(d.calls, " "), "apply") != (tc.want == "in force") {
			t.Errorf("%s, after %s; want %s", got, d.calls, tc.want)
		}
	}
}

// An object that is no longer declared is deleted, this very object, and only if this server has applied it; objects of
// others stay.
func TestDeclaredIsTakenBack(t *testing.T) {
	d := declaring(t, production+`
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: others, labels: {firebreak.dev/declared: "true"}}
spec: {tier: NonProduction}
`, "environments: {test: {tier: NonProduction}}")
	d.look()
	got := d.stored("Environment", "", "test")
	got.SetUID("test-1")
	if err := d.client.Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	d.values("{}")
	d.broken["delete Environment test of UID test-1"] = errBroken
	if err := d.server.once(t.Context()); err == nil || err.Error() != `Environment "test": the API server is away` {
		t.Errorf("got %v", err)
	}
	d.wantWaits("Environment", "test", "in force")
	d.broken = nil
	d.look()
	d.wantCalls("delete Environment test of UID test-1")
	d.wantLogged(`"msg"="deleted what the values declare no more" "kind"="Environment" "name"="test"`)
	d.look()
	d.wantCalls()
	d.wantWaits("Environment", "test", "not declared")
	if d.stored("Environment", "", "others") == nil || d.stored("Environment", "", "production") == nil {
		t.Error("it has deleted what others have made")
	}
}

// Deleting Production weakens the boundary like any other such change, and without the ConfigMap nothing is deleted.
func TestDeclaredProductionStays(t *testing.T) {
	d := declaring(t, protected, "environments: {production: {tier: Production, namespaces: {names: [payments]}, identities: {groups: [sre]}}}")
	d.look()
	d.wantWaits("Environment", "production", "in force")
	d.values("{}")
	d.look()
	d.wantCalls()
	if got := d.waits("Environment", "production"); !strings.HasPrefix(got, `PendingApproval: environments.firebreak.dev "production" is forbidden: `) || !strings.Contains(got, `it deletes environment "production"`) {
		t.Errorf("it waits since %s", got)
	}
	var cm corev1.ConfigMap
	cm.Namespace, cm.Name = own, "firebreak-estate"
	if err := d.client.Delete(t.Context(), &cm); err != nil {
		t.Fatal(err)
	}
	d.calls = nil
	d.look()
	d.wantCalls()
	d.wantWaits("Environment", "production", "not declared")
	if got := metrics(t, d.gauge); got != nil {
		t.Errorf("metrics: %s", got)
	}
}

// A declaration that cannot be read, or is refused, needs a person to correct it: it is reported, and is not an error. The
// rest is applied.
func TestDeclaredIsRefused(t *testing.T) {
	gr := schema.GroupResource{Group: "firebreak.dev", Resource: "environments"}
	const both = "environments: {a: {tier: NonProduction}, b: {tier: NonProduction}}"
	for name, tc := range map[string]struct {
		values, call string
		which        declaration
		want         string
		applied      bool
	}{
		"a word that is none": {"environmets: {}", "", declaration{"ConfigMap", "firebreak-estate"},
			`Refused: key "estate.yaml" of ConfigMap "firebreak-estate": read the declared estate: error unmarshaling JSON: while decoding JSON: json: unknown field "environmets"`, false},
		"a trial that is forbidden": {both, "try Environment a as firebreak-estate", declaration{"Environment", "a"},
			`Refused: environments.firebreak.dev "a" is forbidden: no`, true},
		"a write that is forbidden": {both, "apply Environment a as firebreak-estate", declaration{"Environment", "a"},
			`Refused: environments.firebreak.dev "a" is forbidden: no`, true},
		"what admission calls malformed": {"environments: {b: {tier: NonProduction}}\ndataStores: {a: {environment: test, hosts: [\"a b\"]}}", "", declaration{"DataStore", "a"},
			`Refused: spec.hosts[0]: Invalid value: "a b": must be a host name, without scheme and port; a leading *. is allowed`, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := declaring(t, production, tc.values)
			d.broken[tc.call] = apierrors.NewForbidden(gr, "a", errors.New("no"))
			d.look()
			d.wantWaits(tc.which.kind, tc.which.name, tc.want)
			if heard := d.heard(); len(heard) != 1 || heard[0] != "Warning "+strings.Replace(tc.want, ": ", " ", 1) {
				t.Errorf("Events: %s", heard)
			}
			if d.has("apply Environment b as firebreak-estate") > 0 != tc.applied {
				t.Errorf("written: %s", d.calls)
			}
			if diff := cmp.Diff([]string{"firebreak_estate_pending kind=" + tc.which.kind + " name=" + tc.which.name + " reason=Refused 1"}, metrics(t, d.gauge)); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}

// A malformed ConfigMap changes no report on the rest; once it is corrected, it is no longer reported.
func TestDeclaredIsMended(t *testing.T) {
	d := declaring(t, protected, fewer)
	d.look()
	d.values("a: b")
	d.look()
	if got := d.waits("DataStore", "orders"); !strings.HasPrefix(got, why) {
		t.Errorf("meanwhile: %s", got)
	}
	d.values(fewer)
	d.look()
	d.wantWaits("ConfigMap", "firebreak-estate", "not declared")
	if got := metrics(t, d.gauge); len(got) != 1 || !strings.Contains(got[0], "DataStore") {
		t.Errorf("metrics: %s", got)
	}
}

// A call that may succeed later is an error. The report on its object stays, and the others go on.
func TestDeclaredThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil   func(*declares)
		want    string
		applied bool
	}{
		"the ConfigMap": {func(d *declares) { d.broken["get ConfigMap firebreak-estate"] = errBroken }, "read what is declared: the API server is away", false},
		"environments":  {func(d *declares) { d.broken["list EnvironmentList"] = errBroken }, "list Environments: the API server is away", false},
		"data stores":   {func(d *declares) { d.broken["list DataStoreList"] = errBroken }, "list DataStores: the API server is away", false},
		"a trial":       {func(d *declares) { d.broken["try DataStore orders as firebreak-estate"] = errBroken }, `DataStore "orders": the API server is away`, true},
		"who it is": {func(d *declares) { d.server.self, d.broken["create SelfSubjectReview"] = nil, errBroken },
			`Environment "test": ask who I am: the API server is away` + "\n" + `DataStore "orders": ask who I am: the API server is away`, false},
		"what is judged by": {func(d *declares) { d.live.err = errBroken }, `DataStore "orders": the API server is away`, true},
		"the cluster": {func(d *declares) { d.memory.est.Store(nil) },
			`Environment "test": Firebreak has just started and does not know the cluster yet; try again` + "\n" + `DataStore "orders": Firebreak has just started and does not know the cluster yet; try again`, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := declaring(t, protected, fewer)
			d.look()
			before := d.waits("DataStore", "orders")
			d.values("environments: {test: {tier: NonProduction}}\n" + fewer)
			d.now = d.now.Add(time.Minute)
			tc.spoil(d)
			if err := d.server.once(t.Context()); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			d.wantWaits("DataStore", "orders", before)
			if d.has("apply Environment test as firebreak-estate") > 0 != tc.applied {
				t.Errorf("written: %s", d.calls)
			}
		})
	}
}

// A declaration is judged with live reads only where they matter.
func TestDeclaredReadsWhatItNeeds(t *testing.T) {
	d := declaring(t, protected, "environments: {test: {tier: NonProduction}}")
	d.look()
	if d.live.asked > 0 {
		t.Error("it reads windows for what weakens nothing")
	}
	d.values(fewer)
	d.look()
	if d.live.asked != 1 {
		t.Errorf("it reads windows %d times", d.live.asked)
	}
}

// The applier begins as soon as the cluster is known, reports failures and tries again, and ends with its context.
func TestDeclaredRuns(t *testing.T) {
	d := declaring(t, production, "environments: {test: {tier: NonProduction}}")
	var leads manager.LeaderElectionRunnable = d.server
	if !leads.NeedLeaderElection() || d.server.Waiting() != d.server.waiting {
		t.Error("every replica applies what is declared")
	}
	est := d.memory.est.Swap(nil)
	d.server.every = 20 * time.Millisecond
	d.broken["get ConfigMap firebreak-estate"] = errBroken
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.server.Start(ctx) }()
	d.memory.est.Store(est)
	eventually(t, "a line of the log", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.logged) > 0 })
	d.wantLogged(`"msg"="could not apply the declared estate; it is tried again" "error"="read what is declared: the API server is away"`)
	d.mu.Lock()
	delete(d.broken, "get ConfigMap firebreak-estate")
	d.mu.Unlock()
	eventually(t, "the environment", func() bool { return d.has("apply Environment test as firebreak-estate") == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
