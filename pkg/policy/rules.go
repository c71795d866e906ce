package policy

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Rule is one rule.
type Rule struct {
	Name  v1alpha1.RuleName
	Class Class
	// Demand says what the rule wants a window for; nil: it wants none for anything. It is asked once, before windows are read.
	Demand func(*Case) *demand
	// Judge returns what the rule objects to. The actions of its findings are final.
	Judge func(*Case, *judgement) []Finding
}

// Rules lists every rule, in the order of the design. The names of the API that have no line here are not judged yet.
func Rules() []Rule {
	return []Rule{
		{v1alpha1.RuleIdentityOutsideEnvironment, Segregation, nil, identityOutsideEnvironment},
		{v1alpha1.RuleGrantAcrossTiers, Segregation, nil, grantAcrossTiers},
		{v1alpha1.RuleBoundaryTampering, Segregation, boundaryDemand, boundaryTampering},
		{v1alpha1.RuleDataStoreAcrossTiers, Segregation, nil, dataStoreAcrossTiers},
		{v1alpha1.RuleNamespaceAcrossTiers, Segregation, nil, namespaceAcrossTiers},
		{v1alpha1.RuleCredentialAcrossTiers, Segregation, nil, credentialAcrossTiers},
		{v1alpha1.RulePlacementAcrossTiers, Segregation, nil, placementAcrossTiers},
		{v1alpha1.RuleRouteAcrossTiers, Segregation, nil, routeAcrossTiers},
		{v1alpha1.RuleStorageAcrossTiers, Segregation, nil, storageAcrossTiers},
		{v1alpha1.RuleChangeWindowRequired, ChangeControl, maintenanceDemand, changeWindowRequired},
		{v1alpha1.RulePlanMismatch, ChangeControl, nil, planMismatch},
		{v1alpha1.RuleTargetNotConfirmed, ChangeControl, nil, targetNotConfirmed},
		{v1alpha1.RuleExecutionsExhausted, ChangeControl, nil, executionsExhausted},
		{v1alpha1.RuleInteractiveAccess, ChangeControl, sessionDemand, interactiveAccess},
		{v1alpha1.RuleChangeFrozen, ChangeControl, nil, changeFrozen},
		{v1alpha1.RuleProtectedState, ChangeControl, protectionDemand, protectedState},
		{v1alpha1.RuleBlastRadius, ChangeControl, blastDemand, blastRadius},
	}
}

// judgement is what the rules share while one decision is made.
type judgement struct {
	state *change.State
	// freeze binds the request; nil: none does.
	freeze *v1alpha1.ChangeFreeze
	// answers of windows to the questions of the request. The first is what it is admitted under.
	answers []answer
}

// answer is what windows say to demands that one of them must meet together.
type answer struct {
	demands []*demand
	query   *change.Query
	// nearest window; nil: none has the request in its scope.
	nearest *change.Verdict
}

// main is the answer that the request is admitted under; an empty one where it demands no window.
func (j *judgement) main() *answer {
	if len(j.answers) == 0 {
		return &answer{}
	}
	return &j.answers[0]
}

// to is the answer to a demand.
func (j *judgement) to(d *demand) *answer {
	for i := range j.answers {
		if slices.Contains(j.answers[i].demands, d) {
			return &j.answers[i]
		}
	}
	return &answer{}
}

// covered reports whether a window covers the demands.
func (a *answer) covered() bool { return a.stage() == change.Covers }

// stage is how near the nearest window came.
func (a *answer) stage() change.Stage {
	if a.nearest == nil {
		return change.OutOfScope
	}
	return a.nearest.Stage
}

// spoken reports whether nothing is to be said about a demand: a window covers it, or another rule says why the window under which the
// request would be admitted does not: what would run is not what was approved, or it has been used up.
func (j *judgement) spoken(d *demand) bool {
	a := j.to(d)
	return a.covered() || a == j.main() && !d.boundary && (a.stage() == change.Exhausted || a.stage() == change.PlanDiffers && a.query.Plan != nil)
}

// leads reports whether a demand is the first of those that one window must meet: it says how to get that window.
func (a *answer) leads(d *demand) bool {
	return !slices.ContainsFunc(a.demands, func(other *demand) bool { return other.rule < d.rule })
}

