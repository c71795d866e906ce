package change

import (
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Party is a requester, as far as windows are concerned.
type Party struct {
	Username, UID string
	Groups        []string
	// Person is true for users that are neither service accounts nor listed as automation.
	Person bool
	// Controller is true for Kubernetes' own controllers.
	Controller bool
	// Borrowed is true for a service account that is impersonated or that authenticates with a long-lived token: it may neither
	// request nor use a window.
	Borrowed bool
}

// same reports whether a stamp and a party are the same user: by username, or by UID if both have one.
func (p Party) same(s *v1alpha1.Stamp) bool {
	return s != nil && (s.Username == p.Username || s.UID != "" && s.UID == p.UID)
}

// SamePerson reports whether two stamps are of the same user: by username, or by UID if both have one.
func SamePerson(a, b *v1alpha1.Stamp) bool {
	return a != nil && b != nil && Party{Username: a.Username, UID: a.UID}.same(b)
}

// Serves reports whether a window is for a party: for those whom it lists as subjects or, where it lists none, for its requester.
func Serves(s *v1alpha1.ChangeWindowSpec, p Party) bool {
	if s.Subjects.Empty() {
		return p.same(s.RequestedBy)
	}
	return MatchSubjects(&s.Subjects, p)
}

// MatchSubjects reports whether a party is among the subjects.
func MatchSubjects(s *v1alpha1.Subjects, p Party) bool {
	if estate.MatchAny(s.Users, p.Username) {
		return true
	}
	for _, g := range p.Groups {
		if estate.MatchAny(s.Groups, g) {
			return true
		}
	}
	ns, name, ok := estate.ServiceAccount(p.Username)
	return ok && estate.MatchServiceAccount(s.ServiceAccounts, ns, name)
}
