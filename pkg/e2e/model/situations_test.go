package model

import (
	"slices"
	"time"
)

// occurs counts the situations that rules are about, for a generator whose steps never come to one would not test it.
type occurs map[string]int

// situations returns those that must occur in memory. Each is described from the side of the reference.
func situations() []string {
	return []string{
		"the way back, while the window is open", "the way back, after it has closed", "the way back, in a window that permits no other update",
		"the way back, too late", "the way back, before the window opens", "the way back, for the second time",
		"the way back, used up under the window that this one goes on for", "the way back, left over from the window that this one goes on for",
		"the way back, stopped by a freeze", "the way back, under an emergency that passes the freeze", "another plan, after the window has closed",
		"the way forth, for the second time", "stopped by a freeze that began in the open window", "admitted after a freeze is over",
		"admitted before a freeze begins", "admitted while another environment is frozen", "admitted while another namespace is frozen",
		"an approved emergency passes a freeze", "an emergency that nobody approved is stopped by a freeze",
		"an emergency that nobody approved is stopped by a freeze, where windows need no approval",
		"an emergency with one approval of two is stopped by a freeze",
		"an emergency that does not override it is stopped by a freeze",
		"a label, while changes are frozen", "a label, stopped by a freeze of everything", "a label, under an emergency that passes the freeze",
		"a freeze, deleted by one person", "a freeze of two persons, deleted by one", "a freeze of two persons, deleted before it begins",
		"a freeze of two persons, deleted after it has ended", "a freeze, deleted by who is no member of all that is frozen",
		"a freeze, lifted by a second person", "a second word of one person", "a word of who is no member of all that is frozen",
		"a word about a freeze that one person lifts", "a word about a freeze, taken back",
	}
}

// note counts the situations of a step and what is expected of it.
func (n occurs) note(m *reference, s step, at time.Time, want outcome) {
	tell := func(what string, holds bool) {
		if holds {
			n[what]++
		}
	}
	switch s.op {
	case roll:
		n.changed(m, m.change(s, s.plan, at), want, s)
	case label:
		q := m.change(s, m.deployments[s.name].plan, at)
		tell("a label, while changes are frozen", m.frozen(at, false) && !m.frozen(at, true) && want.kind == admitted)
		tell("a label, stopped by a freeze of everything", slices.Equal(want.rules, []string{"ChangeFrozen"}))
		tell("a label, under an emergency that passes the freeze", m.frozen(at, true) && m.overriding(q) != nil && want.kind == admitted)
	case run:
		if q := (ask{person: s.person, plan: s.plan, at: at}); m.jobs[s.name] == nil && s.fault == none && !s.dry && s.person != developer {
			n.frozen(m, q, want)
		}
	case lift, agree:
		if f := m.freezes[s.name]; f != nil {
			n.lifting(m, f, s, at, want)
		}
	case forget:
		last := len(m.words) - 1
		tell("a word about a freeze, taken back", want.kind == admitted && slices.ContainsFunc(freezesOf(m), func(f *freezing) bool { return f.uid == m.words[last].about }))
	}
}

func freezesOf(m *reference) []*freezing {
	var out []*freezing
	for _, f := range m.freezes {
		out = append(out, f)
	}
	return out
}

// changed is about a Deployment that comes to run something else.
func (n occurs) changed(m *reference, q ask, want outcome, s step) {
	if q.plan == m.deployments[s.name].plan || s.fault != none || s.dry || s.person == developer {
		return
	}
	n.frozen(m, q, want)
	near, stage := m.nearest(q)
	for _, w := range m.windows {
		if !w.isFor(q) || w.emergency {
			continue
		}
		switch {
		case w.putsBack(q):
			n.back(m, w, q, want)
		case w != near: // another window decides
		case stage == closed && w.back != "" && q.at.Before(w.closes.Add(w.within)) && want.kind == denied:
			n["another plan, after the window has closed"]++
		case stage == exhausted && w.pins(q.plan) && want.kind == denied:
			n["the way forth, for the second time"]++
		}
	}
}

