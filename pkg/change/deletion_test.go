package change_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

func TestADeletionIsOfOneObject(t *testing.T) {
	deletes := func(uids ...string) func(*v1alpha1.ChangeWindow) {
		return func(w *v1alpha1.ChangeWindow) {
			w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.OperationDelete)
			for i := range w.Spec.Scope.Resources {
				w.Spec.Scope.Resources[i].UIDs = uids
			}
		}
	}
	of := func(uid types.UID) func(*change.Query) {
		return func(q *change.Query) {
			q.Operations, q.Plan, q.UID = []v1alpha1.Operation{v1alpha1.OperationDelete}, nil, uid
		}
	}
	runWindowCases(t, map[string]windowCase{
		"by its name":         {reason: "the name alone was approved", window: deletes(), ask: of("1"), stage: change.Covers},
		"by its UID":          {reason: "it is the one that was seen", window: deletes("1"), ask: of("1"), stage: change.Covers},
		"one of several":      {reason: "each was seen", window: deletes("1", "2"), ask: of("2"), stage: change.Covers},
		"another of its name": {reason: "it was made after the approval", window: deletes("1", "2"), ask: of("3"), stage: change.PlanDiffers, why: "it is for the deletion of an object with UID 1 or 2, and this one has UID 3: it was made again"},
		"one without a UID":   {reason: "nobody can tell", window: deletes("1"), ask: of(""), stage: change.PlanDiffers, why: "it is for the deletion of an object with UID 1, and this one has UID : it was made again"},
	})
}

// definition reads the definition of a kind that Firebreak installs.
func definition(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile("../../config/crd/firebreak.dev_environments.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := yaml.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A definition pins what it says, as the API server stores it, each version apart.
func TestTheDefinitionOfAKindIsPinned(t *testing.T) {
	const group, kind = "apiextensions.k8s.io", "CustomResourceDefinition"
	want := change.ObjectPlan(group, kind, definition(t))
	if want == nil || len(want.Fields) > 400 {
		t.Fatalf("%+v", want)
	}
	names := func(u map[string]any) map[string]any { return u["spec"].(map[string]any)["names"].(map[string]any) }
	for name, edit := range map[string]func(map[string]any){
		"its status":                             func(u map[string]any) { u["status"] = map[string]any{"conditions": []any{"x"}} },
		"the names that the API server fills in": func(u map[string]any) { delete(names(u), "listKind"); delete(names(u), "singular") },
		"no conversion said":                     func(u map[string]any) { u["spec"].(map[string]any)["conversion"] = map[string]any{"strategy": "None"} },
	} {
		u := definition(t)
		if edit(u); change.ObjectPlan(group, kind, u).Digest != want.Digest {
			t.Errorf("%s: another digest, want the same", name)
		}
	}
	version := func(u map[string]any) map[string]any {
		return u["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	}
	for name, edit := range map[string]func(map[string]any){
		"another short name": func(u map[string]any) { names(u)["shortNames"] = []any{"x"} },
		"not served":         func(u map[string]any) { version(u)["served"] = false },
		"another schema": func(u map[string]any) {
			version(u)["schema"] = map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}}
		},
		"a webhook": func(u map[string]any) {
			u["spec"].(map[string]any)["conversion"] = map[string]any{"strategy": "Webhook"}
		},
		"a version more": func(u map[string]any) {
			spec := u["spec"].(map[string]any)
			spec["versions"] = append(spec["versions"].([]any), map[string]any{"name": "v2"})
		},
	} {
		u := definition(t)
		if edit(u); change.ObjectPlan(group, kind, u).Digest == want.Digest {
			t.Errorf("%s: the same digest, want another", name)
		}
	}
	said, _ := json.Marshal(want.Fields)
	if !strings.Contains(string(said), `"path":"spec.names.kind"`) || !strings.Contains(string(said), "spec.versions[0].served") {
		t.Errorf("the fields say %.400s", said)
	}
}
