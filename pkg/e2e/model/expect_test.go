package model

import (
	"cmp"
	"fmt"
	"time"
)

// expect returns the expected outcome of a step at an instant, and a function that updates the reference. It is called with the
// actual outcome, for the UIDs.
func (m *reference) expect(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	switch s.op {
	case request:
		return m.expectRequest(s, at)
	case extend:
		return m.expectExtend(s, at)
	case approve, reject:
		return m.expectWord(s, at)
	case forget:
		return m.expectForget()
	case shut:
		if m.windows[s.key(s.name)] == nil {
			return outcome{kind: missing}, nothing
		}
		return outcome{kind: admitted}, func(outcome) { delete(m.windows, s.key(s.name)) }
	case run, resume:
		return m.expectRun(s, at)
	case remove:
		return m.expectRemove(s, at)
	case require:
		return m.expectRequire(s, at)
	case roll:
		return m.expectRoll(s, at)
	case label:
		return m.expectLabel(s, at)
	case freeze:
		return m.expectFreeze(s, at)
	case lift:
		return m.expectLift(s, at)
	case agree:
		return m.expectAgree(s)
	case burst:
		return m.expectBurst(s, at)
	case pass, restart:
	}
	return outcome{kind: admitted}, nothing
}

func (m *reference) expectRequest(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	switch {
	case s.person == developer:
		return outcome{kind: denied, rules: []string{"IdentityOutsideEnvironment"}}, nothing
	case s.tooLong, s.wrongWayBack():
		return outcome{kind: invalid}, nothing
	case m.windows[s.key(s.name)] != nil:
		return outcome{kind: exists}, nothing
	}
	return outcome{kind: admitted}, func(got outcome) {
		w := &window{draft: s.draft, name: s.key(s.name), uid: got.uid, by: s.person, created: at, opens: at.Add(s.after), ledger: got.uid}
		w.closes = w.opens.Add(s.length)
		m.windows[w.name] = w
	}
}

// expectExtend requests a window that goes on for another, with a name of its own.
func (m *reference) expectExtend(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	w := m.windows[s.name]
	switch {
	case w == nil:
		return outcome{kind: missing}, nothing
	case m.windows[w.name+longer] != nil:
		return outcome{kind: exists}, nothing
	}
	return outcome{kind: admitted}, func(got outcome) {
		o := *w
		o.name, o.uid, o.by, o.created, o.opens, o.closes = w.name+longer, got.uid, s.person, at, at, at.Add(s.length)
		m.windows[o.name] = &o
	}
}

func (m *reference) expectWord(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	w := m.windows[s.key(s.name)]
	switch {
	case w == nil:
		return outcome{kind: missing}, nothing
	case s.person == developer:
		return outcome{kind: denied, rules: []string{"IdentityOutsideEnvironment"}}, nothing
	case s.op == approve && s.person == w.by, s.op == approve && !w.emergency && !at.Before(w.closes):
		return outcome{kind: invalid}, nothing
	}
	return outcome{kind: admitted}, func(got outcome) {
		m.words = append(m.words, word{about: w.uid, by: s.person, name: got.uid, rejects: s.op == reject})
	}
}

// expectForget withdraws the latest word about any window or freeze. A rejection stays as long as its window.
func (m *reference) expectForget() (outcome, func(outcome)) {
	nothing := func(outcome) {}
	if len(m.words) == 0 {
		return outcome{kind: missing}, nothing
	}
	last := m.words[len(m.words)-1]
	for _, w := range m.windows {
		if w.uid == last.about && last.rejects {
			return outcome{kind: invalid}, nothing
		}
	}
	return outcome{kind: admitted}, func(outcome) { m.words = m.words[:len(m.words)-1] }
}

// phantom returns a key for an execution whose object was never created.
func (m *reference) phantom() string {
	m.lost++
	return fmt.Sprintf("phantom-%d", m.lost)
}

func (m *reference) use(w *window, key, plan string) {
	if !m.has(w, key) {
		m.used[w.ledger] = append(m.used[w.ledger], use{key, plan, w.uid})
	}
}

