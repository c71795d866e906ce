package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// Measures of the drawing, in its own units.
const (
	drawWidth = 1120
	drawLeft  = 150
	drawHead  = 34
	rowHeight = 24
	lanePad   = 8
	// mostRows is how many openings of one environment are drawn over each other. The list below the drawing has all of them.
	mostRows = 12
	// letterWidth is about what a letter takes in a bar.
	letterWidth = 7
)

// calendarPage is a week or month of the calendar.
type calendarPage struct {
	*Calendar
	From, Until time.Time
	Heading     string
	Month       bool
	// Before, After, Other and ICS are links: to the week or month before and after, to the same time in the other form, and for calendar programs.
	Before, After, Other, ICS, Here string
	ZoneName                        string
	Drawing                         *drawing
	Days                            []day
}

// drawing is the calendar as a picture.
type drawing struct {
	Width, Height int
	Ticks         []tick
	Lanes         []lane
	// Now is where this moment is, or 0 if it is not within.
	Now float64
}

type tick struct {
	X, Width float64
	Label    string
	Weekend  bool
}

// lane is an environment: its openings as bars, and its freezes as shades.
type lane struct {
	Name      string
	Y, Height int
	Bars      []bar
	Shades    []bar
	// Hidden is how many openings are not drawn.
	Hidden int
}

type bar struct {
	X, Width float64
	Y        int
	// Label is what fits, and Title says all.
	Label, Title, To, Class string
}

// day is a day of the list below the drawing.
type day struct {
	At       time.Time
	Openings []overview.WindowLine
	Freezes  []Freeze
}

// starts returns when the days of a calendar begin in a time zone, and when the last of them ends. Zones have days that begin at one o'clock, for want of a midnight,
// and have left out whole days, which are not there.
func starts(first time.Time, days int) []time.Time {
	var out []time.Time
	for i := range days + 1 {
		at, there := dayOf(first.Year(), first.Month(), first.Day()+i, first.Location())
		if there && (len(out) == 0 || at.After(out[len(out)-1])) {
			out = append(out, at)
		}
	}
	return out
}

// dayOf returns the first instant of a day, and false if a zone has left that day out.
func dayOf(year int, month time.Month, day int, zone *time.Location) (time.Time, bool) {
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	want := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if at.Day() != want.Day() { // there is no midnight: time.Date has gone to the evening before
		for range 4 {
			if at = at.Add(30 * time.Minute); at.Day() == want.Day() {
				break
			}
		}
	}
	return at, at.Day() == want.Day()
}

// span returns the days of the week or month of a day, and a day of those before and after it.
func span(at time.Time, month bool) (days []time.Time, before, after time.Time) {
	date := time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, time.UTC) // dates are counted where every day has a noon
	length := 7
	if month {
		date = date.AddDate(0, 0, 1-date.Day())
		length = date.AddDate(0, 1, -1).Day()
	} else {
		date = date.AddDate(0, 0, -(int(date.Weekday())+6)%7)
	}
	noon := func(d time.Time) time.Time {
		return time.Date(d.Year(), d.Month(), d.Day(), 12, 0, 0, 0, at.Location())
	}
	return starts(noon(date), length), noon(date.AddDate(0, 0, -1)), noon(date.AddDate(0, 0, length))
}

func calendar(q *request) (string, any, error) {
	v := q.r.URL.Query()
	at := q.Clock().In(q.zone)
	if chosen, err := time.ParseInLocation(time.DateOnly, v.Get("day"), q.zone); err == nil {
		at = chosen
	}
	month := v.Get("show") == "month"
	days, before, after := span(at, month)
	from, until := days[0], days[len(days)-1]
	data, err := q.desk.Calendar(q.r.Context(), from, until)
	if err != nil {
		return "", nil, err
	}
	p := &calendarPage{Calendar: data, From: from, Until: until, Month: month, ZoneName: q.zone.String(), ICS: q.base(q.cluster) + "calendar.ics"}
	to := func(day time.Time, show string) string {
		return fmt.Sprintf("%scalendar?show=%s&day=%s&zone=%s", q.base(q.cluster), show, day.Format(time.DateOnly), url.QueryEscape(p.ZoneName))
	}
	show, other := "week", "month"
	p.Heading = fmt.Sprintf("%s to %s", from.Format("2 January"), days[len(days)-2].Format("2 January 2006"))
	if month {
		show, other = other, show
		p.Heading = from.Format("January 2006")
	}
	p.Before, p.After, p.Other, p.Here = to(before, show), to(after, show), to(at, other), q.base(q.cluster)+"calendar"
	links := q.base(q.cluster)
	if q.Wallboard {
		links = ""
	}
	p.Drawing = drawCalendar(data, days, q.Clock(), links)
	p.Days = daysOf(data, days)
	return "calendar", p, nil
}

// subscription sends the openings of the next three months and of the last one to a calendar program.
func subscription(q *request) {
	at := q.Clock()
	data, err := q.desk.Calendar(q.r.Context(), at.AddDate(0, -1, 0), at.AddDate(0, 3, 0))
	if err != nil {
		http.Error(q.w, q.fault(err), http.StatusBadGateway)
		return
	}
	q.w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	_, _ = q.w.Write(data.ICS)
}

