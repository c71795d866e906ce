package change_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func custom(t *testing.T, text string) *change.Plan {
	t.Helper()
	return change.CustomPlan(tree(t, text), nil, nil)
}

// Two objects that say different things have different plans.
func TestBypassEqualPlans(t *testing.T) {
	long := strings.Repeat("k", 100)
	for name, pair := range map[string][2]string{
		"large numbers":          {`{"spec":{"upTo":9007199254740993}}`, `{"spec":{"upTo":9007199254740992}}`},
		"an empty selector":      {`{"spec":{"selector":{},"x":1}}`, `{"spec":{"x":1}}`},
		"an empty list":          {`{"spec":{"only":[],"x":1}}`, `{"spec":{"x":1}}`},
		"a null in a list":       {`{"spec":{"l":[{"a":1},null]}}`, `{"spec":{"l":[{"a":1}]}}`},
		"a list of nulls":        {`{"spec":{"l":[null,null],"x":1}}`, `{"spec":{"x":1}}`},
		"what looks like hidden": {`{"spec":{"s":"(hidden, sha256 x)"}}`, `{"spec":{"s":"(written: hidden, sha256 x)"}}`},
		"a key with a dot":       {`{"spec":{"a":{"b":1}}}`, `{"spec":{"a.b":1}}`},
		"a key like an index":    {`{"spec":{"a":[1]}}`, `{"spec":{"a[0]":1}}`},
		"long keys":              {`{"spec":{"` + long + `1":1}}`, `{"spec":{"` + long + `2":1}}`},
		"beside the spec":        {`{"spec":{},"data":1}`, `{"spec":{},"data":2}`},
		"deep below":             {`{"spec":` + strings.Repeat(`{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":`, 30) + `1` + strings.Repeat(`}`, 30) + `}`, `{"spec":` + strings.Repeat(`{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":`, 30) + `2` + strings.Repeat(`}`, 30) + `}`},
	} {
		if custom(t, pair[0]).Digest == custom(t, pair[1]).Digest {
			t.Errorf("%s: %s and %s have the same plan", name, pair[0], pair[1])
		}
	}
	role := func(labels string) string {
		return change.ObjectPlan("rbac.authorization.k8s.io", "ClusterRole", tree(t, `{"metadata":{"name":"a"`+labels+`},"rules":[{"verbs":["get"]}]}`)).Digest
	}
	if role("") == role(`,"labels":{"rbac.authorization.k8s.io/aggregate-to-edit":"true"}`) {
		t.Error("a label gives the rules to everybody who may edit, and is not pinned")
	}
}

// No credential is in a plan, wherever it stands.
func TestBypassCredentialsInPlans(t *testing.T) {
	many := map[string]any{"password": "hunter2hunter2", "args": []any{"--password", "hunter2hunter2"}}
	for i := range 401 {
		many[fmt.Sprintf("k%d", i)] = "x"
	}
	raw, err := json.Marshal(map[string]any{"spec": many})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*change.Plan{
		"mysql":                    custom(t, `{"spec":{"template":{"spec":{"containers":[{"name":"a","command":["mysql"],"args":["-uroot","-phunter2hunter2"]}]}}}}`),
		"redis-cli":                custom(t, `{"spec":{"template":{"spec":{"containers":[{"name":"a","command":["redis-cli"],"args":["-a","hunter2hunter2"]}]}}}}`),
		"a list of passwords":      custom(t, `{"spec":{"passwords":["hunter2hunter2"]}}`),
		"beside the spec":          custom(t, `{"password":"hunter2hunter2"}`),
		"among many fields":        custom(t, string(raw)),
		"a number":                 custom(t, `{"spec":{"password":314159265}}`),
		"among many keys":          change.ObjectPlan("", "ConfigMap", map[string]any{"data": many}),
		"base64":                   change.ObjectPlan("", "ConfigMap", tree(t, `{"binaryData":{"app.properties":"cGFzc3dvcmQ9aHVudGVyMmh1bnRlcjI="}}`)),
		"a key and a value":        custom(t, `{"spec":{"items":[{"key":"password","value":"hunter2hunter2"}]}}`),
		"deep below, in a command": custom(t, `{"spec":`+strings.Repeat(`{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":`, 15)+`{"command":["mysql"],"args":["-phunter2hunter2"]}`+strings.Repeat(`}`, 15)+`}`),
	} {
		if len(p.Fields) == 0 {
			t.Errorf("%s: nothing is pinned", name)
		}
		for _, f := range p.Fields {
			for _, secret := range []string{"hunter2", "314159265", "aHVudGVy"} {
				if strings.Contains(f.Value, secret) {
					t.Errorf("%s: %s = %s", name, f.Path, f.Value)
				}
			}
		}
	}
}

