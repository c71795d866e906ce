package view

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// tenant is the part of a Pod that is kept: its namespace, node and addresses.
type tenant struct {
	namespace, node string
	addresses       []netip.Addr
}

func tenantOf(p *corev1.Pod) tenant {
	return tenant{namespace: p.Namespace, node: p.Spec.NodeName, addresses: PodAddresses(p)}
}

// PodAddresses returns a Pod's own addresses. It returns none for a Pod with the network of its node, whose address is the node's.
func PodAddresses(p *corev1.Pod) []netip.Addr {
	if p.Spec.HostNetwork {
		return nil
	}
	var out []netip.Addr
	for _, ip := range p.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// StrayPod returns how many addresses of Pods a predicate accepts, and the Pod, by namespace/name, and address of the first.
func (v *View) StrayPod(stray func(netip.Addr) bool) (n int, pod string, address netip.Addr) {
	v.pods.Each(func(key string, t tenant) {
		for _, a := range t.addresses {
			if stray(a) {
				if n++; pod == "" || key < pod {
					pod, address = key, a
				}
			}
		}
	})
	return n, pod, address
}

// tenants returns the namespaces whose Pods run on a node. It looks at every Pod, since it is called only for the few Pods
// that name their node themselves.
func (v *View) tenants(node string) []string {
	var out []string
	v.pods.Each(func(_ string, t tenant) {
		if t.node == node && !slices.Contains(out, t.namespace) {
			out = append(out, t.namespace)
		}
	})
	slices.Sort(out)
	return out
}

// podAt returns the namespace of the Pod that has an address. It looks at every Pod, since it is called only for endpoints
// that are written by hand.
func (v *View) podAt(a netip.Addr) (string, bool) {
	found := ""
	v.pods.Each(func(_ string, t tenant) {
		if slices.Contains(t.addresses, a) {
			found = t.namespace
		}
	})
	return found, found != ""
}

// binding is the part of a RoleBinding or ClusterRoleBinding that is kept.
type binding struct {
	policy.Binding
	// role is the role that is bound: namespace/name, or the name of a ClusterRole.
	role string
}

func bindingOf(namespace, name string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) binding {
	b := binding{Binding: policy.Binding{Namespace: namespace, Name: name, Subjects: subjects}, role: ref.Name}
	if ref.Kind == "Role" {
		b.role = namespace + "/" + ref.Name
	}
	return b
}

// bound returns the bindings of a Role, or of a ClusterRole where the namespace is empty, sorted. It looks at every binding,
// since it is called only when a role is written.
func (v *View) bound(namespace, role string) []policy.Binding {
	role = Qualified(namespace, role)
	var out []policy.Binding
	v.bindings.Each(func(_ string, b binding) {
		if b.role == role {
			out = append(out, b.Binding)
		}
	})
	slices.SortFunc(out, func(a, b policy.Binding) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return out
}

// bindingsOf returns the roles that are bound to a service account. It looks at every binding, since it is called only for an
// account that a requester takes.
func (v *View) bindingsOf(namespace, account string) []policy.BoundRole {
	var out []policy.BoundRole
	v.bindings.Each(func(_ string, b binding) {
		if policy.Holds(b.Subjects, b.Namespace, namespace, account) {
			ns, role, ok := strings.Cut(b.role, "/")
			if !ok {
				ns, role = "", b.role
			}
			out = append(out, policy.BoundRole{Namespace: b.Namespace, RoleNamespace: ns, Role: role})
		}
	})
	return out
}

func (v *View) role(namespace, name string) (policy.Role, bool) {
	return v.roles.Get(Qualified(namespace, name))
}

func (v *View) clusterRoles() map[string]policy.Role {
	out := map[string]policy.Role{}
	v.roles.Each(func(key string, r policy.Role) {
		if !strings.Contains(key, "/") {
			out[key] = r
		}
	})
	return out
}

func (v *View) configMap(namespace, name string) (reference.Contents, bool) {
	return unpacked(&v.configMaps, namespace, name)
}

// secret returns the kept contents of a Secret. It finds none unless Firebreak was told to read Secrets.
func (v *View) secret(namespace, name string) (reference.Contents, bool) {
	return unpacked(&v.secrets, namespace, name)
}

func unpacked(t *Table[reference.Packed], namespace, name string) (reference.Contents, bool) {
	p, ok := t.Get(namespace + "/" + name)
	if !ok {
		return reference.Contents{}, false
	}
	return p.Contents(), true
}

// controllerUID returns the UID of a service account of kube-system.
func (v *View) controllerUID(name string) (string, bool) {
	return v.accounts.Get(metav1.NamespaceSystem + "/" + name)
}

// Remember keeps the UID of a service account of kube-system that was read live. uid is empty if the account does not exist.
func (v *View) Remember(name, uid string) { v.accounts.Put(metav1.NamespaceSystem+"/"+name, uid) }
