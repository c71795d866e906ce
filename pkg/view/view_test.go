package view_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// kind returns the view's Kind of a name.
func kind(t *testing.T, v *view.View, name string) *view.Kind {
	t.Helper()
	for _, k := range v.Kinds() {
		if k.Kind == name {
			return k
		}
	}
	t.Fatalf("the view keeps no %s", name)
	return nil
}

// Only a change that could decide something is news: Firebreak's own statuses come back as changes, and must not cause the
// estate to be compiled again.
func TestNews(t *testing.T) {
	v := view.New(view.Settings{}, night)
	k := kind(t, v, "Environment")
	put := func(version string, tier v1alpha1.Tier, condition string) bool {
		e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production", ResourceVersion: version, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}}, Spec: v1alpha1.EnvironmentSpec{Tier: tier}}
		e.Status.Conditions = []metav1.Condition{{Type: condition}}
		value, keep := k.Reduce(e)
		if !keep {
			t.Fatal("nothing is kept")
		}
		return k.Put("production", value)
	}
	for i, tc := range []struct {
		reason, version string
		tier            v1alpha1.Tier
		condition       string
		want            bool
	}{
		{"it is new", "1", v1alpha1.TierProduction, "Ready", true},
		{"nothing has changed", "1", v1alpha1.TierProduction, "Ready", false},
		{"the status decides nothing", "2", v1alpha1.TierProduction, "Problem", false},
		{"the tier does", "3", v1alpha1.TierShared, "Problem", true},
	} {
		if got := put(tc.version, tc.tier, tc.condition); got != tc.want {
			t.Errorf("put %d is news: %t, want %t: %s", i+1, got, tc.want, tc.reason)
		}
	}
	if e, ok := v.Environments.Get("production"); !ok || e.ResourceVersion != "3" || e.ManagedFields != nil {
		t.Errorf("kept is %+v", e.ObjectMeta)
	}
	if k.Put("production", "no Environment") {
		t.Error("what is no Environment is news")
	}
	k.Drop("production")
	if !put("4", v1alpha1.TierShared, "Problem") {
		t.Error("one that was deleted and made again is no news")
	}
}

// The peaks of replicas in an Environment's status count after a restart.
func TestEnvironmentsRecallPeaks(t *testing.T) {
	v, w := seeing(`{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production},
  status: {recentReplicas: [{namespace: payments, kind: Deployment.apps, name: web, replicas: 8, until: "2026-11-28T02:00:00Z"}]}}`)
	if got := w.Peaks("payments", "Deployment.apps", "web"); got != 8 {
		t.Errorf("the peak is %d, want 8", got)
	}
	past, _ := v.Tables()["peaks"].(map[string][]v1alpha1.ReplicaPeak)
	if len(past["payments"]) != 1 || past["payments"][0].Replicas != 8 {
		t.Errorf("the past is %v", past)
	}
}

// The estate is compiled from the objects that are kept; a deleted object leaves it.
func TestCompile(t *testing.T) {
	v, _ := seeing(
		`{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production, namespaces: {selector: {matchLabels: {env: prod}}}}}`,
		`{apiVersion: v1, kind: Namespace, metadata: {name: payments, labels: {env: prod}}}`,
	)
	m, ok := v.Compile().Namespace("payments")
	if !ok || m.Tier != v1alpha1.TierProduction || !m.In("production") {
		t.Errorf("the namespace belongs to %v (%t)", m, ok)
	}
	drop(v, "Environment", "production")
	if m, ok := v.Compile().Namespace("payments"); !ok || m.In("production") {
		t.Errorf("without the Environment it belongs to %v (%t)", m, ok)
	}
	drop(v, "Namespace", "payments")
	if m, ok := v.Compile().Namespace("payments"); ok {
		t.Errorf("once it is gone it belongs to %v", m)
	}
}

