package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func TestUnlistedAt(t *testing.T) {
	s := newStage(t)
	rules := map[string][]rbacv1.PolicyRule{
		"writes": {{Verbs: []string{"create"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}}},
		"looks":  {{Verbs: []string{"list"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}}},
	}
	s.cluster.Roles = func(_, name string) (policy.Role, bool) { r, ok := rules[name]; return policy.Role{Rules: r}, ok }
	bound := map[string]policy.BoundRole{
		"tools/stranger":                  {Namespace: "payments", Role: "writes"},
		"tools/onlooker":                  {Namespace: "payments", Role: "looks"},
		"tools/elsewhere":                 {Namespace: "dev", Role: "writes"},
		"dev/builder":                     {Namespace: "payments", Role: "writes"},
		"payments/deployer":               {Namespace: "payments", Role: "writes"},
		"kube-system/cronjob-controller":  {Role: "writes"},
		"kube-system/backdoor-controller": {Role: "writes"},
	}
	s.cluster.BindingsOf = func(ns, name string) []policy.BoundRole {
		if b, ok := bound[ns+"/"+name]; ok {
			return []policy.BoundRole{b}
		}
		return nil
	}
	var accounts []types.NamespacedName
	for a := range bound {
		ns, name, _ := strings.Cut(a, "/")
		accounts = append(accounts, types.NamespacedName{Namespace: ns, Name: name})
	}
	got := map[string]string{}
	for _, x := range policy.UnlistedAt(s.cluster, accounts) {
		got[x.Namespace+"/"+x.Name] = x.Why
	}
	const why = `its bindings give it power in environment "production", whose spec.identities do not list it: what it writes is admitted there with a warning; list it, or take the bindings away`
	want := map[string]string{"tools/stranger": why, "kube-system/backdoor-controller": why}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
