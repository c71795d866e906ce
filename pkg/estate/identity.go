package estate

import (
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// serviceAccountPrefix begins the user names of service accounts.
const serviceAccountPrefix = "system:serviceaccount:"

// AccountUser returns the user name that a service account has.
func AccountUser(namespace, name string) string { return serviceAccountPrefix + namespace + ":" + name }

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
	users, groups                     globSet[*Environment]
	automation                        globSet[struct{}]
	accounts, operators, jobLaunchers accountSet
	// impersonated are the accounts that count although somebody acts as them.
	impersonated accountSet
	// guarded are the Production environments by the namespace of the accounts that they list, in whatever role.
	guarded globSet[accountClaim]
}

// accountClaim is an environment that lists service accounts by a glob.
type accountClaim struct {
	glob v1alpha1.ServiceAccountGlob
	env  *Environment
}

// accountSet finds the globs over namespace/name that match, each half on its own.
type accountSet struct{ set globSet[accountClaim] }

func (s *accountSet) add(globs []v1alpha1.ServiceAccountGlob, env *Environment) {
	for _, g := range globs {
		s.set.add(v1alpha1.Glob(g), accountClaim{g, env})
	}
}

func (s *accountSet) each(namespace, name string, f func(*Environment)) {
	s.set.each(namespace+"/"+name, func(c accountClaim) {
		if MatchServiceAccount([]v1alpha1.ServiceAccountGlob{c.glob}, namespace, name) {
			f(c.env)
		}
	})
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
	m.accounts.add(id.ServiceAccounts, env)
	m.operators.add(id.Operators, env)
	m.jobLaunchers.add(id.JobLaunchers, env)
	m.impersonated.add(id.Impersonated, env)
	if env.Tier != v1alpha1.TierProduction {
		return
	}
	for _, g := range slices.Concat(id.ServiceAccounts, id.Operators, id.JobLaunchers) {
		ns, _, _ := strings.Cut(string(g), "/")
		m.guarded.add(v1alpha1.Glob(ns), accountClaim{g, env})
	}
}

// Guards returns the Production environments that list a service account, in whatever role: who takes that account acts
// in them, though its namespace belongs to none.
func (e *Estate) Guards(namespace, account string) []*Environment {
	return e.guards(namespace, func(g v1alpha1.ServiceAccountGlob) bool {
		return MatchServiceAccount([]v1alpha1.ServiceAccountGlob{g}, namespace, account)
	})
}

// NamespaceGuards returns the Production environments that list any service account of a namespace.
func (e *Estate) NamespaceGuards(namespace string) []*Environment {
	return e.guards(namespace, func(v1alpha1.ServiceAccountGlob) bool { return true })
}

func (e *Estate) guards(namespace string, lists func(v1alpha1.ServiceAccountGlob) bool) []*Environment {
	var out []*Environment
	e.members.guarded.each(namespace, func(c accountClaim) {
		if lists(c.glob) && !slices.Contains(out, c.env) {
			out = append(out, c.env)
		}
	})
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

// Impersonated returns what somebody is a member of who acts as a service account without being it: of no Production
// environment but those that list the account for exactly that, and there in no role. The groups that come with it are of the
// sender's own choice.
func (e *Estate) Impersonated(username string, groups []string) *Identity {
	id := e.Identity(username, groups)
	ns, name, ok := ServiceAccount(username)
	listed := map[string]bool{}
	if ok {
		e.members.impersonated.each(ns, name, func(env *Environment) { listed[env.Name] = true })
	}
	for _, env := range e.Production() {
		if listed[env.Name] {
			id.members[env.Name] = env
		} else {
			delete(id.members, env.Name)
		}
	}
	id.Operator, id.JobLauncher = nil, nil
	return id
}

func (e *Estate) account(id *Identity, ns, name string, add func(*Environment)) {
	for _, env := range e.NamespaceOrName(ns).Environments {
		add(env)
	}
	e.members.accounts.each(ns, name, add)
	e.members.operators.each(ns, name, func(env *Environment) { add(env); set(&id.Operator, env.Name) })
	e.members.jobLaunchers.each(ns, name, func(env *Environment) { add(env); set(&id.JobLauncher, env.Name) })
}

func set(m *map[string]bool, key string) {
	if *m == nil {
		*m = map[string]bool{}
	}
	(*m)[key] = true
}
