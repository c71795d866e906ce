package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// planMismatch objects to a run that is not what was approved.
func planMismatch(c *PreparedRequest, j *Judgement) []Finding {
	if out := c.pinnedFinding(j); out != nil {
		return out
	}
	a := j.main()
	if a.overridesOnly() || a.stage() != change.PlanDiffers || a.query.Plan == nil {
		return nil
	}
	w := a.nearest.Window
	f := a.finding(v1alpha1.RulePlanMismatch, fmt.Sprintf(
		"window %q is for something else: %s", w.Name, a.nearest.Why))
	f.Remedy = "run what was approved, or request a window for this: " + c.requestCommand(a)
	return []Finding{f}
}
