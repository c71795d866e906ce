package policy

import (
	"fmt"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// namespaceAcrossTiers objects to a reference to a namespace of the other tier, or to a Service in it. Services that
// a data store claims are DataStoreAcrossTiers' business.
func namespaceAcrossTiers(c *PreparedRequest, _ *Judgement) []Finding {
	return c.judgeContent(v1alpha1.RuleNamespaceAcrossTiers, c.namespaceLeads(reference.Connects))
}

// namespaceLeads returns a function that finds the namespaces to which references of one use lead.
func (c *PreparedRequest) namespaceLeads(use reference.Use) func([]reference.Reference) []crossing {
	return func(refs []reference.Reference) []crossing {
		var out []crossing
		for _, r := range refs {
			if r.Use == use && r.Answers == nil && r.Kind != reference.Secret {
				out = append(out, c.namespacesOf(r)...)
			}
		}
		return out
	}
}

// namespacesOf returns the namespace to which one reference leads. For a pattern or a selector that matches several, it returns the first
// that lies across.
func (c *PreparedRequest) namespacesOf(r reference.Reference) []crossing {
	t := c.est.Resolve(r.Target, c.req.Namespace)
	if len(t.Owners) > 0 {
		return nil
	}
	names := t.Namespaces
	if t.Namespace != "" {
		names = []string{t.Namespace}
	}
	if r.Kind == reference.NamespaceSelector && c.est.IsEverything(names) && !c.opens(r) {
		return nil
	}
	if ns, ok := c.podAt(r); ok {
		names = append(names, ns)
	}
	for _, ns := range names {
		if ns == c.req.Namespace || ns == c.subjectNamespace() {
			continue
		}
		if l, ok := c.namespaceLead(r, ns); ok && (len(names) == 1 || !l.uncertain && c.crosses(l, false) != "") {
			return []crossing{l}
		}
	}
	return nil
}

// monitoring is the group of Prometheus' operator: what it selects is read, and not let in.
const monitoring = "monitoring.coreos.com"

// opens reports whether it matters that a selector takes in every namespace: it lets all in to production, and has what runs outside it
// read or write in production. What serves all environments does so by intent, and a route from outside says no more than no route.
func (c *PreparedRequest) opens(r reference.Reference) bool {
	switch c.subject().SubjectTier() {
	case v1alpha1.TierProduction:
		return r.Use == reference.Routes || c.req.Kind.Group != monitoring
	case v1alpha1.TierShared:
		return false
	}
	return r.Use != reference.Routes
}

// podAt returns the namespace of the Pod that a route is pointed at by its address, and false if there is none.
func (c *PreparedRequest) podAt(r reference.Reference) (string, bool) {
	if r.Use != reference.Routes || !r.Addr.IsValid() {
		return "", false
	}
	return c.view.PodAt(r.Addr)
}

func (c *PreparedRequest) namespaceLead(r reference.Reference, namespace string) (crossing, bool) {
	m, known := c.est.Namespace(namespace)
	if !known {
		// The namespace may be created later; a pattern can claim it before that. The cluster's default environment
		// does not count: most names with a dot are not namespaces at all.
		if m = c.est.NamespaceOrName(namespace); len(m.Environments) == 0 || !c.est.ClaimsName(namespace) {
			return crossing{}, false
		}
		if r.Kind == reference.Host && strings.Count(r.Name, ".") == 1 && !c.est.NamesNamespace(namespace) {
			return crossing{}, false // settings.prod-like: a pattern claims more than its author meant
		}
	}
	l := crossing{
		ref: r, target: "namespace/" + namespace, tier: m.Tier, what: standsIn(r, namespace) + fmt.Sprintf(" of %s", m),
		remedy: "use a Service of its own environment",
	}
	if r.Kind != reference.Host {
		l.remedy = "name a namespace of its own environment"
	}
	if r.Kind == reference.Claim || r.Kind == reference.Volume {
		l.remedy = volumeRemedy
	}
	if m.Unassigned() {
		// As a target, unassigned is only worth a warning, and only to production.
		l.tier, l.uncertain = v1alpha1.TierNonProduction, true
		l.what = standsIn(r, namespace) + ", which belongs to no environment"
		return l, true
	}
	if len(m.Environments) > 0 {
		l.environment, l.env = m.Environments[0].Name, m.Environments[0]
	}
	return l, true
}

// standsIn says how a reference leads to a namespace.
func standsIn(r reference.Reference, namespace string) string {
	switch r.Kind {
	case reference.Namespace:
		if r.Name == namespace {
			return "a namespace"
		}
		return fmt.Sprintf("which matches namespace %q", namespace)
	case reference.NamespaceSelector:
		return fmt.Sprintf("which selects namespace %q", namespace)
	case reference.Volume, reference.Claim:
		return fmt.Sprintf("a volume of namespace %q", namespace)
	default:
		return fmt.Sprintf("in namespace %q", namespace)
	}
}
