package ui

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// layout is what every page has.
type layout struct {
	Base, Assets, Page, Self, Cluster, Title string
	Clusters                                 []link
	Tabs                                     []link
	Wallboard, SignedIn                      bool
	// Private is true if the address is a secret, which must not be handed on.
	Private bool
	// Seen is the version of what the page shows.
	Seen string
	At   time.Time
	Zone *time.Location
	Data any
}

// link is a link to a page; Here is true for the page that is shown.
type link struct {
	Name, To string
	Here     bool
}

// tabs are the views, in their order.
func tabs() []link {
	return []link{{Name: "Now", To: "now"}, {Name: "Waiting for you", To: "waiting"}, {Name: "Calendar", To: "calendar"}, {Name: "What changed", To: "changes"}, {Name: "Estate", To: "estate"}}
}

// show writes a page. The page is made whole before any of it is written, so that what fails is never shown in part.
func (q *request) show(name string, status int, title string, data any) {
	base := q.base(q.cluster)
	l := layout{Base: base, Assets: q.root() + "/assets/", Wallboard: q.Wallboard, SignedIn: q.Gate != nil, Private: q.Prefix != "", Page: name, Self: q.r.URL.RequestURI(), Cluster: q.cluster, Title: title, At: q.Clock().In(q.zone), Zone: q.zone, Data: data}
	for _, t := range tabs() {
		if !q.shows(t.To) {
			continue
		}
		t.Here = t.To == name || t.To == "waiting" && name == "window"
		if t.Here && l.Title == "" {
			l.Title = t.Name
		}
		t.To = base + t.To
		l.Tabs = append(l.Tabs, t)
	}
	for _, c := range q.Clusters {
		l.Clusters = append(l.Clusters, link{c, q.base(c) + "now", c == q.cluster})
	}
	if q.desk != nil {
		if seen, err := q.desk.Version(q.r.Context()); err == nil {
			l.Seen = seen
		}
	}
	var out bytes.Buffer
	if err := q.templates.ExecuteTemplate(&out, name+".html", &l); err != nil {
		http.Error(q.w, "This page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(out.Bytes()) // whoever asked may be gone
}

// functions are those that the pages use.
func functions() template.FuncMap {
	return template.FuncMap{
		"in": func(zone *time.Location, t any) string {
			switch t := t.(type) {
			case time.Time:
				return instantIn(zone, t)
			case *time.Time:
				if t != nil {
					return instantIn(zone, *t)
				}
			}
			return ""
		},
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"plain":   overview.Plain,
		"list":    func(s []string) string { return overview.Plain(strings.Join(s, ", ")) },
		"less":    func(a, b int) int { return a - b },
		"times":   func(a, b int) int { return a * b },
		"counted": counted,
		"dict":    dict,
	}
}

func instantIn(zone *time.Location, t time.Time) string {
	if t.IsZero() {
		return "until it is lifted"
	}
	return t.In(zone).Format("Mon 2 Jan 15:04 MST")
}

// dict returns named values for a part of a page.
func dict(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok {
			out[name] = pairs[i+1]
		}
	}
	return out
}
