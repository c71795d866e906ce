package estate

import (
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// serviceAccountPrefix begins the user names of service accounts.
const serviceAccountPrefix = "system:serviceaccount:"

// ServiceAccount splits the user name of a service account.
func ServiceAccount(username string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(username, serviceAccountPrefix)
	if !ok {
		return "", "", false
	}
	namespace, name, ok = strings.Cut(rest, ":")
	return namespace, name, ok && namespace != "" && name != ""
}

type members struct {
	users, groups globSet[*Environment]
	accounts      []accountClaim
	automation    globSet[struct{}]
	operators     []accountClaim
	jobLaunchers  []accountClaim
}

type accountClaim struct {
	globs []v1alpha1.ServiceAccountGlob
	env   *Environment
}

func (m *members) add(env *Environment) {
	id := env.spec.Identities
	for _, g := range id.Users {
		m.users.add(g, env)
	}
	for _, g := range id.Groups {
		m.groups.add(g, env)
	}
	for _, g := range id.Automation {
		m.automation.add(g, struct{}{})
	}
	m.accounts = claimed(m.accounts, id.ServiceAccounts, env)
	m.operators = claimed(m.operators, id.Operators, env)
	m.jobLaunchers = claimed(m.jobLaunchers, id.JobLaunchers, env)
}

func claimed(list []accountClaim, globs []v1alpha1.ServiceAccountGlob, env *Environment) []accountClaim {
	if len(globs) == 0 {
		return list
	}
	return append(list, accountClaim{globs, env})
}

// Guards returns the Production environments that list a service account, in whatever role: who takes that account acts
// in them, though its namespace belongs to none.
func (e *Estate) Guards(namespace, account string) []*Environment {
	return e.guards(func(ns, name string) bool { return match(ns, namespace) && match(name, account) })
}

// NamespaceGuards returns the Production environments that list any service account of a namespace.
func (e *Estate) NamespaceGuards(namespace string) []*Environment {
	return e.guards(func(ns, _ string) bool { return match(ns, namespace) })
}

func (e *Estate) guards(lists func(namespace, name string) bool) []*Environment {
	var out []*Environment
	for _, claims := range [][]accountClaim{e.members.accounts, e.members.operators, e.members.jobLaunchers} {
		for _, c := range claims {
			listed := slices.ContainsFunc(c.globs, func(g v1alpha1.ServiceAccountGlob) bool {
				ns, name, ok := strings.Cut(string(g), "/")
				return ok && lists(ns, name)
			})
			if listed && c.env.Tier == v1alpha1.TierProduction && !slices.Contains(out, c.env) {
				out = append(out, c.env)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Environment) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Identity says which environments a requester is a member of, and in which role.
type Identity struct {
	members map[string]*Environment
	// Operator and JobLauncher name the environments that list the identity in these roles.
	Operator, JobLauncher map[string]bool
	// Automation is true for users that are listed as no persons.
	Automation bool
}

// MemberOf reports whether the identity is a member of an environment.
func (i *Identity) MemberOf(env string) bool { return i.members[env] != nil }

// MemberOfTier reports whether the identity is a member of an environment of a tier.
func (i *Identity) MemberOfTier(t v1alpha1.Tier) bool {
	for _, e := range i.members {
		if e.Tier == t {
			return true
		}
	}
	return false
}

// MemberOfAny reports whether the identity is a member of one of the environments.
func (i *Identity) MemberOfAny(envs []*Environment) bool {
	for _, e := range envs {
		if i.MemberOf(e.Name) {
			return true
		}
	}
	return false
}

// Listed reports whether any environment names the identity.
func (i *Identity) Listed() bool { return len(i.members) > 0 }

// Identity returns what a user with these groups is a member of. A service account of a member namespace is a member
// like the ones that are listed.
func (e *Estate) Identity(username string, groups []string) *Identity {
	id := &Identity{members: map[string]*Environment{}}
	add := func(env *Environment) { id.members[env.Name] = env }
	if ns, name, ok := ServiceAccount(username); ok {
		e.account(id, ns, name, add)
	}
	e.members.users.each(username, add)
	for _, g := range groups {
		e.members.groups.each(g, add)
	}
	e.members.automation.each(username, func(struct{}) { id.Automation = true })
	return id
}

func (e *Estate) account(id *Identity, ns, name string, add func(*Environment)) {
	for _, env := range e.NamespaceOrName(ns).Environments {
		add(env)
	}
	each := func(claims []accountClaim, f func(*Environment)) {
		for _, c := range claims {
			if MatchServiceAccount(c.globs, ns, name) {
				f(c.env)
			}
		}
	}
	each(e.members.accounts, add)
	each(e.members.operators, func(env *Environment) { add(env); set(&id.Operator, env.Name) })
	each(e.members.jobLaunchers, func(env *Environment) { add(env); set(&id.JobLauncher, env.Name) })
}

func set(m *map[string]bool, key string) {
	if *m == nil {
		*m = map[string]bool{}
	}
	(*m)[key] = true
}
