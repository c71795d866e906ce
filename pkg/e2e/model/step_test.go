package model

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
)

// op is the operation of a step.
type op string

const (
	request   op = "request"  // a window
	approve   op = "approve"  // a window
	reject    op = "reject"   // a window
	forget    op = "forget"   // an approval or rejection: its object is deleted
	shut      op = "shut"     // a window: it is deleted
	run       op = "run"      // a Job is created
	resume    op = "resume"   // a suspended Job
	remove    op = "remove"   // a Job
	require   op = "require"  // so many approvals, by editing the Environment
	freeze    op = "freeze"   // production
	lift      op = "lift"     // a freeze: it is deleted
	pass      op = "pass"     // time passes
	restart   op = "restart"  // a replica
	burst     op = "burst"    // of Jobs at once
	extend    op = "extend"   // a window: another goes on for it
	nobody       = ""         // acts where a step needs no person
	developer    = "dana"     // the one person who is not a member
	payments     = "payments" // the namespace of production
	longer       = "-longer"  // ends the name of a window that goes on for another
	threeWide    = 3          // how many objects of a sort there are names for
	retryable    = 503        // what a failed live read answers
	anyAmount    = int32(0)   // a window that may be used without limit
)

// fault is the failure during a run.
type fault string

const (
	none fault = ""
	// reads fails every list.
	reads fault = "reads fail"
	// unwritten fails the reservation and stores nothing.
	unwritten fault = "reservation fails"
	// unanswered stores the reservation and loses the answer.
	unanswered fault = "reservation's answer is lost"
	// stuck is unanswered, and the reservation cannot be looked for either.
	stuck fault = "reservation's answer is lost, and it cannot be given back"
	// blind fails the second read of the approvals.
	blind fault = "approvals cannot be read again"
	// deaf loses the webhook's answer.
	deaf fault = "webhook's answer is lost"
)

// stored returns the store's part of a fault.
func (f fault) stored() apistore.Fault {
	return map[fault]apistore.Fault{
		reads: apistore.Reads, unwritten: apistore.Unwritten, unanswered: apistore.Unanswered, stuck: apistore.Stuck, blind: apistore.Blind,
	}[f]
}

func faults() []fault { return []fault{reads, unwritten, unanswered, stuck, blind, deaf} }

// draft is the window that a person requests.
type draft struct {
	emergency, overrides bool
	boundary             bool
	// plan is the pinned plan, a or b. It may be empty.
	plan string
	// updates is true if the window also permits resuming a suspended Job.
	updates bool
	// team is true if everybody of the group may use the window, not only its requester.
	team bool
	max  int32
	// apart is true if the window pins both plans, each with a count of its own, which is max; total limits both together, unless it is 0.
	apart bool
	total int32
	// after and length say when the window is open, from now on. tooLong is true if that is longer than the environment allows.
	after, length time.Duration
	tooLong       bool
}

// step is one action of a person.
type step struct {
	op     op
	person string
	// name is that of the window, Job or freeze.
	name string
	draft
	suspended, dry bool
	fault          fault
	// number is how many approvals to require, how many Jobs to create at once, or the index of the replica.
	number int
	// lasts is how much time passes, or how long a freeze holds. A freeze with 0 holds until it is lifted.
	lasts time.Duration
}

func (s step) String() string {
	out := fmt.Sprintf("%s %s %s", s.person, s.op, s.name)
	switch s.op {
	case request:
		out += fmt.Sprintf(" %+v", s.draft)
	case run, burst:
		out += fmt.Sprintf(" plan=%s suspended=%t dry=%t number=%d fault=%q", s.plan, s.suspended, s.dry, s.number, s.fault)
	case require, restart:
		out += fmt.Sprintf(" %d", s.number)
	case freeze, pass:
		out += " " + s.lasts.String()
	case resume:
		out += fmt.Sprintf(" fault=%q", s.fault)
	}
	return out
}

// scale says how long things last: hours with a clock that can be set, seconds with a real one.
type scale struct {
	soon, short, long time.Duration
	// faults is true if faults are injected. If not, time is real, so time passes and replicas restart less often.
	faults bool
}

// weights are the weights of the operations, relative to their sum.
func weights() []struct {
	op     op
	weight int
} {
	return []struct {
		op     op
		weight int
	}{
		{request, 13}, {approve, 22}, {reject, 2}, {forget, 4}, {shut, 4}, {run, 34}, {resume, 12}, {remove, 8},
		{require, 4}, {freeze, 2}, {lift, 8}, {pass, 8}, {restart, 2}, {burst, 3}, {extend, 4},
	}
}

