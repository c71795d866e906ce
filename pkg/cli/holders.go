package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Holder is somebody who holds a right, and through what.
type Holder struct {
	// Subject is a user, group or service account, such as `group "sre"`.
	Subject string `json:"subject"`
	// Namespace is where the right holds; it is empty for everywhere.
	Namespace string `json:"namespace,omitempty"`
	// Through names the binding and the role.
	Through string `json:"through"`
	// group is true for a group, of which it is not known who and how many are in it.
	group bool
}

// access are the roles and bindings of a cluster.
type access struct {
	clusterRoles    map[string][]rbacv1.PolicyRule
	roles           map[string][]rbacv1.PolicyRule
	clusterBindings []rbacv1.ClusterRoleBinding
	bindings        []rbacv1.RoleBinding
}

// readAccess lists the roles and bindings. Its error may be that the user may not.
func readAccess(ctx context.Context, c client.Client) (*access, error) {
	a := &access{clusterRoles: map[string][]rbacv1.PolicyRule{}, roles: map[string][]rbacv1.PolicyRule{}}
	var clusterRoles rbacv1.ClusterRoleList
	var roles rbacv1.RoleList
	var clusterBindings rbacv1.ClusterRoleBindingList
	var bindings rbacv1.RoleBindingList
	for _, l := range []client.ObjectList{&clusterRoles, &roles, &clusterBindings, &bindings} {
		if err := c.List(ctx, l); err != nil {
			return nil, fmt.Errorf("list roles and bindings: %w", err)
		}
	}
	for _, r := range clusterRoles.Items {
		a.clusterRoles[r.Name] = r.Rules
	}
	for _, r := range roles.Items {
		a.roles[r.Namespace+"/"+r.Name] = r.Rules
	}
	a.clusterBindings, a.bindings = clusterBindings.Items, bindings.Items
	return a, nil
}

// right is a verb on a resource.
type right struct{ verb, group, resource string }

func approving() right { return right{"approve", v1alpha1.GroupName, "changewindows"} }
func breaking() right  { return right{"breakglass", v1alpha1.GroupName, "changewindows"} }

// grants reports whether rules grant a right on every object of the resource.
func (r right) grants(rules []rbacv1.PolicyRule) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, rbacv1.VerbAll)
	}
	return slices.ContainsFunc(rules, func(p rbacv1.PolicyRule) bool {
		return len(p.ResourceNames) == 0 && has(p.Verbs, r.verb) && has(p.APIGroups, r.group) && has(p.Resources, r.resource)
	})
}

// holders returns everybody who holds a right in a namespace, or, if it is empty, anywhere. Kubernetes' own controllers and nodes are left out.
func (a *access) holders(r right, namespace string) []Holder {
	var out []Holder
	add := func(ns, binding, role string, subjects []rbacv1.Subject) {
		for _, s := range subjects {
			if s.Kind == rbacv1.ServiceAccountKind && s.Namespace == "kube-system" || s.Name == "system:kube-controller-manager" || s.Name == "system:nodes" {
				continue
			}
			out = append(out, Holder{describeSubject(s, ns), ns, fmt.Sprintf("%s to role %s", binding, role), s.Kind == rbacv1.GroupKind})
		}
	}
	for _, b := range a.clusterBindings {
		if r.grants(a.clusterRoles[b.RoleRef.Name]) {
			add("", "ClusterRoleBinding "+b.Name, b.RoleRef.Name, b.Subjects)
		}
	}
	for _, b := range a.bindings {
		if namespace != "" && b.Namespace != namespace {
			continue
		}
		rules := a.roles[b.Namespace+"/"+b.RoleRef.Name]
		if b.RoleRef.Kind == "ClusterRole" {
			rules = a.clusterRoles[b.RoleRef.Name]
		}
		if r.grants(rules) {
			add(b.Namespace, fmt.Sprintf("RoleBinding %s/%s", b.Namespace, b.Name), b.RoleRef.Name, b.Subjects)
		}
	}
	slices.SortStableFunc(out, func(x, y Holder) int {
		return cmp.Or(strings.Compare(x.Subject, y.Subject), strings.Compare(x.Namespace, y.Namespace), strings.Compare(x.Through, y.Through))
	})
	return out
}

func describeSubject(s rbacv1.Subject, bindingNamespace string) string {
	if s.Kind == rbacv1.ServiceAccountKind {
		return fmt.Sprintf("service account %q", cmp.Or(s.Namespace, bindingNamespace)+"/"+s.Name)
	}
	return fmt.Sprintf("%s %q", strings.ToLower(s.Kind), s.Name)
}

// nobodyApproves returns why nobody could approve a change of the boundary, whoever requests it; it is empty if somebody could. system:masters do not count:
// the members of that group approve without a role, and Firebreak asks that approvers be named.
func (a *access) nobodyApproves(home string) string {
	people := map[string]bool{}
	for _, h := range a.holders(approving(), home) {
		switch {
		case h.group && strings.Contains(h.Subject, "system:masters"):
		case h.group:
			return "" // of a group, more than one may be members
		case strings.HasPrefix(h.Subject, "user ") && !strings.HasPrefix(h.Subject, `user "system:`):
			people[h.Subject] = true
		}
	}
	switch len(people) {
	case 0:
		return fmt.Sprintf("nobody holds the verb approve on changewindows in namespace %q; bind the ClusterRole firebreak-approve to a group of persons there", home)
	case 1:
		for one := range people {
			return fmt.Sprintf("only %s holds the verb approve on changewindows in namespace %q, and nobody approves their own request; bind the ClusterRole firebreak-approve to a second person", one, home)
		}
	}
	return ""
}
