package powers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy/powers"
)

func rule(verb, group, resource string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{resource}}}
}

func TestOf(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		rules  []rbacv1.PolicyRule
		want   powers.Level
	}{
		"nothing":                    {"it lets nobody do anything", nil, powers.Reads},
		"looking":                    {"no Secret is read", rule("list", "apps", "deployments"), powers.Reads},
		"looking at Secrets":         {"they open data stores", rule("get", "", "secrets"), powers.Writes},
		"looking at all":             {"Secrets among them", rule("watch", "", "*"), powers.Writes},
		"writing":                    {"it changes the cluster", rule("create", "apps", "deployments"), powers.Writes},
		"a page of the API server":   {"it is not an object", []rbacv1.PolicyRule{{Verbs: []string{"post"}, NonResourceURLs: []string{"/x"}}}, powers.Reads},
		"using a policy for Pods":    {"it only bounds Pods", rule("use", "policy", "podsecuritypolicies"), powers.Reads},
		"every verb":                 {"whatever verbs come to mean", rule("*", "apps", "deployments"), powers.Everything},
		"acting as others":           {"it is everybody's power", rule("impersonate", "", "users"), powers.Becomes},
		"acting as others, narrowly": {"the same power over fewer requests", rule("impersonate:user-info", "", "users"), powers.Becomes},
		"approving":                  {"it opens windows", rule("approve", "firebreak.dev", "environments"), powers.Becomes},
		"breaking glass":             {"it opens emergencies", rule("breakglass", "firebreak.dev", "environments"), powers.Becomes},
		"the strongest of several":   {"one rule is enough", append(rule("get", "", "pods"), rule("*", "", "pods")...), powers.Everything},
	} {
		if got := powers.Of(tc.rules); got != tc.want {
			t.Errorf("%s: level %d, want %d: %s", name, got, tc.want, tc.reason)
		}
	}
}

func TestCommands(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		rules  []rbacv1.PolicyRule
		want   bool
	}{
		"Pods":                     {"they run", rule("create", "", "pods"), true},
		"reading Pods":             {"it changes nothing", rule("get", "", "pods"), false},
		"sessions":                 {"anything may be done in one", rule("create", "", "pods/exec"), true},
		"sessions of any resource": {"so is exec of Pods", rule("create", "", "*/exec"), true},
		"reading Secrets":          {"they open data stores", rule("get", "", "secrets"), true},
		"reading through kubelets": {"they run commands, too", rule("get", "", "nodes/proxy"), true},
		"ConfigMaps":               {"nothing runs by them", rule("update", "", "configmaps"), false},
		"a Workflow":               {"its controller makes Pods", rule("create", "argoproj.io", "workflows"), true},
		"looking at a Workflow":    {"it changes nothing", rule("list", "argoproj.io", "workflows"), false},
		"acting as others":         {"it is everybody's power", rule("impersonate", "", "groups"), true},
	} {
		if got := powers.Commands(tc.rules); got != tc.want {
			t.Errorf("%s: %t, want %t: %s", name, got, tc.want, tc.reason)
		}
	}
}

func TestBuiltIn(t *testing.T) {
	for role, want := range map[string]powers.Level{"view": powers.Reads, "edit": powers.Writes, "admin": powers.Writes, "cluster-admin": powers.Everything} {
		if got, ok := powers.BuiltIn("", role); !ok || got != want {
			t.Errorf("%s: %d %t, want %d", role, got, ok, want)
		}
		if _, ok := powers.BuiltIn("dev", role); ok {
			t.Errorf("a Role that is called %s is not the built-in ClusterRole", role)
		}
	}
}

// A role aggregates others by label, and these aggregate further ones.
func TestAggregation(t *testing.T) {
	by := func(l string) []metav1.LabelSelector {
		return []metav1.LabelSelector{{MatchLabels: map[string]string{l: "yes"}}}
	}
	all := map[string]powers.Role{
		"top":    {Collects: by("middle")},
		"middle": {Rules: rule("get", "", "pods"), Labels: map[string]string{"middle": "yes"}, Collects: by("low")},
		"low":    {Rules: rule("create", "", "pods"), Labels: map[string]string{"low": "yes"}},
		"apart":  {Rules: rule("*", "", "pods")},
	}
	get := func() map[string]powers.Role { return all }
	want := append(rule("get", "", "pods"), rule("create", "", "pods")...)
	if diff := cmp.Diff(want, powers.Effective(all["top"], get)); diff != "" {
		t.Errorf("the rules of both are its own (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"low", "middle", "top"}, powers.FlowsInto("low", all["low"], all)); diff != "" {
		t.Errorf("its rules are the others', too (-want +got):\n%s", diff)
	}
	conventional := powers.Role{Labels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-edit": "true", "rbac.authorization.k8s.io/aggregate-to-view": "false"}}
	if diff := cmp.Diff([]string{"edit", "x"}, powers.FlowsInto("x", conventional, nil)); diff != "" {
		t.Errorf("Kubernetes' own convention holds where the roles are not known (-want +got):\n%s", diff)
	}
}

func TestContained(t *testing.T) {
	pods, deployments := rule("get", "", "pods"), rule("get", "apps", "deployments")
	both := append(append([]rbacv1.PolicyRule{}, pods...), deployments...)
	if !powers.Contained(pods, both) || powers.Contained(both, pods) || !powers.Contained(nil, nil) {
		t.Error("a rule is contained where it stands among the others as it is")
	}
}
