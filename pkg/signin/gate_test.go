package signin

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"
)

// desk is a page behind a gate, its issuer, and a browser.
type desk struct {
	t      *testing.T
	issuer *mockoidc.MockOIDC
	at     string
	now    time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	issuer, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = issuer.Shutdown() })
	d := &desk{t: t, issuer: issuer, now: time.Now()}
	var gated http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { gated.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	d.at = server.URL
	g, err := New(t.Context(), Options{Issuer: issuer.Issuer(), ClientID: issuer.ClientID, Secret: issuer.ClientSecret, URL: server.URL, Clock: func() time.Time { return d.now }})
	if err != nil {
		t.Fatal(err)
	}
	gated = g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "at "+r.URL.RequestURI()+" with a token of three parts: ")
		if strings.Count(Token(r), ".") == 2 {
			_, _ = io.WriteString(w, "yes")
		}
	}))
	return d
}

func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

func (d *desk) ask(c *http.Client, method, path string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.at+path, strings.NewReader(""))
	if err != nil {
		d.t.Fatal(err)
	}
	got, err := c.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }() // it was read
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return got.StatusCode, string(raw)
}

func TestGate(t *testing.T) {
	d, c := newDesk(t), browser(t)
	if code, said := d.ask(c, "POST", "/act"); code != 401 || said != "You are not signed in any more. Load the page again.\n" {
		t.Errorf("%d %s", code, said)
	}
	const in = "at /c/eu/now?a=b with a token of three parts: yes"
	if code, said := d.ask(c, "GET", "/c/eu/now?a=b"); code != 200 || said != in {
		t.Errorf("%d %s", code, said)
	}
	if code, said := d.ask(c, "POST", "/act"); code != 200 || !strings.HasSuffix(said, "yes") {
		t.Errorf("with a session: %d %s", code, said)
	}
	if code, _ := d.ask(c, "GET", signout); code != 405 {
		t.Errorf("another site can sign one out: %d", code)
	}
	if code, said := d.ask(c, "POST", signout); code != 200 || said != "You are signed out.\n" {
		t.Errorf("%d %s", code, said)
	}
	if code, _ := d.ask(c, "POST", "/act"); code != 401 {
		t.Errorf("the session goes on: %d", code)
	}
}

// A viewer comes back to this host, whatever the request line says.
func TestBackTo(t *testing.T) {
	for path, want := range map[string]string{
		"/c/eu/now?a=b": "/c/eu/now?a=b", "//evil.example/c": "/evil.example/c", "/\\\\evil.example": "/%5C%5Cevil.example", "http://evil.example/c?d": "/c?d", "/" + strings.Repeat("a", mostBack): "/",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL = u; backTo(r) != want {
			t.Errorf("%s leads to %s, want %s", path, backTo(r), want)
		}
	}
}

// A session ends with its token.
func TestASessionEnds(t *testing.T) {
	d, c := newDesk(t), browser(t)
	d.ask(c, "GET", "/")
	d.now = d.now.Add(time.Hour)
	if code, _ := d.ask(c, "POST", "/act"); code != 401 {
		t.Errorf("the session outlasts the token: %d", code)
	}
}

// Somebody else's sign-in cannot be finished in this browser, nor one twice, late or by another code.
func TestForeignCallbacks(t *testing.T) {
	d, c := newDesk(t), browser(t)
	var state string
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if s := r.URL.Query().Get("state"); s != "" {
			state = s
		}
		return http.ErrUseLastResponse
	}
	d.ask(c, "GET", "/")
	for name, tc := range map[string]struct {
		c     *http.Client
		query url.Values
		says  string
		code  int
	}{
		"another browser": {browser(t), url.Values{"state": {state}, "code": {"x"}}, "This sign-in was not begun in this browser. Open the page again.\n", 400},
		"no state":        {c, url.Values{"code": {"x"}}, "This sign-in was not begun in this browser. Open the page again.\n", 400},
	} {
		if code, said := d.ask(tc.c, "GET", callback+"?"+tc.query.Encode()); code != tc.code || said != tc.says {
			t.Errorf("%s: %d %s", name, code, said)
		}
	}
	if code, said := d.ask(c, "GET", callback+"?state="+state+"&code=guessed"); code != 403 || !strings.HasPrefix(said, "You could not be signed in: get the token: ") {
		t.Errorf("a guessed code: %d %s", code, said)
	}
	if code, said := d.ask(c, "GET", callback+"?state="+state+"&code=guessed"); code != 400 || !strings.HasPrefix(said, "This sign-in took too long, or was used already.") {
		t.Errorf("a second time: %d %s", code, said)
	}
	d.ask(c, "GET", "/")
	d.now = d.now.Add(within + time.Minute)
	if code, _ := d.ask(c, "GET", callback+"?state="+state+"&code=guessed"); code != 400 {
		t.Errorf("too late: %d", code)
	}
	d.now = d.now.Add(-within)
	d.ask(c, "GET", "/")
	if code, said := d.ask(c, "GET", callback+"?state="+state+"&error=access_denied"); code != 403 || said != "You could not be signed in: the issuer says \"access_denied\"\n" {
		t.Errorf("refused by the issuer: %d %s", code, said)
	}
}

func TestAddresses(t *testing.T) {
	for _, at := range []string{"", "firebreak.example.com", "https://firebreak.example.com/page"} {
		if _, err := New(t.Context(), Options{URL: at}); err == nil || !strings.HasPrefix(err.Error(), "the address of the page is scheme and host") {
			t.Errorf("%q: %v", at, err)
		}
	}
}
