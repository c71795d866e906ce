package ui

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// Export returns the calendar of this month and the next as files of a static site, by their names. They say when production is open and frozen, and why it
// is frozen; they do not say who asked for what, or what would run.
func Export(ctx context.Context, d Desk, at time.Time, zone *time.Location) (map[string][]byte, error) {
	t, err := template.New("").Funcs(functions()).ParseFS(pages, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	style, err := assets.ReadFile("assets/style.css")
	if err != nil {
		return nil, fmt.Errorf("read the style: %w", err)
	}
	out := map[string][]byte{"style.css": style}
	_, _, next := span(at.In(zone), true)
	for name, month := range map[string]time.Time{"index.html": at.In(zone), "next.html": next} {
		days, _, _ := span(month, true)
		first, until := days[0], days[len(days)-1]
		c, err := d.Calendar(ctx, first, until)
		if err != nil {
			return nil, err
		}
		if len(c.Notes) > 0 {
			// What lacks a freeze looks open.
			return nil, fmt.Errorf("the calendar would not be whole: %s", strings.Join(c.Notes, " "))
		}
		public := publicOf(c)
		p := &exportPage{
			Heading: first.Format("January 2006"), At: at.In(zone), Zone: zone, Current: name == "index.html",
			Drawing: drawCalendar(public, days, at, ""), Days: daysOf(public, days),
		}
		var page bytes.Buffer
		if err := t.ExecuteTemplate(&page, "export.html", p); err != nil {
			return nil, fmt.Errorf("make %s: %w", name, err)
		}
		out[name] = page.Bytes()
	}
	return out, nil
}

// exportPage is a month of the static site.
type exportPage struct {
	Heading string
	At      time.Time
	Zone    *time.Location
	Current bool
	Drawing *drawing
	Days    []day
	// Base is empty: there are no pages of windows.
	Base string
}

// publicOf leaves out of a calendar who asked for what, and why. A window that waits may never be approved, and is left out.
func publicOf(c *Calendar) *Calendar {
	out := &Calendar{}
	for _, f := range c.Freezes {
		f.By = ""
		out.Freezes = append(out.Freezes, f)
	}
	for _, o := range c.Openings {
		if class := classOf(&o); class == "waits" || class == "over" {
			continue
		}
		out.Openings = append(out.Openings, overview.WindowLine{
			Namespace: o.Namespace, Name: o.Name, Environment: o.Environment, State: o.State, Opens: o.Opens, Closes: o.Closes, Freezes: slices.Clone(o.Freezes),
		})
	}
	return out
}
