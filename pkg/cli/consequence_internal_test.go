package cli

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func TestParts(t *testing.T) {
	for path, want := range map[string]string{
		"spec.tier": "spec tier", `labels["a.b/c"]`: "labels a.b/c", "subjects[0].name": "subjects 0 name", `labels["a\"]b"].c`: `labels a"]b c`, "": "",
		`labels["abc" sha256 12]`: "", "labels[": "", "labels[x]": "",
	} {
		got, ok := parts(path)
		if strings.Join(got, " ") != want && ok || ok != (want != "") {
			t.Errorf("%s: %q %t, want %q", path, got, ok, want)
		}
	}
}

// What a binding gives to whom, and where, is told by what the window pins.
func TestWhatABindingGives(t *testing.T) {
	in := estate.Input{Namespaces: map[string]map[string]string{"payments": nil, "dev": nil}, Environments: []v1alpha1.Environment{{
		ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"payments"}}},
	}}}
	object := map[string]any{
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
		"subjects": []any{map[string]any{"kind": "Group", "name": "sre"}, map[string]any{"kind": "ServiceAccount", "name": "bot", "namespace": "ci"}},
	}
	for kind, want := range map[string]string{
		"ClusterRoleBinding": "all: ClusterRole admin is given to 2 subjects in all 2 namespaces, 1 of them in production: Group sre, ServiceAccount ci/bot",
		"RoleBinding":        "all: ClusterRole admin is given to 2 subjects in namespace payments: Group sre, ServiceAccount ci/bot",
	} {
		p := change.ObjectPlan("rbac.authorization.k8s.io", kind, object)
		w := &v1alpha1.ChangeWindowSpec{Plan: &v1alpha1.Plan{Workloads: []v1alpha1.PlannedWorkload{{
			ScopedResource: v1alpha1.ScopedResource{Group: "rbac.authorization.k8s.io", Kind: kind, Names: []v1alpha1.Glob{"all"}}, Digest: p.Digest, Fields: p.Fields,
		}}}}
		if got := fmt.Sprint(bound(w, "payments", in)); got != "["+want+"]" {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
