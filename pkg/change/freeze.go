package change

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Holds reports whether a freeze holds at an instant. One with a recurrence, which this version does not compute, is
// read as holding always: what cannot be told is the stricter of the two.
func Holds(f *v1alpha1.ChangeFreeze, at time.Time) bool {
	start, end := FreezeInterval(f)
	return !at.Before(start) && (end.IsZero() || at.Before(end))
}

// FreezeInterval returns when a freeze starts and ends; a zero end: when it is lifted.
func FreezeInterval(f *v1alpha1.ChangeFreeze) (start, end time.Time) {
	start = f.CreationTimestamp.Time
	s := f.Spec.Schedule
	if s == nil || s.Recurrence != nil {
		return start, end
	}
	if s.Start != nil {
		start = s.Start.Time
	}
	if s.End != nil {
		end = s.End.Time
	}
	return start, end
}

// Frozen returns the freeze that binds a namespace of these environments at an instant, or nil. Of several it is the
// one that ends last.
func Frozen(freezes []v1alpha1.ChangeFreeze, environments []string, namespace string, at time.Time) *v1alpha1.ChangeFreeze {
	var out *v1alpha1.ChangeFreeze
	for i := range freezes {
		f := &freezes[i]
		if !Holds(f, at) || !binds(f, environments, namespace) {
			continue
		}
		if out == nil || endsLater(f, out) {
			out = f
		}
	}
	return out
}

func binds(f *v1alpha1.ChangeFreeze, environments []string, namespace string) bool {
	named := slices.ContainsFunc(f.Spec.Environments, func(e string) bool { return slices.Contains(environments, e) })
	return named && (len(f.Spec.Namespaces) == 0 || estate.MatchAny(f.Spec.Namespaces, namespace))
}

func endsLater(a, b *v1alpha1.ChangeFreeze) bool {
	_, ea := FreezeInterval(a)
	_, eb := FreezeInterval(b)
	switch {
	case ea.IsZero() != eb.IsZero():
		return ea.IsZero()
	case !ea.Equal(eb):
		return ea.After(eb)
	}
	return a.Name < b.Name
}

// DescribeFreeze says who froze what, why and until when.
func DescribeFreeze(f *v1alpha1.ChangeFreeze) string {
	who := "somebody"
	if f.Spec.RequestedBy != nil {
		who = f.Spec.RequestedBy.Username
	}
	start, end := FreezeInterval(f)
	until := "until somebody lifts it"
	if !end.IsZero() {
		until = "until " + Instant(end)
	}
	return fmt.Sprintf("%s froze it at %s %s (freeze %q: %q)", who, Instant(start), until, f.Name, f.Spec.Reason)
}
