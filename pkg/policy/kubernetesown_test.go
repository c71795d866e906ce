package policy_test

import (
	"fmt"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// What Kubernetes binds itself is not told of in an audit, and nothing that only looks like it is left out.
func TestKubernetesOwnBindings(t *testing.T) {
	asks := []rbacv1.PolicyRule{{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews"}, Verbs: []string{"create"}}}
	all := []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}
	becomes := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}}}
	for name, c := range map[string]struct {
		binding, role string
		rules         []rbacv1.PolicyRule
		subject       string
		told          bool
	}{
		"everybody may ask what they may do":   {"system:basic-user", "system:basic-user", asks, `{"kind":"Group","name":"system:authenticated"}`, false},
		"the same role, widened by somebody":   {"system:basic-user", "system:basic-user", all, `{"kind":"Group","name":"system:authenticated"}`, true},
		"the same role, given to a person":     {"system:basic-user", "system:basic-user", all, `{"kind":"User","name":"mallory"}`, true},
		"another role under such a name":       {"system:basic-user", "cluster-admin", all, `{"kind":"Group","name":"system:authenticated"}`, true},
		"a name that is only like one":         {"system:evil", "system:evil", all, `{"kind":"Group","name":"system:authenticated"}`, true},
		"a controller":                         {"system:controller:job-controller", "system:controller:job-controller", becomes, `{"kind":"ServiceAccount","namespace":"kube-system","name":"job-controller"}`, false},
		"another account as a controller":      {"system:controller:job-controller", "system:controller:job-controller", becomes, `{"kind":"ServiceAccount","namespace":"kube-system","name":"evil"}`, true},
		"a controller of another namespace":    {"system:controller:job-controller", "system:controller:job-controller", becomes, `{"kind":"ServiceAccount","namespace":"dev","name":"job-controller"}`, true},
		"a controller that Kubernetes has not": {"system:controller:evil", "system:controller:evil", becomes, `{"kind":"ServiceAccount","namespace":"kube-system","name":"evil"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			est := estate.Compile(estate.Input{Environments: []v1alpha1.Environment{{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"payments"}}}}}, Namespaces: map[string]map[string]string{"payments": nil}})
			w := policy.NewClusterView(est)
			w.Roles = func(_, name string) (policy.Role, bool) { return policy.Role{Rules: c.rules}, name == c.role }
			raw := fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":%q},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":%q},"subjects":[%s]}`, c.binding, c.role, c.subject)
			d, err := policy.Audit(schema.GroupVersionKind{Group: rbacv1.GroupName, Version: "v1", Kind: "ClusterRoleBinding"}, schema.GroupVersionResource{Group: rbacv1.GroupName, Version: "v1", Resource: "clusterrolebindings"}, "", c.binding, []byte(raw), w, &change.State{}, time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			if told := len(d.Findings) > 0; told != c.told {
				t.Errorf("it is told of: %t, want %t: %+v", told, c.told, d.Findings)
			}
		})
	}
}
