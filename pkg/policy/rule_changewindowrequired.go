package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// maintenanceDemand returns a demand for maintenance, or for any other change that the environment wants a window for.
func maintenanceDemand(c *PreparedRequest) *Demand {
	why := c.maintenance
	if why != "" && c.req.SubResource == ephemeralContainers && c.sessionsNeedWindows() {
		controls := estate.StrictestControls(c.concerned())
		why = c.whyDebuggingIsMaintenance(&controls)
	}
	if why != "" {
		return &Demand{Why: why, Environments: c.concerned(), Operation: c.operation(), ClusterWide: c.req.Namespace == ""}
	}
	if why, op := c.whyScoped(); why != "" {
		return &Demand{Why: why, scoped: true, Environments: c.Production(), Operation: op}
	}
	return nil
}

// changeWindowRequired objects to maintenance that no open, approved window covers.
func changeWindowRequired(c *PreparedRequest, j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RuleChangeWindowRequired)
	switch {
	case d == nil:
		return c.uncoveredRuns(j)
	case j.spoken(d):
		return nil
	}
	what := "maintenance"
	if d.scoped {
		what = "a change"
	}
	return []Finding{c.demandFinding(d, j, fmt.Sprintf("this is %s in %s: %s", what, named(d.Environments), d.Why))}
}