func pickOp(r *rand.Rand) op {
	sum := 0
	for _, w := range weights() {
		sum += w.weight
	}
	n := r.IntN(sum)
	for _, w := range weights() {
		if n -= w.weight; n < 0 {
			return w.op
		}
	}
	return run
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// members may request, approve and run.
func members() []string { return []string{"sam", "robin", "alex", "kim"} }

// stories returns sequences that random steps seldom produce. They take hours, so they are for memory only.
func stories(sc scale) [][]step {
	sam, robin := members()[0], members()[1]
	emergency := draft{emergency: true, updates: true, length: sc.long}
	normal := draft{plan: "a", updates: true, max: 3, length: sc.long}
	out := [][]step{
		{ // the second emergency that nobody has reviewed closes half-way
			{op: request, person: sam, name: "n0", draft: emergency}, {op: request, person: sam, name: "n1", draft: emergency},
			{op: shut, person: sam, name: "n2"}, {op: pass, lasts: sc.long/2 + sc.soon}, {op: shut, person: robin, name: "n0"},
			{op: run, person: sam, name: "n0", draft: draft{plan: "a"}},
		},
		{ // also if it was opened in the same second
			{op: request, person: robin, name: "n0", draft: emergency}, {op: request, person: robin, name: "n1", draft: emergency},
			{op: pass, lasts: sc.long/2 + sc.soon}, {op: run, person: robin, name: "n1", draft: draft{plan: "a"}},
			{op: approve, person: sam, name: "n0"}, {op: run, person: robin, name: "n2", draft: draft{plan: "a"}},
		},
	}
	return append(out, []step{ // a repeated request is one execution
		{op: shut, person: sam, name: "n1"}, {op: request, person: sam, name: "n1", draft: normal}, {op: approve, person: robin, name: "n1"},
		{op: remove, person: sam, name: "n1"}, {op: run, person: sam, name: "n1", draft: draft{plan: "a"}, suspended: true},
		{op: resume, person: sam, name: "n1", fault: deaf}, {op: resume, person: sam, name: "n1"}, {op: resume, person: sam, name: "n1"},
	})
}

// generator picks steps: mostly at random, sometimes a story.
type generator struct {
	*rand.Rand
	scale
	next []step
}

func (g *generator) step() step {
	if len(g.next) == 0 && g.faults && chance(g.Rand, 2) {
		g.next = one(g.Rand, stories(g.scale)...)
	}
	if len(g.next) == 0 {
		return draw(g.Rand, g.scale)
	}
	s := g.next[0]
	g.next = g.next[1:]
	return s
}

func draw(r *rand.Rand, sc scale) step {
	s := step{op: pickOp(r), person: one(r, members()...), name: fmt.Sprintf("n%d", r.IntN(threeWide))}
	switch {
	case s.op == approve && chance(r, 60):
		s.person = one(r, members()[1:]...)
	case chance(r, 60):
		s.person = members()[0] // mostly one person requests, so that another can approve
	}
	if !sc.faults && (s.op == pass || s.op == restart) && chance(r, 70) {
		s.op = run
	}
	switch s.op {
	case request:
		s.draft = drawDraft(r, sc)
	case extend:
		s.length = one(r, sc.short, sc.long)
	case approve, reject, shut:
		if chance(r, 20) {
			s.name += longer
		}
	case run:
		s.plan, s.suspended, s.dry = one(r, "a", "a", "a", "b"), chance(r, 35), chance(r, 15)
	case burst:
		s.plan, s.number = "a", 2+r.IntN(5)
	case require:
		s.number = one(r, 0, 1, 1, 1, 1, 2)
	case freeze:
		s.lasts = one(r, 0, sc.short, sc.long)
	case pass:
		s.lasts = one(r, sc.soon, sc.soon, sc.short/2, sc.short)
	case restart:
		s.number = r.IntN(threeWide)
	}
	if sc.faults && (s.op == run && !s.suspended || s.op == resume) && chance(r, 15) {
		s.fault = one(r, faults()...)
	}
	if (s.op == run || s.op == approve || s.op == request || s.op == remove) && chance(r, 6) {
		s.person, s.boundary = developer, false
	}
	return s
}

func drawDraft(r *rand.Rand, sc scale) draft {
	d := draft{
		plan: one(r, "a", "a", "a", "b"), updates: chance(r, 40), team: chance(r, 50), max: one(r, int32(1), 1, 2, 3),
		after: one(r, 0, 0, 0, 0, sc.soon), length: one(r, sc.short, sc.long, sc.long), tooLong: chance(r, 4),
	}
	if !sc.faults && chance(r, 80) {
		d.after, d.length = 0, sc.long
	}
	switch n := r.IntN(100); {
	case n < 22:
		d.emergency, d.overrides, d.plan, d.max, d.after = true, chance(r, 50), "", anyAmount, 0
	case n < 34:
		d.boundary, d.plan, d.updates = true, "", true
	case n < 60:
		d.apart, d.total = true, one(r, int32(0), 0, 2, 3)
	}
	return d
}
