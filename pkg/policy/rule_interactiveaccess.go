package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// sessionDemand returns a demand for a session in Production, which needs a window or is not allowed at all. Operators act on their own
// objects and never need a session.
func sessionDemand(c *PreparedRequest) *Demand {
	what, op := c.session()
	if what == "" {
		return nil
	}
	prod := c.Production()
	if !c.operates() && estate.StrictestControls(prod).InteractiveAccess == v1alpha1.InteractiveAllow {
		return nil
	}
	return &Demand{Why: what, Environments: prod, Operation: op, Barred: c.operates() || estate.StrictestControls(prod).InteractiveAccess == v1alpha1.InteractiveDeny}
}

// sessionsNeedWindows reports whether the environment lets sessions be opened under a window.
func (c *PreparedRequest) sessionsNeedWindows() bool {
	prod := c.Production()
	return len(prod) > 0 && estate.StrictestControls(prod).InteractiveAccess == v1alpha1.InteractiveWindowRequired
}

// interactiveAccess objects to sessions in Production: where the environment forbids them, to all; where it wants a window, to those that
// no window covers.
func interactiveAccess(c *PreparedRequest, j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RuleInteractiveAccess)
	switch {
	case d == nil:
		return nil
	case d.Barred:
		why := "sessions are not allowed there"
		if c.operates() {
			why = fmt.Sprintf("%s is one of its operators, which may act on their own objects but may not open sessions", c.requester)
		}
		return []Finding{{
			Rule: d.rule, Action: estate.Strictest(d.Environments, d.rule), Target: c.req.Name, Environment: d.Environments[0].Name,
			Message: fmt.Sprintf("this is %s in %s, and %s", d.Why, named(d.Environments), why),
			Remedy:  "find out what you need from logs and metrics, or ask the environment's owners for an Exemption",
		}}
	case j.spoken(d):
		return nil
	}
	return []Finding{c.demandFinding(d, j, fmt.Sprintf("this is %s in %s", d.Why, named(d.Environments)))}
}

// session says which session a request opens in Production, as a phrase, and which operation a window must permit for it. Both are empty
// if it opens none, or if the requester is one of Kubernetes' own controllers, or an outsider, who is refused as such.
func (c *PreparedRequest) session() (what string, operation v1alpha1.Operation) {
	if len(c.Production()) == 0 || c.outsider || c.requester.Controller {
		return "", ""
	}
	of := func(word string) string { return fmt.Sprintf("%s %q", word, c.req.Name) }
	switch c.req.SubResource {
	case "exec":
		return "an exec into " + of("Pod"), c.operation()
	case "attach":
		return "an attach to " + of("Pod"), c.operation()
	case "portforward":
		return "a port-forward to " + of("Pod"), c.operation()
	case "proxy":
		return "a proxy to " + of(SessionKind(c.req.Resource.Resource)), c.operation()
	case ephemeralContainers:
		return "an ephemeral container in " + of("Pod"), c.operation()
	case "":
		if c.hostLevel() {
			return "a Pod of a person with access to its node", v1alpha1.OperationDebug
		}
	}
	return "", ""
}

// ephemeralContainers is the subresource by which kubectl debug adds a container to a Pod that runs.
const ephemeralContainers = "ephemeralcontainers"

// hostLevel reports whether a person creates a Pod that reaches the node that it runs on, as `kubectl debug node` does.
func (c *PreparedRequest) hostLevel() bool {
	if c.req.Operation != Create || !c.isKind(podKind()) || !c.requester.Person || c.new == nil || c.new.work == nil {
		return false
	}
	s := &c.new.work.Template.Spec
	if s.HostPID || s.HostNetwork || s.HostIPC {
		return true
	}
	for _, v := range s.Volumes {
		if v.HostPath != nil {
			return true
		}
	}
	for _, container := range c.new.work.Template.Containers() {
		if sc := container.SecurityContext; sc != nil && sc.Privileged != nil && *sc.Privileged {
			return true
		}
	}
	return false
}

// SessionKind returns the kind of the object that a session is opened with, by its resource: a Pod, unless it is a Service or a Node.
func SessionKind(resource string) string {
	switch resource {
	case "services":
		return "Service"
	case "nodes":
		return "Node"
	}
	return "Pod"
}

// sessionObject returns the kind that a window must have in scope for a session.
func (c *PreparedRequest) sessionObject() schema.GroupKind {
	return schema.GroupKind{Kind: SessionKind(c.req.Resource.Resource)}
}
