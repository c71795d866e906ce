package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// routeAcrossTiers objects to Services, endpoints, routes, network policies, mesh entries and answers of the name server that lead across.
func routeAcrossTiers(c *PreparedRequest, _ *Judgement) []Finding {
	return append(c.judgeContent(v1alpha1.RuleRouteAcrossTiers, c.routeLeads), c.takesServerAddress()...)
}

func (c *PreparedRequest) routeLeads(refs []reference.Reference) []crossing {
	return slices.Concat(c.across(reference.Routes)(refs), c.answerLeads(refs))
}

// across returns a function that finds the data stores and namespaces to which references of one use lead.
func (c *PreparedRequest) across(use reference.Use) func([]reference.Reference) []crossing {
	return func(refs []reference.Reference) []crossing {
		return slices.Concat(c.storeLeads(use)(refs), c.namespaceLeads(use)(refs))
	}
}

// side is a name, with the environment and tier that it belongs to.
type side struct {
	name string
	// what describes the owner; it is empty if the owner is not known.
	what        string
	environment string
	env         *estate.Environment
	tier        v1alpha1.Tier
}

func (s side) known() bool { return s.what != "" && s.tier != v1alpha1.TierShared }

// sideOf returns the side of a name; *.domain belongs to the owners of the hosts below the domain.
func (c *PreparedRequest) sideOf(t reference.Target) side {
	var owners []estate.Owner
	if domain, ok := strings.CutPrefix(t.Name, "*."); ok {
		owners = c.est.Under(domain)
	} else {
		t.Unambiguous = true
		r := c.est.Resolve(t, "")
		owners = r.Owners
		if len(owners) == 0 && r.Namespace != "" && c.view.guards(r.Namespace) {
			m := c.est.NamespaceOrName(r.Namespace)
			out := side{name: t.Name, what: fmt.Sprintf("in namespace %q of %s", r.Namespace, m), tier: m.Tier}
			if len(m.Environments) > 0 {
				out.environment, out.env = m.Environments[0].Name, m.Environments[0]
			}
			return out
		}
	}
	if len(owners) == 0 {
		return side{name: t.Name}
	}
	o := owners[0]
	return side{
		name: t.Name, what: fmt.Sprintf("data store %q of %s", o.Store, estate.Described(o.EnvironmentName, o.Tier())),
		environment: o.EnvironmentName, env: o.Environment, tier: o.Tier(),
	}
}

// answerLeads returns the names that a name server answers with those of another tier, or takes from production.
func (c *PreparedRequest) answerLeads(refs []reference.Reference) []crossing {
	var out []crossing
	for _, r := range refs {
		if r.Answers == nil {
			continue
		}
		asked, answer := c.sideOf(*r.Answers), c.sideOf(r.Target)
		var but string
		told := answer
		switch {
		case asked.known() && answer.known() && asked.tier != answer.tier:
			but = fmt.Sprintf("it is the answer for %q, %s", asked.name, asked.what)
		case c.requester.Controller || c.requester.MemberOfTier(v1alpha1.TierProduction) || asked.known() && answer.known():
			continue
		case asked.known() && asked.tier == v1alpha1.TierProduction:
			told, but = asked, fmt.Sprintf("its answer comes from %s, and %s is a member of no Production environment", answered(answer.name), c.requester)
		case answer.known() && answer.tier == v1alpha1.TierProduction:
			but = fmt.Sprintf("it is the answer for %q, and %s is a member of no Production environment", asked.name, c.requester)
		default:
			continue
		}
		r.Name = told.name
		out = append(out, crossing{
			ref: r, target: "answer/" + asked.name + "/" + answer.name, what: told.what, environment: told.environment, env: told.env, tier: told.tier,
			crossing: but, remedy: "let each name lead to its own environment",
		})
	}
	return out
}

func answered(name string) string {
	if !strings.ContainsAny(name, ".:") {
		return "elsewhere"
	}
	return fmt.Sprintf("%q", name)
}

// takesServerAddress objects to a Service with the API server's address among its externalIPs: it would get all that is sent there.
func (c *PreparedRequest) takesServerAddress() []Finding {
	if !c.isKind(serviceKind()) || c.new == nil || c.req.Operation == Delete || c.requester.Controller || len(c.est.Production()) == 0 || len(c.Production()) > 0 {
		return nil
	}
	var s, old corev1.Service
	if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &s) != nil {
		return nil
	}
	if c.old != nil {
		_ = kjson.UnmarshalCaseSensitivePreserveInts(c.old.raw, &old) // a Service that cannot be read had none
	}
	for i, ip := range s.Spec.ExternalIPs {
		if slices.Contains(old.Spec.ExternalIPs, ip) || !c.est.IsAPIServer(ip) {
			continue
		}
		return []Finding{{
			Rule: v1alpha1.RuleRouteAcrossTiers, Action: estate.Strictest(c.est.Production(), v1alpha1.RuleRouteAcrossTiers),
			Path: fmt.Sprintf("spec.externalIPs[%d]", i), Value: ip, Target: "service/default/kubernetes", Environment: c.est.Production()[0].Name,
			Message: fmt.Sprintf("names %q, the address of the API server, so what the whole cluster sends there would come here", ip),
			Remedy:  "take the address out",
		}}
	}
	return nil
}
