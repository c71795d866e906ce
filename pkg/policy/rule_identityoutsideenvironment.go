package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// identityOutsideEnvironment objects to a requester that acts in a Production namespace without being a member of it.
// It never ratchets and judges deletion too.
func identityOutsideEnvironment(c *PreparedRequest, _ *Judgement) []Finding {
	prod := c.Production()
	if len(prod) == 0 {
		prod = c.ownEnvironments()
	}
	if len(prod) == 0 {
		prod = c.guarded()
	}
	if len(prod) == 0 || c.requester.Controller || c.member(prod) || c.closesWindow() {
		return nil
	}
	action := estate.Strictest(prod, v1alpha1.RuleIdentityOutsideEnvironment)
	if c.unlistedAutomation() {
		action = weaker(action, estate.StrictestAction(prod, (*estate.Environment).UnlistedAutomation))
	}
	return []Finding{{
		Rule:        v1alpha1.RuleIdentityOutsideEnvironment,
		Action:      action,
		Value:       c.requester.Username,
		Target:      c.req.Namespace,
		Environment: prod[0].Name,
		Message:     fmt.Sprintf("%s is not a member of %s, to which %s belongs", c.requester, named(prod), c.where()),
		Remedy:      c.joining(),
	}}
}

// joining says how the requester can have the request admitted after all.
func (c *PreparedRequest) joining() string {
	switch home := c.est.NamespaceOrName(c.requester.AccountNamespace); {
	case c.requester.impersonated() && c.est.Identity(c.requester.Username, nil).MemberOfTier(v1alpha1.TierProduction):
		return "act as yourself, for whoever acts as a member's account is not a member; or have the account listed in spec.identities.impersonated, which gives its power to everybody who may impersonate it"
	case c.requester.Account != "" && home.Unassigned():
		return fmt.Sprintf("have the account listed in spec.identities, and namespace %q declared in an environment of tier Shared if it serves both sides", c.requester.AccountNamespace)
	}
	return "ask a member to do it, or have the identity listed in spec.identities"
}

// guarded returns the Production environments whose service account the request takes although its namespace belongs to
// none of them: by a session in that namespace, by a token, or by a workload that runs as it. An account is theirs if they list it, or if
// it holds power in their namespaces, listed or not.
func (c *PreparedRequest) guarded() []*estate.Environment {
	switch c.req.SubResource {
	case "exec", "attach", "portforward", "proxy", "ephemeralcontainers":
		return c.est.NamespaceGuards(c.req.Namespace)
	}
	var out []*estate.Environment
	for _, account := range c.accounts {
		for _, e := range c.powers(account) {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}

// powers returns the Production environments that a service account has power in.
func (c *PreparedRequest) powers(account types.NamespacedName) []*estate.Environment {
	envs := c.est.Guards(account.Namespace, account.Name)
	if len(envs) > 0 || account.Name == "" || c.systemAccount(account.Namespace, account.Name) != "" { // left to BoundaryTampering
		return envs
	}
	return c.view.powers(account.Namespace, account.Name)
}

// refusedAsOutsider reports whether identityOutsideEnvironment denies the request, and no exemption suspends it.
func (c *PreparedRequest) refusedAsOutsider() bool {
	f := identityOutsideEnvironment(c, nil)
	return len(f) > 0 && f[0].Action == v1alpha1.ActionDeny && !c.exempted(f[0].Rule)
}

// unlistedAutomation reports whether the requester is a service account of a Shared or unassigned namespace that nobody has listed yet. On
// the first day these are operators and GitOps controllers that were forgotten.
func (c *PreparedRequest) unlistedAutomation() bool {
	return c.own.oldFreeze == nil && !c.requester.impersonated() && c.view.unlisted(c.requester)
}

func (w *ClusterView) unlisted(r *Requester) bool {
	if r.Account == "" || r.Listed() {
		return false
	}
	home := w.Estate.NamespaceOrName(r.AccountNamespace)
	return home.Unassigned() || home.Tier == v1alpha1.TierShared
}

func weaker(a, b v1alpha1.Action) v1alpha1.Action {
	if estate.Strictness(b) < estate.Strictness(a) {
		return b
	}
	return a
}

// where names the place that a request acts in.
func (c *PreparedRequest) where() string {
	switch {
	case len(c.Production()) == 0 && len(c.guarded()) > 0:
		return fmt.Sprintf("a service account of namespace %q", c.req.Namespace)
	case c.req.Namespace == "" || len(c.Production()) == 0:
		return "the object"
	}
	return fmt.Sprintf("namespace %q", c.req.Namespace)
}

func named(envs []*estate.Environment) string {
	return estate.Membership{Environments: envs, Tier: v1alpha1.TierProduction}.String()
}

// member reports whether the requester is a member of one of the environments that a namespace belongs to or, if a freeze is lifted, of
// each that it is lifted for.
func (c *PreparedRequest) member(prod []*estate.Environment) bool {
	if c.req.SubResource == "token" && c.requester.impersonated() {
		return false // the token would give them for good what they borrow
	}
	if c.own.oldFreeze == nil {
		return c.requester.MemberOfAny(prod)
	}
	return !slices.ContainsFunc(prod, func(e *estate.Environment) bool { return !c.requester.MemberOf(e.Name) })
}

// closesWindow reports whether the request deletes a window. That closes the window, and is always allowed: refusing it would wedge the
// deletion of namespaces.
func (c *PreparedRequest) closesWindow() bool {
	return c.req.Operation == Delete && c.req.Kind == v1alpha1.GVK(v1alpha1.KindChangeWindow)
}
