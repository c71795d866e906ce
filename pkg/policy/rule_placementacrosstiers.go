package policy

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// placementAcrossTiers objects to what puts a workload on the other tier's nodes, or before its workloads.
func placementAcrossTiers(c *PreparedRequest, _ *Judgement) []Finding {
	return c.judgeContent(v1alpha1.RulePlacementAcrossTiers, c.placementLeads)
}

func (c *PreparedRequest) placementLeads(refs []reference.Reference) []crossing {
	var out []crossing
	for _, r := range refs {
		switch {
		case r.Use != reference.Places:
		case r.Kind == reference.Namespace, r.Kind == reference.NamespaceSelector:
			out = append(out, c.namespacesOf(r)...)
		case r.Kind == reference.HostAccess:
			out = append(out, c.hostLeads(r, refs)...)
		case r.Kind == reference.PriorityClass:
			out = append(out, c.priorityLeads(r)...)
		case r.Kind == reference.Taint && r.Name == "*" && (c.membership.Tier == v1alpha1.TierShared || c.agent()):
			// Agents run on every node, and so name nobody's pool.
		case r.Kind == reference.Node && c.putByDaemonSet():
			// Where a DaemonSet may run was judged when it was written; its controller only goes from node to node.
		case r.Kind == reference.Node && !c.est.DeclaresPool():
			out = append(out, c.tenantLeads(r)...)
		default:
			out = append(out, c.poolLeads(r)...)
		}
	}
	return out
}

func (c *PreparedRequest) putByDaemonSet() bool {
	o := c.Owner()
	return o != nil && o.Kind == "DaemonSet"
}

// agent reports whether the object is a DaemonSet or one of its Pods.
func (c *PreparedRequest) agent() bool {
	return c.isKind(schema.GroupKind{Group: "apps", Kind: "DaemonSet"}) || c.putByDaemonSet()
}

// poolLeads returns the pools that a placement leads into. If the object's own tier is among their owners, what it names is nobody's.
func (c *PreparedRequest) poolLeads(r reference.Reference) []crossing {
	envs := c.est.Pools(r.Target)
	for _, e := range envs {
		if e.Tier == c.membership.SubjectTier() {
			return nil
		}
	}
	var out []crossing
	for _, e := range envs {
		out = append(out, crossing{
			ref: r, target: "pool/" + e.Name, environment: e.Name, env: e, tier: e.Tier,
			what:   fmt.Sprintf("which belongs to the scheduling pool of %s", estate.Described(e.Name, e.Tier)),
			remedy: "let it run on its own environment's nodes",
		})
	}
	return out
}

// tenantLeads returns the lead to a node on which production runs: where no pool is declared, such a node is production's.
func (c *PreparedRequest) tenantLeads(r reference.Reference) []crossing {
	for _, ns := range c.view.Tenants(r.Name) {
		m := c.est.NamespaceOrName(ns)
		prod := m.Production()
		if len(prod) == 0 {
			continue
		}
		return []crossing{{
			ref: r, target: "node/" + r.Name, environment: prod[0].Name, env: prod[0], tier: v1alpha1.TierProduction,
			what:   fmt.Sprintf("a node that runs Pods of namespace %q of %s", ns, estate.Membership{Environments: prod, Tier: v1alpha1.TierProduction}),
			remedy: "leave the choice of the node to the scheduler",
		}}
	}
	return nil
}

// hostLeads returns the lead of a DaemonSet with access to its nodes. It has access to production where it runs beside production's Pods,
// in the pool that its tolerations let it into, or on nodes that both sides share.
func (c *PreparedRequest) hostLeads(r reference.Reference, refs []reference.Reference) []crossing {
	if !c.isKind(schema.GroupKind{Group: "apps", Kind: "DaemonSet"}) || c.membership.Tier == v1alpha1.TierShared || len(c.Production()) > 0 || !c.est.HostsProduction() {
		return nil
	}
	tolerates := slices.ContainsFunc(refs, func(o reference.Reference) bool { return o.Kind == reference.Taint && o.Name == "*" })
	for _, e := range c.est.Production() {
		if len(e.Spec().Nodes.Taints) > 0 && !tolerates {
			continue // its nodes keep the DaemonSet away
		}
		return []crossing{{
			ref: r, target: "host/" + e.Name, environment: e.Name, env: e, tier: v1alpha1.TierProduction,
			uncertain: c.membership.Unassigned() && !c.requester.Person, // on the first day, an agent whose namespace nobody has declared yet
			what:      fmt.Sprintf("access to the nodes that it runs on, those of %s among them", estate.Described(e.Name, e.Tier)),
			remedy:    "keep it away from production's nodes, or run it in a namespace of tier Shared if it serves both sides",
		}}
	}
	return nil
}

// priorityLeads returns the leads of a priority class: to the pools that it belongs to, or to production, if it comes before production's
// workloads and may have them evicted.
func (c *PreparedRequest) priorityLeads(r reference.Reference) []crossing {
	if leads := c.poolLeads(r); len(leads) > 0 || c.membership.Tier != v1alpha1.TierNonProduction {
		return leads
	}
	class, known := c.priorityOf(r)
	if !known {
		return nil // its Pods will say what it is, or will not be made
	}
	e := c.est.Outranked(class)
	if e == nil || c.sharesPool(r) {
		return nil
	}
	return []crossing{{
		ref: r, target: "priority/" + r.Name, environment: e.Name, env: e, tier: v1alpha1.TierProduction,
		what:   fmt.Sprintf("a priority class that comes before the workloads of %s and may have them evicted", estate.Described(e.Name, e.Tier)),
		remedy: "use a class of its own environment",
	}}
}

// priorityOf returns the value of a class and whether it preempts. A Pod says so itself, for the API server writes it into the Pod before
// it asks a webhook.
func (c *PreparedRequest) priorityOf(r reference.Reference) (estate.PriorityClass, bool) {
	if c.isKind(schema.GroupKind{Kind: "Pod"}) && c.new.work != nil && c.new.work.Template.Spec.Priority != nil {
		s := c.new.work.Template.Spec
		return estate.PriorityClass{Value: *s.Priority, Preempts: s.PreemptionPolicy == nil || *s.PreemptionPolicy != corev1.PreemptNever}, true
	}
	return c.est.PriorityClass(r.Name)
}

// sharesPool reports whether production, too, declares what a placement names, so that it is nobody's.
func (c *PreparedRequest) sharesPool(r reference.Reference) bool {
	return slices.ContainsFunc(c.est.Pools(r.Target), func(e *estate.Environment) bool { return e.Tier == v1alpha1.TierProduction })
}
