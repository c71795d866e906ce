package ui

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// What the README says of the files that come from elsewhere is true.
func TestTheSumsOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"htmx.min.js", "sse.min.js"} {
		raw, err := assets.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(raw)); !strings.Contains(string(readme), "| `assets/"+name+"`") || !strings.Contains(string(readme), sum) {
			t.Errorf("%s has the sum %s, which the README does not say", name, sum)
		}
	}
}

// fake is a desk with what a test puts on it.
type fake struct {
	Desk
	calendar *Calendar
	fails    error
	window   *Window
	said     []Word
}

func (f *fake) Calendar(context.Context, time.Time, time.Time) (*Calendar, error) {
	return f.calendar, f.fails
}
func (f *fake) Now(context.Context) (*Now, error)                       { return &Now{}, f.fails }
func (f *fake) Version(context.Context) (string, error)                 { return "v1", f.fails }
func (f *fake) Window(context.Context, string, string) (*Window, error) { return f.window, f.fails }
func (f *fake) Approve(_ context.Context, w Word) error {
	f.said = append(f.said, w)
	return f.fails
}

func instant(t *testing.T, s string) *time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return &at
}

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// A week in which clocks change has a day of 23 or 25 hours; the bars stand where they are by the clock on the wall.
func TestTheWeekInWhichClocksChange(t *testing.T) {
	zone := berlin(t)
	for name, tc := range map[string]struct {
		day   string
		hours float64
	}{"forward": {"2027-03-28T12:00:00Z", 167}, "back": {"2026-10-25T12:00:00Z", 169}, "neither": {"2026-11-28T12:00:00Z", 168}} {
		t.Run(name, func(t *testing.T) {
			days, before, after := span(instant(t, tc.day).In(zone), false)
			from, until := days[0], days[len(days)-1]
			if got := until.Sub(from).Hours(); got != tc.hours || from.Weekday() != time.Monday || from.Hour() != 0 || before.Weekday() != time.Sunday || after.Day() != until.Day() {
				t.Errorf("%s to %s: %v hours, want %v", from, until, got, tc.hours)
			}
			d := drawCalendar(&Calendar{}, days, from, "/")
			last := d.Ticks[6]
			share := map[float64]float64{167: 23, 168: 24, 169: 25}[tc.hours] / tc.hours
			if want := share * (drawWidth - drawLeft); len(d.Ticks) != 7 || last.Label[:3] != "Sun" || last.Width < want-.01 || last.Width > want+.01 {
				t.Errorf("Sunday is %.2f wide, want %.2f", last.Width, want)
			}
		})
	}
}

// Zones have left out days, and have days without a midnight.
func TestDaysThatAreOdd(t *testing.T) {
	for name, tc := range map[string]struct {
		zone, day string
		days      string
	}{
		"a day that never was": {"Pacific/Apia", "2011-12-28", "Mon 26 00:00, Tue 27 00:00, Wed 28 00:00, Thu 29 00:00, Sat 31 00:00, Sun 1 00:00, Mon 2 00:00"},
		"no midnight":          {"America/Santiago", "2026-09-06", "Mon 31 00:00, Tue 1 00:00, Wed 2 00:00, Thu 3 00:00, Fri 4 00:00, Sat 5 00:00, Sun 6 01:00, Mon 7 00:00"},
		"nor here":             {"Africa/Cairo", "2027-04-30", "Mon 26 00:00, Tue 27 00:00, Wed 28 00:00, Thu 29 00:00, Fri 30 01:00, Sat 1 00:00, Sun 2 00:00, Mon 3 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.ParseInLocation(time.DateOnly, tc.day, zone)
			if err != nil {
				t.Fatal(err)
			}
			days, _, _ := span(at, false)
			var got []string
			for _, d := range days {
				got = append(got, d.Format("Mon 2 15:04"))
			}
			if s := strings.Join(got, ", "); s != tc.days {
				t.Errorf("%s, want %s", s, tc.days)
			}
			for _, month := range []bool{true, false} {
				if days, before, after := span(at, month); len(days) > 32 || !before.Before(days[0]) || after.Before(days[len(days)-1]) {
					t.Errorf("%v, %s, %s", days, before, after)
				}
			}
		})
	}
}

