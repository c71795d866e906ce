package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// executionsExhausted objects to one run more than a window allows.
func executionsExhausted(c *PreparedRequest, j *Judgement) []Finding {
	a := j.main()
	if a.overridesOnly() || a.stage() != change.Exhausted {
		return nil
	}
	f := a.finding(v1alpha1.RuleExecutionsExhausted, fmt.Sprintf("window %q covers this, but %s", a.nearest.Window.Name, a.nearest.Why))
	f.Remedy = "request another window: " + c.requestCommand(a)
	return []Finding{f}
}
