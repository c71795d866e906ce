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
	// Judge returns what the rule objects to. The actions of its findings are final.
	Judge func(*Case, *judgement) []Finding
}

// Rules lists every rule, in the order of the design. The names of the API that have no line here are not judged yet.
func Rules() []Rule {
	return []Rule{
		{v1alpha1.RuleIdentityOutsideEnvironment, Segregation, identityOutsideEnvironment},
		{v1alpha1.RuleGrantAcrossTiers, Segregation, grantAcrossTiers},
		{v1alpha1.RuleBoundaryTampering, Segregation, boundaryTampering},
		{v1alpha1.RuleDataStoreAcrossTiers, Segregation, dataStoreAcrossTiers},
		{v1alpha1.RuleNamespaceAcrossTiers, Segregation, namespaceAcrossTiers},
		{v1alpha1.RuleCredentialAcrossTiers, Segregation, credentialAcrossTiers},
		{v1alpha1.RulePlacementAcrossTiers, Segregation, placementAcrossTiers},
		{v1alpha1.RuleRouteAcrossTiers, Segregation, routeAcrossTiers},
		{v1alpha1.RuleStorageAcrossTiers, Segregation, storageAcrossTiers},
		{v1alpha1.RuleChangeWindowRequired, ChangeControl, changeWindowRequired},
		{v1alpha1.RulePlanMismatch, ChangeControl, planMismatch},
		{v1alpha1.RuleTargetNotConfirmed, ChangeControl, targetNotConfirmed},
		{v1alpha1.RuleExecutionsExhausted, ChangeControl, executionsExhausted},
		{v1alpha1.RuleInteractiveAccess, ChangeControl, interactiveAccess},
		{v1alpha1.RuleChangeFrozen, ChangeControl, changeFrozen},
		{v1alpha1.RuleProtectedState, ChangeControl, protectedState},
		{v1alpha1.RuleBlastRadius, ChangeControl, blastRadius},
	}
}

// judgement is what the rules share while one decision is made.
type judgement struct {
	state *change.State
	// query and nearest are set where the request demands a window.
	query   *change.Query
	nearest *change.Verdict
	// freeze binds the request; nil: none does.
	freeze *v1alpha1.ChangeFreeze
}

// covered reports whether a window covers the request.
func (j *judgement) covered() bool { return j.nearest != nil && j.nearest.Stage == change.Covers }

// settled reports whether a window covers the request, or its own rules say why it nearly does: what would run is not what
// was approved, or it has been used up.
func (j *judgement) settled() bool {
	return slices.Contains([]change.Stage{change.PlanDiffers, change.Exhausted, change.Covers}, j.stage())
}

// stage is how near the nearest window came.
func (j *judgement) stage() change.Stage {
	if j.nearest == nil {
		return change.OutOfScope
	}
	return j.nearest.Stage
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
	if c.same {
		return Needs{}
	}
	n := Needs{Freezes: c.freezable() || c.stoppable() || c.demand != nil && !c.demand.boundary, Windows: c.demand != nil}
	if c.demand != nil && c.new != nil && c.new.work != nil {
		n.ConfigMaps = change.ConfigMapsOf(&c.new.work.Template)
	}
	n.WindowNamespace, n.WindowName = c.ownWindow()
	return n
}

// Frozen reports whether a freeze binds the request: only then are windows read for one that demands none.
func (c *Case) Frozen(s *change.State) bool { return c.freeze(s) != nil }

// Query returns the question that windows are asked, and whether the request demands one. The state gives the
// contents of ConfigMaps that the plan pins.
func (c *Case) Query(s *change.State) (*change.Query, bool) {
	d := c.asked(s)
	if d == nil {
		return nil, false
	}
	return c.query(d, s), true
}

// Evaluate judges a request with all state given: what the offline check and tests call. The error means that the
// request could not be judged.
func Evaluate(req *Request, w *World, s *change.State) (*Decision, error) {
	c, err := Prepare(req, w)
	if err != nil {
		return nil, err
	}
	return c.Decide(s), nil
}

// Decide judges a prepared request with what was read live; nil where nothing was needed.
func (c *Case) Decide(s *change.State) *Decision {
	d := &Decision{Maintenance: c.maintenance}
	if c.same {
		d.Allowed = true
		return d
	}
	if s == nil {
		s = &change.State{}
	}
	j := &judgement{state: s, freeze: c.freeze(s)}
	if d := c.asked(s); d != nil {
		j.query = c.query(d, s)
		j.query.Frozen = j.freeze != nil
		j.nearest = change.Nearest(j.query, s)
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
	if d.Allowed && j.covered() {
		d.Use = &Use{Verdict: *j.nearest, Key: j.query.Key, Operation: j.query.Operation}
		d.Use.Digest = j.query.Pin
		if j.query.Plan != nil {
			d.Use.Digest = j.query.Plan.Digest
		}
	}
}

func onlyChangeControl(findings []Finding) bool {
	for _, f := range findings {
		if classOf(f.Rule) != ChangeControl {
			return false
		}
	}
	return true
}
