package policy

import (
	"fmt"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// changeWindowRequired objects to maintenance that no open, approved window covers.
func changeWindowRequired(c *Case, j *judgement) []Finding {
	if c.demand == nil || c.demand.rule != v1alpha1.RuleChangeWindowRequired || j.covered() {
		return nil
	}
	if s := j.stage(); s == change.PlanDiffers || s == change.Exhausted {
		return nil // said by their own rules
	}
	return []Finding{c.changeFinding(v1alpha1.RuleChangeWindowRequired, j, fmt.Sprintf(
		"this is maintenance in environment %s (%s), and %s", named(c.demand.environments), c.demand.why, c.noWindow(j)))}
}

// planMismatch objects to a run that is not what was approved.
func planMismatch(c *Case, j *judgement) []Finding {
	if c.demand == nil || j.stage() != change.PlanDiffers {
		return nil
	}
	w := j.nearest.Window
	return []Finding{c.changeFinding(v1alpha1.RulePlanMismatch, j, fmt.Sprintf(
		"window %q covers it, but what would run is not what was approved: %s; run what was approved, or request a window for this with: %s",
		w.Name, j.nearest.Why, c.requestCommand()))}
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

// noWindow says which window nearly covered the request and why it did not, when one opens, and how to ask for one.
func (c *Case) noWindow(j *judgement) string {
	v := j.nearest
	if v == nil {
		where := fmt.Sprintf("namespace %q", c.req.Namespace)
		if c.demand.boundary || c.demand.clusterWide {
			where = fmt.Sprintf("namespace %q", c.est.FirebreakNamespace)
		}
		return fmt.Sprintf("no change window in %s has it in scope; request one with: %s", where, c.requestCommand())
	}
	said := fmt.Sprintf("no open, approved window covers it: window %q does not, since %s", v.Window.Name, v.Why)
	if next := change.NextOpening(j.query, j.state); next != nil && v.Stage != change.NotYetOpen {
		said += fmt.Sprintf("; window %q opens at %s", next.Window.Name, change.Instant(next.Opens))
	}
	if v.Stage == change.NotYetOpen || v.Stage == change.Unapproved {
		return said
	}
	return said + "; request one with: " + c.requestCommand()
}

// requestCommand is what to type to get a window.
func (c *Case) requestCommand() string {
	words := []string{"kubectl firebreak request -f MANIFEST"}
	if c.demand.boundary || c.demand.clusterWide {
		words = append(words, "-n", c.est.FirebreakNamespace, "--for-cluster", c.est.Cluster)
	} else {
		words = append(words, "-n", c.req.Namespace)
	}
	if c.demand.operation != v1alpha1.OperationCreate {
		words = append(words, "--operation", string(c.demand.operation))
	}
	return strings.Join(append(words, "--environment ENVIRONMENT --start TIME --duration 1h --reason WHY"), " ")
}
