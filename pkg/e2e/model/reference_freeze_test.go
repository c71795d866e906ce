package model

import (
	"slices"
	"time"
)

// freezing is a freeze. It holds from an instant on, until another or, without one, until it is lifted.
type freezing struct {
	frost
	name, uid string
	from, to  time.Time
}

func (f *freezing) holds(at time.Time) bool {
	return !at.Before(f.from) && (f.to.IsZero() || at.Before(f.to))
}

// binds reports whether the freeze is about the namespace of the steps.
func (f *freezing) binds() bool { return f.here && f.only != depot }

// mayLift reports whether a person is a member of each environment that is frozen.
func (f *freezing) mayLift(person string) bool {
	return person != developer && (!f.elsewhere || person != onlyPayments)
}

// lifted reports whether two persons who may lift a freeze have said that it ends.
func (m *reference) lifted(f *freezing) bool {
	var by []string
	for _, x := range m.words {
		if x.about == f.uid && f.mayLift(x.by) && !slices.Contains(by, x.by) {
			by = append(by, x.by)
		}
	}
	return f.two && len(by) > 1
}

// frozen reports whether a freeze holds that stops changes or, for what is no change, one that stops everything.
func (m *reference) frozen(at time.Time, everything bool) bool {
	for _, f := range m.freezes {
		if f.binds() && f.holds(at) && (f.everything || !everything) {
			return true
		}
	}
	return false
}

// objections returns the rules that object to q, and the window that covers it.
func (m *reference) objections(q ask) ([]string, *window) {
	w, stage := m.nearest(q)
	var rules []string
	if !q.boundary && m.frozen(q.at, false) {
		if over := m.overriding(q); over != nil {
			return nil, over
		}
		rules = append(rules, "ChangeFrozen")
	}
	switch {
	case stage == covers:
		return rules, w
	case stage == otherPlan:
		return append(rules, "PlanMismatch"), nil
	case stage == exhausted && q.boundary:
		return []string{"BoundaryTampering", "ExecutionsExhausted"}, nil
	case stage == exhausted:
		return append(rules, "ExecutionsExhausted"), nil
	case q.boundary:
		return []string{"BoundaryTampering"}, nil
	}
	return append(rules, "ChangeWindowRequired"), nil
}

// overriding returns the approved emergency that covers q in spite of a freeze.
func (m *reference) overriding(q ask) *window {
	var best *window
	for _, w := range m.windows {
		if !w.overrides || m.stage(w, q) != covers || len(m.approvals(w, q.person)) < max(1, m.required) {
			continue
		}
		if best == nil || m.before(w, best, q, covers) {
			best = w
		}
	}
	return best
}
