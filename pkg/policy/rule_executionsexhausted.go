package policy

import (
	"fmt"
	"strings"

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
	if x := a.nearest.Last; x != nil {
		f.Message += fmt.Sprintf(": last by %s, to %s %s %q, at %s", x.Spec.Requester.Username, strings.ToLower(string(x.Spec.Operation)), x.Spec.Object.Kind, x.Spec.Object.Name,
			change.Instant(x.CreationTimestamp.Time))
		f.Remedy += "; or, if that came to nothing, have it given back: kubectl firebreak release " + x.Name
	}
	return []Finding{f}
}
