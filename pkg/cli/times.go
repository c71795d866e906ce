package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// when says when a window is to be open: once, or as a cron recurs.
type when struct {
	start                      string
	cron, timeZone, validUntil string
	duration                   time.Duration
	// executions is how often each object may run, maxExecutions how often the window may be used in all; 0: it is not said.
	executions, maxExecutions int32
}

func (o *when) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.start, "start", "now", "when the window opens: RFC 3339, now, or +DURATION from now")
	f.StringVar(&o.cron, "cron", "", "when a window that recurs (Standard) opens, in five fields, such as '0 2 * * 6'")
	f.StringVar(&o.timeZone, "time-zone", "", "zone of the cron, such as Europe/London")
	f.StringVar(&o.validUntil, "valid-until", "", "when a window that recurs ends for good: RFC 3339, or +DURATION from now")
	f.DurationVar(&o.duration, "duration", time.Hour, "how long it stays open, each time")
	f.Int32Var(&o.executions, "executions", 0, "how often each object may be used, each time the window opens; default: once, or --max-executions")
	f.Int32Var(&o.maxExecutions, "max-executions", 0, "how often the window may be used in all, each time it opens; default: each object as often as --executions says")
	cmd.MarkFlagsMutuallyExclusive("start", "cron")
	cmd.MarkFlagsRequiredTogether("cron", "time-zone", "valid-until")
}

// set writes the schedule and the fields that depend on it into a window, and returns the suffix of its name.
func (o *when) set(spec *v1alpha1.ChangeWindowSpec, e *env) (suffix string, err error) {
	if o.executions < 0 || o.maxExecutions < 0 {
		return "", errors.New("--executions and --max-executions are numbers from 1 on")
	}
	if o.cron == "" {
		start, err := e.instant("--start", o.start)
		if err != nil {
			return "", err
		}
		from, to := metav1.NewTime(start), metav1.NewTime(start.Add(o.duration))
		spec.Type = v1alpha1.WindowNormal
		if o.maxExecutions > 0 {
			spec.MaxExecutions = &o.maxExecutions
		}
		spec.Schedule.Start, spec.Schedule.End = &from, &to
		return start.UTC().Format("20060102-150405"), nil
	}
	until, err := e.instant("--valid-until", o.validUntil)
	if err != nil {
		return "", err
	}
	r := &v1alpha1.Recurrence{Cron: o.cron, TimeZone: o.timeZone, Duration: metav1.Duration{Duration: o.duration}, ValidUntil: metav1.NewTime(until)}
	if err := schedule.Validate(r, e.clock()); err != nil {
		return "", fmt.Errorf("--cron: %s: %s", err.Value, err.Why)
	}
	spec.Type, spec.Schedule.Recurrence = v1alpha1.WindowStandard, r
	if o.maxExecutions > 0 {
		spec.MaxExecutionsPerOccurrence = &o.maxExecutions
	}
	return "recurring", nil
}

// each returns how often each object may be used.
func (o *when) each() *int32 {
	n := max(1, cmp.Or(o.executions, o.maxExecutions))
	return &n
}

// describe says in plain words when a window is open.
func describe(s *v1alpha1.Schedule, now time.Time) string {
	if s.Recurrence == nil {
		return fmt.Sprintf("It opens at %s and closes at %s.", change.Instant(s.Start.Time), change.Instant(s.End.Time))
	}
	r := s.Recurrence
	out := fmt.Sprintf("It opens by %q in %s, each time for %s, until %s", r.Cron, r.TimeZone, change.Short(r.Duration.Duration), change.Instant(r.ValidUntil.Time))
	if compiled, err := schedule.Compile(s, now); err == nil {
		if next, ok := compiled.PresentOrNext(now); ok {
			out += "; the next time at " + change.Instant(next.Start)
		}
	}
	return out + "."
}

// instant reads an instant: RFC 3339, now, or +DURATION.
func (e *env) instant(flag, s string) (time.Time, error) {
	now := e.clock().UTC().Truncate(time.Second)
	if s == "now" {
		return now, nil
	}
	if d, ok := strings.CutPrefix(s, "+"); ok {
		after, err := time.ParseDuration(d)
		if err != nil {
			return time.Time{}, fmt.Errorf("%s: %w", flag, err)
		}
		return now.Add(after), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w; give RFC 3339, now, or +DURATION", flag, err)
	}
	return t, nil
}
