package schedule

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a bad zone is refused, never read as UTC; so every good one must be known, in any image

	"github.com/robfig/cron/v3"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Error describes an error in a schedule.
type Error struct {
	// Field is the path below the schedule, such as recurrence.cron.
	Field string
	// Value is the value of the field.
	Value string
	// Why is the reason why the value is wrong.
	Why string
}

func (e *Error) Error() string { return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Why) }

// recurring compiles a recurrence.
func recurring(r *v1alpha1.Recurrence) (*Schedule, *Error) {
	never := &Schedule{}
	c, err := parse(r.Cron)
	if err != nil {
		return never, err
	}
	if c.zone, err = zone(r.TimeZone); err != nil {
		return never, err
	}
	if c.duration = r.Duration.Duration; c.duration <= 0 {
		return never, &Error{"recurrence.duration", r.Duration.Duration.String(), "must be longer than zero"}
	}
	return &Schedule{cron: c, until: r.ValidUntil.Round(0)}, nil
}

// Validate returns an error for a recurrence that can be read but never fires, or whose occurrences overlap. now is the time
// at which it is written.
func Validate(r *v1alpha1.Recurrence, now time.Time) *Error {
	s, err := recurring(r)
	if err != nil {
		return err
	}
	first, ok := s.cron.after(now, now.AddDate(maxYears, 0, 0))
	switch {
	case !ok:
		return &Error{"recurrence.cron", r.Cron, "never fires"}
	case !first.Before(s.until):
		return &Error{"recurrence.validUntil", r.ValidUntil.UTC().Format(time.RFC3339), "is over before the first occurrence, which would start at " + first.UTC().Format(time.RFC3339)}
	}
	if gap := s.cron.shortestGap(first); gap <= s.cron.duration {
		return &Error{"recurrence.duration", r.Duration.Duration.String(), fmt.Sprintf("is not shorter than the %s between two occurrences", gap)}
	}
	return nil
}

// starBit is the bit that the parser sets in a field that restricts nothing.
const starBit = 1 << 63

// parse reads the five fields of a cron expression.
func parse(text string) (*calendar, *Error) {
	bad := func(why string) (*calendar, *Error) { return nil, &Error{"recurrence.cron", text, why} }
	if strings.Contains(text, "TZ=") {
		return bad("the zone has its own field, timeZone")
	}
	if strings.HasPrefix(strings.TrimSpace(text), "@every") {
		return bad("counts from the start of the server, so nobody can tell when it fires; write five fields")
	}
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return bad(err.Error())
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return bad("has no five fields")
	}
	if spec.Dom&starBit == 0 && spec.Dow&starBit == 0 {
		return bad("restricts the day of the month and the day of the week; cron joins the two with \"or\", which nobody expects: restrict one of them")
	}
	return &calendar{minute: spec.Minute, hour: spec.Hour, dom: spec.Dom, month: spec.Month, dow: spec.Dow}, nil
}

func zone(name string) (*time.Location, *Error) {
	if name == "" || name == "Local" {
		return nil, &Error{"recurrence.timeZone", name, "must be the IANA name of a zone, such as Europe/London or UTC"}
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, &Error{"recurrence.timeZone", name, "is not the IANA name of a zone, such as Europe/London or UTC"}
	}
	return z, nil
}
