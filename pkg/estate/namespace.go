package estate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Membership says to which environments something belongs and what tier that makes it.
type Membership struct {
	// Environments, sorted by name. Empty: unassigned, or one of the cluster's own namespaces.
	Environments []*Environment
	// Tier that results, the strictest of all. Empty: unassigned.
	Tier v1alpha1.Tier
}

// Unassigned reports whether no environment claims it.
func (m Membership) Unassigned() bool { return m.Tier == "" }

// SubjectTier returns the tier as the subject of a request: unknown is never production.
func (m Membership) SubjectTier() v1alpha1.Tier {
	return cmp.Or(m.Tier, v1alpha1.TierNonProduction)
}

// Minds reports whether a rule could object to what belongs to a tier when it is named in a namespace: all but production may name everything
// that is not production's. An object of no namespace may work for any.
func (e *Estate) Minds(from string, tier v1alpha1.Tier) bool {
	return tier == v1alpha1.TierProduction || from == "" || e.NamespaceOrName(from).SubjectTier() == v1alpha1.TierProduction
}

// In reports whether an environment of that name is among the environments.
func (m Membership) In(name string) bool {
	return slices.ContainsFunc(m.Environments, func(e *Environment) bool { return e.Name == name })
}

// Production returns the environments of tier Production.
func (m Membership) Production() []*Environment {
	var out []*Environment
	for _, e := range m.Environments {
		if e.Tier == v1alpha1.TierProduction {
			out = append(out, e)
		}
	}
	return out
}

// Described is how messages name an environment: with its tier, unless that is NonProduction, or the name says it.
func Described(name string, tier v1alpha1.Tier) string {
	if tier == v1alpha1.TierNonProduction || strings.EqualFold(name, string(tier)) {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%q (%s)", name, tier)
}

// String describes the membership as messages do: `"development"`, `"edge" (Production)`.
func (m Membership) String() string {
	if len(m.Environments) == 0 {
		if m.Tier == v1alpha1.TierShared {
			return "the cluster's own (Shared)"
		}
		return "no environment"
	}
	if len(m.Environments) == 1 {
		return Described(m.Environments[0].Name, m.Tier)
	}
	names := mapped(m.Environments, func(e *Environment) string { return fmt.Sprintf("%q", e.Name) })
	if m.Tier == v1alpha1.TierNonProduction {
		return strings.Join(names, " and ")
	}
	return fmt.Sprintf("%s (%s)", strings.Join(names, " and "), m.Tier)
}

type claims struct {
	names     globSet[*Environment]
	selectors []selectorClaim
}

type selectorClaim struct {
	selector labels.Selector
	env      *Environment
}

func (e *Estate) claim(env *Environment) {
	for _, g := range env.spec.Namespaces.Names {
		e.claims.names.add(g, env)
	}
	sel := e.selectorOf(env.Name, "spec.namespaces.selector", env.spec.Namespaces.Selector)
	if !sel.Empty() {
		e.claims.selectors = append(e.claims.selectors, selectorClaim{sel, env})
	}
}

// Namespace returns what a namespace of the cluster belongs to, and whether the estate knows the namespace.
func (e *Estate) Namespace(name string) (Membership, bool) {
	m, ok := e.namespaces[name]
	return m, ok
}

// NamespaceWith returns what a namespace with these labels belongs to, or would belong to.
func (e *Estate) NamespaceWith(name string, l map[string]string) Membership {
	return e.membership(name, l)
}

// NamespaceOrName returns what a namespace belongs to, going by its name alone where it is unknown: the target of a
// reference need not exist yet.
func (e *Estate) NamespaceOrName(name string) Membership {
	if m, ok := e.namespaces[name]; ok {
		return m
	}
	return e.membership(name, nil)
}

// Selecting returns the name of an environment that claims namespaces by their labels. It is empty if none does.
func (e *Estate) Selecting() string {
	for _, c := range e.claims.selectors {
		if _, some := c.selector.Requirements(); some {
			return c.env.Name
		}
	}
	return ""
}

func (e *Estate) membership(name string, l map[string]string) Membership {
	var m Membership
	add := func(env *Environment) {
		if !slices.Contains(m.Environments, env) {
			m.Environments = append(m.Environments, env)
		}
	}
	e.claims.names.each(name, add)
	for _, c := range e.claims.selectors {
		if c.selector.Matches(labels.Set(l)) {
			add(c.env)
		}
	}
	if len(m.Environments) == 0 {
		return e.unclaimed(name)
	}
	slices.SortFunc(m.Environments, func(a, b *Environment) int { return cmp.Compare(a.Name, b.Name) })
	for _, env := range m.Environments {
		if tierStrictness(env.Tier) > tierStrictness(m.Tier) {
			m.Tier = env.Tier
		}
	}
	return m
}

func (e *Estate) unclaimed(name string) Membership {
	switch name {
	case "kube-system", "kube-public", "kube-node-lease", e.FirebreakNamespace:
		return Membership{Tier: v1alpha1.TierShared}
	}
	if env, ok := e.environments[e.DefaultEnvironment]; ok {
		return Membership{Environments: []*Environment{env}, Tier: env.Tier}
	}
	return Membership{}
}

func tierStrictness(t v1alpha1.Tier) int {
	switch t {
	case "":
		return 0
	case v1alpha1.TierShared:
		return 1
	case v1alpha1.TierNonProduction:
		return 2
	}
	return 3
}

func (e *Estate) noteConflict(namespace string, m Membership) {
	if len(m.Environments) < 2 {
		return
	}
	for _, env := range m.Environments {
		e.conflicts[objectKey{v1alpha1.KindEnvironment, env.Name}] =
			fmt.Sprintf("namespace %q is claimed by %s; the stricter holds", namespace, m)
	}
}

// CountNamespaces returns how many namespaces belong to an environment.
func (e *Estate) CountNamespaces(env string) int32 {
	var n int32
	for _, m := range e.namespaces {
		if m.In(env) {
			n++
		}
	}
	return n
}

// ClaimsName reports whether an environment claims namespaces of this name, whatever their labels.
func (e *Estate) ClaimsName(name string) bool {
	claimed := false
	e.claims.names.each(name, func(*Environment) { claimed = true })
	return claimed
}

// NamesNamespace reports whether an environment claims a namespace by its very name, not by a pattern.
func (e *Estate) NamesNamespace(name string) bool { return len(e.claims.names.exact[name]) > 0 }

// InTier returns the namespaces of a tier, sorted. One that no environment claims is in none.
func (e *Estate) InTier(tier v1alpha1.Tier) []string {
	var out []string
	for name, m := range e.namespaces {
		if m.Tier == tier && !m.Unassigned() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
