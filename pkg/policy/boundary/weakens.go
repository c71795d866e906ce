package boundary

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// WeakensEnvironment says, clause by clause, how a change of an Environment would weaken the boundary; old is nil for a creation, new
// for a deletion. A change that cannot be proved to be a strengthening is a weakening. e is the estate as it is at an instant.
func WeakensEnvironment(old, new *v1alpha1.Environment, e *estate.Estate, at time.Time) []string {
	switch {
	case new == nil && old.Spec.Tier != v1alpha1.TierProduction && e.CountStores(old.Name) == 0 && len(old.Spec.Gateways) == 0 &&
		len(old.Spec.Identities.Automation) == 0: // machines that are no longer listed would be persons, who may approve
		return nil
	case new == nil:
		return []string{fmt.Sprintf("it deletes environment %q", old.Name)}
	case old == nil:
		return createsEnvironment(new, e, at)
	}
	var w weakening
	w.moved("tier", string(old.Spec.Tier), string(new.Spec.Tier))
	w.differ("namespaces", old.Spec.Namespaces, new.Spec.Namespaces)
	w.identities(old.Spec.Identities, new.Spec.Identities)
	w.differ("nodes", old.Spec.Nodes, new.Spec.Nodes)
	w.gateways(old.Spec.Gateways, new.Spec.Gateways)
	if old.Spec.Tier == v1alpha1.TierProduction {
		w.controls(old.Spec.ChangeControl, new.Spec.ChangeControl)
		w.enforcement(old.Spec.Enforcement, new.Spec.Enforcement)
	}
	if old.Annotations[v1alpha1.AnnotationSealed] == "true" && new.Annotations[v1alpha1.AnnotationSealed] != "true" {
		w.say("it takes the seal off")
	}
	return w.out
}

// createsEnvironment says how a new Environment would weaken the boundary. A NonProduction one that claims nothing of Production takes
// nothing away.
func createsEnvironment(n *v1alpha1.Environment, e *estate.Estate, at time.Time) []string {
	if n.Spec.Tier != v1alpha1.TierNonProduction {
		return []string{fmt.Sprintf("it creates environment %q of tier %s", n.Name, n.Spec.Tier)}
	}
	var w weakening
	if len(n.Spec.Gateways) > 0 {
		w.say("it opens gateways")
	}
	if s := n.Spec.Namespaces.Selector; s != nil {
		w.say("it claims namespaces by label")
	}
	for _, g := range n.Spec.Namespaces.Names {
		if p := e.ProductionClaim(g); p != "" {
			w.say("it claims namespaces %q, of which environment %q owns some", g, p)
		}
	}
	if len(n.Spec.Identities.Automation) > 0 {
		w.say("it makes users automation")
	}
	if stores := e.CountOrphans(n.Name, at); stores > 0 {
		w.say("it takes over %s that name environment %q, and that count as Production while it does not exist", estate.Counted(stores, "data store"), n.Name)
	}
	return w.out
}

type weakening struct{ out []string }

func (w *weakening) say(format string, args ...any) {
	w.out = append(w.out, fmt.Sprintf(format, args...))
}

// differ objects to any change of a field, where no change can be proved harmless.
func (w *weakening) differ(field string, old, new any) {
	if !reflect.DeepEqual(old, new) {
		w.say("it changes %s", field)
	}
}

// moved is differ for fields of one word.
func (w *weakening) moved(field, old, new string) {
	if old != new {
		w.say("it changes %s from %s to %s", field, old, new)
	}
}

// grown objects to entries that were added; removing some only ever tightens these lists.
func grown[T cmp.Ordered](w *weakening, field string, old, new []T) {
	for _, v := range new {
		if !slices.Contains(old, v) {
			w.say("it adds %q to %s", fmt.Sprint(v), field)
		}
	}
}

func shrunk[T cmp.Ordered](w *weakening, field string, old, new []T) {
	for _, v := range old {
		if !slices.Contains(new, v) {
			w.say("it removes %q from %s", fmt.Sprint(v), field)
		}
	}
}

func (w *weakening) identities(old, new v1alpha1.IdentityMembers) {
	grown(w, "identities.users", old.Users, new.Users)
	grown(w, "identities.groups", old.Groups, new.Groups)
	grown(w, "identities.serviceAccounts", old.ServiceAccounts, new.ServiceAccounts)
	grown(w, "identities.operators", old.Operators, new.Operators)
	grown(w, "identities.jobLaunchers", old.JobLaunchers, new.JobLaunchers)
	grown(w, "identities.impersonated", old.Impersonated, new.Impersonated)
	// An added user makes a person's Jobs routine; a removed one makes a machine a person who may approve.
	w.differ("identities.automation", old.Automation, new.Automation)
}

func (w *weakening) gateways(old, new []v1alpha1.Gateway) {
	for _, g := range new {
		i := slices.IndexFunc(old, func(o v1alpha1.Gateway) bool { return o.Host == g.Host })
		switch {
		case i < 0:
			w.say("it opens a gateway through %q", g.Host)
		case g.ExpiresAt.After(old[i].ExpiresAt.Time):
			w.say("it prolongs the gateway through %q", g.Host)
		default:
			grown(w, "gateways[].from", old[i].From, g.From)
		}
	}
}

