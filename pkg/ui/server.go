package ui

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

//go:embed assets/*.js assets/*.css
var assets embed.FS

//go:embed pages/*.html
var pages embed.FS

// Options say how the page is served.
type Options struct {
	// Clusters are the clusters that a viewer can choose from; the first is shown first.
	Clusters []string
	// Desk returns the desk of whoever sends a request, in one of the clusters.
	Desk func(r *http.Request, cluster string) (Desk, error)
	// Prefix is the first part of every path. Where it is secret, whoever does not know it gets nothing.
	Prefix string
	// Hosts are the values of the header Host that are answered: any other is another site that leads here by its DNS.
	Hosts []string
	// Gate, if it is given, lets only those pass who have signed in.
	Gate func(http.Handler) http.Handler
	// Wallboard is true if everybody sees the same, without signing in: no texts of windows, and nothing that acts.
	Wallboard bool
	// Fault returns what viewers are told of an error; nil: its own words.
	Fault func(error) string
	// HTTPS is true if browsers reach the page by HTTPS.
	HTTPS bool
	// Clock returns the time, and Zone is that in which times are shown unless the viewer chooses another.
	Clock func() time.Time
	Zone  *time.Location
}

// server serves the page.
type server struct {
	Options
	templates *template.Template
	// streams counts the streams of events that are open.
	streams atomic.Int32
}

// How long one page may take to be read, and how much a form may hold, in bytes.
const (
	mostTime = 60 * time.Second
	mostForm = 64 << 10
)

// New returns the page's handler.
func New(o Options) (http.Handler, error) {
	if len(o.Clusters) == 0 {
		return nil, errors.New("there is no cluster to show")
	}
	t, err := template.New("").Funcs(functions()).ParseFS(pages, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	s := &server{Options: o, templates: t}
	mux := http.NewServeMux()
	p := s.root()
	at := p + "/c/{cluster}/"
	mux.HandleFunc("GET "+p+"/{$}", s.first)
	mux.HandleFunc("GET "+p+"/assets/{file}", s.asset)
	for name, show := range map[string]func(*request) (string, any, error){
		"now": now, "waiting": waiting, "calendar": calendar, "changes": changes, "estate": estate, "crossings": crossings, "window/{namespace}/{name}": window,
	} {
		if s.shows(strings.SplitN(name, "/", 2)[0]) {
			mux.HandleFunc("GET "+at+name, s.page(show))
		}
	}
	if !o.Wallboard {
		mux.HandleFunc("GET "+at+"window/{namespace}/{name}/changed", s.with(changedSince))
		mux.HandleFunc("POST "+at+"window/{namespace}/{name}/{word}", s.with(say))
	}
	mux.HandleFunc("GET "+at+"calendar.ics", s.with(subscription))
	mux.HandleFunc("GET "+at+"events", s.with(events))
	if o.Gate != nil {
		return s.guard(o.Gate(mux)), nil
	}
	return s.guard(mux), nil
}

// shows reports whether a view is there: a wallboard shows what says nothing of what windows would run.
func (s *server) shows(view string) bool {
	return !s.Wallboard || slices.Contains([]string{"now", "waiting", "calendar"}, view)
}

func (s *server) fault(err error) string {
	if s.Fault != nil {
		return s.Fault(err)
	}
	return err.Error()
}

func (s *server) scheme() string {
	if s.HTTPS {
		return "https"
	}
	return "http"
}

// root is the first part of all paths.
func (s *server) root() string {
	if s.Prefix == "" {
		return ""
	}
	return "/" + s.Prefix
}

// guard answers only requests that are meant for the page and come from it, and says in each answer what a browser may do with it.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers do not say from where a form is sent
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.HTTPS {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !slices.Contains(s.Hosts, r.Host) {
			http.Error(w, "This page is not served under that name.", http.StatusMisdirectedRequest)
			return
		}
		if why := s.foreign(r); why != "" {
			http.Error(w, "This was sent from another site: "+why+".", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
		next.ServeHTTP(w, r)
	})
}

// foreign says why a request comes from another site, or nothing. A browser says where a form was sent from; what says nothing may only read.
func (s *server) foreign(r *http.Request) string {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	own := false
	if u, err := url.Parse(origin); err == nil && origin != "" {
		own = u.Host == r.Host && u.Scheme == s.scheme()
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case origin != "" && !own:
		return "its Origin is not this page's"
	case site == "cross-site" && (!reads || r.Header.Get("Sec-Fetch-Mode") != "navigate"):
		return "Sec-Fetch-Site says so"
	case !reads && (site != "" && site != "same-origin" || site == "" && !own):
		return "it does not say that it comes from this page"
	}
	return ""
}

func (s *server) first(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, s.base(s.Clusters[0])+"now", http.StatusSeeOther)
}

// base is the first part of the paths of a cluster's pages.
func (s *server) base(cluster string) string {
	return s.root() + "/c/" + url.PathEscape(cluster) + "/"
}

func (s *server) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	raw, err := assets.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	kind := "text/javascript; charset=utf-8"
	if strings.HasSuffix(name, ".css") {
		kind = "text/css; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(raw) // whoever asked may be gone
}

// request is one request of a viewer.
type request struct {
	*server
	w       http.ResponseWriter
	r       *http.Request
	desk    Desk
	cluster string
	zone    *time.Location
}

// with returns a handler that knows the viewer's desk.
func (s *server) with(do func(*request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cluster := r.PathValue("cluster")
		if !slices.Contains(s.Clusters, cluster) {
			http.NotFound(w, r)
			return
		}
		zone := s.Zone
		if name := r.URL.Query().Get("zone"); name != "" {
			if chosen, err := time.LoadLocation(name); err == nil {
				zone = chosen
			}
		}
		q := &request{server: s, w: w, r: r, cluster: cluster, zone: zone}
		desk, err := s.Desk(r, cluster)
		if err != nil {
			q.show("failed", http.StatusBadGateway, "This cluster cannot be reached", s.fault(err))
			return
		}
		q.desk = desk
		do(q)
	}
}

// page returns a handler that shows a page, or that the API server has not answered.
func (s *server) page(show func(*request) (string, any, error)) http.HandlerFunc {
	return s.with(func(q *request) {
		ctx, cancel := context.WithTimeout(q.r.Context(), mostTime)
		defer cancel()
		q.r = q.r.WithContext(ctx)
		name, data, err := show(q)
		if err != nil {
			q.show("failed", http.StatusBadGateway, "The API server has not answered", s.fault(err))
			return
		}
		q.show(name, http.StatusOK, "", data)
	})
}
