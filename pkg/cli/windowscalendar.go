package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// printMonth prints a month with a mark for each day on which something is open or frozen, and then what that is.
func printMonth(w io.Writer, all []overview.Opening, freezes []v1alpha1.ChangeFreeze, o *windowsOptions) error {
	first := o.from.In(o.location)
	fmt.Fprintf(w, "%s (%s)\nMo  Tu  We  Th  Fr  Sa  Su\n", first.Format("January 2006"), o.location)
	fmt.Fprint(w, strings.Repeat("    ", (int(first.Weekday())+6)%7))
	var details strings.Builder
	for day := first; day.Before(o.until); day = day.AddDate(0, 0, 1) {
		next := day.AddDate(0, 0, 1) // 23 or 25 hours later where clocks change
		lines, opens, frozen := onDay(all, freezes, o, day, next)
		fmt.Fprintf(w, "%2d%s", day.Day(), map[[2]bool]string{{true, true}: "*", {true, false}: "+", {false, true}: "#"}[[2]bool{opens, frozen}])
		if !opens && !frozen {
			fmt.Fprint(w, " ")
		}
		if day.Weekday() == time.Sunday || !next.Before(o.until) {
			fmt.Fprintln(w)
		} else {
			fmt.Fprint(w, " ")
		}
		if len(lines) > 0 {
			fmt.Fprintf(&details, "\n%s\n", day.Format("Monday, 2 January"))
			for _, l := range lines {
				fmt.Fprintf(&details, "  %s\n", l)
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n+ open   # frozen   * both\n%s", details.String())
	return err
}

// onDay returns what is open and frozen on a day, a line each.
func onDay(all []overview.Opening, freezes []v1alpha1.ChangeFreeze, o *windowsOptions, day, next time.Time) (lines []string, opens, frozen bool) {
	for i := range all {
		x := &all[i]
		if x.Start.Before(next) && x.End.After(day) {
			opens = true
			lines = append(lines, fmt.Sprintf("+ %s-%s  %s/%s  %s  %s: %s", clockOn(x.Start, day, o), clockOn(x.End, day, o), x.Window.Namespace, x.Window.Name,
				plain(x.Window.Spec.Environment), x.State(day), plain(x.Window.Spec.Reason)))
		}
	}
	for i := range freezes {
		f := &freezes[i]
		start, end := change.FreezeInterval(f, day)
		if start.Before(next) && (end.IsZero() || end.After(day)) {
			frozen = true
			lines = append(lines, fmt.Sprintf("# %s-%s  freeze %s  %s: %s", clockOn(start, day, o), clockOn(end, day, o), f.Name, plain(strings.Join(f.Spec.Environments, ", ")), plain(f.Spec.Reason)))
		}
	}
	return lines, opens, frozen
}

// clockOn returns the time of day of an instant of a day; that of an earlier or later day is an ellipsis.
func clockOn(t, day time.Time, o *windowsOptions) string {
	if t.IsZero() || t.Before(day) || !t.Before(day.AddDate(0, 0, 1)) {
		return "…"
	}
	return t.In(o.location).Format("15:04")
}

// printICS prints openings and freezes as iCalendar (RFC 5545), each opening as an event of its own: what recurs here knows exceptions that a rule of
// recurrence there does not. Freezes without an end last as long as the openings are looked at.
func printICS(w io.Writer, all []overview.Opening, freezes []v1alpha1.ChangeFreeze, o *windowsOptions) error {
	cal := ics.NewCalendarFor("Firebreak")
	cal.SetMethod(ics.MethodPublish)
	cal.SetName("Change windows")
	for i := range all {
		x := &all[i]
		e := cal.AddEvent(fmt.Sprintf("%s-%d@firebreak.dev", x.Window.UID, x.Start.Unix()))
		e.SetDtStampTime(x.Window.CreationTimestamp.Time)
		e.SetStartAt(x.Start)
		e.SetEndAt(x.End)
		state := x.State(x.Start)
		e.SetSummary(plain(fmt.Sprintf("%s: %s/%s (%s)", x.Window.Spec.Environment, x.Window.Namespace, x.Window.Name, state)))
		e.SetDescription(plain(strings.TrimSpace(x.Window.Spec.Reason + " " + x.Window.Spec.Ticket)))
		e.SetStatus(ics.ObjectStatusConfirmed)
		if state != "open" {
			e.SetStatus(ics.ObjectStatusTentative)
		}
	}
	for _, h := range overview.Holdings(freezes, o.from, o.until) {
		f, start, end := h.Freeze, h.Start, h.End
		if end.IsZero() {
			end = o.until
		}
		if !start.Before(end) {
			continue
		}
		e := cal.AddEvent(fmt.Sprintf("%s-%d@firebreak.dev", f.UID, start.Unix()))
		e.SetDtStampTime(f.CreationTimestamp.Time)
		e.SetStartAt(start)
		e.SetEndAt(end)
		e.SetSummary(plain("frozen: " + strings.Join(f.Spec.Environments, ", ")))
		e.SetDescription(plain(f.Spec.Reason))
	}
	if err := cal.SerializeTo(w, ics.WithNewLine("\r\n")); err != nil {
		return fmt.Errorf("print the calendar: %w", err)
	}
	return nil
}
