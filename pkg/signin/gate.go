package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Options say where viewers sign in.
type Options struct {
	// Issuer and ClientID are those that the API server trusts.
	Issuer, ClientID string
	// Secret is the client's, where the issuer wants one besides PKCE. It may be empty.
	Secret string
	// URL is the address under which browsers reach the page, without a path.
	URL string
	// Client speaks to the issuer; nil: http.DefaultClient.
	Client *http.Client
	Clock  func() time.Time
}

// Gate lets those pass who have signed in.
type Gate struct {
	o        Options
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	secure   bool

	mu       sync.Mutex
	began    map[string]attempt
	sessions map[string]session
}

// attempt is a viewer who has been sent to the issuer.
type attempt struct {
	verifier, nonce, back string
	until                 time.Time
}

// session is a viewer who has signed in, until their token expires.
type session struct {
	token string
	until time.Time
}

const (
	callback = "/signin/callback"
	signout  = "/signin/out"
	// within is how long signing in may take.
	within = 10 * time.Minute
	// mostOpen is how many attempts, and how many sessions, are kept at once. Beyond that nobody new gets in until some have ended.
	mostOpen = 10_000
)

// New asks the issuer about itself, and returns the gate.
func New(ctx context.Context, o Options) (*Gate, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("the address of the page is scheme and host, such as https://firebreak.example.com, not %q", o.URL)
	}
	if o.Client != nil {
		ctx = oidc.ClientContext(ctx, o.Client)
	}
	p, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask the issuer about itself: %w", err)
	}
	return &Gate{
		o: o, secure: u.Scheme == "https", began: map[string]attempt{}, sessions: map[string]session{},
		oauth:    oauth2.Config{ClientID: o.ClientID, ClientSecret: o.Secret, Endpoint: p.Endpoint(), RedirectURL: strings.TrimSuffix(o.URL, "/") + callback, Scopes: scopesOf(p)},
		verifier: p.Verifier(&oidc.Config{ClientID: o.ClientID, Now: o.Clock}),
	}, nil
}

// scopesOf returns what is asked for: of what tells who somebody is, as much as the issuer knows.
func scopesOf(p *oidc.Provider) []string {
	out := []string{oidc.ScopeOpenID}
	var about struct {
		Scopes []string `json:"scopes_supported"`
	}
	if err := p.Claims(&about); err != nil {
		return out
	}
	for _, s := range []string{"profile", "email", "groups"} {
		if slices.Contains(about.Scopes, s) {
			out = append(out, s)
		}
	}
	return out
}

// cookie is the name of the session's cookie. With HTTPS, browsers hold it to this host and to HTTPS.
func (g *Gate) cookie() string {
	if g.secure {
		return "__Host-firebreak"
	}
	return "firebreak"
}

// beganCookie ties an attempt to the browser that began it. Each has a cookie of its own: several tabs may sign in at once.
func (g *Gate) beganCookie(state string) string { return g.cookie() + "-" + state[:min(8, len(state))] }

// mostBack is how long a path may be that a viewer comes back to, in bytes.
const mostBack = 2 << 10

// backTo returns the path to which a viewer comes back after they have signed in: one of this host, whatever the request line says.
func backTo(r *http.Request) string {
	back := "/" + strings.TrimLeft(r.URL.EscapedPath(), "/\\")
	if r.URL.RawQuery != "" {
		back += "?" + r.URL.RawQuery
	}
	if len(back) > mostBack {
		return "/"
	}
	return back
}

type tokenKey struct{}

// Token returns the ID token of whoever sends a request that has passed the gate.
func Token(r *http.Request) string {
	token, _ := r.Context().Value(tokenKey{}).(string)
	return token
}

// Wrap lets requests pass that bring a session, and sends others to the issuer. What writes is refused instead: a form is not sent again.
func (g *Gate) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case callback:
			g.callback(w, r)
			return
		case signout:
			g.end(w, r)
			return
		}
		if s, ok := g.session(r); ok {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, s.token)))
			return
		}
		if mode := r.Header.Get("Sec-Fetch-Mode"); r.Method != http.MethodGet || mode != "" && mode != "navigate" || r.Header.Get("HX-Request") != "" || strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			http.Error(w, "You are not signed in any more. Load the page again.", http.StatusUnauthorized)
			return
		}
		g.begin(w, r)
	})
}