func (w *weakening) enforcement(old, new v1alpha1.Enforcement) {
	action := func(e v1alpha1.Enforcement, r v1alpha1.RuleName) v1alpha1.Action {
		return cmp.Or(e.Rules[r], e.Default, v1alpha1.ActionDeny)
	}
	def := func(e v1alpha1.Enforcement) v1alpha1.Action { return cmp.Or(e.Default, v1alpha1.ActionDeny) }
	for _, r := range v1alpha1.RuleNames() {
		if old.Rules[r] == "" && new.Rules[r] == "" {
			continue // it follows the default
		}
		w.softer("enforcement of "+string(r), action(old, r), action(new, r))
	}
	w.softer("enforcement.default", def(old), def(new))
	w.softer("enforcement.selfHealing", cmp.Or(old.SelfHealing, v1alpha1.ActionWarn), cmp.Or(new.SelfHealing, v1alpha1.ActionWarn))
	w.softer("enforcement.unlistedAutomation", cmp.Or(old.UnlistedAutomation, v1alpha1.ActionWarn), cmp.Or(new.UnlistedAutomation, v1alpha1.ActionWarn))
}

func (w *weakening) softer(field string, old, new v1alpha1.Action) {
	if estate.Strictness(new) < estate.Strictness(old) {
		w.say("it lowers %s from %s to %s", field, old, new)
	}
}

// WeakensDataStore says how a change of a DataStore would weaken the boundary.
func WeakensDataStore(old, new *v1alpha1.DataStore, e *estate.Estate) []string {
	var w weakening
	switch {
	case new == nil:
		w.say("it deletes data store %q of environment %q", old.Name, old.Spec.Environment)
		return w.out
	case old == nil:
		old = &v1alpha1.DataStore{Spec: v1alpha1.DataStoreSpec{Environment: new.Spec.Environment}}
	}
	w.moved("environment", old.Spec.Environment, new.Spec.Environment)
	shrunk(&w, "hosts", old.Spec.Hosts, new.Spec.Hosts)
	shrunk(&w, "cidrs", old.Spec.CIDRs, new.Spec.CIDRs)
	shrunk(&w, "resourceNames", old.Spec.ResourceNames, new.Spec.ResourceNames)
	for _, s := range old.Spec.Services {
		if !slices.Contains(new.Spec.Services, s) {
			w.say("it removes service %q from services", s.Namespace+"/"+s.Name)
		}
	}
	w.credentials(old.Spec.Credentials, new.Spec.Credentials)
	w.claims(new, e)
	return w.out
}

func (w *weakening) credentials(old, new *v1alpha1.Credentials) {
	o, n := v1alpha1.Credentials{}, v1alpha1.Credentials{}
	if old != nil {
		o = *old
	}
	if new != nil {
		n = *new
	}
	shrunk(w, "credentials.secrets", o.Secrets, n.Secrets)
	shrunk(w, "credentials.vaultPaths", o.VaultPaths, n.VaultPaths)
	shrunk(w, "credentials.roleNames", o.RoleNames, n.RoleNames)
}

// claims objects to entries that overlap with those of another tier: a more precise entry would take a name or address away from it.
func (w *weakening) claims(d *v1alpha1.DataStore, e *estate.Estate) {
	var tier v1alpha1.Tier // it stays empty for an environment that does not exist yet, which may get either tier
	if env, ok := e.Environment(d.Spec.Environment); ok {
		tier = env.Tier
	}
	other := func(what string, owners []estate.Owner) {
		for _, o := range owners {
			if o.Store != d.Name && o.Tier() != tier {
				w.say("it claims %q, which data store %q of environment %q owns", what, o.Store, o.EnvironmentName)
				return
			}
		}
	}
	for _, h := range d.Spec.Hosts {
		if n, ok := reference.NormaliseHost(strings.TrimPrefix(h, "*."), true); ok {
			wildcard := strings.HasPrefix(h, "*.")
			other(h, e.Overlapping(n, wildcard))
			if p := e.ServiceClaim(n, wildcard); p != "" && tier != v1alpha1.TierProduction {
				w.say("it claims %q, a name of Services of environment %q", h, p)
			}
		}
	}
	for _, r := range d.Spec.CIDRs {
		other(r, e.OverlappingRange(r))
	}
	for _, r := range d.Spec.ResourceNames {
		other(r, append(e.Resource(reference.CanonicalResource(r)), e.Instance(reference.CanonicalResource(r))...))
	}
	credentialClaims(d.Spec.Credentials, e, other)
	for _, s := range d.Spec.Services {
		other(s.Name+"."+s.Namespace, e.Service(s.Namespace, s.Name))
		if m := e.NamespaceOrName(s.Namespace); len(m.Production()) > 0 && tier != v1alpha1.TierProduction {
			w.say("it claims service %q in namespace %q of %s", s.Name, s.Namespace, m)
		}
	}
}

// credentialClaims objects to overlapping claims of credentials: a more precise claim takes a credential from the data store that claims
// it by a glob.
func credentialClaims(c *v1alpha1.Credentials, e *estate.Estate, other func(string, []estate.Owner)) {
	if c == nil {
		return
	}
	for _, set := range []struct {
		kind  reference.Kind
		globs []string
	}{{reference.Secret, texts(c.Secrets)}, {reference.StorePath, c.VaultPaths}, {reference.Role, c.RoleNames}} {
		for _, g := range set.globs {
			other(g, e.OverlappingCredentials(set.kind, g))
		}
	}
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
