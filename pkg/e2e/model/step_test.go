package model

import (
	"fmt"
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
	roll      op = "roll"     // a Deployment: its template is changed
	label     op = "label"    // a Deployment: nothing but a label is changed
	agree     op = "agree"    // that a freeze ends, which takes two persons
	nobody       = ""         // acts where a step needs no person
	developer    = "dana"     // the one person who is not a member
	payments     = "payments" // the namespace of production
	longer       = "-longer"  // ends the name of a window that goes on for another
	threeWide    = 3          // how many objects of a sort there are names for
	retryable    = 503        // what a failed live read answers
	noNumber     = int32(0)   // a window that says no number of uses
)

// What Deployments run: the plans a and b, which windows pin, and what they ran at first.
const (
	first = "first"
	// ahead stands for what the window of the step's name pins, and before for what it pins as the way back.
	ahead  = "ahead"
	before = "before"
	// every stands for all Deployments.
	every = "n*"
)

// warehouse is a second environment of production, with a namespace of its own. One member of production is not a member of it.
const (
	warehouse    = "warehouse"
	depot        = "depot"
	onlyPayments = "kim"
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
	// of is the name of the Deployment that the window is for, or every; without it, the window is for Jobs.
	of string
	// goesBack is true if the window pins the way back, which is what of runs at the moment and is then noted in back. It may be used for
	// within after the window has closed.
	goesBack bool
	back     string
	within   time.Duration
}

// frost says what a freeze stops.
type frost struct {
	// here and elsewhere say which environments are frozen: that of the steps, the other one, or both.
	here, elsewhere bool
	// only is a glob of the namespaces that the freeze is narrowed to, if it is not empty.
	only string
	// everything is true if it stops more than changes, two if it takes two persons to lift it.
	everything, two bool
	// begins says when it begins, from now on.
	begins time.Duration
}

// environments returns the names of the frozen environments.
func (f frost) environments() []string {
	var out []string
	if f.here {
		out = append(out, "production")
	}
	if f.elsewhere {
		out = append(out, warehouse)
	}
	return out
}

// step is one action of a person.
type step struct {
	op     op
	person string
	// name is that of the window, Job, Deployment or freeze.
	name string
	draft
	frost
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
	case run, burst, roll:
		out += fmt.Sprintf(" plan=%s suspended=%t dry=%t number=%d fault=%q", s.plan, s.suspended, s.dry, s.number, s.fault)
	case require, restart:
		out += fmt.Sprintf(" %d", s.number)
	case freeze:
		out += fmt.Sprintf(" %+v for %s", s.frost, s.lasts)
	case pass:
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
