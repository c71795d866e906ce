package policy

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// changeWindowRequired objects to maintenance that no open, approved window covers.
func changeWindowRequired(c *Case, j *judgement) []Finding {
	if c.demand == nil || c.demand.rule != v1alpha1.RuleChangeWindowRequired || j.settled() {
		return nil
	}
	what := "maintenance"
	if c.demand.scoped {
		what = "a change"
	}
	return []Finding{c.changeFinding(v1alpha1.RuleChangeWindowRequired, j, fmt.Sprintf(
		"this is %s in environment %s (%s), and %s", what, named(c.demand.environments), c.demand.why, c.noWindow(j)))}
}

// planMismatch objects to a run that is not what was approved.
func planMismatch(c *Case, j *judgement) []Finding {
	if c.demand == nil || j.stage() != change.PlanDiffers || j.query.Plan == nil {
		return nil
	}
	w := j.nearest.Window
	return []Finding{c.changeFinding(v1alpha1.RulePlanMismatch, j, fmt.Sprintf(
		"window %q covers it, but what would run is not what was approved: %s; run what was approved, or request a window for this (its digest is %s) with: %s",
		w.Name, j.nearest.Why, j.query.Plan.Digest, c.requestCommand()))}
}

// executionsExhausted objects to one run more than a window allows.
func executionsExhausted(c *Case, j *judgement) []Finding {
	if c.demand == nil || j.stage() != change.Exhausted {
		return nil
	}
	return []Finding{c.changeFinding(v1alpha1.RuleExecutionsExhausted, j, fmt.Sprintf(
		"window %q covers it, but %s; request another window with: %s", j.nearest.Window.Name, j.nearest.Why, c.requestCommand()))}
}

func (c *Case) changeFinding(rule v1alpha1.RuleName, j *judgement, message string) Finding {
	f := Finding{
		Rule: rule, Action: estate.Strictest(c.demand.environments, rule), Message: message,
	}
	if len(c.demand.environments) > 0 {
		f.Environment = c.demand.environments[0].Name
	}
	if j.nearest != nil {
		f.Target = j.nearest.Window.Namespace + "/" + j.nearest.Window.Name
	}
	return f
}

// noWindow says which window nearly covered the request and why it did not, when one opens next, who may approve, and how
// to ask for one.
func (c *Case) noWindow(j *judgement) string {
	v := j.nearest
	if v == nil {
		return fmt.Sprintf("no change window in namespace %q has it in scope; %s", c.windowNamespace(), c.howToRequest(j))
	}
	said := fmt.Sprintf("no open, approved window covers it: window %q does not, since %s", v.Window.Name, v.Why)
	next := change.NextOpening(j.query, j.state)
	switch {
	case next != nil && next.Window.UID == v.Window.UID && v.Stage == change.NotYetOpen && next.Opens.Equal(v.Opens):
		return said
	case next != nil:
		said += fmt.Sprintf("; window %q can be used from %s on", next.Window.Name, next.OpensAt())
	}
	if v.Stage == change.Unapproved {
		return said // and who approves it, and how, was said
	}
	return said + "; " + c.howToRequest(j)
}

// howToRequest says how to get a window, and who approves it.
func (c *Case) howToRequest(j *judgement) string {
	n := int(j.query.Controls.RequiredApprovals)
	if n == 0 {
		return "request one: " + c.requestCommand()
	}
	return fmt.Sprintf("request one, for %s to approve: %s", j.query.Approvers(n, ""), c.requestCommand())
}

// windowNamespace is where a window for the request would lie.
func (c *Case) windowNamespace() string {
	if c.demand.boundary || c.demand.clusterWide {
		return c.est.FirebreakNamespace
	}
	return c.req.Namespace
}

// requestCommand is what to type to get a window.
func (c *Case) requestCommand() string {
	words := []string{"kubectl firebreak request", c.requested()}
	if c.demand.boundary || c.demand.clusterWide {
		words = append(words, "-n", c.windowNamespace(), "--for-cluster", cmp.Or(c.est.Cluster, "CLUSTER"))
	} else {
		words = append(words, "-n", c.windowNamespace())
	}
	if c.demand.operation != v1alpha1.OperationCreate {
		words = append(words, "--operation", string(c.demand.operation))
	}
	// Who requests a window is who may use it; a machine has somebody request it.
	switch r := c.requester; {
	case r.Person || r.Borrowed || r.Controller:
	case r.Account != "":
		words = append(words, "--for-service-account", r.AccountNamespace+"/"+r.Account)
		if pin := c.pin(); pin != "" {
			words = append(words, "--digest", pin)
		}
	default:
		words = append(words, "--for-user", r.Username)
	}
	return strings.Join(append(words, "--environment ENVIRONMENT --start TIME --duration 1h --reason WHY"), " ")
}

// requested names what a window is requested for: what is created or changed by its manifest, which the plan is made of,
// anything else by its kind and name.
func (c *Case) requested() string {
	manifest := c.demand.operation == v1alpha1.OperationCreate || c.demand.operation == v1alpha1.OperationUpdate
	declared := c.req.Kind.Group == v1alpha1.GroupName && !c.requester.Person // nobody at a terminal has its manifest
	if manifest && !declared && c.req.SubResource != "token" {
		return "-f MANIFEST"
	}
	gk := c.inScope()
	return fmt.Sprintf("--resource %s/%s", gk, c.req.Name)
}

// inScope is the kind that a window must have in scope: of the workload that is scaled, of what a session is opened with.
func (c *Case) inScope() schema.GroupKind {
	switch {
	case c.req.SubResource == "scale":
		return schema.GroupKind{Group: c.req.Resource.Group, Kind: parentKind(c.req.Resource.Resource)}
	case c.req.Operation == Connect, c.req.SubResource == ephemeralContainers:
		return c.sessionObject()
	}
	return c.req.Kind.GroupKind()
}
