package policy_test

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// contentRules returns the rules about what an object leads to.
func contentRules() []v1alpha1.RuleName {
	return []v1alpha1.RuleName{
		v1alpha1.RuleDataStoreAcrossTiers, v1alpha1.RuleNamespaceAcrossTiers, v1alpha1.RuleCredentialAcrossTiers,
		v1alpha1.RulePlacementAcrossTiers, v1alpha1.RuleRouteAcrossTiers, v1alpha1.RuleStorageAcrossTiers,
	}
}

// everyFixture calls f with each fixture of each rule whose request writes an object.
func everyFixture(t *testing.T, f func(t *testing.T, s *stage, x fixture)) {
	t.Helper()
	s, n := newStage(t), 0
	for _, path := range glob(t, "testdata", "*", "*", "*.yaml") {
		if side := filepath.Base(filepath.Dir(path)); side != "allow" && side != "deny" {
			continue
		}
		x := readFixture(t, path)
		if x.Operation == "connect" || x.SubResource != "" {
			continue
		}
		n++
		t.Run(path, func(t *testing.T) { f(t, s, x) })
	}
	if n < 150 {
		t.Errorf("only %d fixtures write an object", n)
	}
}

func decide(t *testing.T, req *policy.Request, s *stage, state ...string) *policy.Decision {
	t.Helper()
	d, err := policy.Evaluate(*req, s.cluster, s.state(t, state...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDeletionPassesContentRules checks that an object can be deleted, whatever it leads to.
func TestDeletionPassesContentRules(t *testing.T) {
	everyFixture(t, func(t *testing.T, s *stage, x fixture) {
		x.Operation = "delete"
		for _, f := range decide(t, x.request(t, s), s, x.State...).Findings {
			if slices.Contains(contentRules(), f.Rule) {
				t.Errorf("its deletion is objected to: %s: %s", f.Rule, f.Message)
			}
		}
	})
}

// TestUnchangedUpdatesPass checks that an update without a change is admitted, freeze or no freeze.
func TestUnchangedUpdatesPass(t *testing.T) {
	everyFixture(t, func(t *testing.T, s *stage, x fixture) {
		x.Operation, x.objects = "update", []document{x.objects[0], x.objects[0]}
		d := decide(t, x.request(t, s), s, append(x.State, "everything")...)
		if !d.Allowed || len(d.Findings) > 0 || d.Use != nil {
			t.Errorf("admitted: %t, with %v", d.Allowed, d.Findings)
		}
	})
}

// TestOldSinsAreWarned checks that an update of other fields is not denied for what the object led to before.
func TestOldSinsAreWarned(t *testing.T) {
	everyFixture(t, func(t *testing.T, s *stage, x fixture) {
		old := x.objects[0]
		x.Operation, x.objects = "update", []document{annotate(t, old), old}
		for _, f := range decide(t, x.request(t, s), s, x.State...).Denied() {
			if slices.Contains(contentRules(), f.Rule) {
				t.Errorf("denied for what was stored: %s: %s", f.Rule, f.Message)
			}
		}
	})
}

// annotate returns an object with an annotation that means nothing.
func annotate(t *testing.T, d document) document {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(d.json, &o); err != nil {
		t.Fatal(err)
	}
	meta, ok := o["metadata"].(map[string]any)
	if !ok {
		t.Fatal("it has no metadata")
	}
	all, _ := meta["annotations"].(map[string]any)
	annotations := map[string]any{"example.com/reviewed": "yes"}
	for k, v := range all {
		annotations[k] = v
	}
	meta["annotations"] = annotations
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	d.json = raw
	return d
}

// TestStrangersWriteNothingInProduction checks that a requester who is a member of no environment is refused there for that, whatever they
// write.
func TestStrangersWriteNothingInProduction(t *testing.T) {
	everyFixture(t, func(t *testing.T, s *stage, x fixture) {
		req := x.request(t, s)
		m, known := s.cluster.Estate.Namespace(req.Namespace)
		if !known || len(m.Production()) == 0 || req.Kind.Group == v1alpha1.GroupName || req.Kind.Kind == "Namespace" {
			t.Skip("it is not written in a namespace of production's")
		}
		req.User.Username, req.User.UID, req.User.Groups, req.User.Extra = "oidc:stranger", "s-1", []string{"system:authenticated"}, nil
		d := decide(t, req, s, x.State...)
		if req.DryRun || x.Operation == "update" && d.Allowed && len(d.Findings) == 0 && sameButForBookkeeping(x.objects) {
			return // a dry run is only warned, and an update without a change passes
		}
		if !slices.ContainsFunc(d.Denied(), func(f policy.Finding) bool { return f.Rule == v1alpha1.RuleIdentityOutsideEnvironment }) {
			t.Errorf("admitted: %t, with %v", d.Allowed, d.Findings)
		}
	})
}

// sameButForBookkeeping reports whether both states of an update are the same apart from the fields that the API server keeps.
func sameButForBookkeeping(states []document) bool {
	spec := func(d document) (out map[string]any) {
		_ = json.Unmarshal(d.json, &out) // a fixture was read before
		delete(out, "metadata")
		delete(out, "status")
		return out
	}
	return len(states) == 2 && reflect.DeepEqual(spec(states[0]), spec(states[1]))
}

// TestDryRunsReserveNothing checks that a dry run which only lacks a window is admitted with a warning, and one that crosses tiers is not.
func TestDryRunsReserveNothing(t *testing.T) {
	everyFixture(t, func(t *testing.T, s *stage, x fixture) {
		req := x.request(t, s)
		if x.RoleRead {
			t.Skip("a dry run of a whole manifest stores the role no more than its binding")
		}
		sent := decide(t, req, s, x.State...)
		req = x.request(t, s)
		req.DryRun = true
		dry := decide(t, req, s, x.State...)
		segregation := slices.ContainsFunc(sent.Denied(), func(f policy.Finding) bool { return f.Class == policy.Segregation })
		if want := !segregation && len(sent.Invalid) == 0; !x.DryRun && dry.Allowed != want {
			t.Errorf("as a dry run it is admitted: %t, want %t; otherwise %v %v", dry.Allowed, want, sent.Findings, sent.Invalid)
		}
	})
}
