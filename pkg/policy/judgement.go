package policy

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Judgement is what the rules share while one decision is made: the freeze that binds the request, and what windows say to its demands.
type Judgement struct {
	state *change.State
	// freeze binds the request; nil: none does.
	freeze *v1alpha1.ChangeFreeze
	// joinsService of windows to the questions of the request. The first is what it is admitted under.
	answers []windowAnswer
}

// windowAnswer is what windows say to demands that one of them must meet together.
type windowAnswer struct {
	demands []*Demand
	query   *change.Query
	// nearest window; nil: none has the request in its scope.
	nearest *change.Verdict
}

// main is the answer that the request is admitted under; an empty one where it demands no window.
func (j *Judgement) main() *windowAnswer {
	if len(j.answers) == 0 {
		return &windowAnswer{}
	}
	return &j.answers[0]
}

// frozen is the answer to whether a window passes the freeze; an empty one where none was asked.
func (j *Judgement) frozen() *windowAnswer {
	for i := range j.answers {
		if slices.ContainsFunc(j.answers[i].demands, func(d *Demand) bool { return d.rule == v1alpha1.RuleChangeFrozen }) {
			return &j.answers[i]
		}
	}
	return &windowAnswer{}
}

// to is the answer to a demand.
func (j *Judgement) to(d *Demand) *windowAnswer {
	for i := range j.answers {
		if slices.Contains(j.answers[i].demands, d) {
			return &j.answers[i]
		}
	}
	return &windowAnswer{}
}

// overridesOnly: nothing demands a window, and windows were only asked whether one passes the freeze.
func (a *windowAnswer) overridesOnly() bool {
	return len(a.demands) > 0 && a.demands[0].rule == v1alpha1.RuleChangeFrozen
}

// covered reports whether a window covers the demands.
func (a *windowAnswer) covered() bool { return a.stage() == change.Covers }

// stage is how near the nearest window came.
func (a *windowAnswer) stage() change.Stage {
	if a.nearest == nil {
		return change.OutOfScope
	}
	return a.nearest.Stage
}

// spoken reports whether nothing is to be said about a demand: a window covers it, or another rule says why the window under which the
// request would be admitted does not: what would run is not what was approved, or it has been used up.
func (j *Judgement) spoken(d *Demand) bool {
	a := j.to(d)
	return a.covered() || a == j.main() && !d.Boundary && (a.stage() == change.Exhausted || a.stage() == change.PlanDiffers && a.query.Plan != nil)
}

// redirectsServer reports whether a demand is the first of those that one window must meet: it says how to get that window.
func (a *windowAnswer) leads(d *Demand) bool {
	return !slices.ContainsFunc(a.demands, func(other *Demand) bool { return other.rule < d.rule && other.rule != v1alpha1.RuleChangeFrozen })
}

// Covered reports whether an open, approved window permits what a rule demands.
func (j *Judgement) Covered(d *Demand) bool { return j.to(d).covered() }
