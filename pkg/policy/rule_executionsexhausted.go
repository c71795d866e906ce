package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// executionsExhausted objects to one run more than a window allows.
func executionsExhausted(c *Case, j *Judgement) []Finding {
	a := j.main()
	if a.overridesOnly() || a.stage() != change.Exhausted {
		return nil
	}
	return []Finding{a.finding(v1alpha1.RuleExecutionsExhausted, fmt.Sprintf(
		"window %q covers it, but %s; request another window with: %s", a.nearest.Window.Name, a.nearest.Why, c.requestCommand(a)))}
}
