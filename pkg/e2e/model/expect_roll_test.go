package model

import (
	"fmt"
	"time"
)

// longest is how long a window may be open, and its way back after that.
const longest = 8 * time.Hour

// wrongWayBack reports whether a draft has a way back that none may have: in an emergency, which pins nothing, with nothing that is put back,
// or for longer than a window may be open.
func (d draft) wrongWayBack() bool {
	return d.back != "" && d.emergency || d.back == "" && d.within > 0 || d.within > longest
}

// named puts names to what a step leaves to the state of the cluster: what runs now, and what a window pins.
func (m *reference) named(s step) step {
	w := m.windows[s.name]
	switch {
	case s.op == roll && s.plan == ahead && w != nil && w.of != "":
		s.plan = w.plan
	case s.op == roll && s.plan == before && w != nil && w.back != "":
		s.plan = w.back
	case s.op == roll && s.plan == before:
		s.plan = first
	case s.op == roll && (s.plan == ahead || s.plan == m.deployments[s.name].plan && s.plan != first):
		s.plan = another(m.deployments[s.name].plan)
	case s.op == request && s.goesBack:
		now := m.deployments[s.name].plan
		if s.plan == now { // nobody requests what runs already
			s.plan = another(now)
		}
		if s.apart && now != first {
			s.within = 0 // it is pinned as something to be run
			return s
		}
		s.back = now
	}
	return s
}

// another returns a plan that is not this one.
func another(plan string) string {
	if plan == "a" {
		return "b"
	}
	return "a"
}

// change is the question of somebody who changes a Deployment.
func (m *reference) change(s step, plan string, at time.Time) ask {
	d := m.deployments[s.name]
	return ask{person: s.person, plan: plan, of: s.name, update: true, key: fmt.Sprintf("%s-%d-%s", s.name, d.generation, plan), at: at}
}

func (m *reference) expectRoll(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	d, q := m.deployments[s.name], m.change(s, s.plan, at)
	switch {
	case s.plan == d.plan && s.fault == deaf, s.person == developer && s.fault == deaf:
		return outcome{kind: retry}, nothing
	case s.plan == d.plan:
		return outcome{kind: admitted}, nothing // it runs already
	case s.person == developer:
		return outcome{kind: denied, rules: []string{"IdentityOutsideEnvironment"}}, nothing
	}
	rules, w := m.objections(q)
	switch {
	case s.fault == reads, (len(rules) > 0 || s.dry) && s.fault == deaf:
		return outcome{kind: retry}, nothing
	case s.dry:
		return outcome{kind: admitted}, nothing
	case len(rules) > 0:
		return outcome{kind: denied, rules: rules}, nothing
	}
	return m.reserved(s, q, w, func(outcome) { d.plan, d.generation = s.plan, d.generation+1 })
}

// expectLabel is for a write that changes nothing of what runs: only a freeze of everything stops it.
func (m *reference) expectLabel(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	if s.person == developer {
		return outcome{kind: denied, rules: []string{"IdentityOutsideEnvironment"}}, nothing
	}
	if !m.frozen(at, true) {
		return outcome{kind: admitted}, nothing
	}
	q := m.change(s, m.deployments[s.name].plan, at)
	m.labels++
	q.key += fmt.Sprintf("-label-%d", m.labels) // each label is a write of its own
	w := m.overriding(q)
	if w == nil {
		return outcome{kind: denied, rules: []string{"ChangeFrozen"}}, nothing
	}
	return outcome{kind: admitted}, func(outcome) { m.use(w, q.key, q.plan) }
}
