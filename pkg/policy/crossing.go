package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// crossing is one reference and one thing of another tier that it leads to.
type crossing struct {
	ref reference.Reference
	// target identifies it for ratcheting: the stored object may have had the same target of the same rule.
	target string
	// what describes it: `data store "orders" of environment "production"`.
	what string
	// remedy says what to use instead.
	remedy string
	// environment, env and tier are the target's; env is nil if the environment does not exist.
	environment string
	env         *estate.Environment
	tier        v1alpha1.Tier
	// crossing says, as a clause, why the reference crosses tiers, if that does not depend on the object's own place.
	crossing string
	// uncertain is true if the target's owner is not known, which is worth no more than a warning.
	uncertain bool
}

// judgeContent returns the findings of one content rule: the leads that cross tiers, each with the action that environments, ratcheting
// and self-healing leave.
func (c *PreparedRequest) judgeContent(rule v1alpha1.RuleName, leads func([]reference.Reference) []crossing) []Finding {
	if c.req.Operation == Delete || c.new == nil {
		return nil // deleting a violator is never blocked by a content rule
	}
	found := leads(c.refs())
	if len(found) == 0 {
		return nil
	}
	var stored map[string]bool
	if c.old != nil && c.sameIdentity() {
		stored = targets(leads(c.old.refs))
	}
	healed := c.ownerTargets(leads)
	if len(found) > maxLeads {
		found = found[:maxLeads] // further ones would add nothing
	}
	var out []Finding
	type spot struct{ path, value, target string }
	said := map[spot]bool{}
	for _, l := range found {
		at := spot{l.ref.Path, l.ref.Name, l.target}
		but := c.crosses(l, stored[l.target])
		if but == "" || said[at] {
			continue
		}
		said[at] = true
		action := c.contentAction(rule, l, stored, healed)
		l.remedy = c.orShared(l.remedy)
		f := l.finding(rule, action, but)
		if len(out) < maxLines {
			f.line = l.ref.Line()
		}
		out = append(out, f)
	}
	return out
}

func targets(leads []crossing) map[string]bool {
	out := map[string]bool{}
	for _, l := range leads {
		out[l.target] = true
	}
	return out
}

// crosses says, as a clause, why a lead crosses tiers; it is empty if it does not. A reference to production needs both identities on that
// side: the requester and what would run. An update of an object in production is not charged with references that were stored already.
func (c *PreparedRequest) crosses(l crossing, stored bool) string {
	place := c.subject()
	subject := place.SubjectTier()
	switch {
	case l.crossing != "":
		return l.crossing
	case l.tier == v1alpha1.TierShared || subject == v1alpha1.TierShared && l.tier != v1alpha1.TierProduction:
		return ""
	case c.throughGateway(l), c.opensGateway(l):
		return ""
	case subject != v1alpha1.TierShared && subject != l.tier:
		return fmt.Sprintf("%q is in %s", c.subjectNamespace(), place)
	case l.tier == v1alpha1.TierProduction && (!stored || subject != v1alpha1.TierProduction) && !c.requester.Controller && !c.outsider && !c.requester.MemberOfTier(v1alpha1.TierProduction):
		return fmt.Sprintf("%s is a member of no Production environment", c.requester)
	}
	return ""
}

// subjectNamespace returns the namespace that the object works for: its own or, for a volume, that of its claim.
func (c *PreparedRequest) subjectNamespace() string {
	if c.new == nil || c.req.Kind.GroupKind() != (schema.GroupKind{Kind: "PersistentVolume"}) {
		return c.req.Namespace
	}
	spec, _ := c.new.tree["spec"].(map[string]any)
	ref, _ := spec["claimRef"].(map[string]any)
	namespace, _ := ref["namespace"].(string)
	return namespace
}

// subject returns the membership of the namespace that the object works for.
func (c *PreparedRequest) subject() estate.Membership {
	if ns := c.subjectNamespace(); ns != c.req.Namespace {
		return c.est.NamespaceOrName(ns)
	}
	return c.membership
}

