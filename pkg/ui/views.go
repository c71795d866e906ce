package ui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

func now(q *request) (string, any, error) {
	data, err := q.desk.Now(q.r.Context())
	return "now", data, err
}

func waiting(q *request) (string, any, error) {
	data, err := q.desk.Waiting(q.r.Context())
	return "waiting", data, err
}

// windowPage is a window, and what has become of what the viewer said.
type windowPage struct {
	*Window
	// Failed is why what they said was refused, in the API server's words.
	Failed, Done string
	Word         Word
	// Seen tells this state of the window from any other.
	Seen string
	Base string
}

// seen tells a state of a window from any other. A window that has no status yet is one that waits.
func seen(w *Window) string {
	given, _, _ := strings.Cut(w.Approvals, "/")
	return strings.Join([]string{w.UID, w.Digest, cmp.Or(w.State, string(v1alpha1.WindowPending)), cmp.Or(given, "0")}, " ")
}

func window(q *request) (string, any, error) {
	data, err := q.desk.Window(q.r.Context(), q.r.PathValue("namespace"), q.r.PathValue("name"))
	if err != nil {
		return "", nil, err
	}
	return "window", &windowPage{Window: data, Done: said(data, q.r.URL.Query().Get("done")), Seen: seen(data), Base: q.base(q.cluster)}, nil
}

// said returns what the viewer has said of a window, if they have: a link may say anything.
func said(w *Window, done string) string {
	if !w.Said || done != "approved" && done != "rejected" {
		return ""
	}
	return done
}

// changedSince says that a window is not what the viewer looks at any more, or nothing.
func changedSince(q *request) {
	data, err := q.desk.Window(q.r.Context(), q.r.PathValue("namespace"), q.r.PathValue("name"))
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err != nil || seen(data) != q.r.URL.Query().Get("seen") {
		_, _ = fmt.Fprint(q.w, `<p class="note">This window has changed since you opened this page. Look at it again before you decide.</p>`)
	}
}

// say takes a viewer's word on a window: approve or reject.
func say(q *request) {
	if err := q.r.ParseForm(); err != nil {
		q.show("failed", http.StatusRequestEntityTooLarge, "This was not said", err.Error())
		return
	}
	f := q.r.PostFormValue
	w := Word{
		Namespace: q.r.PathValue("namespace"), Name: q.r.PathValue("name"), UID: f("uid"), Digest: f("digest"),
		Typed: strings.TrimSpace(f("environment")), Comment: strings.TrimSpace(f("comment")), Unseen: f("unseen") == "yes",
	}
	ctx, cancel := context.WithTimeout(q.r.Context(), mostTime)
	defer cancel()
	q.r = q.r.WithContext(ctx)
	var err error
	done := "approved"
	switch q.r.PathValue("word") {
	case "approve":
		err = q.desk.Approve(q.r.Context(), w)
	case "reject":
		if done = "rejected"; w.Comment == "" {
			err = errors.New("say why not")
			break
		}
		err = q.desk.Reject(q.r.Context(), w)
	default:
		http.NotFound(q.w, q.r)
		return
	}
	if err == nil {
		http.Redirect(q.w, q.r, q.base(q.cluster)+"window/"+w.Namespace+"/"+w.Name+"?done="+done, http.StatusSeeOther)
		return
	}
	data, readErr := q.desk.Window(q.r.Context(), w.Namespace, w.Name)
	if readErr != nil {
		q.show("failed", http.StatusBadGateway, "This was not said", err.Error())
		return
	}
	q.show("window", http.StatusUnprocessableEntity, "Waiting for you", &windowPage{Window: data, Failed: err.Error(), Word: w, Seen: seen(data), Base: q.base(q.cluster)})
}

// Filter is what a viewer asks of what was changed.
type Filter struct {
	Since, Namespace, Who, Rule, Kind string
}

// changesPage is what was changed, as the viewer filters it.
type changesPage struct {
	*Changes
	Filter Filter
	// Zone and Zoned keep the viewer's choice of a time zone in links.
	From  time.Time
	Fails string
	Left  int
	Kinds []string
}

// mostChanges is how many entries a page shows.
const mostChanges = 500

func changes(q *request) (string, any, error) {
	v := q.r.URL.Query()
	p := &changesPage{Filter: Filter{cmp.Or(v.Get("since"), "24h"), v.Get("namespace"), v.Get("who"), v.Get("rule"), v.Get("kind")}, Kinds: []string{"execution", "record", "denial"}}
	until := q.Clock()
	from, err := overview.Moment(p.Filter.Since, until.In(q.zone))
	if err != nil {
		p.Fails, from = err.Error(), until.Add(-24*time.Hour)
	}
	p.From = from
	if p.Changes, err = q.desk.Changes(q.r.Context(), from, until); err != nil {
		return "", nil, err
	}
	p.Entries = slices.DeleteFunc(p.Entries, func(c Change) bool { return !p.Filter.takes(&c) })
	if p.Left = len(p.Entries) - mostChanges; p.Left > 0 {
		p.Entries = p.Entries[:mostChanges]
	}
	return "changes", p, nil
}

// takes reports whether a change is one that was asked for.
func (f *Filter) takes(c *Change) bool {
	has := func(text, part string) bool {
		return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
	}
	return (f.Namespace == "" || c.Namespace == f.Namespace) && has(c.Who, f.Who) && has(c.Rule, f.Rule) && (f.Kind == "" || c.Kind == f.Kind)
}

func estate(q *request) (string, any, error) {
	data, err := q.desk.Estate(q.r.Context())
	if err != nil {
		return "", nil, err
	}
	return "estate", &estatePage{data, draw(data, nil)}, nil
}

type estatePage struct {
	*Estate
	Map *estateMap
}

type crossingsPage struct {
	*Crossings
	Map *estateMap
}

func crossings(q *request) (string, any, error) {
	data, err := q.desk.Estate(q.r.Context())
	if err != nil {
		return "", nil, err
	}
	found, err := q.desk.Crossings(q.r.Context())
	if err != nil {
		return "", nil, err
	}
	return "crossings", &crossingsPage{found, draw(data, found.All)}, nil
}
