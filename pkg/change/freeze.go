package change

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// Holds reports whether a freeze holds at an instant. A freeze whose schedule cannot be read always holds: that is the
// stricter reading.
func Holds(f *v1alpha1.ChangeFreeze, at time.Time) bool {
	s, err := schedule.Compile(f.Spec.Schedule, f.CreationTimestamp.Time)
	return err != nil || s.IsOpen(at)
}

// Readable reports whether the schedule of a freeze can be read.
func Readable(f *v1alpha1.ChangeFreeze) bool {
	_, err := schedule.Compile(f.Spec.Schedule, f.CreationTimestamp.Time)
	return err == nil
}

// FreezeInterval returns the start and end of a freeze that holds at an instant, or of its next interval. A zero end means
// until it is lifted.
func FreezeInterval(f *v1alpha1.ChangeFreeze, at time.Time) (start, end time.Time) {
	s, err := schedule.Compile(f.Spec.Schedule, f.CreationTimestamp.Time)
	if err != nil {
		return f.CreationTimestamp.Time, time.Time{}
	}
	if o, ok := s.PresentOrNext(at); ok {
		return o.Start, o.End
	}
	over, _ := s.Over(at)
	return f.CreationTimestamp.Time, over
}

// Frozen returns the freeze that binds a namespace of these environments at an instant, or nil. If there are several, it
// returns the one that ends last.
func Frozen(freezes []v1alpha1.ChangeFreeze, environments []string, namespace string, at time.Time) *v1alpha1.ChangeFreeze {
	var out *v1alpha1.ChangeFreeze
	for i := range freezes {
		f := &freezes[i]
		if !Holds(f, at) || !binds(f, environments, namespace) {
			continue
		}
		if out == nil || endsLater(f, out, at) {
			out = f
		}
	}
	return out
}

func binds(f *v1alpha1.ChangeFreeze, environments []string, namespace string) bool {
	named := slices.ContainsFunc(f.Spec.Environments, func(e string) bool { return slices.Contains(environments, e) })
	return named && (len(f.Spec.Namespaces) == 0 || estate.MatchAny(f.Spec.Namespaces, namespace))
}

func endsLater(a, b *v1alpha1.ChangeFreeze, at time.Time) bool {
	_, ea := FreezeInterval(a, at)
	_, eb := FreezeInterval(b, at)
	switch {
	case ea.IsZero() != eb.IsZero():
		return ea.IsZero()
	case !ea.Equal(eb):
		return ea.After(eb)
	}
	return a.Name < b.Name
}

// DescribeFreeze returns a sentence that says who froze it, from when, until when, and why.
func DescribeFreeze(f *v1alpha1.ChangeFreeze, at time.Time) string {
	start, _ := FreezeInterval(f, at)
	return describeFreeze(f, "it at "+Instant(start), at)
}

// FreezeInForce returns a sentence that says who froze what, until when, and why, for a freeze that holds.
func FreezeInForce(f *v1alpha1.ChangeFreeze, what string, at time.Time) string {
	return describeFreeze(f, what, at)
}

func describeFreeze(f *v1alpha1.ChangeFreeze, what string, at time.Time) string {
	who, until := "somebody", "until somebody lifts it"
	if f.Spec.RequestedBy != nil {
		who = f.Spec.RequestedBy.Username
	}
	if _, end := FreezeInterval(f, at); !end.IsZero() {
		until = "until " + Instant(end)
	}
	return fmt.Sprintf("%s froze %s %s (freeze %q: %q)", who, what, until, f.Name, f.Spec.Reason)
}
