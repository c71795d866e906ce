package policy

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/powers"
)

// Role is the part of a Role or ClusterRole that matters.
type Role = powers.Role

// RoleOf returns the part of a ClusterRole that matters. A Role has nothing but rules.
func RoleOf(r *rbacv1.ClusterRole) Role { return powers.RoleOf(r) }

// powers returns the Production environments in whose namespaces a service account may change what runs, or reach into it, by the bindings
// of the cluster.
func (w *ClusterView) powers(namespace, account string) []*estate.Environment {
	if !w.Estate.HostsProduction() {
		return nil
	}
	var out []*estate.Environment
	for _, b := range w.BindingsOf(namespace, account) {
		envs := w.Estate.Production()
		if b.Namespace != "" {
			envs = w.Estate.NamespaceOrName(b.Namespace).Production()
		}
		if len(envs) == 0 || !w.commands(b) {
			continue
		}
		for _, e := range envs {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}

// commands reports whether the role of a binding lets somebody change what runs, or reach into it. A role that is not known may hold
// anything.
func (w *ClusterView) commands(b BoundRole) bool {
	r, known := w.Roles(b.RoleNamespace, b.Role)
	if !known {
		p, builtIn := powers.BuiltIn(b.RoleNamespace, b.Role)
		return !builtIn || p > powers.Reads
	}
	return powers.Commands(w.effective(r))
}

// effective returns the rules of a role and of all that it aggregates.
func (w *ClusterView) effective(r Role) []rbacv1.PolicyRule {
	return powers.Effective(r, w.ClusterRoles)
}

// powerOf returns the level of a role. A role that does not exist may come to hold anything: if it is written at the same time as its
// binding, neither request sees the other.
func (c *PreparedRequest) powerOf(namespace, role string) powers.Level {
	if r, ok := c.view.Roles(namespace, role); ok {
		return powers.Of(c.view.effective(r))
	}
	p, builtIn := powers.BuiltIn(namespace, role)
	switch {
	case builtIn:
		return p
	case c.req.Facts.Role != nil:
		return powers.Of(c.view.effective(*c.req.Facts.Role))
	case c.req.DryRun:
		return powers.Reads // a dry run of a whole manifest stores the role no more than its binding
	}
	return powers.Everything
}

// knownRole notes the role that a binding binds as missing if it is not known: it may have been written a moment ago.
func (c *PreparedRequest) knownRole() error {
	if c.req.Facts.RoleRead || c.req.Operation == Delete || c.new == nil || !isBinding(c) {
		return nil
	}
	var b rbacv1.RoleBinding // a ClusterRoleBinding has the same fields
	if err := kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &b); err != nil {
		return fmt.Errorf("decode %s: %w", c.req.Kind.Kind, err)
	}
	from := c.req.Namespace
	if b.RoleRef.Kind == "ClusterRole" {
		from = ""
	}
	if _, ok := c.view.Roles(from, b.RoleRef.Name); ok {
		return nil
	}
	if _, builtIn := powers.BuiltIn(from, b.RoleRef.Name); builtIn {
		return nil
	}
	c.lack(Missing{Role: &MissingRole{from, b.RoleRef.Name}})
	return nil
}

func isBinding(c *PreparedRequest) bool {
	return c.req.Kind.Group == rbacv1.GroupName && (c.req.Kind.Kind == "RoleBinding" || c.req.Kind.Kind == "ClusterRoleBinding")
}

// clusterRole reads a Role or ClusterRole; false if there is none.
func clusterRole(o *object) (Role, bool) {
	var r rbacv1.ClusterRole // a Role has the same rules
	if o == nil || kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &r) != nil {
		return Role{}, false
	}
	return RoleOf(&r), true
}

// flowsInto returns the roles that get the rules of one. A Role is not aggregated into others.
func (c *PreparedRequest) flowsInto(name string, r Role) []string {
	if c.req.Namespace != "" {
		return []string{name}
	}
	return powers.FlowsInto(name, r, c.view.ClusterRoles())
}