// scale turns instants into places of the drawing. A day of 23 or 25 hours is as wide as its hours.
func scale(from, until time.Time) func(time.Time) float64 {
	return func(t time.Time) float64 {
		share := float64(t.Sub(from)) / float64(until.Sub(from))
		return drawLeft + min(1, max(0, share))*(drawWidth-drawLeft)
	}
}

func drawCalendar(c *Calendar, days []time.Time, now time.Time, base string) *drawing {
	from, until := days[0], days[len(days)-1]
	x := scale(from, until)
	d := &drawing{Width: drawWidth}
	for i, t := range days[:len(days)-1] {
		next := days[i+1]
		label := t.Format("Mon 2")
		if len(days) > 10 {
			label = t.Format("2")
		}
		d.Ticks = append(d.Ticks, tick{x(t), x(next) - x(t), label, t.Weekday() == time.Saturday || t.Weekday() == time.Sunday})
	}
	if !now.Before(from) && now.Before(until) {
		d.Now = x(now)
	}
	y := drawHead
	for _, name := range lanesOf(c) {
		l := lane{Name: name, Y: y}
		rows := l.place(c, x, from, until, base)
		l.Height = max(1, rows)*rowHeight + 2*lanePad
		l.shade(c, x, from, until)
		d.Lanes = append(d.Lanes, l)
		y += l.Height
	}
	d.Height = y + 4
	return d
}

// lanesOf returns the environments of a calendar, in their order.
func lanesOf(c *Calendar) []string {
	var out []string
	for _, o := range c.Openings {
		out = append(out, o.Environment)
	}
	for _, f := range c.Freezes {
		out = append(out, f.Environments...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// place puts the openings of an environment in rows, the first row that is free at their start, and returns how many rows there are.
func (l *lane) place(c *Calendar, x func(time.Time) float64, from, until time.Time, base string) int {
	var ends []float64
	for _, o := range c.Openings {
		if o.Environment != l.Name || !o.Opens.Before(until) || !o.Closes.After(from) {
			continue
		}
		left, right := x(*o.Opens), max(x(*o.Closes), x(*o.Opens)+4)
		row := slices.IndexFunc(ends, func(end float64) bool { return end <= left })
		if row < 0 {
			if len(ends) == mostRows {
				l.Hidden++
				continue
			}
			row, ends = len(ends), append(ends, 0)
		}
		ends[row] = right + 2
		b := bar{X: left, Width: right - left, Y: l.Y + lanePad + row*rowHeight, Class: classOf(&o), Title: titleOf(&o, from.Location())}
		if base != "" {
			b.To = base + "window/" + o.Namespace + "/" + o.Name
		}
		if room := int(b.Width-8) / letterWidth; room >= 4 {
			b.Label = cut(overview.Plain(o.Name), room)
		}
		l.Bars = append(l.Bars, b)
	}
	return len(ends)
}

// cut shortens a text to some letters.
func cut(s string, most int) string {
	if letters := []rune(s); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return s
}

// classOf says how an opening is drawn: one that waits for approval is hollow, and one that is frozen is struck.
func classOf(o *overview.WindowLine) string {
	switch {
	case len(o.Freezes) > 0:
		return "frozen"
	case strings.HasPrefix(o.State, "waits"):
		return "waits"
	case strings.HasPrefix(o.State, "open"), strings.HasPrefix(o.State, string(v1alpha1.WindowApproved)):
		return "open"
	}
	return "over"
}

func titleOf(o *overview.WindowLine, zone *time.Location) string {
	title := fmt.Sprintf("%s/%s, %s, %s to %s, %s", o.Namespace, o.Name, o.Environment, o.Opens.In(zone).Format("Mon 2 Jan 15:04"), o.Closes.In(zone).Format("Mon 2 Jan 15:04 MST"), o.State)
	if o.Reason != "" {
		title += ": " + o.Reason
	}
	return overview.Plain(title)
}

// shade draws the freezes of an environment.
func (l *lane) shade(c *Calendar, x func(time.Time) float64, from, until time.Time) {
	for _, f := range c.Freezes {
		if !slices.Contains(f.Environments, l.Name) || !f.Start.Before(until) || !f.End.IsZero() && !f.End.After(from) {
			continue
		}
		right := x(until)
		if !f.End.IsZero() {
			right = x(f.End)
		}
		l.Shades = append(l.Shades, bar{X: x(f.Start), Width: right - x(f.Start), Y: l.Y, Title: overview.Plain(fmt.Sprintf("freeze %s, %s to %s: %s", f.Name, instantIn(from.Location(), f.Start), instantIn(from.Location(), f.End), f.Reason))})
	}
}

// daysOf lists what is open and frozen on each day on which something is.
func daysOf(c *Calendar, days []time.Time) []day {
	var out []day
	for i, t := range days[:len(days)-1] {
		next := days[i+1]
		d := day{At: t}
		for _, o := range c.Openings {
			if o.Opens.Before(next) && o.Closes.After(t) {
				d.Openings = append(d.Openings, o)
			}
		}
		for _, f := range c.Freezes {
			if f.Start.Before(next) && (f.End.IsZero() || f.End.After(t)) {
				d.Freezes = append(d.Freezes, f)
			}
		}
		if len(d.Openings)+len(d.Freezes) > 0 {
			out = append(out, d)
		}
	}
	return out
}