func (g *Gate) session(r *http.Request) (session, bool) {
	c, err := r.Cookie(g.cookie())
	if err != nil {
		return session{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sessions[c.Value]
	if ok && !g.o.Clock().Before(s.until) {
		delete(g.sessions, c.Value)
		ok = false
	}
	return s, ok
}

func random() (string, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// tidy drops what has ended once there is no room, and reports whether there is some.
func tidy[T any](all map[string]T, over func(T) bool) bool {
	if len(all) < mostOpen {
		return true
	}
	for k, v := range all {
		if over(v) {
			delete(all, k)
		}
	}
	return len(all) < mostOpen
}

// keep keeps something under a key, and returns false if there is no room for it.
func keep[T any](g *Gate, all map[string]T, key string, v T, over func(T) bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !tidy(all, over) {
		return false
	}
	all[key] = v
	return true
}

// begin sends a viewer to the issuer.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request) {
	state, err := random()
	nonce, err2 := random()
	if err != nil || err2 != nil {
		http.Error(w, "You cannot sign in now.", http.StatusInternalServerError)
		return
	}
	a := attempt{oauth2.GenerateVerifier(), nonce, backTo(r), g.o.Clock().Add(within)}
	if !keep(g, g.began, state, a, func(a attempt) bool { return g.o.Clock().After(a.until) }) {
		http.Error(w, "Too many are signing in at once. Try again in some minutes.", http.StatusServiceUnavailable)
		return
	}
	g.set(w, g.beganCookie(state), state, within)
	http.Redirect(w, r, g.oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(a.verifier)), http.StatusSeeOther)
}

func (g *Gate) set(w http.ResponseWriter, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, Secure: g.secure, SameSite: http.SameSiteLaxMode})
}

// callback takes a viewer who comes back from the issuer.
func (g *Gate) callback(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	c, err := r.Cookie(g.beganCookie(state))
	if err != nil || subtle.ConstantTimeCompare([]byte(c.Value), []byte(state)) != 1 {
		http.Error(w, "This sign-in was not begun in this browser. Open the page again.", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	a, ok := g.began[state]
	delete(g.began, state)
	g.mu.Unlock()
	if !ok || g.o.Clock().After(a.until) {
		http.Error(w, "This sign-in took too long, or was used already. Open the page again.", http.StatusBadRequest)
		return
	}
	s, err := g.exchange(r, &a)
	if err != nil {
		http.Error(w, "You could not be signed in: "+err.Error(), http.StatusForbidden)
		return
	}
	id, err := random()
	if err != nil {
		http.Error(w, "You cannot sign in now.", http.StatusInternalServerError)
		return
	}
	if !keep(g, g.sessions, id, s, func(s session) bool { return g.o.Clock().After(s.until) }) {
		http.Error(w, "Too many are signed in at once.", http.StatusServiceUnavailable)
		return
	}
	g.set(w, g.beganCookie(state), "", -1)
	g.set(w, g.cookie(), id, s.until.Sub(g.o.Clock()))
	http.Redirect(w, r, a.back, http.StatusSeeOther)
}

// exchange gets the ID token for the code that the issuer gave.
func (g *Gate) exchange(r *http.Request, a *attempt) (session, error) {
	ctx := r.Context()
	if g.o.Client != nil {
		ctx = oidc.ClientContext(ctx, g.o.Client)
	}
	if why := r.URL.Query().Get("error"); why != "" {
		return session{}, fmt.Errorf("the issuer says %q", why)
	}
	tokens, err := g.oauth.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		return session{}, fmt.Errorf("get the token: %w", err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return session{}, fmt.Errorf("the issuer has given no ID token")
	}
	token, err := g.verifier.Verify(ctx, raw)
	if err != nil {
		return session{}, fmt.Errorf("verify the token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.nonce)) != 1 {
		return session{}, fmt.Errorf("the token was made for another sign-in")
	}
	return session{raw, token.Expiry}, nil
}

// end ends a session. It is asked for by a form, so that no other site can.
func (g *Gate) end(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "Signing out is a POST.", http.StatusMethodNotAllowed)
		return
	}
	if c, err := r.Cookie(g.cookie()); err == nil {
		g.mu.Lock()
		delete(g.sessions, c.Value)
		g.mu.Unlock()
	}
	g.set(w, g.cookie(), "", -1)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("You are signed out.\n")) // whoever asked may be gone
}
