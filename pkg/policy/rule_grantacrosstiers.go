package policy

import (
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/powers"
)

// grantAcrossTiers objects to giving an identity of one tier power in the other: by a binding, by widening a role that is
// bound so, and by a certificate for a name of production's.
func grantAcrossTiers(c *PreparedRequest, _ *Judgement) []Finding {
	if c.new == nil || c.req.Operation == Delete {
		return nil
	}
	switch c.req.Kind.GroupKind() {
	case schema.GroupKind{Group: rbacv1.GroupName, Kind: "RoleBinding"}, schema.GroupKind{Group: rbacv1.GroupName, Kind: "ClusterRoleBinding"}:
		return c.bindingGrants()
	case schema.GroupKind{Group: rbacv1.GroupName, Kind: "Role"}, schema.GroupKind{Group: rbacv1.GroupName, Kind: "ClusterRole"}:
		return c.roleGrants()
	case schema.GroupKind{Group: "certificates.k8s.io", Kind: "CertificateSigningRequest"}:
		return c.certificateGrants()
	}
	return nil
}

func (c *PreparedRequest) bindingGrants() []Finding {
	var b rbacv1.RoleBinding // a ClusterRoleBinding has the same fields
	if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &b) != nil {
		return nil
	}
	from := c.req.Namespace
	if b.RoleRef.Kind == "ClusterRole" {
		from = ""
	}
	if c.req.Stored && c.kubernetesOwn(c.req.Name, &b) {
		return nil
	}
	_, known := c.view.Roles(from, b.RoleRef.Name)
	_, builtIn := powers.BuiltIn(from, b.RoleRef.Name)
	power := c.powerOf(from, b.RoleRef.Name)
	var out []Finding
	for i, s := range b.Subjects {
		if f, ok := c.grant(Binding{Namespace: c.req.Namespace, Name: c.req.Name}, s, power); ok {
			f.Path = fmt.Sprintf("subjects[%d]", i)
			f.Message = fmt.Sprintf("gives %s %s %q %s", describeSubject(s), strings.ToLower(b.RoleRef.Kind), b.RoleRef.Name, f.Message)
			if c.req.Facts.RoleRead && c.req.Facts.Role == nil && !known && !builtIn {
				f.Message += "; the role does not exist yet and may come to hold anything: create it first"
			}
			out = append(out, f)
		}
	}
	return out
}

// roleGrants objects to rules that are added to a role which is bound across tiers, or is aggregated into such a role: its subjects get
// them at once.
func (c *PreparedRequest) roleGrants() []Finding {
	r, ok := clusterRole(c.new)
	if !ok || c.req.Stored { // nothing is widened by what stands; what it gives is judged where it is bound
		return nil
	}
	rules, into := c.view.effective(r), c.flowsInto(c.req.Name, r)
	if old, ok := clusterRole(c.old); ok && powers.Contained(rules, c.view.effective(old)) && subset(into, c.flowsInto(c.req.Name, old)) {
		return nil // it is narrowed, or only labelled
	}
	power := powers.Of(rules)
	var out []Finding
	for _, role := range into {
		for _, b := range c.view.Bindings(c.req.Namespace, role) {
			for _, s := range b.Subjects {
				if f, ok := c.grant(b, s, power); ok {
					f.Path = "rules"
					f.Message = fmt.Sprintf("widen what binding %q gives %s %s", b.Name, describeSubject(s), f.Message)
					out = append(out, f)
				}
			}
		}
	}
	return out
}

// grant judges one subject of one binding. The caller adds the beginning of the finding's message.
func (c *PreparedRequest) grant(b Binding, s rbacv1.Subject, p powers.Level) (Finding, bool) {
	g, place := c.grantee(s), c.rules(b.Namespace)
	// The nodes' group is given its rights in the cluster as a whole; rights in a namespace would be for anybody who has a node's
	// certificate.
	nodes := s.Kind == rbacv1.GroupKind && s.Name == groupNodes && b.Namespace != ""
	if g.plumbing && !nodes || g.tier == v1alpha1.TierShared && p != powers.Becomes {
		return Finding{}, false
	}
	f := Finding{Rule: v1alpha1.RuleGrantAcrossTiers, Action: v1alpha1.ActionDeny, Value: s.Name, Target: grantTarget(s)}
	prod := place.Production()
	where := "everywhere in the cluster"
	if b.Namespace != "" {
		where = fmt.Sprintf("in namespace %q", b.Namespace)
	}
	switch {
	case len(prod) > 0 && !g.production:
		f.Action, f.Environment = c.grantAction(estate.Strictest(prod, f.Rule), g, b, p, prod), prod[0].Name
		where += c.whose(b.Namespace, prod)
		f.Message, f.Remedy = where, "bind a member of a Production environment"
		return f, f.Action != ""
	case len(prod) == 0 && place.Tier == v1alpha1.TierNonProduction && g.production && !g.nonProduction:
		f.Action, f.Environment = estate.Strictest(place.Environments, f.Rule), place.Environments[0].Name
		f.Message, f.Remedy = fmt.Sprintf("%s of %s", where, place), "bind an identity of that environment, not one of production"
		return f, true
	}
	return Finding{}, false
}

