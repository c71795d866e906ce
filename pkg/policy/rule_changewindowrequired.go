package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// maintenanceDemand: maintenance needs a window, and so does whatever else the environment wants one for.
func maintenanceDemand(c *Case) *Demand {
	if c.maintenance != "" {
		return &Demand{Why: c.maintenance, Environments: c.concerned(), Operation: c.operation(), ClusterWide: c.req.Namespace == ""}
	}
	if why, op := c.whyScoped(); why != "" {
		return &Demand{Why: why, scoped: true, Environments: c.Production(), Operation: op}
	}
	return nil
}

// changeWindowRequired objects to maintenance that no open, approved window covers.
func changeWindowRequired(c *Case, j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RuleChangeWindowRequired)
	if d == nil || j.spoken(d) {
		return nil
	}
	what := "maintenance"
	if d.scoped {
		what = "a change"
	}
	return []Finding{c.demandFinding(d, j, fmt.Sprintf("this is %s in environment %s (%s), and %s", what, named(d.Environments), d.Why, c.noWindow(j, d)))}
}
