package change

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// scheduleOf compiles the schedule of a window. A window that opens once needs both its ends.
func scheduleOf(w *v1alpha1.ChangeWindow) (*schedule.Schedule, string) {
	s := &w.Spec.Schedule
	standard := w.Spec.Type == v1alpha1.WindowStandard
	switch {
	case standard != (s.Recurrence != nil):
		if standard {
			return &schedule.Schedule{}, "it has no recurrence"
		}
		return &schedule.Schedule{}, "it recurs, which only a Standard window may"
	case !standard && (s.Start == nil || s.End == nil):
		return &schedule.Schedule{}, "it has no start and end"
	case !standard && !s.Start.Time.Before(s.End.Time):
		return &schedule.Schedule{}, "it ends before it starts"
	}
	out, err := schedule.Compile(s, time.Time{})
	if err != nil {
		return out, "its schedule cannot be read: " + err.Error()
	}
	return out, ""
}

// Occurrences returns when a window is open from one instant until another, at most limit times; it returns none for a window whose schedule cannot be
// read. Approvals and freezes are not looked at.
func Occurrences(w *v1alpha1.ChangeWindow, from, until time.Time, limit int) []schedule.Occurrence {
	s, malformed := scheduleOf(w)
	if malformed != "" {
		return nil
	}
	var out []schedule.Occurrence
	o, ok := s.PresentOrNext(from)
	for ok && o.Start.Before(until) && len(out) < limit {
		if o.End.After(from) {
			out = append(out, o)
		}
		if !s.Recurs() {
			break
		}
		o, ok = s.Next(o.Start.Add(time.Second))
	}
	return out
}

// occur sets the occurrence that contains an instant, else the next one, else the last one.
func (v *Verdict) occur(at time.Time, state *State) {
	w := v.Window
	s, malformed := scheduleOf(w)
	if v.malformed = malformed; malformed != "" {
		if w.Spec.Schedule.Start != nil && w.Spec.Schedule.End != nil {
			v.Opens, v.Closes = w.Spec.Schedule.Start.Time, w.Spec.Schedule.End.Time
		}
		return
	}
	if !s.Recurs() {
		v.Opens, v.Closes = w.Spec.Schedule.Start.Time, w.Spec.Schedule.End.Time
		if w.Spec.Type == v1alpha1.WindowEmergency && SecondUnreviewed(w, state) {
			v.Closes = v.Opens.Add(v.Closes.Sub(v.Opens) / 2)
		}
		v.over = schedule.Expired(v.Closes, at)
		return
	}
	o, ok := s.PresentOrNext(at)
	if !ok {
		v.Closes, v.over = s.Over(at)
		return
	}
	v.Opens, v.Closes, v.Occurrence = o.Start, o.End, o.Number()
}

// length returns how long a window, or each of its occurrences, is open.
func length(s *v1alpha1.Schedule) time.Duration {
	if s.Recurrence != nil {
		return s.Recurrence.Duration.Duration
	}
	if s.Start == nil || s.End == nil {
		return 0
	}
	return s.End.Sub(s.Start.Time)
}

// allowed returns how long a window of a type may be open in an environment.
func allowed(t v1alpha1.WindowType, c estate.Controls) time.Duration {
	if t == v1alpha1.WindowEmergency {
		return c.EmergencyMaxDuration
	}
	return c.MaxWindowDuration
}

// SecondUnreviewed reports whether a window is a second emergency: the same person opened another emergency before, and
// nobody else has reviewed that. It may be three in the morning, so the second is not refused, but lasts half as long.
func SecondUnreviewed(w *v1alpha1.ChangeWindow, s *State) bool {
	for _, o := range s.everyWindow() {
		if o.UID == w.UID || o.Spec.Type != v1alpha1.WindowEmergency || o.Spec.RequestedBy == nil || w.Spec.RequestedBy == nil {
			continue
		}
		if SamePerson(o.Spec.RequestedBy, w.Spec.RequestedBy) && before(o, w) && ReviewedBy(o, s.Approvals) == "" {
			return true
		}
	}
	return false
}

// before orders windows by when they were requested. Creation times have whole seconds, so two of the same second are ordered
// by their UIDs.
func before(a, b *v1alpha1.ChangeWindow) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.UID < b.UID
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// everyWindow returns the windows of the namespaces concerned and of all others.
func (s *State) everyWindow() []*v1alpha1.ChangeWindow {
	out := make([]*v1alpha1.ChangeWindow, 0, len(s.Windows)+len(s.OtherWindows))
	for _, list := range [][]v1alpha1.ChangeWindow{s.Windows, s.OtherWindows} {
		for i := range list {
			out = append(out, &list[i])
		}
	}
	return out
}

// ReviewedBy returns the user that approved or rejected an emergency afterwards, other than its requester. It is empty if
// there is none.
func ReviewedBy(w *v1alpha1.ChangeWindow, words []v1alpha1.ChangeApproval) string {
	for i := range words {
		a := &words[i]
		about := a.Namespace == w.Namespace && a.Spec.Window != nil && a.Spec.Window.UID == string(w.UID)
		if about && a.Spec.Approver != nil && w.Spec.RequestedBy != nil && !SamePerson(a.Spec.Approver, w.Spec.RequestedBy) {
			return a.Spec.Approver.Username
		}
	}
	return ""
}

// GoneUnreviewed returns the emergencies that were used and are gone, and that nobody but their requester has reviewed, each
// once.
func GoneUnreviewed(s *State) []v1alpha1.ExecutedWindow {
	seen := map[types.UID]bool{}
	for _, w := range s.everyWindow() {
		seen[w.UID] = true
	}
	var out []v1alpha1.ExecutedWindow
	for i := range s.Executions {
		w := s.Executions[i].Spec.Window
		if w.Type != v1alpha1.WindowEmergency || seen[w.UID] {
			continue
		}
		seen[w.UID] = true
		gone := v1alpha1.ChangeWindow{Spec: v1alpha1.ChangeWindowSpec{RequestedBy: w.RequestedBy}}
		gone.Namespace, gone.UID = w.Namespace, w.UID
		if ReviewedBy(&gone, s.Approvals) == "" {
			out = append(out, w)
		}
	}
	return out
}