// throughGateway reports whether a lead goes through a gateway. Data may cross tiers through the proxies that the target's environment
// lists for the subject's, as long as they have not expired.
func (c *PreparedRequest) throughGateway(l crossing) bool {
	if l.env == nil {
		return false
	}
	for _, g := range l.env.Spec().Gateways {
		if isGateway(&g, l.ref) && !schedule.Expired(g.ExpiresAt.Time, c.At()) && slices.ContainsFunc(g.From, c.subject().In) {
			return true
		}
	}
	return false
}

func (c *PreparedRequest) contentAction(rule v1alpha1.RuleName, l crossing, stored map[string]bool, healed healing) v1alpha1.Action {
	envs := c.Production()
	if l.env != nil && l.tier == v1alpha1.TierProduction {
		envs = append(slices.Clone(envs), l.env)
	}
	action := estate.Strictest(envs, rule)
	if l.uncertain || stored[l.target] {
		action = weaker(action, v1alpha1.ActionWarn)
	}
	if healed.covers(l) {
		action = weaker(action, estate.StrictestAction(envs, (*estate.Environment).SelfHealing))
	}
	return action
}

// sameIdentity reports whether the workload runs as the same service account as before.
func (c *PreparedRequest) sameIdentity() bool {
	if c.new.work == nil || c.old.work == nil {
		return true
	}
	return c.new.work.Template.ServiceAccount() == c.old.work.Template.ServiceAccount()
}

// ownerTargets returns the targets to which the stored template of the object's controlling owner leads already. A node failure must not
// become an outage because a data store was registered yesterday; but only Kubernetes' controllers and the environment's own operators
// are believed when they name an owner, only an owner that exists counts, and the Pods of Jobs are not healing.
func (c *PreparedRequest) ownerTargets(leads func([]reference.Reference) []crossing) healing {
	owner := c.new.controller()
	if owner == nil || c.req.Operation != Create || owner.Kind == "Job" || owner.Kind == "CronJob" ||
		!c.requester.Controller && !c.operates() {
		return healing{}
	}
	parent, ok := c.view.Owners(c.req.Namespace, *owner)
	if !ok {
		return healing{}
	}
	return healing{targets(leads(parent.References)), parent.Unread, parent.Prints}
}

// healing is what the owner of a replaced Pod leads to: its targets, everything that its unread ConfigMaps and Secrets name, and
// the fingerprints of names that its texts hold by chance.
type healing struct {
	targets map[string]bool
	unread  []reference.Via
	prints  []reference.Print
}

func (h healing) covers(l crossing) bool {
	if v := l.ref.Via; v != nil && slices.Contains(h.unread, reference.Via{Kind: v.Kind, Name: v.Name}) {
		return true
	}
	return h.targets[l.target] || slices.Contains(h.prints, l.ref.Prints()[0])
}

// maxLines is how many findings of one rule name the line of a file: each looks through it.
const maxLines = 8

// maxLeads is how many leads of one rule are judged and reported. One is enough to refuse a request.
const maxLeads = 128

func (l crossing) finding(rule v1alpha1.RuleName, action v1alpha1.Action, but string) Finding {
	f := Finding{
		Rule: rule, Action: action, Path: l.ref.Path, Value: l.ref.Name, Target: l.target, Environment: l.environment,
	}
	names := fmt.Sprintf("names %q, %s", l.ref.Name, l.what)
	if l.ref.Confidential {
		// Not even the host: a Secret's value never leaves the process.
		f.Value = ""
		names = "names " + l.what
	}
	if v := l.ref.Via; v != nil {
		names = fmt.Sprintf("(key %q of %s %q) %s", v.Key, v.Kind, v.Name, names)
	}
	f.Message, f.Remedy = fmt.Sprintf("%s; %s", names, but), l.remedy
	return f
}

// orShared adds the remedy for a namespace that no environment declares: to declare it as Shared if it serves both sides.
func (c *PreparedRequest) orShared(remedy string) string {
	if !c.subject().Unassigned() || c.subjectNamespace() == "" {
		return remedy
	}
	return fmt.Sprintf("%s, or declare namespace %q in an environment of tier Shared if it serves both sides", remedy, c.subjectNamespace())
}
