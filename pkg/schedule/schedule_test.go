package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func recurrence(cron, zone string, length time.Duration) *v1alpha1.Recurrence {
	return &v1alpha1.Recurrence{
		Cron: cron, TimeZone: zone, Duration: metav1.Duration{Duration: length},
		ValidUntil: metav1.NewTime(time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)),
	}
}

func compiled(t testing.TB, r *v1alpha1.Recurrence) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Compile(&v1alpha1.Schedule{Recurrence: r}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openings returns the starts between two instants.
func openings(s *schedule.Schedule, from, to time.Time) []string {
	var out []string
	for {
		o, ok := s.Next(from)
		if !ok || !o.Start.Before(to) {
			return out
		}
		out = append(out, o.Start.UTC().Format(time.RFC3339))
		from = o.Start.Add(time.Second)
	}
}

func TestChangesOfTheClock(t *testing.T) {
	for name, test := range map[string]struct {
		reason, cron, zone, from, to string
		want                         []string
	}{
		"a start that London leaves out": {
			"it opens at the first instant that exists: 02:00 BST is 01:00 UTC", "30 1 * * *", "Europe/London", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z", []string{"2026-03-29T01:00:00Z"},
		},
		"a start that London has twice": {
			"it opens once, at the first of the two", "30 1 * * *", "Europe/London", "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z", []string{"2026-10-25T00:30:00Z"},
		},
		"a start that New York leaves out": {
			"02:30 EST is never shown; 03:00 EDT is 07:00 UTC", "30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", []string{"2026-03-08T07:00:00Z"},
		},
		"a start that New York has twice": {
			"the first is in EDT", "30 1 * * *", "America/New_York", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", []string{"2026-11-01T05:30:00Z"},
		},
		"a start that Berlin leaves out": {
			"03:00 CEST is 01:00 UTC", "15 2 * * 0", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", []string{"2026-03-29T01:00:00Z"},
		},
		"a shift of half an hour, ahead": {
			"Lord Howe goes from 02:00 to 02:30", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T13:00:00Z", "2026-10-04T13:00:00Z", []string{"2026-10-03T15:30:00Z"},
		},
		"a shift of half an hour, back": {
			"Lord Howe shows 01:45 twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T13:00:00Z", "2026-04-05T13:00:00Z", []string{"2026-04-04T14:45:00Z"},
		},
		"a zone of three quarters": {
			"Kathmandu is 5:45 ahead", "0 2 * * *", "Asia/Kathmandu", "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z", []string{"2026-06-01T20:15:00Z"},
		},
		"several starts that are left out": {
			"they are one opening", "0,15,30,45 1 * * *", "Europe/London", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z", []string{"2026-03-29T01:00:00Z"},
		},
		"a start late in the hour that New York has twice": {
			"it opens once, at the first of the two, in every part of the hour", "45 1 * * *", "America/New_York", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", []string{"2026-11-01T05:45:00Z"},
		},
		"a shift of two hours, back": {
			"Troll goes from 03:00 to 01:00", "30 1 * * *", "Antarctica/Troll", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", []string{"2026-10-24T23:30:00Z"},
		},
		"a shift of three hours, back": {
			"Casey went from 02:00 to 23:00 of the day before", "30 23 * * *", "Antarctica/Casey", "2010-03-04T00:00:00Z", "2010-03-05T00:00:00Z", []string{"2010-03-04T12:30:00Z"},
		},
		"a day that Apia has twice": {
			"Samoa had the 4th of July 1892 twice; 13:00 of the first is 12:33:04 ahead", "0 13 4 7 *", "Pacific/Apia", "1892-07-01T00:00:00Z", "1892-07-10T00:00:00Z", []string{"1892-07-04T00:26:56Z"},
		},
		"a day that Apia leaves out": {
			"Samoa went from the 29th to the 31st of December 2011, whose first instant is 10:00 UTC", "0 2 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", "2012-01-02T00:00:00Z", []string{"2011-12-30T10:00:00Z"},
		},
		"every hour of the long day": {
			"the repeated hour opens once", "0 * * * *", "Europe/London", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z",
			[]string{"2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := compiled(t, recurrence(test.cron, test.zone, 10*time.Minute))
			if diff := cmp.Diff(test.want, openings(s, at(t, test.from), at(t, test.to))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// Duration is elapsed time: a window of two hours is two hours long on the day on which the clock says one or three.
func TestDurationIsElapsedTime(t *testing.T) {
	s := compiled(t, recurrence("0 0 * * *", "Europe/London", 2*time.Hour))
	for _, day := range []string{"2026-03-29T00:00:00Z", "2026-10-24T23:00:00Z"} {
		start := at(t, day)
		if !s.IsOpen(start) || !s.IsOpen(start.Add(2*time.Hour-time.Second)) || s.IsOpen(start.Add(2*time.Hour)) {
			t.Errorf("%s: not open for two hours", day)
		}
	}
}

func TestBoundsOfAnInterval(t *testing.T) {
	start, end := at(t, "2026-11-28T02:00:00Z"), at(t, "2026-11-28T04:00:00Z")
	once := schedule.Interval(start, end)
	nightly := compiled(t, recurrence("0 2 * * *", "UTC", 2*time.Hour))
	for name, s := range map[string]*schedule.Schedule{"once": once, "every night": nightly} {
		for instant, want := range map[time.Time]bool{
			start.Add(-time.Nanosecond): false, start: true, end.Add(-time.Nanosecond): true, end: false,
		} {
			if got := s.IsOpen(instant); got != want {
				t.Errorf("%s, at %s: open is %t", name, instant, got)
			}
		}
	}
	if schedule.Expired(end, end.Add(-time.Nanosecond)) || !schedule.Expired(end, end) {
		t.Error("what expires has expired at that very instant")
	}
	if !schedule.Interval(start, time.Time{}).IsOpen(end.AddDate(10, 0, 0)) {
		t.Error("without an end it stays open")
	}
	var zero schedule.Schedule
	if zero.IsOpen(start) {
		t.Error("the zero schedule is open")
	}
}

// A schedule without a recurrence is open once: from its start, else from an instant that the caller names, to its end, if it has one.
func TestCompileOneInterval(t *testing.T) {
	instant := func(text string) *metav1.Time {
		if text == "" {
			return nil
		}
		return &metav1.Time{Time: at(t, text)}
	}
	const from = "2026-11-28T01:00:00Z"
	for name, test := range map[string]struct {
		reason, start, end string
		opens, closes      string
		err                string
	}{
		"neither":                {reason: "it opens at once and stays open", opens: from},
		"a start":                {reason: "it opens then and stays open", start: "2026-11-28T02:00:00Z", opens: "2026-11-28T02:00:00Z"},
		"an end":                 {reason: "it opens at once", end: "2026-11-28T04:00:00Z", opens: from, closes: "2026-11-28T04:00:00Z"},
		"both":                   {reason: "it says all", start: "2026-11-28T02:00:00Z", end: "2026-11-28T04:00:00Z", opens: "2026-11-28T02:00:00Z", closes: "2026-11-28T04:00:00Z"},
		"an end at the start":    {reason: "it would never be open", start: "2026-11-28T02:00:00Z", end: "2026-11-28T02:00:00Z", err: `end "2026-11-28T02:00:00Z": must be after start`},
		"an end before it opens": {reason: "neither would this", end: "2026-11-28T00:00:00Z", err: `end "2026-11-28T00:00:00Z": must be after start`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schedule.Compile(&v1alpha1.Schedule{Start: instant(test.start), End: instant(test.end)}, at(t, from))
			if test.err != "" {
				if err == nil || err.Error() != test.err || s.IsOpen(at(t, from)) || s.IsOpen(at(t, "2026-11-28T02:00:00Z")) {
					t.Errorf("%s: the error is %v, want %s; a schedule that cannot be read is closed", test.reason, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want schedule.Occurrence
			want.Start = at(t, test.opens)
			if test.closes != "" {
				want.End = at(t, test.closes)
			}
			got, ok := s.PresentOrNext(at(t, from))
			if diff := cmp.Diff(want, got); diff != "" || !ok || s.Recurs() {
				t.Errorf("%s: it comes: %t; it recurs: %t (-want +got):\n%s", test.reason, ok, s.Recurs(), diff)
			}
		})
	}
	if !compiled(t, recurrence("0 2 * * *", "UTC", time.Hour)).Recurs() {
		t.Error("a recurrence does not recur")
	}
}

func TestValidUntilEndsARecurrence(t *testing.T) {
	r := recurrence("0 2 * * *", "UTC", time.Hour)
	r.ValidUntil = metav1.NewTime(at(t, "2026-11-28T02:00:00Z"))
	s := compiled(t, r)
	if s.IsOpen(at(t, "2026-11-28T02:00:00Z")) {
		t.Error("an occurrence that starts at validUntil is open")
	}
	if !s.IsOpen(at(t, "2026-11-27T02:30:00Z")) {
		t.Error("the last occurrence is not open")
	}
	if o, ok := s.Next(at(t, "2026-11-27T03:00:00Z")); ok {
		t.Errorf("there is a next occurrence: %v", o)
	}
	if when, over := s.Over(at(t, "2026-11-28T02:00:00Z")); !over || !when.Equal(r.ValidUntil.Time) {
		t.Errorf("over: %t at %s", over, when)
	}
}

func TestMonotonicReadingsAreStripped(t *testing.T) {
	now := time.Now() //nolint:forbidigo // it has the monotonic reading that this is about
	s := schedule.Interval(now.Add(-time.Second), now.Add(time.Second))
	if !s.IsOpen(now) || !schedule.Interval(now, time.Time{}).IsOpen(now.Round(0)) {
		t.Error("an instant with a monotonic reading is compared otherwise than one without")
	}
}

func TestBadRecurrences(t *testing.T) {
	now := at(t, "2026-11-22T00:00:00Z")
	good := func() *v1alpha1.Recurrence { return recurrence("0 2 * * 6", "Europe/London", 2*time.Hour) }
	for name, test := range map[string]struct {
		reason string
		edit   func(*v1alpha1.Recurrence)
		want   string
	}{
		"a good one": {"the base of all cases", func(*v1alpha1.Recurrence) {}, ""},
		"a macro":    {"Kubernetes takes it", func(r *v1alpha1.Recurrence) { r.Cron = "@weekly" }, ""},
		"the 29th of February": {"it comes", func(r *v1alpha1.Recurrence) {
			r.Cron = "0 0 29 2 *"
			r.ValidUntil = metav1.NewTime(at(t, "2035-01-01T00:00:00Z"))
		}, ""},
		"the 30th of February":  {"it never comes", func(r *v1alpha1.Recurrence) { r.Cron = "0 0 30 2 *" }, `recurrence.cron "0 0 30 2 *": never fires`},
		"both kinds of day":     {"cron joins them with or", func(r *v1alpha1.Recurrence) { r.Cron = "0 2 1 * 6" }, `recurrence.cron "0 2 1 * 6": restricts the day of the month and the day of the week; cron joins the two with "or", which nobody expects: restrict one of them`},
		"a zone in the cron":    {"it has its own field", func(r *v1alpha1.Recurrence) { r.Cron = "TZ=UTC 0 2 * * 6" }, `recurrence.cron "TZ=UTC 0 2 * * 6": the zone has its own field, timeZone`},
		"CRON_TZ":               {"the same", func(r *v1alpha1.Recurrence) { r.Cron = "CRON_TZ=UTC 0 2 * * 6" }, `recurrence.cron "CRON_TZ=UTC 0 2 * * 6": the zone has its own field, timeZone`},
		"every so often":        {"it counts from nowhere", func(r *v1alpha1.Recurrence) { r.Cron = "@every 1h" }, `recurrence.cron "@every 1h": counts from the start of the server, so nobody can tell when it fires; write five fields`},
		"six fields":            {"Kubernetes takes five", func(r *v1alpha1.Recurrence) { r.Cron = "0 0 2 * * 6" }, `recurrence.cron "0 0 2 * * 6": expected exactly 5 fields, found 6: [0 0 2 * * 6]`},
		"no zone":               {"it is never UTC by omission", func(r *v1alpha1.Recurrence) { r.TimeZone = "" }, `recurrence.timeZone "": must be the IANA name of a zone, such as Europe/London or UTC`},
		"the server's own zone": {"replicas differ", func(r *v1alpha1.Recurrence) { r.TimeZone = "Local" }, `recurrence.timeZone "Local": must be the IANA name of a zone, such as Europe/London or UTC`},
		"a zone that is none":   {"it is never read as UTC", func(r *v1alpha1.Recurrence) { r.TimeZone = "Europe/Atlantis" }, `recurrence.timeZone "Europe/Atlantis": is not the IANA name of a zone, such as Europe/London or UTC`},
		"no time at all":        {"it would never be open", func(r *v1alpha1.Recurrence) { r.Duration.Duration = 0 }, `recurrence.duration "0s": must be longer than zero`},
		"less than no time":     {"neither would this", func(r *v1alpha1.Recurrence) { r.Duration.Duration = -time.Hour }, `recurrence.duration "-1h0m0s": must be longer than zero`},
		"as long as its period": {"it would always be open", func(r *v1alpha1.Recurrence) { r.Duration.Duration = 7*24*time.Hour - time.Hour }, `recurrence.duration "167h0m0s": is not shorter than the 167h0m0s between two occurrences`},
		"a leap day for years": {"the next one comes long after the year that is looked at", func(r *v1alpha1.Recurrence) {
			r.Cron, r.TimeZone, r.Duration.Duration = "0 0 29 2 *", "UTC", 5*365*24*time.Hour
		}, `recurrence.duration "43800h0m0s": is not shorter than the 35064h0m0s between two occurrences`},
		"overlapping hours":     {"one begins before the other ends", func(r *v1alpha1.Recurrence) { r.Cron, r.TimeZone, r.Duration.Duration = "0 * * * *", "UTC", time.Hour }, `recurrence.duration "1h0m0s": is not shorter than the 1h0m0s between two occurrences`},
		"uneven times":          {"the shortest distance counts", func(r *v1alpha1.Recurrence) { r.Cron, r.Duration.Duration = "0 1,2 * * *", 90*time.Minute }, `recurrence.duration "1h30m0s": is not shorter than the 1h0m0s between two occurrences`},
		"over before it begins": {"nothing would ever open", func(r *v1alpha1.Recurrence) { r.ValidUntil = metav1.NewTime(at(t, "2026-11-23T00:00:00Z")) }, `recurrence.validUntil "2026-11-23T00:00:00Z": is over before the first occurrence, which would start at 2026-11-28T02:00:00Z`},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			test.edit(r)
			got := ""
			if err := schedule.Validate(r, now); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// A schedule that was stored although it cannot be read is closed, for ever.
func TestWhatCannotBeReadIsClosed(t *testing.T) {
	for _, r := range []*v1alpha1.Recurrence{
		recurrence("0 0 30 2 *", "UTC", time.Hour), recurrence("nonsense", "UTC", time.Hour), recurrence("0 2 * * *", "Mars/Olympus", time.Hour), recurrence("0 2 * * *", "UTC", 0),
	} {
		s, _ := schedule.Compile(&v1alpha1.Schedule{Recurrence: r}, time.Time{})
		for _, instant := range []string{"2026-11-22T00:00:00Z", "2026-11-22T02:00:00Z", "0001-01-01T00:00:00Z", "2027-03-01T00:00:00Z"} {
			if s.IsOpen(at(t, instant)) {
				t.Errorf("%s %s is open at %s", r.Cron, r.TimeZone, instant)
			}
		}
	}
}

// slow reads a recurrence in the obvious way: it walks through the minutes and looks at the clock on the wall.
type slow struct {
	minutes, hours, doms, months, dows map[int]bool
	zone                               *time.Location
	length                             time.Duration
}

func field(text string, low, high int) map[int]bool {
	out := map[int]bool{}
	for n := low; n <= high; n++ {
		out[n] = text == "*"
	}
	if text != "*" {
		for part := range strings.SplitSeq(text, ",") {
			if n, err := strconv.Atoi(part); err == nil {
				out[n] = true
			}
		}
	}
	return out
}

func newSlow(cron string, zone *time.Location, length time.Duration) slow {
	f := strings.Fields(cron)
	return slow{field(f[0], 0, 59), field(f[1], 0, 23), field(f[2], 1, 31), field(f[3], 1, 12), field(f[4], 0, 6), zone, length}
}

func (s slow) fires(wall time.Time) bool {
	return s.minutes[wall.Minute()] && s.hours[wall.Hour()] && s.doms[wall.Day()] && s.months[int(wall.Month())] && s.dows[int(wall.Weekday())]
}

// starts returns the instants at which the schedule opens, between two instants.
func (s slow) starts(from, to time.Time) []time.Time {
	wall := func(t time.Time) time.Time {
		y := t.In(s.zone)
		return time.Date(y.Year(), y.Month(), y.Day(), y.Hour(), y.Minute(), 0, 0, time.UTC)
	}
	var out []time.Time
	shown := map[time.Time]bool{}
	before := wall(from.Add(-26 * time.Hour))
	for t := from.Add(-26 * time.Hour).Add(time.Minute); t.Before(to); t = t.Add(time.Minute) {
		now := wall(t)
		fired := false
		for w := before.Add(time.Minute); !w.After(now); w = w.Add(time.Minute) { // more than one: the clock was set ahead
			fired = fired || s.fires(w) && !shown[w]
			shown[w] = true
		}
		if fired && !t.Before(from) {
			out = append(out, t)
		}
		before = now
	}
	return out
}

// TestAgainstASlowReading compares random schedules, in zones that change their clocks, at random instants and around the
// changes, with a reading that is slow and obvious.
func TestAgainstASlowReading(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) //nolint:forbidigo // another seed each run, which is printed
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	zones := []string{"Europe/London", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca"}
	changes := []string{"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", "2026-10-03T15:30:00Z", "2026-04-04T15:00:00Z", "2026-02-28T12:00:00Z"}
	pick := func(low, high int) string {
		switch r.IntN(3) {
		case 0:
			return "*"
		case 1:
			return fmt.Sprint(low + r.IntN(high-low+1))
		}
		return fmt.Sprintf("%d,%d", low+r.IntN(high-low+1), low+r.IntN(high-low+1))
	}
	for range 300 {
		dom, dow := pick(1, 31), "*"
		if r.IntN(2) == 0 {
			dom, dow = "*", pick(0, 6)
		}
		cron := strings.Join([]string{pick(0, 59), pick(0, 23), dom, pick(1, 12), dow}, " ")
		zone, err := time.LoadLocation(zones[r.IntN(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		from := at(t, changes[r.IntN(len(changes))]).Add(time.Duration(r.IntN(48)-24) * time.Hour)
		length := time.Duration(1+r.IntN(300)) * time.Minute
		s, want := compiled(t, recurrence(cron, zone.String(), length)), newSlow(cron, zone, length)
		to := from.Add(36 * time.Hour)
		starts := want.starts(from.Add(-6*time.Hour), to)
		for range 60 {
			instant := from.Add(time.Duration(r.Int64N(int64(30 * time.Hour)))).Truncate(time.Second)
			if why := differs(s, starts, instant, to, length); why != "" {
				t.Fatalf("%q in %s for %s at %s: %s", cron, zone, length, instant, why)
			}
		}
	}
}

// differs returns how a schedule differs at an instant from what the starts, up to another instant, say.
func differs(s *schedule.Schedule, starts []time.Time, instant, to time.Time, length time.Duration) string {
	open, next := false, time.Time{}
	for _, start := range starts {
		open = open || !instant.Before(start) && instant.Before(start.Add(length))
		if next.IsZero() && !start.Before(instant) {
			next = start
		}
	}
	if got := s.IsOpen(instant); got != open {
		return fmt.Sprintf("open is %t, want %t", got, open)
	}
	got, ok := s.Next(instant)
	if !next.IsZero() && (!ok || !got.Start.Equal(next)) || next.IsZero() && ok && got.Start.Before(to) {
		return fmt.Sprintf("next is %s (%t), want %s", got.Start, ok, next)
	}
	return ""
}

// BenchmarkIsOpen compares schedules: one that fires once a year costs about as much as one that fires every minute.
func BenchmarkIsOpen(b *testing.B) {
	instant := time.Date(2026, 11, 22, 12, 30, 10, 0, time.UTC)
	cost := map[string]time.Duration{}
	for _, c := range []struct{ name, cron string }{{"minutely", "* * * * *"}, {"monthly", "0 2 1 * *"}, {"yearly", "0 2 24 12 *"}} {
		s := compiled(b, recurrence(c.cron, "Europe/London", 30*time.Second))
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s.IsOpen(instant)
				s.Next(instant)
			}
			cost[c.name] = b.Elapsed() / time.Duration(b.N)
			b.ReportMetric(float64(cost[c.name])/float64(cost["minutely"]), "x-of-minutely")
		})
	}
}
