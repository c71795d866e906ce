package change

import (
	"slices"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Freezing is a freeze that holds while a window is open. A zero End means until it is lifted.
type Freezing struct {
	Freeze     *v1alpha1.ChangeFreeze
	Start, End time.Time
}

// FreezesOver returns the freezes that bind a window at some time from opens until closes, by their start. None binds a window for Firebreak's
// own objects, and only a freeze of everything binds one for sessions.
func FreezesOver(w *v1alpha1.ChangeWindow, freezes []v1alpha1.ChangeFreeze, opens, closes time.Time) []Freezing {
	namespaces := w.Spec.Scope.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{w.Namespace}
	}
	own := len(w.Spec.Scope.Resources) > 0 && !slices.ContainsFunc(w.Spec.Scope.Resources, func(r v1alpha1.ScopedResource) bool { return r.Group != v1alpha1.GroupName })
	sessions := len(w.Spec.Scope.Operations) > 0 && !slices.ContainsFunc(w.Spec.Scope.Operations, func(o v1alpha1.Operation) bool { return !IsSession(o) })
	var out []Freezing
	for i := range freezes {
		f := &freezes[i]
		if own || sessions && f.Spec.Level != v1alpha1.FreezeEverything || !slices.ContainsFunc(namespaces, func(ns string) bool { return binds(f, []string{w.Spec.Environment}, ns) }) {
			continue
		}
		start, end := FreezeInterval(f, opens)
		if start.Before(closes) && (end.IsZero() || end.After(opens)) {
			out = append(out, Freezing{f, start, end})
		}
	}
	slices.SortFunc(out, func(a, b Freezing) int { return a.Start.Compare(b.Start) })
	return out
}

// IsSession reports whether an operation is bounded by time: it runs what a person types.
func IsSession(o v1alpha1.Operation) bool {
	switch o {
	case v1alpha1.OperationExec, v1alpha1.OperationAttach, v1alpha1.OperationPortForward, v1alpha1.OperationProxy, v1alpha1.OperationDebug:
		return true
	}
	return false
}

// FirstUnfrozen returns the first instant from opens until closes at which none of the freezes holds, and false if there is none.
func FirstUnfrozen(over []Freezing, opens, closes time.Time) (time.Time, bool) {
	at := opens
	for range over {
		moved := false
		for _, f := range over {
			switch {
			case at.Before(f.Start) || !f.End.IsZero() && !at.Before(f.End):
			case f.End.IsZero():
				return time.Time{}, false
			default:
				at, moved = f.End, true
			}
		}
		if !moved {
			break
		}
	}
	return at, at.Before(closes)
}
