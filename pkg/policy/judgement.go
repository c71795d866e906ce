package policy

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Judgement is what the rules share while one decision is made: the freeze that binds the request, and the answers of windows to its
// demands.
type Judgement struct {
	state *change.State
	// freeze is the one that binds the request; it is nil if none does.
	freeze *v1alpha1.ChangeFreeze
	// answers are those of windows to the questions of the request. The request is admitted under the first.
	answers []windowAnswer
}

// windowAnswer is the answer of windows to demands that one of them must meet together.
type windowAnswer struct {
	demands []*Demand
	query   *change.Query
	// nearest is the window that came nearest; it is nil if none has the request in its scope.
	nearest *change.Verdict
}

// main returns the answer that the request is admitted under; it is an empty one if the request demands no window.
func (j *Judgement) main() *windowAnswer {
	if len(j.answers) == 0 {
		return &windowAnswer{}
	}
	return &j.answers[0]
}

// frozen returns the answer to whether a window overrides the freeze; it is an empty one if windows were not asked that.
func (j *Judgement) frozen() *windowAnswer {
	for i := range j.answers {
		if slices.ContainsFunc(j.answers[i].demands, func(d *Demand) bool { return d.rule == v1alpha1.RuleChangeFrozen }) {
			return &j.answers[i]
		}
	}
	return &windowAnswer{}
}

// to returns the answer to a demand.
func (j *Judgement) to(d *Demand) *windowAnswer {
	for i := range j.answers {
		if slices.Contains(j.answers[i].demands, d) {
			return &j.answers[i]
		}
	}
	return &windowAnswer{}
}

// overridesOnly reports whether no rule demands a window, and windows were only asked whether one overrides the freeze.
func (a *windowAnswer) overridesOnly() bool {
	return len(a.demands) > 0 && a.demands[0].rule == v1alpha1.RuleChangeFrozen
}

// covered reports whether a window covers the demands.
func (a *windowAnswer) covered() bool { return a.stage() == change.Covers }

// stage returns how near the nearest window came.
func (a *windowAnswer) stage() change.Stage {
	if a.nearest == nil {
		return change.OutOfScope
	}
	return a.nearest.Stage
}

// spoken reports whether a rule need not object to its demand: a window covers the demand, or another rule says why the window under which
// the request would be admitted does not. Either the plan is not the one that was approved, or the window has been used up.
func (j *Judgement) spoken(d *Demand) bool {
	a := j.to(d)
	return a.covered() || a == j.main() && !d.Boundary && (a.stage() == change.Exhausted || a.stage() == change.PlanDiffers && a.query.Plan != nil)
}

// leads reports whether a demand is the first of those that one window must meet: its finding says how to get that window.
func (a *windowAnswer) leads(d *Demand) bool {
	return !slices.ContainsFunc(a.demands, func(other *Demand) bool { return other.rule < d.rule && other.rule != v1alpha1.RuleChangeFrozen })
}

// Covered reports whether an open, approved window permits what a rule demands.
func (j *Judgement) Covered(d *Demand) bool { return j.to(d).covered() }