// Needs says what must be read live before a request can be decided.
type Needs struct {
	// Freezes must be read.
	Freezes bool
	// Windows must be read: those of the object's namespace (empty: none) and those of Firebreak's own.
	Windows bool
	// Window is one window, by namespace and name, that an approval is about; empty: none.
	WindowNamespace, WindowName string
	// ConfigMaps, by name in the object's namespace, that a window's plan may pin.
	ConfigMaps []string
}

// Any reports whether anything must be read.
func (n Needs) Any() bool { return n.Freezes || n.Windows || n.WindowName != "" }

// Needs says what must be read live. Most requests need nothing.
func (c *Case) Needs() Needs {
	if c.same || c.missing != nil {
		return Needs{}
	}
	windowed := slices.DeleteFunc(slices.Clone(c.demands), func(d *demand) bool { return d.barred })
	n := Needs{
		Freezes: c.freezable() || c.stoppable() && !c.knownUnfrozen() || slices.ContainsFunc(windowed, func(d *demand) bool { return !d.boundary }),
		Windows: len(windowed) > 0,
	}
	if n.Windows && c.new != nil && c.new.work != nil {
		n.ConfigMaps = change.ConfigMapsOf(&c.new.work.Template)
	}
	n.WindowNamespace, n.WindowName = c.ownWindow()
	return n
}

// Frozen reports whether a freeze binds the request: only then are windows read for one that demands none.
func (c *Case) Frozen(s *change.State) bool { return c.freeze(s) != nil }

// Queries returns the questions that windows are asked; none: the request demands no window. The state gives the contents of
// ConfigMaps that the plan pins.
func (c *Case) Queries(s *change.State) []*change.Query {
	var out []*change.Query
	for _, together := range c.questions(s) {
		out = append(out, c.query(together, s))
	}
	return out
}

// Evaluate judges a request with all state given: what tests and programs call that have read everything. A decision that lacks something
// admits nothing: its Missing says what to read. The error means that the request cannot be judged.
func Evaluate(req *Request, w *World, s *change.State) (*Decision, error) {
	c, err := Prepare(req, w)
	if err != nil {
		return nil, err
	}
	return c.Decide(s), nil
}

// Decide judges a prepared request with what was read live; nil where nothing was needed.
func (c *Case) Decide(s *change.State) *Decision {
	d := &Decision{Maintenance: c.maintenance, Missing: c.missing}
	if c.missing != nil {
		return d
	}
	if c.same {
		d.Allowed = true
		return d
	}
	if s == nil {
		s = &change.State{}
	}
	j := &judgement{state: s, freeze: c.freeze(s)}
	for _, together := range c.questions(s) {
		a := answer{demands: together, query: c.query(together, s)}
		a.query.Frozen = j.freeze != nil
		a.nearest = change.Nearest(a.query, s)
		j.answers = append(j.answers, a)
	}
	for _, r := range Rules() {
		d.Findings = append(d.Findings, r.Judge(c, j)...)
	}
	if c.unlistedAutomation() && slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Rule == v1alpha1.RuleIdentityOutsideEnvironment }) {
		d.Unlisted = c.requester.AccountNamespace + "/" + c.requester.Account
	}
	c.exempt(d.Findings)
	sortFindings(d.Findings)
	d.Invalid = c.validateOwn(s)
	if c.hook != "" {
		d.Warnings = append(d.Warnings, c.hook)
	}
	c.conclude(d, j)
	return d
}

func (c *Case) conclude(d *Decision, j *judgement) {
	denied := d.Denied()
	d.Allowed = len(denied) == 0 && len(d.Invalid) == 0
	if !d.Allowed && c.req.DryRun && len(d.Invalid) == 0 && onlyChangeControl(denied) {
		// A dry run stores nothing: kubectl diff, GitOps diffs and request must be able to look.
		d.Allowed = true
		d.Warnings = append(d.Warnings, "would need a window: "+sentence("would violate", denied))
	}
	if a := j.main(); d.Allowed && a.covered() {
		d.Use = &Use{Verdict: *a.nearest, Key: a.query.Key, Operation: c.recorded(a.query)}
		d.Use.Digest = a.query.Pin
		if a.query.Plan != nil {
			d.Use.Digest = a.query.Plan.Digest
		}
	}
}

// recorded is the operation by which the use of a window is recorded.
func (c *Case) recorded(q *change.Query) v1alpha1.Operation {
	if len(q.Operations) == 1 {
		return q.Operations[0]
	}
	return c.operation()
}

func onlyChangeControl(findings []Finding) bool {
	for _, f := range findings {
		if classOf(f.Rule) != ChangeControl {
			return false
		}
	}
	return true
}
