package model

import (
	"fmt"
	"slices"
	"time"
)

// outcome is the result of a step: admitted, denied by rules, invalid, exists, missing, or retry.
type outcome struct {
	kind  string
	rules []string
	// uid is that of the new object.
	uid string
	// uids are those of the Jobs of a burst that were admitted.
	uids []string
}

func (o outcome) String() string { return fmt.Sprintf("%s %v", o.kind, o.rules) }

const (
	admitted = "admitted"
	denied   = "denied"
	invalid  = "invalid"
	exists   = "exists"
	missing  = "missing"
	retry    = "retry"
)

type window struct {
	draft
	name, uid, by string
	// ledger is the UID under which executions are counted: that of the window that this one extends, or its own.
	ledger        string
	created       time.Time
	opens, closes time.Time
}

// word is what a person says about a window, or about a freeze.
type word struct {
	about, by, name string
	rejects         bool
}

type job struct {
	uid, plan  string
	suspended  bool
	generation int
}

// deployment runs a plan, and ran others before.
type deployment struct {
	plan       string
	generation int
}

// use is one execution: what it is the execution of, the plan that ran, and the UID of the window.
type use struct{ key, plan, window string }

// reference is the state of the cluster, as people would describe it.
type reference struct {
	// labels is how many labels were written.
	labels int
	// required is how many approvals are required, and written how often the Environment was written.
	required, written int
	windows           map[string]*window
	words             []word
	// used holds the executions by the ledger of their windows, even after the windows are deleted.
	used        map[string][]use
	freezes     map[string]*freezing
	jobs        map[string]*job
	deployments map[string]*deployment
	lost        int
}

func newReference() *reference {
	m := &reference{
		required: 1, windows: map[string]*window{}, used: map[string][]use{}, freezes: map[string]*freezing{}, jobs: map[string]*job{},
		deployments: map[string]*deployment{},
	}
	for i := range threeWide {
		m.deployments[fmt.Sprintf("n%d", i)] = &deployment{plan: first, generation: 1}
	}
	return m
}

// key returns the key of a window: boundary windows lie in another namespace.
func (d draft) key(name string) string {
	if d.boundary {
		return "boundary-" + name
	}
	return name
}

// ask is what a person wants to do under a window.
type ask struct {
	// job is the UID of a Job that is updated, of the name of a Deployment.
	person, plan, key, job, of string
	boundary, update           bool
	at                         time.Time
}

// The stages at which a window fails a requester, in order.
const (
	outOfScope = iota
	rejected
	notYours
	closed
	unapproved
	notYetOpen
	otherPlan
	exhausted
	covers
)

func (m *reference) stage(w *window, q ask) int {
	switch {
	case !w.isFor(q) || q.update && !w.updates && !w.boundary && !m.continues(w, q) && !w.putsBack(q):
		return outOfScope
	case slices.ContainsFunc(m.words, func(x word) bool { return x.about == w.uid && x.rejects }):
		return rejected
	case !w.team && w.by != q.person:
		return notYours
	case !q.at.Before(m.closing(w)) && !w.stillPutsBack(q):
		return closed
	case len(m.approvals(w, q.person)) < m.needed(w):
		return unapproved
	case q.at.Before(w.opens):
		return notYetOpen
	case w.plan != "" && !w.pins(q.plan) && !w.putsBack(q):
		return otherPlan
	case !m.held(w, q) && m.left(w, q.plan) == 0:
		return exhausted
	}
	return covers
}

// held reports whether q is part of an execution that the window has had: a repeat, or the change of a run that it started.
func (m *reference) held(w *window, q ask) bool {
	return m.has(w, q.key) || m.continues(w, q)
}

// continues reports whether q changes a run that the window started. A window that pins nothing is used anew by each change.
func (m *reference) continues(w *window, q ask) bool { return w.plan != "" && m.has(w, q.job) }

func (m *reference) has(w *window, key string) bool {
	return key != "" && slices.ContainsFunc(m.used[w.ledger], func(u use) bool { return u.key == key })
}

// plenty is more than anybody uses.
const plenty = 1 << 20

// left returns how often a window may still be used for a plan. What has a number of its own is limited by that, and what has none by the
// number of the window, which limits all uses together. Without either, a window that is no emergency may be used once.
func (m *reference) left(w *window, plan string) int {
	all, same, unnumbered := 0, 0, 0
	for _, u := range m.used[w.ledger] {
		all++
		if u.plan == plan {
			same++
		}
		if w.number(u.plan) == 0 {
			unnumbered++
		}
	}
	left, own, total := plenty, w.number(plan), w.inAll()
	if own > 0 {
		left = min(left, own-same)
	}
	if total > 0 {
		left = min(left, total-all)
	}
	if own == 0 && total == 0 && !w.emergency {
		left = 1 - unnumbered
	}
	return max(0, left)
}

func (m *reference) needed(w *window) int {
	if w.emergency {
		return 0
	}
	return m.required
}

// approvals returns the persons whose approval counts: neither the requester of the window nor its user.
func (m *reference) approvals(w *window, executor string) []string {
	var out []string
	for _, x := range m.words {
		if x.about == w.uid && !x.rejects && x.by != w.by && x.by != executor && !slices.Contains(out, x.by) {
			out = append(out, x.by)
		}
	}
	return out
}

// closing returns when a window closes: half-way, if a person opens a second emergency before the first is reviewed.
func (m *reference) closing(w *window) time.Time {
	for _, o := range m.windows {
		earlier := o.created.Before(w.created) || o.created.Equal(w.created) && o.uid < w.uid
		if w.emergency && o.emergency && o != w && o.by == w.by && earlier && !m.reviewed(o) {
			return w.opens.Add(w.closes.Sub(w.opens) / 2)
		}
	}
	return w.closes
}

func (m *reference) reviewed(w *window) bool {
	return slices.ContainsFunc(m.words, func(x word) bool { return x.about == w.uid && x.by != w.by })
}

// nearest returns the window that comes nearest to covering q, and how near it comes. Of several, it takes one that q holds an execution of,
// then the one that opens first, then the first by name.
func (m *reference) nearest(q ask) (*window, int) {
	var best *window
	stage := outOfScope
	for _, w := range m.windows {
		s := m.stage(w, q)
		if s == outOfScope {
			continue
		}
		if best == nil || s > stage || s == stage && m.before(w, best, q, s) {
			best, stage = w, s
		}
	}
	return best, stage
}

func (m *reference) before(a, b *window, q ask, stage int) bool {
	if x, y := m.held(a, q), m.held(b, q); stage == covers && x != y {
		return x
	}
	return a.opens.Before(b.opens) || a.opens.Equal(b.opens) && a.name < b.name
}

// boundaries returns the instants at which something opens or closes by itself.
func (m *reference) boundaries() []time.Time {
	var out []time.Time
	for _, w := range m.windows {
		out = append(out, w.opens, w.closes, w.closes.Add(w.within), w.opens.Add(w.closes.Sub(w.opens)/2))
	}
	for _, f := range m.freezes {
		out = append(out, f.from, f.to)
	}
	return out
}
