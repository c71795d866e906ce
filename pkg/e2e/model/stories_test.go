package model

import "slices"

// stories returns sequences that random steps seldom produce. They take hours, so most are for memory only.
func stories(sc scale) [][]step {
	out := append(emergencies(sc), waysBack(sc)...)
	return append(out, append(freezings(sc), repeated(sc))...)
}

// emergencies are about the second emergency that nobody has reviewed: it closes half-way.
func emergencies(sc scale) [][]step {
	sam, robin := members()[0], members()[1]
	emergency := draft{emergency: true, updates: true, length: sc.long}
	return [][]step{
		{
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
}

// repeated is a request that is repeated, which is one execution.
func repeated(sc scale) []step {
	sam, robin := members()[0], members()[1]
	normal := draft{plan: "a", updates: true, max: 3, length: sc.long}
	return []step{
		{op: shut, person: sam, name: "n1"}, {op: request, person: sam, name: "n1", draft: normal}, {op: approve, person: robin, name: "n1"},
		{op: remove, person: sam, name: "n1"}, {op: run, person: sam, name: "n1", draft: draft{plan: "a"}, suspended: true},
		{op: resume, person: sam, name: "n1", fault: deaf}, {op: resume, person: sam, name: "n1"}, {op: resume, person: sam, name: "n1"},
	}
}

// without returns a draft that permits no updates.
func (d draft) without() draft { d.updates = false; return d }

// those makes a list of steps.
func those(steps ...step) []step { return steps }

// rolled is the step that changes a Deployment to a plan.
func rolled(name, plan string) step {
	return step{op: roll, person: members()[0], name: name, draft: draft{plan: plan}}
}

// plentiful is a number of uses that no story exhausts.
const plentiful = 9

// granted are the steps that lead to an approved window for one Deployment, which has a way back.
func granted(name string, d draft) []step {
	sam, robin := members()[0], members()[1]
	d.of, d.plan, d.goesBack = name, "a", true
	return []step{
		{op: shut, person: sam, name: name}, {op: shut, person: sam, name: name + longer},
		{op: request, person: sam, name: name, draft: d}, {op: approve, person: robin, name: name},
	}
}

// waysBack put back what ran before, or try to.
func waysBack(sc scale) [][]step {
	sam, robin := members()[0], members()[1]
	short := func(d draft) draft { d.length = sc.short; return d }
	inTime := step{op: pass, lasts: sc.short}
	within := short(draft{updates: true, max: plentiful, within: sc.short})
	extended := those(step{op: extend, person: sam, name: "n0", draft: draft{length: sc.long}}, step{op: approve, person: robin, name: "n0" + longer})
	emergency := draft{emergency: true, updates: true, length: sc.long}
	return [][]step{
		// Once, after the window has closed.
		slices.Concat(granted("n0", within), those(rolled("n0", ahead), inTime, rolled("n0", "b"), rolled("n0", first), rolled("n0", before), rolled("n0", ahead), rolled("n0", before))),
		// Twice, for the way forth is open again.
		slices.Concat(granted("n0", within), those(rolled("n0", ahead), rolled("n0", before), rolled("n0", ahead), rolled("n0", before))),
		// Once, where the way forth is open once, too.
		slices.Concat(granted("n2", short(draft{updates: true})), those(
			rolled("n2", ahead), rolled("n2", before), rolled("n2", ahead),
			step{op: request, person: sam, name: "n1", draft: emergency}, rolled("n2", ahead), step{op: shut, person: sam, name: "n1"}, rolled("n2", before))),
		// In a window that permits to create, and nothing else.
		slices.Concat(granted("n2", within.without()), those(
			step{op: request, person: sam, name: "n1", draft: emergency}, rolled("n2", ahead), step{op: shut, person: sam, name: "n1"},
			rolled("n2", "b"), rolled("n2", before))),
		// Too late.
		slices.Concat(granted("n1", within), those(rolled("n1", ahead), inTime, step{op: pass, lasts: sc.short}, rolled("n1", before))),
		// Nothing was used by the end of the window, and the way back would undo what another one did.
		slices.Concat(granted("n2", within), those(
			step{op: request, person: sam, name: "n1", draft: emergency}, rolled("n2", "a"), step{op: shut, person: sam, name: "n1"}, inTime, rolled("n2", before))),
		// Before the window opens.
		slices.Concat(granted("n0", draft{updates: true, max: plentiful, after: sc.soon, length: sc.short, within: sc.soon}), those(
			step{op: request, person: sam, name: "n1", draft: emergency}, rolled("n0", ahead), step{op: shut, person: sam, name: "n1"},
			rolled("n0", before), step{op: pass, lasts: sc.soon}, rolled("n0", before))),
		// What was used of the first window stays used in the one that goes on for it.
		slices.Concat(granted("n0", within), those(rolled("n0", ahead), rolled("n0", before)), extended, those(rolled("n0", ahead), inTime, rolled("n0", before))),
		// What was not used of it is there.
		slices.Concat(granted("n0", within), those(rolled("n0", ahead), inTime), extended, those(inTime, rolled("n0", before), rolled("n0", ahead))),
	}
}

// freezings begin and end freezes around what a window permits.
func freezings(sc scale) [][]step {
	sam, robin := members()[0], members()[1]
	run := step{op: run, person: sam, name: "n2", draft: draft{plan: "a"}}
	tag, alex := step{op: label, person: sam, name: "n1"}, members()[2]
	here := frost{here: true}
	later := frost{here: true, begins: sc.soon}
	both := frost{here: true, elsewhere: true, two: true}
	over := draft{emergency: true, overrides: true, updates: true, length: sc.long}
	unfrozen := func(steps ...step) []step {
		var out []step
		for _, name := range []string{"n0", "n1", "n2"} {
			out = append(out, step{op: lift, person: robin, name: name}, step{op: agree, person: robin, name: name}, step{op: agree, person: sam, name: name})
		}
		return append(out, steps...)
	}
	boundary := draft{boundary: true, updates: true, max: plentiful, length: sc.long}
	back := granted("n0", draft{updates: true, max: plentiful, length: sc.short, within: sc.long})
	return [][]step{
		// A freeze begins in an open window, and stops the way back until it is over.
		unfrozen(append(back, step{op: freeze, person: robin, name: "n1", frost: later, lasts: sc.short}, rolled("n0", ahead),
			step{op: pass, lasts: sc.soon}, rolled("n0", before), step{op: pass, lasts: sc.short}, rolled("n0", before))...),
		// The way back during a freeze, under an emergency that somebody approves.
		unfrozen(append(back, rolled("n0", ahead), step{op: freeze, person: robin, name: "n1", frost: here}, step{op: request, person: sam, name: "n2", draft: over},
			rolled("n0", before), step{op: approve, person: robin, name: "n2"}, rolled("n0", before), step{op: lift, person: sam, name: "n1"}, rolled("n0", ahead))...),
		// What is frozen elsewhere stops nothing here.
		unfrozen(append(back, step{op: freeze, person: robin, name: "n1", frost: frost{elsewhere: true}}, rolled("n0", ahead),
			step{op: freeze, person: robin, name: "n2", frost: frost{here: true, only: depot}}, rolled("n0", before))...),
		// Two persons, each a member of all that is frozen.
		unfrozen(step{op: freeze, person: sam, name: "n0", frost: both}, step{op: lift, person: sam, name: "n0"}, step{op: agree, person: sam, name: "n0"},
			step{op: agree, person: sam, name: "n0"}, step{op: agree, person: onlyPayments, name: "n0"}, step{op: agree, person: developer, name: "n0"}, run,
			step{op: lift, person: onlyPayments, name: "n0"}, step{op: agree, person: robin, name: "n0"}, run),
		// Two words do not lift what one person may delete.
		unfrozen(step{op: freeze, person: sam, name: "n0", frost: here}, step{op: agree, person: sam, name: "n0"}, step{op: agree, person: robin, name: "n0"}, run,
			step{op: lift, person: alex, name: "n0"}),
		// An emergency passes a freeze with as many approvals as other windows need, and with one where they need none.
		unfrozen(step{op: request, person: sam, name: "n0", draft: boundary}, step{op: approve, person: robin, name: "n0", draft: boundary},
			step{op: freeze, person: sam, name: "n0", frost: here}, step{op: request, person: sam, name: "n1", draft: over}, run,
			step{op: require, person: sam, number: 0}, run, step{op: approve, person: robin, name: "n1"}, step{op: require, person: sam, number: 2},
			run, step{op: approve, person: alex, name: "n1"}, run, step{op: require, person: sam, number: 1}),
		// What is no change stops only in a freeze of everything.
		unfrozen(step{op: freeze, person: sam, name: "n0", frost: here}, tag, step{op: freeze, person: sam, name: "n1", frost: frost{here: true, everything: true}, lasts: sc.long},
			step{op: request, person: sam, name: "n2", draft: over}, tag, step{op: approve, person: robin, name: "n2"}, tag, tag),
		// What has not begun, or is over, one person may delete.
		unfrozen(step{op: freeze, person: sam, name: "n0", frost: frost{here: true, two: true, begins: sc.soon}}, step{op: lift, person: sam, name: "n0"},
			step{op: freeze, person: sam, name: "n0", frost: frost{here: true, two: true}, lasts: sc.short}, step{op: pass, lasts: sc.short},
			step{op: lift, person: onlyPayments, name: "n0"}),
		// A word that was taken back does not count.
		unfrozen(step{op: freeze, person: sam, name: "n0", frost: both}, step{op: agree, person: sam, name: "n0"}, step{op: forget, person: sam},
			step{op: agree, person: robin, name: "n0"}, step{op: agree, person: sam, name: "n0"}),
	}
}
