package ui

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

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

// span returns the week or month of a day, in a time zone, and the first days of those before and after it.
func span(at time.Time, month bool) (from, until, before, after time.Time) {
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, at.Location())
	if month {
		from = midnight.AddDate(0, 0, 1-midnight.Day())
		return from, from.AddDate(0, 1, 0), from.AddDate(0, -1, 0), from.AddDate(0, 1, 0)
	}
	from = midnight.AddDate(0, 0, -(int(midnight.Weekday())+6)%7)
	return from, from.AddDate(0, 0, 7), from.AddDate(0, 0, -7), from.AddDate(0, 0, 7)
}

func calendar(q *request) (string, any, error) {
	v := q.r.URL.Query()
	at := q.Clock().In(q.zone)
	if chosen, err := time.ParseInLocation(time.DateOnly, v.Get("day"), q.zone); err == nil {
		at = chosen
	}
	month := v.Get("show") == "month"
	from, until, before, after := span(at, month)
	data, err := q.desk.Calendar(q.r.Context(), from, until)
	if err != nil {
		return "", nil, err
	}
	p := &calendarPage{Calendar: data, From: from, Until: until, Month: month, ZoneName: q.zone.String(), ICS: q.base(q.cluster) + "calendar.ics"}
	to := func(day time.Time, show string) string {
		return fmt.Sprintf("%scalendar?show=%s&day=%s&zone=%s", q.base(q.cluster), show, day.Format(time.DateOnly), p.ZoneName)
	}
	show, other := "week", "month"
	p.Heading = fmt.Sprintf("%s to %s", from.Format("2 January"), until.AddDate(0, 0, -1).Format("2 January 2006"))
	if month {
		show, other = other, show
		p.Heading = from.Format("January 2006")
	}
	p.Before, p.After, p.Other, p.Here = to(before, show), to(after, show), to(at, other), q.base(q.cluster)+"calendar"
	links := q.base(q.cluster)
	if q.Wallboard {
		links = ""
	}
	p.Drawing = drawCalendar(data, from, until, q.Clock(), links)
	p.Days = daysOf(data, from, until)
	return "calendar", p, nil
}

// subscription sends the openings of the next three months and of the last one to a calendar program.
func subscription(q *request) {
	at := q.Clock()
	data, err := q.desk.Calendar(q.r.Context(), at.AddDate(0, -1, 0), at.AddDate(0, 3, 0))
	if err != nil {
		http.Error(q.w, err.Error(), http.StatusBadGateway)
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

func drawCalendar(c *Calendar, from, until, now time.Time, base string) *drawing {
	x := scale(from, until)
	d := &drawing{Width: drawWidth}
	for t := from; t.Before(until); t = t.AddDate(0, 0, 1) {
		next := t.AddDate(0, 0, 1)
		label := t.Format("Mon 2")
		if until.Sub(from) > 10*24*time.Hour {
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
	case cmp.Or(o.State, "waits") == "waits" || len(o.State) > 5 && o.State[:5] == "waits":
		return "waits"
	}
	return "open"
}

func titleOf(o *overview.WindowLine, zone *time.Location) string {
	return overview.Plain(fmt.Sprintf("%s/%s, %s, %s to %s, %s: %s", o.Namespace, o.Name, o.Environment, o.Opens.In(zone).Format("Mon 2 Jan 15:04"), o.Closes.In(zone).Format("Mon 2 Jan 15:04 MST"), o.State, o.Reason))
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
func daysOf(c *Calendar, from, until time.Time) []day {
	var out []day
	for t := from; t.Before(until); t = t.AddDate(0, 0, 1) {
		next := t.AddDate(0, 0, 1)
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