// What a plan costs is bounded by the size of the object, and each of its paths fits into a window.
func TestBypassMemoryOfPlans(t *testing.T) {
	leaves := make([]string, 390)
	for i := range leaves {
		leaves[i] = fmt.Sprintf(`"a%d":1`, i)
	}
	deep := func(key string, n int) string { return strings.Repeat(`{"`+key+`":`, n) + `1` + strings.Repeat("}", n) }
	parts := make([]string, 50)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"p%d":{"name":"a","value":%s}`, i, deep("a", 2000))
	}
	for name, text := range map[string]string{
		"a long key":        `{"spec":{"` + strings.Repeat("k", 700_000) + `":{` + strings.Join(leaves, ",") + `}}}`,
		"a deep object":     `{"spec":` + deep(strings.Repeat("d", 100), 4000) + `}`,
		"many deep objects": `{"spec":{` + strings.Join(parts, ",") + `}}`,
		"a long list":       `{"spec":[` + strings.TrimSuffix(strings.Repeat(`{"a":1},`, 50_000), ",") + `]}`,
		"many keys of many": `{"spec":{` + strings.TrimSuffix(strings.Repeat(`"k":{`+strings.Join(leaves, ",")+`},`, 200), ",") + `}}`,
	} {
		object := tree(t, text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p := change.CustomPlan(object, nil, nil)
		runtime.ReadMemStats(&after)
		if per := (after.TotalAlloc - before.TotalAlloc) / uint64(len(text)); per > 128 { // small objects in each other cost that when they are decoded again to hide what is secret
			t.Errorf("%s: %d bytes are allocated for each byte", name, per)
		}
		for _, f := range p.Fields {
			if len(f.Path) > 512 {
				t.Errorf("%s: a path has %d bytes", name, len(f.Path))
			}
		}
		if len(p.Fields) > 512 {
			t.Errorf("%s: %d fields", name, len(p.Fields))
		}
	}
}

// An entry that is for another maker, or is the way back, pins nothing of what is written, and permits nothing.
func TestBypassPinsThatPinNothing(t *testing.T) {
	for name, set := range map[string]func(*v1alpha1.PlannedWorkload){
		"of another maker": func(e *v1alpha1.PlannedWorkload) {
			e.MadeBy = &v1alpha1.Maker{Group: "batch", Kind: "CronJob", Name: "x"}
		},
		"the way back": func(e *v1alpha1.PlannedWorkload) { e.Rollback = true },
	} {
		w, q := window(), question()
		w.Namespace, w.Spec.Scope.Clusters = "firebreak-system", []string{"prod-eu-1"}
		env := v1alpha1.ScopedResource{Group: v1alpha1.GroupName, Kind: v1alpha1.KindEnvironment, Names: []v1alpha1.Glob{"staging"}}
		good := change.SpecPlan(v1alpha1.KindEnvironment, map[string]any{"tier": "Production"})
		evil := change.SpecPlan(v1alpha1.KindEnvironment, map[string]any{"tier": "NonProduction"})
		e := v1alpha1.PlannedWorkload{ScopedResource: env, Digest: good.Digest, Fields: good.Fields}
		set(&e)
		w.Spec.Scope.Resources, w.Spec.Plan.Workloads = []v1alpha1.ScopedResource{env}, []v1alpha1.PlannedWorkload{e}
		q.Group, q.Kind, q.Name, q.Namespace, q.Plan, q.Boundary = env.Group, env.Kind, "staging", "", nil, true
		q.Spec, q.Pin = evil, evil.Digest
		v := change.Judge(w, q, &change.State{Windows: []v1alpha1.ChangeWindow{*w}, Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}})
		if v.Stage == change.Covers {
			t.Errorf("%s: another spec is covered", name)
		}
		if len(change.WithoutSpec(&w.Spec, true)) == 0 {
			t.Errorf("%s: it counts as pinned", name)
		}
	}
}

// An entry with a way back opens no update to anything else.
func TestBypassWayBackOfUnpinnedKinds(t *testing.T) {
	w, q := window(), question()
	secret := v1alpha1.ScopedResource{Kind: "Secret", Names: []v1alpha1.Glob{"db"}}
	w.Spec.Scope.Resources = []v1alpha1.ScopedResource{secret}
	w.Spec.Plan.Workloads = []v1alpha1.PlannedWorkload{{ScopedResource: secret, Digest: plannedJob().Digest, Rollback: true}}
	q.Group, q.Kind, q.Name, q.Plan, q.Operations = "", "Secret", "db", nil, []v1alpha1.Operation{v1alpha1.OperationUpdate}
	if v := change.Judge(w, q, &change.State{Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}}); v.Stage != change.OutOfScope {
		t.Errorf("an update is judged %d", v.Stage)
	}
}

// Under a limit of the whole window, a run of one entry does not become one of another that was used up.
func TestBypassContinuationOfAnotherEntry(t *testing.T) {
	w, q := window(), question()
	r := w.Spec.Plan.Workloads[0].ScopedResource
	r.Executions = ptr(int32(1))
	w.Spec.Plan.Workloads[0].Executions = ptr(int32(1))
	w.Spec.Plan.Workloads = append(w.Spec.Plan.Workloads, v1alpha1.PlannedWorkload{ScopedResource: r, Digest: otherJob().Digest})
	w.Spec.MaxExecutions = ptr(int32(2))
	a, b := execution(w, "0", "job-1", v1alpha1.ExecutionUsed), execution(w, "1", "job-2", v1alpha1.ExecutionUsed)
	a.Spec.Entry, b.Spec.Entry, a.Spec.Digest, b.Spec.Digest = "e0", "e1", plannedJob().Digest, otherJob().Digest
	q.Operations, q.Key, q.Continues, q.Plan = []v1alpha1.Operation{v1alpha1.OperationUpdate}, "patch-9", "job-1", otherJob()
	v := change.Judge(w, q, &change.State{Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}, Executions: []v1alpha1.ChangeExecution{a, b}})
	if v.Stage == change.Covers {
		t.Error("e1 was used up")
	}
}

// The server stamps who sent an Exemption into what was approved: that is no other Exemption. Whatever else differs is.
func TestTheStampIsNoPartOfThePlan(t *testing.T) {
	spec := map[string]any{"reason": "r", "rules": []any{"DataStoreAcrossTiers"}}
	stamped := map[string]any{"reason": "r", "rules": []any{"DataStoreAcrossTiers"}, "requestedBy": map[string]any{"username": "sam"}}
	other := map[string]any{"reason": "r", "rules": []any{"BlastRadius"}, "requestedBy": map[string]any{"username": "sam"}}
	plan := func(s map[string]any) string { return change.SpecPlan(v1alpha1.KindExemption, s).Digest }
	if plan(spec) != plan(stamped) || plan(stamped) == plan(other) {
		t.Errorf("%s as requested, %s as stamped, %s for another", plan(spec), plan(stamped), plan(other))
	}
	if _, kept := stamped["requestedBy"]; !kept {
		t.Error("the object itself was changed")
	}
}
