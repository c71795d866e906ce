package policy

import (
	"fmt"
	"slices"
	"sync"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Evaluate judges a request with all state given, for tests and programs that have read everything. A decision that lacks something admits
// nothing: its Missing says what to read. The error means that the request cannot be judged.
func Evaluate(req Request, w *ClusterView, s *change.State) (*Decision, error) {
	return allRules().Evaluate(req, w, s)
}

// allRules is made once, since every request asks it.
//
//nolint:gochecknoglobals // it has no state
var allRules = sync.OnceValue(func() *Evaluator { return NewEvaluator(Rules()...) })

// Evaluator judges requests by rules. Its zero value has no rules and can judge nothing. Make one with NewEvaluator.
type Evaluator struct{ rules []Rule }

// NewEvaluator returns an evaluator of the given rules: those of Rules, some of them, or others. It is safe for concurrent use.
func NewEvaluator(rules ...Rule) *Evaluator { return &Evaluator{rules: slices.Clone(rules)} }

// Evaluate does the same as the function of that name, with the evaluator's rules.
func (e *Evaluator) Evaluate(req Request, w *ClusterView, s *change.State) (*Decision, error) {
	c, err := e.Prepare(req, w)
	if err != nil {
		return nil, err
	}
	return c.Decide(s), nil
}

// Decide judges a prepared request with the state that was read live; s may be nil if LiveReads asks for nothing.
func (c *PreparedRequest) Decide(s *change.State) *Decision {
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
	j := c.askWindows(s)
	for _, r := range c.by {
		c.trace.Judged++
		for _, f := range r.Judge(c, j) {
			f.Class = r.Class()
			d.Findings = append(d.Findings, f)
		}
	}
	if c.unlistedAutomation() && slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Rule == v1alpha1.RuleIdentityOutsideEnvironment }) {
		d.Unlisted = c.requester.AccountNamespace + "/" + c.requester.Account
	}
	c.exempt(d.Findings)
	sortFindings(d.Findings)
	c.places(d.Findings)
	d.Invalid = c.validateOwn(s)
	if c.hook != "" {
		d.Warnings = append(d.Warnings, c.hook)
	}
	c.conclude(d, j)
	return d
}

// askWindows asks the windows of a state for what the rules demand.
func (c *PreparedRequest) askWindows(s *change.State) *Judgement {
	j := &Judgement{state: s, freeze: c.freeze(s)}
	for _, together := range c.questions(s) {
		a := windowAnswer{demands: together, query: c.query(together, s)}
		a.query.Frozen = j.freeze != nil
		a.nearest = change.Nearest(a.query, s)
		j.answers = append(j.answers, a)
	}
	return j
}

func (c *PreparedRequest) conclude(d *Decision, j *Judgement) {
	denied := d.Denied()
	d.Allowed = len(denied) == 0 && len(d.Invalid) == 0
	if !d.Allowed && c.req.DryRun && len(d.Invalid) == 0 && onlyChangeControl(denied) {
		// A dry run stores nothing, and kubectl diff, GitOps diffs and kubectl firebreak request depend on it.
		d.Allowed = true
		d.Warnings = append(d.Warnings, "a real run would be forbidden: "+sentence(denied))
	}
	if v := j.main().nearest; v != nil && !d.Allowed {
		if differs, pins := v.Pinned(j.main().query); pins && differs == "" {
			d.Warnings = append(d.Warnings, fmt.Sprintf("window %q pins exactly this", v.Window.Name))
		}
	}
	if a := j.main(); d.Allowed && a.covered() {
		d.Use = &WindowUse{Verdict: *a.nearest, Key: a.query.Key, Operation: c.recorded(a.query)}
		d.Use.Digest = a.nearest.PlanDigest(a.query)
		d.Use.ConfigMaps = c.pinned(a.query, a.nearest)
	}
}

// recorded returns the operation under which the use of a window is recorded.
func (c *PreparedRequest) recorded(q *change.Query) v1alpha1.Operation {
	if len(q.Operations) == 1 {
		return q.Operations[0]
	}
	return c.operation()
}

func onlyChangeControl(findings []Finding) bool {
	for _, f := range findings {
		if f.Class != ChangeControl {
			return false
		}
	}
	return true
}
