package change

import (
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Nearest judges all windows and returns the verdict of the nearest, or nil if none has the object in its scope.
func Nearest(q *Query, s *State) *Verdict {
	var best *Verdict
	for i := range s.Windows {
		v := Judge(&s.Windows[i], q, s)
		if v.Stage != OutOfScope && (best == nil || nearer(&v, best, q)) {
			best = &v
		}
	}
	return best
}

// nearer orders verdicts: by stage, then windows that override a freeze first, then those that the query holds an execution of,
// then by opening, then by name, so that all replicas name the same window.
func nearer(a, b *Verdict, q *Query) bool {
	if a.Stage != b.Stage {
		return a.Stage > b.Stage
	}
	if x, y := a.Overrides(q), b.Overrides(q); q.Frozen && x != y {
		return x
	}
	if x, y := a.Slots.Held != "", b.Slots.Held != ""; a.Stage == Covers && x != y {
		return x // what is repeated or continued takes no second execution
	}
	if !a.Opens.Equal(b.Opens) {
		return a.Opens.Before(b.Opens)
	}
	return a.Window.Namespace+"/"+a.Window.Name < b.Window.Namespace+"/"+b.Window.Name
}

// Overrides reports whether a window passes a freeze. An Emergency window does if it says so and covers the query, once it
// has the approvals that any other window would need, and at least one.
func (v *Verdict) Overrides(q *Query) bool {
	s := &v.Window.Spec
	return v.Stage == Covers && s.Type == v1alpha1.WindowEmergency && s.OverridesFreeze &&
		len(v.Approvals.Names) >= max(1, int(q.Controls.RequiredApprovals)) && len(v.Approvals.Lacks) == 0
}
