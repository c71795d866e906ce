package controller

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// tenant is what is kept of a Pod: where it runs.
type tenant struct {
	namespace, node string
	addresses       []netip.Addr
}

func tenantOf(p *corev1.Pod) tenant {
	t := tenant{namespace: p.Namespace, node: p.Spec.NodeName}
	if p.Spec.HostNetwork {
		return t // its address is the node's
	}
	for _, ip := range p.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			t.addresses = append(t.addresses, a.Unmap())
		}
	}
	return t
}

// tenants returns the namespaces whose Pods run on a node. It looks at every Pod: it is asked for the few Pods that name
// their node themselves.
func (m *Memory) tenants(node string) []string {
	var out []string
	m.pods.each(func(t tenant) {
		if t.node == node && !slices.Contains(out, t.namespace) {
			out = append(out, t.namespace)
		}
	})
	slices.Sort(out)
	return out
}

// podAt returns the namespace of the Pod that has an address. It looks at every Pod: it is asked for endpoints that
// somebody writes by hand.
func (m *Memory) podAt(a netip.Addr) (string, bool) {
	found := ""
	m.pods.each(func(t tenant) {
		if slices.Contains(t.addresses, a) {
			found = t.namespace
		}
	})
	return found, found != ""
}

// binding is what is kept of a RoleBinding or ClusterRoleBinding, and of which role.
type binding struct {
	policy.Binding
	// role that is bound: namespace/name, or the name of a ClusterRole.
	role string
}

func bindingOf(namespace, name string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) binding {
	b := binding{Binding: policy.Binding{Namespace: namespace, Name: name, Subjects: subjects}, role: ref.Name}
	if ref.Kind == "Role" {
		b.role = namespace + "/" + ref.Name
	}
	return b
}

// bound returns who is bound to a Role, or to a ClusterRole where the namespace is empty, sorted. It looks at every
// binding: it is asked when a role is written.
func (m *Memory) bound(namespace, role string) []policy.Binding {
	if namespace != "" {
		role = namespace + "/" + role
	}
	var out []policy.Binding
	for _, b := range m.bindings {
		b.each(func(b binding) {
			if b.role == role {
				out = append(out, b.Binding)
			}
		})
	}
	slices.SortFunc(out, func(a, b policy.Binding) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return out
}

// bindingsOf returns the roles that are bound to a service account. It looks at every binding: it is asked for accounts that
// somebody takes.
func (m *Memory) bindingsOf(namespace, account string) []policy.BoundRole {
	var out []policy.BoundRole
	for _, b := range m.bindings {
		b.each(func(b binding) {
			if policy.Holds(b.Subjects, b.Namespace, namespace, account) {
				ns, role, ok := strings.Cut(b.role, "/")
				if !ok {
					ns, role = "", b.role
				}
				out = append(out, policy.BoundRole{Namespace: b.Namespace, RoleNamespace: ns, Role: role})
			}
		})
	}
	return out
}

func (m *Memory) role(namespace, name string) (policy.Role, bool) {
	key := name
	if namespace != "" {
		key = namespace + "/" + name
	}
	for _, r := range m.roles {
		if rules, ok := r.get(key); ok {
			return rules, true
		}
	}
	return policy.Role{}, false
}

func (m *Memory) secret(namespace, name string) (reference.Contents, bool) {
	return m.secrets.get(namespace + "/" + name)
}

// secretOrNone is how owners' templates are read for Secrets: not at all, unless Firebreak was told to.
func (m *Memory) secretOrNone() func(namespace, name string) (reference.Contents, bool) {
	if m.secrets == nil {
		return nil
	}
	return m.secret
}
