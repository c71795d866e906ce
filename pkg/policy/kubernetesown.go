package policy

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// kubernetesOwn reports whether a stored binding is one that Kubernetes makes itself when it starts: of one of its roles to the controller, user or groups
// of the same purpose. Of what groups of everybody get, the role must still be harmless. It counts only for what is stored: nobody makes such a
// binding by hand.
// Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy, 1.36.
func (c *PreparedRequest) kubernetesOwn(name string, b *rbacv1.RoleBinding) bool {
	if name != b.RoleRef.Name || b.RoleRef.Kind != "ClusterRole" || c.req.Namespace != "" {
		return false
	}
	role, known := c.view.Roles("", name)
	return known && !slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case rbacv1.ServiceAccountKind:
			account, controller := strings.CutPrefix(name, "system:controller:")
			return s.Namespace != controllerNamespace || s.Name != account || !controller || !slices.Contains(Controllers(), account)
		case rbacv1.GroupKind:
			return !slices.Contains(groupsOf(name), s.Name) || !harmless(role.Rules)
		}
		return !slices.Contains([]string{userControllerManager, userScheduler, "system:kube-proxy"}, s.Name)
	})
}

// groupsOf returns the groups to which Kubernetes binds one of its roles.
func groupsOf(role string) []string {
	return map[string][]string{
		"system:basic-user": {groupAuthenticated}, "system:discovery": {groupAuthenticated}, "system:public-info-viewer": {groupAuthenticated, "system:unauthenticated"},
		"system:monitoring": {"system:monitoring"}, "system:service-account-issuer-discovery": {"system:serviceaccounts"},
	}[role]
}

// harmless reports whether rules let somebody do no more than ask what they may do, and read paths.
func harmless(rules []rbacv1.PolicyRule) bool {
	return !slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return slices.ContainsFunc(r.APIGroups, func(g string) bool { return !slices.Contains(recordGroups(), g) })
	})
}
