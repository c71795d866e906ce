package powers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Effective returns the rules of a role and of all ClusterRoles that it aggregates, directly or through others: a controller writes them
// into the role afterwards, and that write is not judged.
func Effective(r Role, all func() map[string]Role) []rbacv1.PolicyRule {
	rules := slices.Clone(r.Rules)
	if len(r.Collects) == 0 {
		return rules
	}
	pending, seen := []Role{r}, map[string]bool{}
	for len(pending) > 0 {
		next := pending[0]
		pending = pending[1:]
		for name, other := range all() {
			if !seen[name] && collects(next.Collects, other.Labels) {
				seen[name] = true
				rules = append(rules, other.Rules...)
				pending = append(pending, other)
			}
		}
	}
	return rules
}

// FlowsInto returns, sorted, the ClusterRoles that get the rules of one: itself, those that aggregate it, and those that aggregate these.
func FlowsInto(name string, r Role, all map[string]Role) []string {
	out := map[string]bool{name: true}
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

// aggregated returns the ClusterRoles into which labels aggregate a role by Kubernetes' own convention.
func aggregated(l map[string]string) []string {
	var out []string
	for k, v := range l {
		if role, ok := strings.CutPrefix(k, "rbac.authorization.k8s.io/aggregate-to-"); ok && v == "true" {
			out = append(out, role)
		}
	}
	return out
}

// Contained reports whether all contains each rule of some.
func Contained(some, all []rbacv1.PolicyRule) bool {
	known := make(map[string]bool, len(all))
	for i := range all {
		known[canonical(&all[i])] = true
	}
	return !slices.ContainsFunc(some, func(r rbacv1.PolicyRule) bool { return !known[canonical(&r)] })
}

// canonical returns a text that differs for different rules. It is the key of a map, since a role may hold thousands of rules.
func canonical(r *rbacv1.PolicyRule) string {
	return fmt.Sprintf("%q", [][]string{r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs})
}
