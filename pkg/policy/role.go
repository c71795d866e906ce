package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	kjson "sigs.k8s.io/json"
)

// power is what a role lets do.
type power int

const (
	// reads: nothing but looking at what is no Secret.
	reads power = iota
	// writes: more than that.
	writes
	// everything, or all verbs on something.
	everything
	// becomes: acting as others, or approving, by name.
	becomes
)

// powerOf returns the power of a role. One that does not exist may come to hold anything: if it is written at the same
// time as its binding, neither sees the other.
func (c *Case) powerOf(namespace, role string) power {
	if r, ok := c.world.Roles(namespace, role); ok {
		return powerOfRules(c.world.effective(r))
	}
	p, builtIn := builtInPower(namespace, role)
	switch {
	case builtIn:
		return p
	case c.req.Facts.Role != nil:
		return powerOfRules(c.world.effective(*c.req.Facts.Role))
	case c.req.DryRun:
		return reads // a dry run of a whole manifest stores the role no more than its binding
	}
	return everything
}

// builtInPower returns the power of the roles that every cluster has.
func builtInPower(namespace, role string) (power, bool) {
	switch {
	case namespace != "":
	case role == "view":
		return reads, true
	case role == "cluster-admin":
		return everything, true
	case role == "admin", role == "edit":
		return writes, true
	}
	return reads, false
}

// knownRole asks for the role that a binding binds, where it is not known: it may have been written a moment ago.
func (c *Case) knownRole() error {
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
	if _, ok := c.world.Roles(from, b.RoleRef.Name); ok {
		return nil
	}
	if _, builtIn := builtInPower(from, b.RoleRef.Name); builtIn {
		return nil
	}
	c.lack(Missing{Role: &MissingRole{from, b.RoleRef.Name}})
	return nil
}

func isBinding(c *Case) bool {
	return c.req.Kind.Group == rbacv1.GroupName && (c.req.Kind.Kind == "RoleBinding" || c.req.Kind.Kind == "ClusterRoleBinding")
}

func powerOfRules(rules []rbacv1.PolicyRule) power {
	most := reads
	for _, r := range rules {
		for _, verb := range r.Verbs {
			switch {
			// The narrower verbs of impersonation, such as impersonate:user-info, are the same power over fewer requests.
			case verb == "approve", verb == "breakglass", strings.HasPrefix(verb, "impersonate"):
				return becomes
			case verb == "use": // of a policy for Pods, which only bounds them
			case verb == "get", verb == "list", verb == "watch":
				if slices.Contains(r.Resources, "secrets") || slices.Contains(r.Resources, "*") {
					most = max(most, writes)
				}
			case verb == rbacv1.VerbAll:
				most = max(most, everything)
			case len(r.NonResourceURLs) == 0:
				most = max(most, writes)
			}
		}
	}
	return most
}

// clusterRole reads a Role or ClusterRole; false if there is none.
func clusterRole(o *object) (Role, bool) {
	var r rbacv1.ClusterRole // a Role has the same rules
	if o == nil || kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &r) != nil {
		return Role{}, false
	}
	return RoleOf(&r), true
}

// effective returns the rules of a role and of all that it aggregates, at whatever remove: a controller writes them into it
// afterwards, unjudged.
func (w *World) effective(r Role) []rbacv1.PolicyRule {
	rules := slices.Clone(r.Rules)
	if len(r.Collects) == 0 {
		return rules
	}
	all := w.ClusterRoles()
	pending, seen := []Role{r}, map[string]bool{}
	for len(pending) > 0 {
		next := pending[0]
		pending = pending[1:]
		for name, other := range all {
			if !seen[name] && collects(next.Collects, other.Labels) {
				seen[name] = true
				rules = append(rules, other.Rules...)
				pending = append(pending, other)
			}
		}
	}
	return rules
}

// contained reports whether every rule is among others.
func contained(some, all []rbacv1.PolicyRule) bool {
	known := make(map[string]bool, len(all))
	for i := range all {
		known[canonical(&all[i])] = true
	}
	return !slices.ContainsFunc(some, func(r rbacv1.PolicyRule) bool { return !known[canonical(&r)] })
}

// canonical writes a rule in a way in which no two rules are the same; a role may hold thousands of them.
func canonical(r *rbacv1.PolicyRule) string {
	return fmt.Sprintf("%q", [][]string{r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs})
}

// flowsInto returns the roles into which the rules of one flow, itself included, sorted: those that aggregate it, and those
// that aggregate these.
func (c *Case) flowsInto(name string, r Role) []string {
	out := map[string]bool{name: true}
	if c.req.Namespace != "" {
		return []string{name} // a Role is aggregated into nothing
	}
	all := c.world.ClusterRoles()
	pending := []map[string]string{r.Labels}
	for len(pending) > 0 {
		l := pending[0]
		pending = pending[1:]
		for other, role := range all {
			if !out[other] && collects(role.Collects, l) {
				out[other] = true
				pending = append(pending, role.Labels)
			}
		}
		for _, other := range aggregated(l) { // by their convention, where the roles themselves are not known
			out[other] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

func collects(selectors []metav1.LabelSelector, l map[string]string) bool {
	return slices.ContainsFunc(selectors, func(s metav1.LabelSelector) bool {
		sel, err := metav1.LabelSelectorAsSelector(&s)
		return err == nil && sel.Matches(labels.Set(l))
	})
}

// aggregated returns the ClusterRoles into which labels put the rules of one by Kubernetes' own convention.
func aggregated(l map[string]string) []string {
	var out []string
	for k, v := range l {
		if role, ok := strings.CutPrefix(k, "rbac.authorization.k8s.io/aggregate-to-"); ok && v == "true" {
			out = append(out, role)
		}
	}
	return out
}
