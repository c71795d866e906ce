package schedule

import (
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Schedule tells when something is open. The zero value is never open.
type Schedule struct {
	// start and end bound the one interval; end is zero if the interval has none.
	start, end time.Time
	once       bool
	// cron is set if the schedule recurs.
	cron  *calendar
	until time.Time
}

// Occurrence is one interval in which a schedule is open.
type Occurrence struct {
	// Start is included, End is not. End is zero if the occurrence has none.
	Start, End time.Time
}

// Number returns the number of an occurrence of a recurrence: the second in which it starts, the same in every replica.
func (o Occurrence) Number() int64 { return o.Start.Unix() }

// Contains reports whether an instant lies in the occurrence. It compares wall-clock times: after a suspend, a monotonic
// reading would make the comparison wrong.
func (o Occurrence) Contains(at time.Time) bool {
	at = at.Round(0)
	return !at.Before(o.Start) && (o.End.IsZero() || at.Before(o.End))
}

// Expired reports whether an expiry time has passed; at that very instant it has.
func Expired(expiresAt, at time.Time) bool { return !at.Round(0).Before(expiresAt.Round(0)) }

// Interval returns a schedule that is open once. If end is zero, it stays open.
func Interval(start, end time.Time) *Schedule {
	return &Schedule{start: start.Round(0), end: end.Round(0), once: true}
}

// Compile reads a schedule. If the schedule has no start, it opens at from. The error names the field and what is wrong with
// it; a schedule that cannot be read is never open.
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

// At returns the occurrence that contains an instant, and whether there is one.
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
	// The search ends where an occurrence could no longer reach the instant.
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

// PresentOrNext returns the occurrence that contains an instant, else the next one. It returns false if none is left.
func (s *Schedule) PresentOrNext(at time.Time) (Occurrence, bool) {
	if o, ok := s.At(at); ok {
		return o, true
	}
	return s.Next(at)
}

// Over returns when the last occurrence ended, and whether that was before an instant.
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
