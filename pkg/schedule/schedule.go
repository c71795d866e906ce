package schedule

import (
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Schedule says when something is open. The zero value is never open.
type Schedule struct {
	// one interval; a zero end: it has none.
	start, end time.Time
	once       bool
	// cron, if it recurs.
	cron  *calendar
	until time.Time
}

// Occurrence is one interval in which a schedule is open.
type Occurrence struct {
	// Start is included, End is not. A zero End: it has none.
	Start, End time.Time
}

// Number names the occurrence of a recurrence, the same through every replica: the second in which it starts.
func (o Occurrence) Number() int64 { return o.Start.Unix() }

// Contains reports whether an instant lies in the occurrence. Instants are wall-clock: a monotonic reading would make a
// comparison after a suspend lie.
func (o Occurrence) Contains(at time.Time) bool {
	at = at.Round(0)
	return !at.Before(o.Start) && (o.End.IsZero() || at.Before(o.End))
}

// Expired reports whether something that expires has done so: at that very instant it has.
func Expired(expiresAt, at time.Time) bool { return !at.Round(0).Before(expiresAt.Round(0)) }

// Interval is a schedule that is open once. A zero end: it stays open.
func Interval(start, end time.Time) *Schedule {
	return &Schedule{start: start.Round(0), end: end.Round(0), once: true}
}

// Compile reads a schedule. Where it has no start, it opens at from. Its error says what is wrong, and in which field; a
// schedule that cannot be read is never open.
func Compile(s *v1alpha1.Schedule, from time.Time) (*Schedule, *Error) {
	if s == nil {
		return Interval(from, time.Time{}), nil
	}
	if s.Recurrence != nil {
		return recurring(s.Recurrence)
	}
	out := Interval(from, time.Time{})
	if s.Start != nil {
		out.start = s.Start.Round(0)
	}
	if s.End != nil {
		if out.end = s.End.Round(0); !out.start.Before(out.end) {
			return &Schedule{}, &Error{Field: "end", Value: s.End.UTC().Format(time.RFC3339), Why: "must be after start"}
		}
	}
	return out, nil
}

// Recurs reports whether the schedule opens more than once.
func (s *Schedule) Recurs() bool { return s.cron != nil }

// IsOpen reports whether the schedule is open at an instant.
func (s *Schedule) IsOpen(at time.Time) bool {
	_, ok := s.At(at)
	return ok
}

// At returns the occurrence that an instant lies in.
func (s *Schedule) At(at time.Time) (Occurrence, bool) {
	at = at.Round(0)
	o, ok := s.last(at)
	return o, ok && o.Contains(at)
}

// last returns the latest occurrence that has started by an instant.
func (s *Schedule) last(at time.Time) (Occurrence, bool) {
	if s.cron == nil {
		return Occurrence{s.start, s.end}, s.once && !at.Before(s.start)
	}
	// The search ends where an occurrence could not reach the instant any more: nothing is looked back on.
	start, ok := s.cron.before(minTime(at, s.until.Add(-1)), at.Add(-s.cron.duration))
	return Occurrence{start, start.Add(s.cron.duration)}, ok
}

// Next returns the first occurrence that starts at or after an instant.
func (s *Schedule) Next(from time.Time) (Occurrence, bool) {
	from = from.Round(0)
	if s.cron == nil {
		return Occurrence{s.start, s.end}, s.once && !s.start.Before(from)
	}
	start, ok := s.cron.after(from, s.until)
	return Occurrence{start, start.Add(s.cron.duration)}, ok
}

// PresentOrNext returns the occurrence that an instant lies in, else the next one; false once none comes any more.
func (s *Schedule) PresentOrNext(at time.Time) (Occurrence, bool) {
	if o, ok := s.At(at); ok {
		return o, true
	}
	return s.Next(at)
}

// Over returns when the last occurrence ended, and whether it did before an instant.
func (s *Schedule) Over(at time.Time) (time.Time, bool) {
	if _, ok := s.PresentOrNext(at); ok {
		return time.Time{}, false
	}
	if s.cron == nil {
		return s.end, s.once
	}
	return s.until, true
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