func opening(t *testing.T, name, environment, state, from, until string, freezes ...string) overview.WindowLine {
	t.Helper()
	return overview.WindowLine{Namespace: "payments", Name: name, Environment: environment, State: state, Opens: instant(t, from), Closes: instant(t, until), Requester: "sam", Reason: "the reason", Freezes: freezes}
}

func TestDrawing(t *testing.T) {
	from := *instant(t, "2026-11-23T00:00:00Z")
	c := &Calendar{
		Openings: []overview.WindowLine{
			opening(t, "a", "production", "Approved", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
			opening(t, "b", "production", "waits for approval 0/1", "2026-11-23T12:00:00Z", "2026-11-25T00:00:00Z"),
			opening(t, "c", "production", "open, frozen", "2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z", "xmas"),
			opening(t, "d", "pci", "Approved", "2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z"),
		},
		Freezes: []Freeze{{Name: "xmas", Environments: []string{"production"}, Start: *instant(t, "2026-11-24T00:00:00Z"), Reason: "Christmas"}},
	}
	for range 40 { // those at the same time are drawn up to a number, and counted beyond it
		c.Openings = append(c.Openings, opening(t, "many", "edge", "Approved", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"))
	}
	d := drawCalendar(c, starts(from, 7), from.Add(time.Hour), "/x/")
	var got []string
	for _, l := range d.Lanes {
		got = append(got, fmt.Sprintf("%s: %d bars, %d shades, %d hidden, %d high", l.Name, len(l.Bars), len(l.Shades), l.Hidden, l.Height))
		if l.Name == "production" {
			for _, b := range l.Bars {
				got = append(got, fmt.Sprintf("%.0f+%.0f at %d %s %q %s", b.X, b.Width, b.Y-l.Y, b.Class, b.Label, b.To))
			}
			got = append(got, fmt.Sprintf("shade %.0f+%.0f %s", l.Shades[0].X, l.Shades[0].Width, l.Shades[0].Title))
		}
	}
	if diff := cmp.Diff([]string{
		"edge: 12 bars, 0 shades, 28 hidden, 304 high",
		"pci: 0 bars, 0 shades, 0 hidden, 40 high",
		"production: 3 bars, 1 shades, 0 hidden, 64 high",
		`150+139 at 8 open "a" /x/window/payments/a`,
		`219+208 at 32 waits "b" /x/window/payments/b`,
		`358+6 at 8 frozen "" /x/window/payments/c`,
		"shade 289+831 freeze xmas, Tue 24 Nov 00:00 UTC to until it is lifted: Christmas",
	}, got); diff != "" {
		t.Error(diff)
	}
	if d.Now == 0 {
		t.Error("this moment is not drawn")
	}
}

func TestExport(t *testing.T) {
	c := &Calendar{
		Openings: []overview.WindowLine{
			opening(t, "sure", "production", "Approved", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
			opening(t, "maybe", "production", "waits for approval 0/1", "2026-11-23T12:00:00Z", "2026-11-25T00:00:00Z"),
		},
		Freezes: []Freeze{{Name: "xmas", By: "kim", Environments: []string{"production"}, Start: *instant(t, "2026-11-24T00:00:00Z"), Reason: "Christmas <script>"}},
	}
	files, err := Export(t.Context(), &fake{calendar: c}, *instant(t, "2026-11-28T00:00:00Z"), berlin(t))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	page := string(files["index.html"])
	for _, want := range []string{"payments/sure", "Christmas &lt;script&gt;", "November 2026", "Mon 23 Nov 01:00 CET to Tue 24 Nov 01:00 CET"} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q:\n%s", want, page)
		}
	}
	for _, not := range []string{"maybe", "sam", "kim", "the reason", "<script>"} {
		if strings.Contains(strings.ReplaceAll(page, "the same", ""), not) {
			t.Errorf("it says %q", not)
		}
	}
	c.Notes = []string{"You may not list freezes."}
	if _, err := Export(t.Context(), &fake{calendar: c}, *instant(t, "2026-11-28T00:00:00Z"), berlin(t)); err == nil || err.Error() != "the calendar would not be whole: You may not list freezes." {
		t.Errorf("a calendar without freezes is published: %v", err)
	}
}

// ask sends a request to a page with a desk.
func ask(t *testing.T, d Desk, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	page, err := New(Options{
		Clusters: []string{"prod/eu"}, Prefix: "s", Hosts: []string{"here"}, Zone: time.UTC, Clock: func() time.Time { return *instant(t, "2026-11-28T00:00:00Z") },
		Desk: func(*http.Request, string) (Desk, error) { return d, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://here"+path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Origin", "http://here")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	return w
}

func TestRoutes(t *testing.T) {
	gone := &fake{fails: errors.New("connection refused <b>")}
	seen := &fake{window: &Window{WindowLine: overview.WindowLine{Namespace: "payments", Name: "w", Environment: "production", Requester: "sam", Reason: "<b>bold</b>"}, UID: "u", Digest: "d", Missing: []string{"image"}, MayApprove: true}}
	for name, tc := range map[string]struct {
		desk         Desk
		method, path string
		body         string
		status       int
		says         string
	}{
		"the first page":         {seen, "GET", "/s/", "", 303, ""},
		"a name with a slash":    {seen, "GET", "/s/c/prod%2Feu/now", "", 200, "No environment is declared"},
		"the API server is gone": {gone, "GET", "/s/c/prod%2Feu/now", "", 502, "connection refused &lt;b&gt;"},
		"a day that never was":   {&fake{calendar: &Calendar{}}, "GET", "/s/c/prod%2Feu/calendar?show=month&day=2011-12-28&zone=Pacific/Apia", "", 200, "December 2011"},
		"a day that is none":     {&fake{calendar: &Calendar{}}, "GET", "/s/c/prod%2Feu/calendar?day=9999-99-99&zone=../../etc/passwd", "", 200, "23 November to 29 November 2026"},
		"a window":               {seen, "GET", "/s/c/prod%2Feu/window/payments/w", "", 200, "The window does not say all that it pins: image."},
		"texts are texts":        {seen, "GET", "/s/c/prod%2Feu/window/payments/w", "", 200, "&lt;b&gt;bold&lt;/b&gt;"},
		"approved":               {seen, "POST", "/s/c/prod%2Feu/window/payments/w/approve", "uid=u&digest=d&environment=production+&comment=ok&unseen=yes", 303, ""},
		"a form without end":     {seen, "POST", "/s/c/prod%2Feu/window/payments/w/approve", strings.Repeat("a", mostForm+1), 413, "http: request body too large"},
		"not changed":            {seen, "GET", "/s/c/prod%2Feu/window/payments/w/changed?seen=u+d+Pending+0", "", 200, ""},
		"changed":                {seen, "GET", "/s/c/prod%2Feu/window/payments/w/changed?seen=u+d+Pending+1", "", 200, "This window has changed since"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(t, tc.desk, tc.method, tc.path, tc.body)
			if body := w.Body.String(); w.Code != tc.status || !strings.Contains(body, tc.says) || tc.says == "" && strings.Contains(body, "This window has changed") {
				t.Errorf("%d, want %d and %q:\n%s", w.Code, tc.status, tc.says, body)
			}
		})
	}
	for _, want := range []Word{{Namespace: "payments", Name: "w", UID: "u", Digest: "d", Typed: "production", Comment: "ok", Unseen: true}} {
		found := false
		for _, said := range seen.said {
			found = found || said == want
		}
		if !found {
			t.Errorf("said %+v, want %+v", seen.said, want)
		}
	}
}
