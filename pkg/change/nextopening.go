package change

import (
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// maxSkips bounds how many blocked occurrences are skipped in search of the next opening.
const maxSkips = 64

// NextOpening returns the verdict of the window that covers the query next, as of the instant at which it does, or nil if
// none does. All obstacles count together: an occurrence during a freeze, or after the approval has lapsed, is not an
// opening.
func NextOpening(q *Query, s *State) *Verdict {
	var next *Verdict
	for i := range s.Windows {
		v := nextOf(&s.Windows[i], q, s)
		if v != nil && (next == nil || v.Opens.Before(next.Opens)) {
			next = v
		}
	}
	return next
}

// nextOf follows one window through its occurrences and the freezes that hold then. Opens of the verdict is when the window
// can be used, which a freeze may delay.
func nextOf(w *v1alpha1.ChangeWindow, q *Query, s *State) *Verdict {
	then := *q
	for range maxSkips {
		v := Judge(w, &then, s)
		later := time.Time{}
		switch v.Stage {
		case Covers:
			f := Frozen(s.Freezes, q.Environments, q.Namespace, then.At)
			session := q.Session && f != nil && f.Spec.Level != v1alpha1.FreezeEverything
			if f == nil || q.Boundary || session {
				if !then.At.After(q.At) {
					return nil // it is open now
				}
				v.Opens = then.At
				return &v
			}
			_, later = FreezeInterval(f, then.At)
		case NotYetOpen:
			if q.Scheduled != nil {
				return nil // a late run has missed it
			}
			if later = v.Opens; !later.After(then.At) {
				later = v.Closes // it is open, and it is too late to start in it
			}
		case Exhausted:
			if v.Occurrence != 0 {
				later = v.Closes
			}
		}
		if !later.After(then.At) {
			return nil
		}
		then.At = later
	}
	return nil
}

// OpensAt returns when the window opens, in the zone of its recurrence and in UTC.
func (v *Verdict) OpensAt() string {
	r := v.Window.Spec.Schedule.Recurrence
	if r == nil {
		return Instant(v.Opens)
	}
	zone, err := time.LoadLocation(r.TimeZone)
	if err != nil || zone == time.UTC {
		return Instant(v.Opens)
	}
	return fmt.Sprintf("%s in %s (%s)", v.Opens.In(zone).Format("2006-01-02 15:04:05 MST"), r.TimeZone, Instant(v.Opens))
}

// Approvers returns a phrase for the persons who may approve: n members of the environments that RBAC and the environments'
// own lists allow. not is a user that may not approve, since they requested the window; it is empty if that is the requester of
// the change.
func (q *Query) Approvers(n int, not string) string {
	who := "another member"
	if n > 1 {
		who = fmt.Sprintf("%d other members", n)
	}
	var limits []string
	for _, l := range append([]v1alpha1.Approvers{q.Controls.Approvers}, q.Controls.AlsoApprovers...) {
		if len(l.Users)+len(l.Groups) > 0 {
			limits = append(limits, "one of "+strings.Join(append(prefixed("user ", l.Users), prefixed("group ", l.Groups)...), ", "))
		}
	}
	if not != "" {
		limits = append(limits, "not "+not)
	}
	if len(limits) == 0 {
		return fmt.Sprintf("%s of %s", who, quoted(q.Environments))
	}
	return fmt.Sprintf("%s of %s (%s)", who, quoted(q.Environments), strings.Join(limits, "; "))
}

func prefixed(word string, globs []v1alpha1.Glob) []string {
	out := make([]string, len(globs))
	for i, g := range globs {
		out[i] = fmt.Sprintf("%s%q", word, string(g))
	}
	return out
}