// whose says to which environments a namespace belongs.
func (c *PreparedRequest) whose(namespace string, prod []*estate.Environment) string {
	switch namespace {
	case "":
		return ", production included"
	case c.est.FirebreakNamespace:
		return ", Firebreak's own, which is guarded like production"
	}
	return " of " + named(prod)
}

// rules returns the membership over which power in a namespace extends. In the cluster as a whole, and in Firebreak's namespace, that is
// Production, if any namespace of the cluster is production's.
func (c *PreparedRequest) rules(namespace string) estate.Membership {
	everywhere := namespace == "" || namespace == c.est.FirebreakNamespace
	switch {
	case everywhere && c.est.HostsProduction():
		return estate.Membership{Environments: c.est.Production(), Tier: v1alpha1.TierProduction}
	case everywhere:
		return estate.Membership{Tier: v1alpha1.TierShared}
	}
	return c.est.NamespaceOrName(namespace)
}

// grantAction returns the action for a grant, or an empty one if the grant is not objected to. Reading production is worth a warning.
// Accounts that nobody has listed yet are treated as IdentityOutsideEnvironment treats them, which judges everything that they do there;
// so are people to whom a role gives the cluster as a whole.
func (c *PreparedRequest) grantAction(a v1alpha1.Action, g grantee, b Binding, p powers.Level, prod []*estate.Environment) v1alpha1.Action {
	if p == powers.Reads {
		if b.Namespace == "" {
			return ""
		}
		a = weaker(a, v1alpha1.ActionWarn)
	}
	if b.Namespace == "" && !g.listed && !g.unlisted && p < powers.Everything {
		a = weaker(a, v1alpha1.ActionWarn)
	}
	if g.unlisted && p != powers.Becomes {
		if b.Namespace == "" {
			return ""
		}
		a = weaker(a, estate.StrictestAction(prod, (*estate.Environment).UnlistedAutomation))
	}
	return a
}

// grantee is the subject of a grant.
type grantee struct {
	// plumbing is true for a part of the control plane.
	plumbing bool
	// production and nonProduction are true for a member on that side.
	production, nonProduction bool
	// listed is true if some environment names it, unlisted for a service account of a namespace that belongs to no environment.
	listed, unlisted bool
	tier             v1alpha1.Tier
}

func (c *PreparedRequest) grantee(s rbacv1.Subject) grantee {
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		ns := s.Namespace
		if ns == "" {
			ns = c.req.Namespace
		}
		return c.account(estate.AccountUser(ns, s.Name), ns)
	case rbacv1.GroupKind:
		if ns, ok := strings.CutPrefix(s.Name, "system:serviceaccounts:"); ok {
			m := c.est.NamespaceOrName(ns)
			return grantee{production: len(m.Production()) > 0, nonProduction: m.Tier == v1alpha1.TierNonProduction, listed: !m.Unassigned(), unlisted: m.Unassigned(), tier: m.Tier}
		}
		if strings.HasPrefix(s.Name, "system:") {
			return grantee{plumbing: !everybody(s.Name), listed: true}
		}
		return c.memberOf(c.est.Identity("", []string{s.Name}))
	}
	if ns, _, ok := estate.ServiceAccount(s.Name); ok {
		return c.account(s.Name, ns)
	}
	if strings.HasPrefix(s.Name, "system:") && !strings.HasPrefix(s.Name, nodePrefix) {
		return grantee{plumbing: s.Name != "system:anonymous", listed: true}
	}
	return c.memberOf(c.est.Identity(s.Name, nil))
}

func everybody(group string) bool {
	return group == "system:authenticated" || group == "system:unauthenticated" || group == "system:serviceaccounts"
}

func (c *PreparedRequest) account(username, namespace string) grantee {
	g := c.memberOf(c.est.Identity(username, nil))
	m := c.est.NamespaceOrName(namespace)
	g.tier = m.Tier
	g.unlisted = m.Unassigned() && !g.production
	g.nonProduction = g.nonProduction || m.Tier == v1alpha1.TierNonProduction
	return g
}

func (c *PreparedRequest) memberOf(id *estate.Identity) grantee {
	return grantee{
		production: id.MemberOfTier(v1alpha1.TierProduction), nonProduction: id.MemberOfTier(v1alpha1.TierNonProduction), listed: id.Listed(),
	}
}

func describeSubject(s rbacv1.Subject) string {
	if s.Kind == rbacv1.ServiceAccountKind {
		return fmt.Sprintf("service account %q", s.Namespace+"/"+s.Name)
	}
	return fmt.Sprintf("%s %q", strings.ToLower(s.Kind), s.Name)
}

func grantTarget(s rbacv1.Subject) string { return strings.ToLower(s.Kind) + "/" + s.Name }
