package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Explanation says what a request is judged by, whether or not it is admitted.
type Explanation struct {
	// Requester is the sender as messages name them, MemberOf the environments that they are a member of.
	Requester string   `json:"requester"`
	MemberOf  []string `json:"memberOf"`
	// Place says to what the object's namespace belongs; it is empty for an object without a namespace.
	Place string `json:"place,omitempty"`
	// Maintenance says why the request counts as maintenance; it is empty if it does not.
	Maintenance string `json:"maintenance,omitempty"`
	// References are what the object names of the estate, or in namespaces of it.
	References []ExplainedReference `json:"references"`
	// Demands say what a window is needed for; there are none if none is.
	Demands []string `json:"demands"`
	// Windows are all windows that are known, with why each does not permit the request.
	Windows []ExplainedEntry `json:"windows"`
	// Freezes are all freezes that are known, with whether each binds the request, and Exemptions all exemptions for a rule that objects.
	Freezes    []ExplainedEntry `json:"freezes"`
	Exemptions []ExplainedEntry `json:"exemptions"`
}

// ExplainedReference is one field and what it leads to.
type ExplainedReference struct {
	// Path is the field's, Value the host or name that matched, and Target what it leads to, with its environment. Hidden values come out of Secrets.
	Path   string `json:"path"`
	Value  string `json:"value"`
	Target string `json:"target"`
	// Crosses says why this crosses tiers; it is empty if it does not.
	Crosses string `json:"crosses,omitempty"`
}

// ExplainedEntry is one window, freeze or exemption, and whether it counts here.
type ExplainedEntry struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Counts is true if it permits, binds or exempts the request.
	Counts bool `json:"counts"`
	// Why is a clause that says why it counts or does not.
	Why string `json:"why"`
}

// mostExplained is how many references an explanation lists: an object may hold a hundred thousand.
const mostExplained = 200

// Explain says what the request is judged by in a state, of which nil is an empty one.
func (c *PreparedRequest) Explain(s *change.State) *Explanation {
	if s == nil {
		s = &change.State{}
	}
	x := &Explanation{
		Requester: c.requester.String(), MemberOf: []string{}, Maintenance: c.maintenance,
		References: []ExplainedReference{}, Demands: []string{}, Windows: []ExplainedEntry{}, Freezes: []ExplainedEntry{}, Exemptions: []ExplainedEntry{},
	}
	for _, e := range c.est.Environments() {
		if c.requester.MemberOf(e.Name) {
			x.MemberOf = append(x.MemberOf, fmt.Sprintf("%s (%s)", e.Name, e.Tier))
		}
	}
	if c.req.Namespace != "" {
		x.Place = fmt.Sprintf("namespace %q is in %s", c.req.Namespace, c.membership)
	}
	if c.missing != nil {
		return x // it could not be read whole
	}
	x.References = append(x.References, c.explainedReferences()...)
	j := c.askWindows(s)
	c.explainWindows(x, j)
	c.explainFreezes(x, j)
	c.explainExemptions(x)
	return x
}

// explainedReferences lists what the object names, in the order of the fields.
func (c *PreparedRequest) explainedReferences() []ExplainedReference {
	if c.new == nil {
		return nil
	}
	refs := c.refs()
	var all []crossing
	for _, leads := range []func([]reference.Reference) []crossing{
		c.storeLeads(reference.Connects), c.storeLeads(reference.Stores), c.namespaceLeads(reference.Connects), c.credentialLeads, c.placementLeads, c.routeLeads,
	} {
		all = append(all, leads(refs)...)
	}
	slices.SortStableFunc(all, func(a, b crossing) int {
		return cmp.Or(cmp.Compare(a.ref.Path, b.ref.Path), cmp.Compare(a.target, b.target))
	})
	var out []ExplainedReference
	for i := range all {
		e := ExplainedReference{Path: all[i].ref.Path, Value: all[i].ref.Name, Target: all[i].what, Crosses: c.crosses(all[i], false)}
		if all[i].ref.Confidential {
			e.Value = ""
		}
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
		if len(out) == mostExplained {
			break
		}
	}
	return out
}

// explainWindows says of each window whether it permits what is demanded together first.
func (c *PreparedRequest) explainWindows(x *Explanation, j *Judgement) {
	for _, d := range c.demands {
		x.Demands = append(x.Demands, fmt.Sprintf("%s: %s", d.rule, d.Why))
	}
	a := j.main()
	if a.query == nil {
		return
	}
	for i := range j.state.Windows {
		v := change.Judge(&j.state.Windows[i], a.query, j.state)
		e := ExplainedEntry{Namespace: v.Window.Namespace, Name: v.Window.Name, Counts: v.Stage == change.Covers, Why: v.Why}
		if e.Counts {
			e.Why = "it permits this until " + change.Instant(v.Closes)
			if j.freeze != nil && !v.Overrides(a.query) {
				e.Counts, e.Why = false, "it would permit this, but a freeze is in force"
			}
		}
		x.Windows = append(x.Windows, e)
	}
}

func (c *PreparedRequest) explainFreezes(x *Explanation, j *Judgement) {
	for i := range j.state.Freezes {
		f := &j.state.Freezes[i]
		e := ExplainedEntry{Name: f.Name}
		switch {
		case c.freeze(&change.State{Freezes: j.state.Freezes[i : i+1]}) != nil:
			e.Counts, e.Why = true, change.DescribeFreeze(f, c.At())
		case !change.Holds(f, c.At()):
			e.Why = "it does not hold at this time"
		default:
			e.Why = "it holds, and does not bind this request"
		}
		x.Freezes = append(x.Freezes, e)
	}
}

func (c *PreparedRequest) explainExemptions(x *Explanation) {
	for _, e := range c.est.Exemptions() {
		entry := ExplainedEntry{Name: e.Name, Why: c.notExempt(&e.Spec)}
		if entry.Counts = entry.Why == ""; entry.Counts {
			entry.Why = fmt.Sprintf("it has %s only observe until %s", enumerate(texts(e.Spec.Rules)), change.Instant(e.Spec.ExpiresAt.Time))
		}
		x.Exemptions = append(x.Exemptions, entry)
	}
}
