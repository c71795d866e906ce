package model

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// weights are the weights of the operations, relative to their sum.
func weights() []struct {
	op     op
	weight int
} {
	return []struct {
		op     op
		weight int
	}{
		{request, 14}, {approve, 22}, {reject, 2}, {forget, 4}, {shut, 4}, {run, 32}, {resume, 12}, {remove, 8}, {roll, 24}, {label, 3},
		{require, 4}, {freeze, 4}, {lift, 9}, {agree, 7}, {pass, 8}, {restart, 2}, {burst, 3}, {extend, 4},
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
func members() []string { return []string{"sam", "robin", "alex", onlyPayments} }

// generator picks steps: mostly at random, sometimes a story.
type generator struct {
	*rand.Rand
	scale
	next []step
}

func (g *generator) step() step {
	if len(g.next) == 0 && g.faults && chance(g.Rand, 3) {
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
	case (s.op == approve || s.op == agree || s.op == lift) && chance(r, 60):
		s.person = one(r, members()[1:]...)
	case chance(r, 60):
		s.person = members()[0] // mostly one person requests, so that another can approve
	}
	if !sc.faults && (s.op == pass || s.op == restart) && chance(r, 70) {
		s.op = run
	}
	drawDetails(r, sc, &s)
	if sc.faults && (s.op == run && !s.suspended || s.op == resume || s.op == roll) && chance(r, 15) {
		s.fault = one(r, faults()...)
	}
	switch s.op {
	case run, approve, request, remove, roll, label, lift, agree:
		if chance(r, 6) {
			s.person, s.boundary = developer, false
		}
	}
	return s
}

func drawDetails(r *rand.Rand, sc scale, s *step) {
	switch s.op {
	case request:
		s.draft = drawDraft(r, sc, s.name)
	case extend:
		s.length = one(r, sc.short, sc.long)
	case approve, reject, shut:
		if chance(r, 20) {
			s.name += longer
		}
	case run:
		s.plan, s.suspended, s.dry = one(r, "a", "a", "a", "b"), chance(r, 35), chance(r, 15)
	case roll:
		s.plan, s.dry = one(r, "a", "b", ahead, ahead, ahead, before, before, before, first), chance(r, 8)
	case burst:
		s.plan, s.number = "a", 2+r.IntN(5)
	case require:
		s.number = one(r, 0, 1, 1, 1, 1, 2)
	case freeze:
		s.frost, s.lasts = drawFrost(r, sc), one(r, 0, sc.short, sc.long)
		if s.everything && s.lasts == 0 {
			s.lasts = sc.short // it may not last until it is lifted
		}
	case pass:
		s.lasts = one(r, sc.soon, sc.soon, sc.short/2, sc.short)
	case restart:
		s.number = r.IntN(threeWide)
	}
}

func drawDraft(r *rand.Rand, sc scale, name string) draft {
	d := draft{
		plan: one(r, "a", "a", "a", "b"), updates: chance(r, 40), team: chance(r, 50), max: one(r, int32(1), 1, 2, 3),
		after: one(r, 0, 0, 0, 0, sc.soon), length: one(r, sc.short, sc.long, sc.long), tooLong: chance(r, 4),
	}
	if !sc.faults && chance(r, 80) {
		d.after, d.length = 0, sc.long
	}
	switch n := r.IntN(100); {
	case n < 22:
		d.emergency, d.overrides, d.plan, d.max, d.after = true, chance(r, 50), "", noNumber, 0
	case n < 34:
		d.boundary, d.plan, d.updates = true, "", true
	case n < 54:
		d.apart, d.total = true, one(r, int32(0), 0, 2, 3)
	case n < 86:
		d.of, d.updates, d.max = one(r, name, name, every), chance(r, 85), one(r, noNumber, noNumber, 1, 2, plentiful)
		if d.apart = chance(r, 25); d.apart {
			d.max, d.total = one(r, int32(1), 2), one(r, int32(0), 0, 2, 3)
		}
	}
	drawWayBack(r, sc, &d)
	return d
}

// drawWayBack lets most windows for a Deployment pin the way back. Some mistakes are made, too.
func drawWayBack(r *rand.Rand, sc scale, d *draft) {
	switch {
	case d.of != "" && chance(r, 80):
		d.goesBack, d.within = true, one(r, 0, sc.soon, sc.short, sc.short)
		if chance(r, 4) {
			d.within = 24 * time.Hour
		}
	case d.emergency && chance(r, 4):
		d.goesBack = true // it pins nothing that could be put back
	case !d.boundary && chance(r, 2):
		d.within = sc.soon // with nothing to put back
	}
}

func drawFrost(r *rand.Rand, sc scale) frost {
	f := frost{
		here: chance(r, 75), elsewhere: chance(r, 35), two: chance(r, 40), everything: chance(r, 25),
		only: one(r, "", "", "", "pay*", depot), begins: one(r, 0, 0, sc.soon),
	}
	if f.elsewhere = f.elsewhere || !f.here; f.everything {
		f.begins = 0
	}
	return f
}