// A view tells which data stores have changed since it was compiled. Any other change has everything compiled, and so do very many.
func TestRecompile(t *testing.T) {
	const production = `{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production}}`
	store := func(name, host string) string {
		return `{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: ` + name + `}, spec: {environment: production, hosts: [` + host + `]}}`
	}
	v, _ := seeing(production, store("orders", "orders.example.com"), store("carts", "carts.example.com"))
	e, updated := v.Recompile(nil)
	if updated != nil || len(e.Host("orders.example.com")) == 0 {
		t.Fatalf("at first: %v", updated)
	}
	many := make([]string, 0, 2000)
	for i := range cap(many) {
		many = append(many, store(fmt.Sprintf("s%d", i), fmt.Sprintf("s%d.example.com", i)))
	}
	for _, step := range []struct {
		name    string
		do      func()
		updated []string
		hosts   []string
		gone    []string
	}{
		{"a host of a store", func() { add(v, store("orders", "ledger.example.com")) }, []string{"orders"}, []string{"ledger.example.com", "carts.example.com"}, []string{"orders.example.com"}},
		{"twice", func() { add(v, store("orders", "one.example.com"), store("orders", "two.example.com")) }, []string{"orders"}, []string{"two.example.com"}, []string{"ledger.example.com", "one.example.com"}},
		{"a store that is new, and one that is gone", func() { add(v, store("new", "new.example.com")); drop(v, "DataStore", "carts") }, []string{"carts", "new"}, []string{"new.example.com"}, []string{"carts.example.com"}},
		{"one that came and went", func() { add(v, store("brief", "brief.example.com")); drop(v, "DataStore", "brief") }, nil, nil, []string{"brief.example.com"}},
		{"an environment, too", func() {
			add(v, store("orders", "three.example.com"), strings.Replace(production, "Production}", "Shared}", 1))
		}, nil, []string{"three.example.com"}, []string{"two.example.com"}},
		{"a namespace", func() { add(v, `{apiVersion: v1, kind: Namespace, metadata: {name: payments}}`) }, nil, nil, nil},
		{"very many", func() { add(v, many...) }, nil, []string{"s0.example.com", "s1999.example.com"}, nil},
		{"one store again", func() { add(v, store("s7", "seven.example.com")) }, []string{"s7"}, []string{"seven.example.com"}, []string{"s7.example.com"}},
	} {
		step.do()
		var updated []string
		if e, updated = v.Recompile(e); !slices.Equal(updated, step.updated) {
			t.Errorf("%s: %v is updated, want %v", step.name, updated, step.updated)
		}
		for _, h := range step.hosts {
			if len(e.Host(h)) == 0 {
				t.Errorf("%s: %s is not known", step.name, h)
			}
		}
		for _, h := range step.gone {
			if len(e.Host(h)) > 0 {
				t.Errorf("%s: %s is still known", step.name, h)
			}
		}
	}
}

// Every kind makes objects and lists of its own, and keeps nothing of any other kind.
func TestKindsKeepTheirOwn(t *testing.T) {
	for _, k := range view.New(view.Settings{ReadSecrets: true, Remembered: 1 << 20}, night).Kinds() {
		list, err := k.NewList()
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := k.NewList(); list == again {
			t.Errorf("two lists of %s are one", k.Name)
		}
		if _, keep := k.Reduce(k.Sample()); !keep && k.Kind != "HorizontalPodAutoscaler" {
			t.Errorf("nothing is kept of %s", k.Name)
		}
		if v, keep := k.Reduce(&corev1.Endpoints{}); keep { //nolint:staticcheck // a kind that nothing is kept of
			t.Errorf("%v is kept of what is none of %s", v, k.Name)
		}
	}
}

// Objects of other kinds, or of another namespace than the kept ones, are left alone; an object that cannot be read is an
// error.
func TestAdd(t *testing.T) {
	v, _ := seeing()
	before := v.Tables()
	add(v, `{apiVersion: example.com/v1, kind: Pod, metadata: {name: a, namespace: b}}`, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, namespace: b}}`,
		`{apiVersion: firebreak.dev/v1alpha1, kind: ChangeExecution, metadata: {name: a, namespace: b}}`)
	if after := v.Tables(); !reflect.DeepEqual(before, after) {
		t.Errorf("kept is %v, want %v", after, before)
	}
	add(v, `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeExecution, metadata: {name: a, namespace: firebreak-system}}`)
	if _, ok := v.Executions.Get("firebreak-system/a"); !ok {
		t.Error("an execution of Firebreak's own namespace is not kept")
	}
	err := v.Add(&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "n-1"}, "spec": "none"}})
	if err == nil || !strings.HasPrefix(err.Error(), `read Node "n-1": `) {
		t.Errorf("%v", err)
	}
}

// A table returns its values in the order of their keys, and copies that are the caller's own.
func TestTable(t *testing.T) {
	var table view.Table[int]
	for i, key := range []string{"c", "a", "b"} {
		if !table.Put(key, i) {
			t.Errorf("%s is no news", key)
		}
	}
	if table.Put("a", 1) || !table.Put("a", 7) {
		t.Error("the same value is news, or another is none")
	}
	if diff := cmp.Diff([]int{7, 2, 0}, table.Values()); diff != "" {
		t.Errorf("the values differ: %s", diff)
	}
	all := table.All()
	delete(all, "a")
	if v, ok := table.Delete("a"); !ok || v != 7 {
		t.Errorf("deleted: %d %t", v, ok)
	}
	if v, ok := table.Delete("a"); ok || v != 0 {
		t.Errorf("deleted twice: %d %t", v, ok)
	}
	if diff := cmp.Diff([]int{2, 0}, table.Values()); diff != "" {
		t.Errorf("the values then differ: %s", diff)
	}
}
