package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// finding returns a rule's finding about the window that came nearest to the demands.
func (a *windowAnswer) finding(rule v1alpha1.RuleName, message string) Finding {
	envs := a.demands[0].Environments
	f := Finding{Rule: rule, Action: estate.Strictest(envs, rule), Message: message}
	if len(envs) > 0 {
		f.Environment = envs[0].Name
	}
	if a.nearest != nil {
		f.Target = a.nearest.Window.Namespace + "/" + a.nearest.Window.Name
	}
	return f
}

// demandFinding returns the objection of the rule that demands a window. It adds why no window permits the request, and how to get one.
func (c *PreparedRequest) demandFinding(d *Demand, j *Judgement, message string) Finding {
	why, remedy := c.noWindow(j, d)
	f := j.to(d).finding(d.rule, message+why)
	f.Action, f.Remedy = estate.Strictest(d.Environments, d.rule), remedy
	if len(d.Environments) > 0 {
		f.Environment = d.Environments[0].Name
	}
	return f
}

// noWindow says, to follow an objection, why the nearest window does not permit the request (nothing, if there is none), and what to do
// next: to wait for a window that opens, to have one approved, or to request one. Where one window must meet several demands, only the
// first of them says so.
func (c *PreparedRequest) noWindow(j *Judgement, d *Demand) (why, remedy string) {
	a := j.to(d)
	v := a.nearest
	switch {
	case !a.leads(d):
		return ", and the same window must permit it", ""
	case v == nil:
		return "", "request a window: " + c.requestCommand(a)
	}
	why = fmt.Sprintf("; window %q does not permit it, since %s", v.Window.Name, v.Why)
	next := change.NextOpening(a.query, j.state)
	differs, _ := v.Pinned(a.query)
	switch {
	case differs != "":
		return why + ", and it is for something else: " + differs, "run what was requested, or request a window for this: " + c.requestCommand(a)
	case v.Stage == change.Exhausted && a == j.main():
		return why, "" // the rule that objects to one use more says what to do
	case v.Stage == change.Unapproved:
		return why, a.haveApproved(max(1, v.Approvals.Required-len(v.Approvals.Names)))
	case next != nil && next.Window.UID == v.Window.UID && v.Stage == change.NotYetOpen && next.Opens.Equal(v.Opens):
		return "", fmt.Sprintf("wait: window %q opens at %s", next.Window.Name, next.OpensAt())
	case next != nil:
		return why, fmt.Sprintf("wait: window %q can be used from %s on", next.Window.Name, next.OpensAt())
	}
	return why, "request a window: " + c.requestCommand(a)
}

// haveApproved says how to have the nearest window approved, by as many approvers as are missing.
func (a *windowAnswer) haveApproved(missing int) string {
	w := a.nearest.Window
	who := a.query.Approvers(missing, w.Spec.RequestedBy.Username)
	if lacks := a.nearest.Approvals.Lacks; len(lacks) > 0 {
		who += ", including " + strings.Join(lacks, " and ")
	}
	return fmt.Sprintf("have window %q approved by %s: kubectl firebreak approve %s -n %s", w.Name, who, w.Name, w.Namespace)
}

// windowNamespace returns the namespace in which a window for the request would lie.
func (c *PreparedRequest) windowNamespace(a *windowAnswer) string {
	if a.query.Boundary {
		return c.est.FirebreakNamespace
	}
	return c.req.Namespace
}

// requestCommand returns the command that requests a window.
func (c *PreparedRequest) requestCommand(a *windowAnswer) string {
	words := []string{"kubectl firebreak request", c.requested(a), "-n", c.windowNamespace(a)}
	if a.query.Boundary {
		words = append(words, "--for-cluster", cmp.Or(c.est.Cluster, "CLUSTER"))
	}
	if ops := a.query.Operations; !slices.Equal(ops, []v1alpha1.Operation{v1alpha1.OperationCreate}) {
		words = append(words, "--operation", strings.Join(texts(ops), ","))
	}
	// The requester of a window is the one who may use it; for a machine, somebody else requests it.
	switch r := c.requester; {
	case r.Person || r.Borrowed || r.Controller:
	case r.Account != "":
		words = append(words, "--for-service-account", r.AccountNamespace+"/"+r.Account)
		if pin := c.pin(); pin != "" && c.req.Kind.Group == v1alpha1.GroupName {
			words = append(words, "--digest", pin)
		}
	default:
		words = append(words, "--for-user", r.Username)
	}
	return strings.Join(words, " ")
}

// requested returns the argument that names the object of a window: the manifest, of which the plan is made, if the object is created or
// changed, and its kind and name otherwise.
func (c *PreparedRequest) requested(a *windowAnswer) string {
	manifest := slices.Contains(a.query.Operations, v1alpha1.OperationCreate) || slices.Contains(a.query.Operations, v1alpha1.OperationUpdate)
	declared := c.req.Kind.Group == v1alpha1.GroupName && !c.requester.Person // nobody at a terminal has its manifest
	if manifest && !declared && c.req.SubResource != "token" {
		return "-f MANIFEST"
	}
	gk := c.inScope()
	return fmt.Sprintf("--resource %s/%s", gk, c.req.Name)
}

// inScope returns the kind that a window must have in scope: that of the scaled workload, that of the object that a session is opened with,
// or else that of the object itself.
func (c *PreparedRequest) inScope() schema.GroupKind {
	switch {
	case c.req.SubResource == "scale":
		return c.scaledKind()
	case c.req.Operation == Connect, c.req.SubResource == ephemeralContainers:
		return c.sessionObject()
	}
	return c.req.Kind.GroupKind()
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
