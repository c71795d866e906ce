package overview

import (
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Opening is one time at which a window is open, or would be if it were approved.
type Opening struct {
	Window     *v1alpha1.ChangeWindow
	Start, End time.Time
	// Frozen are the freezes over it.
	Frozen []change.Freezing
}

// Dead reports whether nothing will be admitted under a window any more.
func Dead(w *v1alpha1.ChangeWindow) bool {
	return slices.Contains([]v1alpha1.WindowPhase{v1alpha1.WindowRejected, v1alpha1.WindowClosed}, w.Status.Phase)
}

// mostIn bounds the openings of one window that are looked at, and the intervals of one freeze: one an hour, and a few more.
func mostIn(from, until time.Time) int { return min(int(until.Sub(from).Hours())+24, 10_000) }

// Openings returns the openings from one instant until another, by their start. Windows that are dead are left out unless all are asked for.
func Openings(windows []v1alpha1.ChangeWindow, freezes []v1alpha1.ChangeFreeze, from, until time.Time, all bool) []Opening {
	var out []Opening
	for i := range windows {
		w := &windows[i]
		if Dead(w) && !all {
			continue
		}
		for _, occurrence := range change.Occurrences(w, from, until, mostIn(from, until)) {
			end := occurrence.End
			if end.Before(w.CreationTimestamp.Time) {
				continue // there was no such window then
			}
			if closes := w.Status.ClosesAt; closes != nil && w.Spec.Schedule.Recurrence == nil {
				end = closes.Time // somebody may have closed it early
			}
			out = append(out, Opening{w, occurrence.Start, end, change.FreezesOver(w, freezes, occurrence.Start, end)})
		}
	}
	slices.SortStableFunc(out, func(a, b Opening) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return strings.Compare(a.Window.Namespace+"/"+a.Window.Name, b.Window.Namespace+"/"+b.Window.Name)
	})
	return out
}

// Once returns the present or next opening of each window.
func Once(all []Opening) []Opening {
	var out []Opening
	seen := map[*v1alpha1.ChangeWindow]bool{}
	for i := range all {
		if w := all[i].Window; !seen[w] {
			seen[w] = true
			out = append(out, all[i])
		}
	}
	return out
}

// State says what a window waits for, or that it is open.
func (x *Opening) State(now time.Time) string {
	phase := string(x.Window.Status.Phase)
	switch v1alpha1.WindowPhase(phase) {
	case "", v1alpha1.WindowPending:
		phase = "waits for approval " + x.Window.Status.Approvals
	case v1alpha1.WindowApproved, v1alpha1.WindowOpen:
		if x.At(now) {
			phase = "open"
		}
	default:
		return phase
	}
	if len(x.Frozen) > 0 {
		phase += ", frozen"
	}
	return phase
}

// At reports whether the opening is in progress, whatever is frozen.
func (x *Opening) At(now time.Time) bool { return !now.Before(x.Start) && now.Before(x.End) }

// Line returns the opening as a line of a list, in UTC.
func (x *Opening) Line(now time.Time) WindowLine {
	l := LineOf(x.Window)
	opens, closes := x.Start.UTC(), x.End.UTC()
	l.State, l.Opens, l.Closes = x.State(now), &opens, &closes
	for _, f := range x.Frozen {
		l.Freezes = append(l.Freezes, f.Freeze.Name)
	}
	return l
}

// Lines returns openings as lines of a list.
func Lines(all []Opening, now time.Time) []WindowLine {
	out := []WindowLine{}
	for i := range all {
		out = append(out, all[i].Line(now))
	}
	return out
}

// Holding is one interval of a freeze. A zero End means until somebody lifts it.
type Holding struct {
	Freeze     *v1alpha1.ChangeFreeze
	Start, End time.Time
}

// Holdings returns the intervals of freezes from one instant until another.
func Holdings(freezes []v1alpha1.ChangeFreeze, from, until time.Time) []Holding {
	var out []Holding
	for i := range freezes {
		f := &freezes[i]
		for at, n := from, 0; n < mostIn(from, until); n++ {
			start, end := change.FreezeInterval(f, at)
			if !start.Before(until) || !end.IsZero() && !end.After(at) {
				break
			}
			if end.IsZero() || end.After(f.CreationTimestamp.Time) {
				out = append(out, Holding{f, start, end})
			}
			if end.IsZero() {
				break
			}
			at = end
		}
	}
	return out
}

// At reports whether the freeze holds at an instant.
func (h *Holding) At(now time.Time) bool {
	return !now.Before(h.Start) && (h.End.IsZero() || now.Before(h.End))
}
