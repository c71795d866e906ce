package model

import "time"

// reddest is how long a freeze of everything may last.
const reddest = 4 * time.Hour

func (m *reference) expectFreeze(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	switch {
	case s.everything && s.lasts > reddest:
		return outcome{kind: invalid}, nothing
	case m.freezes[s.name] != nil:
		return outcome{kind: exists}, nothing
	}
	return outcome{kind: admitted}, func(got outcome) {
		f := &freezing{frost: s.frost, name: s.name, uid: got.uid, from: at.Add(s.begins)}
		if s.lasts > 0 {
			f.to = f.from.Add(s.lasts)
		}
		m.freezes[s.name] = f
	}
}

// expectLift deletes a freeze. While one holds that takes two persons, nobody may.
func (m *reference) expectLift(s step, at time.Time) (outcome, func(outcome)) {
	nothing := func(outcome) {}
	f := m.freezes[s.name]
	switch {
	case f == nil:
		return outcome{kind: missing}, nothing
	case !f.mayLift(s.person):
		return outcome{kind: denied, rules: []string{"IdentityOutsideEnvironment"}}, nothing
	case f.two && f.holds(at):
		return outcome{kind: invalid}, nothing
	}
	return outcome{kind: admitted}, func(outcome) { delete(m.freezes, s.name) }
}

// expectAgree is one person's word that a freeze ends. Anybody may say it, but it does not count for everybody.
func (m *reference) expectAgree(s step) (outcome, func(outcome)) {
	f := m.freezes[s.name]
	if f == nil {
		return outcome{kind: missing}, func(outcome) {}
	}
	return outcome{kind: admitted}, func(got outcome) {
		m.words = append(m.words, word{about: f.uid, by: s.person, name: got.uid})
		if m.lifted(f) {
			delete(m.freezes, s.name)
		}
	}
}