// back is about the way back of one window.
func (n occurs) back(m *reference, w *window, q ask, want outcome) {
	stage, frozen := m.stage(w, q), m.frozen(q.at, false)
	used := slices.IndexFunc(m.used[w.ledger], func(u use) bool { return u.plan == w.back })
	elsewhere := used >= 0 && m.used[w.ledger][used].window != w.uid
	goesOn := w.ledger != w.uid
	again := want.kind == denied && stage == exhausted && used >= 0 && !m.spent(w) // nothing but its own number stops it
	for what, holds := range map[string]bool{
		"while the window is open":                 want.kind == admitted && stage == covers && q.at.Before(w.closes),
		"after it has closed":                      want.kind == admitted && stage == covers && !q.at.Before(w.closes),
		"in a window that permits no other update": want.kind == admitted && stage == covers && !w.updates,
		"too late":                want.kind == denied && stage == closed && !q.at.Before(w.closes.Add(w.within)),
		"before the window opens": want.kind == denied && stage == notYetOpen,
		"for the second time":     again,
		"used up under the window that this one goes on for":  again && goesOn && elsewhere,
		"left over from the window that this one goes on for": want.kind == admitted && stage == covers && goesOn,
		"stopped by a freeze":                                 want.kind == denied && stage == covers && frozen,
		"under an emergency that passes the freeze":           want.kind == admitted && frozen,
	} {
		if holds {
			n["the way back, "+what]++
		}
	}
}

// spent reports whether a window was used as often as it may be for all plans together.
func (m *reference) spent(w *window) bool {
	return w.inAll() > 0 && len(m.used[w.ledger]) >= w.inAll()
}

// frozen is about freezes over what windows permit.
func (n occurs) frozen(m *reference, q ask, want outcome) {
	frozen := m.frozen(q.at, false)
	w, stage := m.nearest(q)
	for _, f := range m.freezes {
		for what, holds := range map[string]bool{
			"stopped by a freeze that began in the open window": f.binds() && f.holds(q.at) && stage == covers && w.opens.Before(f.from) && want.kind == denied,
			"admitted after a freeze is over":                   f.binds() && !f.holds(q.at) && f.from.Before(q.at) && !frozen && want.kind == admitted,
			"admitted before a freeze begins":                   f.binds() && !f.holds(q.at) && f.from.After(q.at) && !frozen && want.kind == admitted,
			"admitted while another environment is frozen":      !f.here && f.holds(q.at) && !frozen && want.kind == admitted,
			"admitted while another namespace is frozen":        f.here && f.only == depot && f.holds(q.at) && !frozen && want.kind == admitted,
		} {
			if holds {
				n[what]++
			}
		}
	}
	switch {
	case !frozen:
	case want.kind == admitted:
		n["an approved emergency passes a freeze"]++
	case stage == covers && w.overrides && len(m.approvals(w, q.person)) == 1:
		n["an emergency with one approval of two is stopped by a freeze"]++
	case stage == covers && w.overrides && m.required == 0:
		n["an emergency that nobody approved is stopped by a freeze, where windows need no approval"]++
	case stage == covers && w.overrides:
		n["an emergency that nobody approved is stopped by a freeze"]++
	case stage == covers && w.emergency:
		n["an emergency that does not override it is stopped by a freeze"]++
	}
}

// lifting is about who ends a freeze.
func (n occurs) lifting(m *reference, f *freezing, s step, at time.Time, want outcome) {
	said, again := 0, false
	for _, x := range m.words {
		if x.about == f.uid && f.mayLift(x.by) {
			said, again = said+1, again || x.by == s.person
		}
	}
	word, deletes := s.op == agree, s.op == lift
	for what, holds := range map[string]bool{
		"a freeze, deleted by one person":                             deletes && !f.two && want.kind == admitted,
		"a freeze of two persons, deleted by one":                     deletes && want.kind == invalid,
		"a freeze of two persons, deleted before it begins":           deletes && f.two && want.kind == admitted && at.Before(f.from),
		"a freeze of two persons, deleted after it has ended":         deletes && f.two && want.kind == admitted && at.After(f.from),
		"a freeze, deleted by who is no member of all that is frozen": deletes && want.kind == denied && s.person != developer,
		"a freeze, lifted by a second person":                         word && f.two && f.mayLift(s.person) && said > 0 && !again,
		"a second word of one person":                                 word && f.two && again,
		"a word of who is no member of all that is frozen":            word && f.two && said > 0 && !f.mayLift(s.person),
		"a word about a freeze that one person lifts":                 word && !f.two && said > 0 && !again && f.mayLift(s.person),
	} {
		if holds {
			n[what]++
		}
	}
}
