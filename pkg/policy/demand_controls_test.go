package policy_test

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// controlled returns the cluster of Production environments with the given controls, each with a namespace of its name.
func controlled(all map[string]*v1alpha1.ChangeControl) *policy.ClusterView {
	in := estate.Input{Namespaces: map[string]map[string]string{"firebreak-system": nil}, Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system", FirebreakAccount: "firebreak"}
	for name, controls := range all {
		in.Namespaces[name] = nil
		in.Environments = append(in.Environments, v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now().AddDate(0, -1, 0))},
			Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{v1alpha1.Glob(name)}},
				Identities:    v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre"}, Operators: []v1alpha1.ServiceAccountGlob{v1alpha1.ServiceAccountGlob(name + "/operator")}},
				ChangeControl: controls,
			},
		})
	}
	w := policy.NewClusterView(estate.Compile(in))
	w.ControllerUID = func(string) (string, bool) { return "", true }
	return w
}

func approvals(n int32) *v1alpha1.ChangeControl {
	return &v1alpha1.ChangeControl{RequiredApprovals: &n, RequirePlan: new(bool), ConfirmTarget: new(bool)}
}

// TestTheStrictestControlsHold checks that a window for a request which changes the boundary of all environments, and runs something in
// one, must meet the strictest controls of all.
func TestTheStrictestControlsHold(t *testing.T) {
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: fix, namespace: lax, uid: f-1}, spec: {serviceAccountName: operator, containers: [{name: c, image: "postgres:17", command: [psql]}]}}`
	w := controlled(map[string]*v1alpha1.ChangeControl{"lax": approvals(0), "strict": approvals(2)})
	state := &change.State{Windows: []v1alpha1.ChangeWindow{bobs("firebreak-system", "lax", v1alpha1.Scope{
		Operations: []v1alpha1.Operation{v1alpha1.OperationCreate}, Resources: []v1alpha1.ScopedResource{{Kind: "Pod", Names: []v1alpha1.Glob{"*"}}}, Clusters: []string{"prod-eu-1"},
	})}}
	d, err := policy.Evaluate(*demanding(t, pod), w, state)
	if err != nil {
		t.Fatal(err)
	}
	if d.Allowed || d.Use != nil {
		t.Errorf("admitted without the two approvals that strict wants: %v", d.Findings)
	}
}

// TestSessionsByTheEnvironment checks that an environment can allow sessions, want a window for them, or forbid them.
func TestSessionsByTheEnvironment(t *testing.T) {
	for access, want := range map[v1alpha1.InteractiveAccess]string{
		v1alpha1.InteractiveAllow: "[]", v1alpha1.InteractiveWindowRequired: "[InteractiveAccess]", v1alpha1.InteractiveDeny: "[InteractiveAccess]",
	} {
		controls := approvals(0)
		controls.InteractiveAccess = access
		req := demanding(t, calmPod)
		req.Operation, req.SubResource, req.Namespace, req.Name, req.Object = policy.Connect, "exec", "payments", "web", nil
		req.Kind, req.Resource = schema.GroupVersionKind{Version: "v1", Kind: "PodExecOptions"}, schema.GroupVersionResource{Version: "v1", Resource: "pods"}
		d, err := policy.Evaluate(*req, controlled(map[string]*v1alpha1.ChangeControl{"payments": controls}), nil)
		if err != nil {
			t.Fatal(err)
		}
		denied := []v1alpha1.RuleName{}
		for _, f := range d.Denied() {
			denied = append(denied, f.Rule)
		}
		if got := fmt.Sprint(denied); got != want {
			t.Errorf("%s: denied by %s, want %s", access, got, want)
		}
	}
}

// TestTheAuditSaysWhatIsMissing checks that a stored object which cannot be judged from memory is not reported as clean.
func TestTheAuditSaysWhatIsMissing(t *testing.T) {
	s := newStage(t)
	s.cluster.ConfigMaps = func(string, string) (reference.Contents, bool) { return reference.Contents{Large: true}, true }
	const stored = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"dev"},"spec":{"containers":[{"name":"c","image":"x","envFrom":[{"configMapRef":{"name":"settings"}}]}]}}`
	d, err := policy.Audit(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, schema.GroupVersionResource{Version: "v1", Resource: "pods"}, "dev", "p", []byte(stored), s.cluster, &change.State{}, now())
	if err == nil || err.Error() != `ConfigMap "settings" cannot be read for what it names: it is too large; split it, or take out of it what no program reads` {
		t.Errorf("%v, %+v", err, d)
	}
}

// TestSomeRules checks that an evaluator of some rules judges by those, and does not panic for want of the others.
func TestSomeRules(t *testing.T) {
	for i, left := range policy.Rules() {
		rules := append(append([]policy.Rule{}, policy.Rules()[:i]...), policy.Rules()[i+1:]...)
		confirm := true
		controls := &v1alpha1.ChangeControl{ConfirmTarget: &confirm}
		d, err := policy.NewEvaluator(rules...).Evaluate(*demanding(t, psqlPod), controlled(map[string]*v1alpha1.ChangeControl{"payments": controls}), nil)
		if err != nil {
			t.Fatalf("without %s: %v", left.Name(), err)
		}
		for _, f := range d.Findings {
			if f.Rule == left.Name() {
				t.Errorf("without %s it finds %v", left.Name(), f)
			}
		}
	}
}

// TestUsedUpWindowsDoNotFreeze checks that, if a freeze only warns, a used-up window that nothing demands denies nothing.
func TestUsedUpWindowsDoNotFreeze(t *testing.T) {
	w := enforcing(map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleChangeFrozen: v1alpha1.ActionWarn})
	window := bobs("payments", "production", v1alpha1.Scope{
		Operations: []v1alpha1.Operation{v1alpha1.OperationCreate}, Resources: []v1alpha1.ScopedResource{{Group: "apps", Kind: "StatefulSet", Names: []v1alpha1.Glob{"*"}}},
	})
	state := &change.State{
		Windows:    []v1alpha1.ChangeWindow{window},
		Freezes:    []v1alpha1.ChangeFreeze{{ObjectMeta: metav1.ObjectMeta{Name: "f"}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Reason: "test", RequestedBy: &v1alpha1.Stamp{Username: "robin"}}}},
		Executions: []v1alpha1.ChangeExecution{{Spec: v1alpha1.ChangeExecutionSpec{Window: v1alpha1.ExecutedWindow{ObjectReference: v1alpha1.ObjectReference{UID: "w-1"}}, Slot: "0", Key: "another"}}},
	}
	d, err := policy.Evaluate(*demanding(t, keptSet), w, state)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Allowed || len(d.Findings) != 1 || d.Findings[0].Rule != v1alpha1.RuleChangeFrozen {
		t.Errorf("admitted: %t, with %v", d.Allowed, d.Findings)
	}
}
