package estate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Consequences says, in a sentence each, what changes with the declarations of an estate: which namespaces, identities and data stores environments
// gain and lose. Both inputs are of one cluster.
func Consequences(before, after Input) []string {
	was, is := sidesOf(before), sidesOf(after)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(union(was, is))) {
		a, b := was[name], is[name]
		switch {
		case a == nil:
			out = append(out, fmt.Sprintf("environment %s is new, of tier %s, with %s", name, b.tier, b.size()))
			continue
		case b == nil:
			out = append(out, fmt.Sprintf("environment %s is gone: %s no longer belong to it", name, a.size()))
			continue
		case a.tier != b.tier:
			out = append(out, fmt.Sprintf("environment %s, with %s, turns from tier %s to %s", name, b.size(), a.tier, b.tier))
		}
		out = append(out, moved(name, "namespace", a.namespaces, b.namespaces)...)
		out = append(out, moved(fmt.Sprintf("%s of %s", Counted(len(b.namespaces), "namespace"), name), "identity", a.identities, b.identities)...)
		out = append(out, moved(name, "data store", a.stores, b.stores)...)
		out = append(out, moved(name, "host", a.hosts, b.hosts)...)
	}
	return out
}

// side is what belongs to one environment.
type side struct {
	tier                                  v1alpha1.Tier
	namespaces, identities, stores, hosts map[string]bool
}

func (m *side) size() string {
	return fmt.Sprintf("%s, %s and %s", Counted(len(m.namespaces), "namespace"), Counted(len(m.identities), "identity"), Counted(len(m.stores), "data store"))
}

func sidesOf(in Input) map[string]*side {
	e := Compile(in)
	out := map[string]*side{}
	for i := range in.Environments {
		env := &in.Environments[i]
		out[env.Name] = &side{tier: env.Spec.Tier, namespaces: map[string]bool{}, identities: identitiesOf(&env.Spec.Identities), stores: map[string]bool{}, hosts: map[string]bool{}}
	}
	for ns := range in.Namespaces {
		m, _ := e.Namespace(ns)
		for _, env := range m.Environments {
			out[env.Name].namespaces[ns] = true
		}
	}
	for i := range in.DataStores {
		d := &in.DataStores[i]
		if m := out[d.Spec.Environment]; m != nil {
			m.stores[d.Name] = true
			for _, h := range d.Spec.Hosts {
				m.hosts[h] = true
			}
		}
	}
	return out
}

// identitiesOf returns the identities of an environment in words.
func identitiesOf(i *v1alpha1.IdentityMembers) map[string]bool {
	out := map[string]bool{}
	for what, list := range map[string][]v1alpha1.Glob{"user": i.Users, "group": i.Groups, "automation": i.Automation} {
		for _, g := range list {
			out[what+" "+string(g)] = true
		}
	}
	for what, list := range map[string][]v1alpha1.ServiceAccountGlob{
		"service account": i.ServiceAccounts, "operator": i.Operators, "launcher of Jobs": i.JobLaunchers, "impersonated account": i.Impersonated,
	} {
		for _, g := range list {
			out[what+" "+string(g)] = true
		}
	}
	return out
}

func union[T any](a, b map[string]T) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

// moved says what somebody gains and loses.
func moved(who, what string, before, after map[string]bool) []string {
	var out []string
	for _, c := range []struct {
		verb     string
		from, to map[string]bool
	}{{"gain", before, after}, {"lose", after, before}} {
		var names []string
		for n := range c.to {
			if !c.from[n] {
				names = append(names, n)
			}
		}
		if len(names) == 0 {
			continue
		}
		slices.Sort(names)
		verb := c.verb
		if !strings.Contains(who, "namespaces of ") {
			verb += "s"
		}
		out = append(out, fmt.Sprintf("%s %s %s: %s", who, verb, Counted(len(names), what), first(names)))
	}
	return out
}

// maxNamed is how many names a sentence lists.
const maxNamed = 8

func first(names []string) string {
	if len(names) > maxNamed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
	}
	return strings.Join(names, ", ")
}

// Counted prints a number of things.
func Counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