func (m *reference) expectRun(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	j := m.jobs[s.name]
	q := ask{person: s.person, plan: s.plan, at: at}
	if s.op == resume {
		switch {
		case j == nil:
			return outcome{kind: missing}, nothing
		case !j.suspended && s.fault == deaf:
			return outcome{kind: retry}, nothing
		case !j.suspended:
			return outcome{kind: admitted}, nothing // the Job runs already
		}
		q.update, q.plan, q.key, q.job = true, j.plan, fmt.Sprintf("%s-%d", j.uid, j.generation), j.uid
	}
	if s.person == developer {
		if s.fault == deaf {
			return outcome{kind: retry}, nothing
		}
		return outcome{kind: denied, rules: []string{"IdentityOutsideEnvironment"}}, nothing
	}
	rules, w := m.objections(q)
	switch {
	case s.fault == reads:
		return outcome{kind: retry}, nothing
	case (len(rules) > 0 || s.dry) && s.fault == deaf:
		return outcome{kind: retry}, nothing
	case s.dry && j != nil && s.op == run:
		return outcome{kind: exists}, nothing
	case s.dry:
		return outcome{kind: admitted}, nothing
	case len(rules) > 0:
		return outcome{kind: denied, rules: rules}, nothing
	}
	switch {
	case s.op == run && j != nil && s.fault == deaf:
		return outcome{kind: retry}, nothing
	case s.op == run && j != nil:
		return outcome{kind: exists}, nothing // it takes no execution
	}
	return m.reserved(s, q, w, func(got outcome) {
		if s.op == resume {
			j.suspended, j.generation = false, j.generation+1
			return
		}
		m.jobs[s.name] = &job{uid: got.uid, plan: s.plan, suspended: s.suspended, generation: 1}
	})
}

// reserved is for what a window covers: whether the slot stays used depends on the fault. then is called if it happens.
func (m *reference) reserved(s step, q ask, w *window, then func(outcome)) (outcome, func(outcome)) {
	held := m.held(w, q)
	keep := func(outcome) {
		key := q.key
		if key == "" {
			key = m.phantom()
		}
		if !held {
			m.use(w, key, q.plan)
		}
	}
	nothing := func(outcome) {}
	switch {
	case s.fault == blind:
		return outcome{kind: retry}, nothing
	case (s.fault == unwritten || s.fault == unanswered) && !held:
		return outcome{kind: retry}, nothing
	case s.fault == stuck && !held, s.fault == deaf:
		return outcome{kind: retry}, keep
	}
	return outcome{kind: admitted}, func(got outcome) {
		if !held {
			m.use(w, cmp.Or(q.key, got.uid), q.plan)
		}
		then(got)
	}
}

func (m *reference) expectRemove(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	switch {
	case m.jobs[s.name] == nil:
		return outcome{kind: missing}, nothing
	case s.person == developer:
		return outcome{kind: denied, rules: []string{"IdentityOutsideEnvironment"}}, nothing
	case m.frozen(at, false):
		return outcome{kind: denied, rules: []string{"ChangeFrozen"}}, nothing
	}
	return outcome{kind: admitted}, func(outcome) { delete(m.jobs, s.name) }
}

// expectRequire changes the required approvals. Fewer approvals weaken the boundary; more do not.
func (m *reference) expectRequire(s step, at time.Time) (outcome, func(outcome)) {
	set := func(outcome) { m.required, m.written = s.number, m.written+1 }
	switch {
	case s.number == m.required:
		return outcome{kind: admitted}, func(outcome) {}
	case s.number > m.required:
		return outcome{kind: admitted}, set
	}
	key := fmt.Sprintf("environment-%d-%d", m.written, s.number)
	rules, w := m.objections(ask{person: s.person, boundary: true, key: key, at: at})
	if len(rules) > 0 {
		return outcome{kind: denied, rules: rules}, func(outcome) {}
	}
	return outcome{kind: admitted}, func(got outcome) {
		m.use(w, key, "")
		set(got)
	}
}

// expectBurst admits as many of the Jobs as all windows that cover one still allow. Nobody knows which ones. Windows with a common ledger
// allow together what the one that allows most does.
func (m *reference) expectBurst(s step, at time.Time) (outcome, func(outcome)) {
	most := map[string]int{}
	q := ask{person: s.person, plan: s.plan, at: at}
	for _, w := range m.windows {
		if m.stage(w, q) == covers {
			most[w.ledger] = max(most[w.ledger], m.left(w, s.plan))
		}
	}
	left := 0
	for _, n := range most {
		left += n
	}
	if m.frozen(at, false) {
		left = 0
		if m.overriding(q) != nil {
			left = s.number // an emergency has no limit
		}
	}
	return outcome{kind: admitted, uids: make([]string, min(s.number, left))}, func(outcome) {}
}
