package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// namespaceAcrossTiers objects to a reference to a namespace of the other tier, or to a Service in it. Services that
// a data store claims are DataStoreAcrossTiers' business.
func namespaceAcrossTiers(c *Case, _ *judgement) []Finding {
	return c.judgeContent(v1alpha1.RuleNamespaceAcrossTiers, c.namespaceLeads)
}

func (c *Case) namespaceLeads(refs []reference.Reference) []lead {
	var out []lead
	for _, r := range refs {
		t := c.est.Resolve(r.Host, c.req.Namespace)
		if len(t.Owners) > 0 || t.Namespace == "" || t.Namespace == c.req.Namespace {
			continue
		}
		if l, ok := c.namespaceLead(r, t.Namespace); ok {
			out = append(out, l)
		}
	}
	return out
}

func (c *Case) namespaceLead(r reference.Reference, namespace string) (lead, bool) {
	m, known := c.est.Namespace(namespace)
	if !known {
		// It may come into being later; a pattern can claim it before that. The cluster's default environment
		// does not count: most names with a dot are no namespaces at all.
		if m = c.est.NamespaceOrName(namespace); len(m.Environments) == 0 || !c.est.ClaimsName(namespace) {
			return lead{}, false
		}
	}
	l := lead{
		ref: r, target: "namespace/" + namespace, tier: m.Tier,
		what:   fmt.Sprintf("in namespace %q of %s", namespace, m),
		remedy: "use a Service of its own environment, or ask for an Exemption",
	}
	if m.Unassigned() {
		// As a target, unassigned is only worth a warning, and only to production.
		l.tier, l.uncertain = v1alpha1.TierNonProduction, true
		l.what = fmt.Sprintf("in namespace %q, which belongs to no environment", namespace)
		return l, true
	}
	if len(m.Environments) > 0 {
		l.environment, l.env = m.Environments[0].Name, m.Environments[0]
	}
	return l, true
}
