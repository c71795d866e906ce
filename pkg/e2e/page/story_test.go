package page

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/browser"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const job = `apiVersion: batch/v1
kind: Job
metadata: {name: %s, namespace: payments}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "` + fixture.Image + `", command: [psql], args: ["--host", "orders.prod.db.example.com", "-c", "reindex"]}]}}}
`

// manifest writes a Job of maintenance.
func manifest(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "job.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, job, name), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// named finds the window that request has made.
var named = regexp.MustCompile(`changewindow\.firebreak\.dev/(\S+)`)

// opened finds the window that emergency has opened.
var opened = regexp.MustCompile(`Emergency window (\S+) is open`)

// request asks for a window that opens now, and returns its name.
func request(t *testing.T, who, object, reason string) (window, file string) {
	t.Helper()
	file = manifest(t, object)
	out := plugin(t, who, "request", "-f", file, "-n", "payments", "--environment", "production", "--start", "now", "--duration", "1h", "--reason", reason, "--ticket", "CHG-7")
	m := named.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no window in %q", out)
	}
	return m[1], file
}

// sentinel is what an attacker writes where they can: it must appear as text.
const sentinel = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

// A request is approved on the page by whoever looks at it, runs, and stands in the timeline; its requester cannot approve it; a filter is in the link.
func TestRequestToTimeline(t *testing.T) {
	b := browser.Start(t)
	window, file := request(t, stage.SRE, "reindex-page", "rebuild the index "+sentinel)
	sams, robins := serve(t, stage.SRE), serve(t, stage.SecondSRE)

	b.Size(1440, 900, false)
	b.Open(sams + "c/firebreak/window/payments/" + window)
	b.Says("main", "You have requested this yourself", "rebuild the index <img src=x", ".args = --host orders.prod.db.example.com -c reindex")
	b.Type("#environment", "production")
	b.Click("button.approve")
	b.Says("[role=alert]", "forbidden", "requested")

	b.Open(robins)
	b.Says("main", "Environments", "production")
	b.Click(`nav a[href$="/waiting"]`)
	b.Says("main", "payments/"+window, "sam asks to Create Job/reindex-page in production")
	b.Click("#approve-payments-" + window)
	b.Type("#environment", "staging")
	b.Click("button.approve")
	b.Says("[role=alert]", `"staging" was typed, and the window is for "production"; nothing is approved`)
	b.Open(robins + "c/firebreak/window/payments/" + window)
	b.Type("#environment", "production")
	b.Type("#comment", "looks right "+sentinel)
	b.Click("button.approve")
	b.Says(".done", "You have approved this window.")

	if _, err := the.Kubectl(t.Context(), the.UserConfig(stage.SRE), "create", "-f", file); err != nil {
		t.Fatal(err)
	}
	b.Open(robins + "c/firebreak/changes?since=1h&who=sam&namespace=payments")
	b.Says("main", "sam Create payments/job/reindex-page", "under payments/"+window+", approved by robin", "CHG-7")
	if at := browser.Evaluate[string](b, "document.querySelector('#who').value"); at != "sam" {
		t.Errorf("the filter of the link is not in the form: %q", at)
	}
	if title := browser.Evaluate[string](b, "document.title"); strings.Contains(title, "owned") {
		t.Error("what a user wrote was run as a script")
	}
}

// What happens elsewhere appears without loading the page again, and a freeze is shaded in the calendar.
func TestLiveAndFreeze(t *testing.T) {
	b := browser.Start(t)
	robins := serve(t, stage.SecondSRE)
	b.Open(robins + "c/firebreak/waiting")
	b.Says("main", "To approve")
	window, _ := request(t, stage.SRE, "reindex-live", "appears by itself")
	b.Says("#part", "payments/"+window)

	plugin(t, stage.SecondSRE, "freeze", "production", "--name", "page-freeze", "--reason", "stocktaking", "--for", "2h")
	t.Cleanup(func() {
		if out, err := the.Plugin(context.WithoutCancel(t.Context()), the.UserConfig(stage.SecondSRE), "unfreeze", "page-freeze"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	b.Open(robins + "c/firebreak/now")
	b.Says("#part", "Frozen", "page-freeze: stocktaking, by robin")
	b.Open(robins + "c/firebreak/calendar")
	b.Says("#part", "stocktaking (page-freeze)", "payments/"+window)
	if n := browser.Evaluate[int](b, "document.querySelectorAll('svg .shade').length"); n == 0 {
		t.Error("the freeze is not shaded")
	}
	b.Click(`a[href*="show=month"]`)
	b.Says("#heading", time.Now().Format("January 2006"))
}

func TestRejectAndReview(t *testing.T) {
	b := browser.Start(t)
	robins := serve(t, stage.SecondSRE)
	window, _ := request(t, stage.SRE, "reindex-no", "not today")
	b.Open(robins + "c/firebreak/window/payments/" + window)
	b.Type("#why", "wait for the freeze")
	b.Click("button.reject")
	b.Says("main", "You have rejected this window.", "Rejected")

	out := plugin(t, stage.SRE, "emergency", "-n", "payments", "--environment", "production", "--reason", "the database is down", "--duration", "1h", "--resource", "Job.batch/rescue-*")
	emergency := opened.FindStringSubmatch(out)
	if emergency == nil {
		t.Fatal(out)
	}
	if out, err := the.Kubectl(t.Context(), the.UserConfig(stage.SRE), "create", "-f", manifest(t, "rescue-1")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.Open(robins + "c/firebreak/waiting")
	b.Says("main", "sam broke the glass in production: the database is down", "Create payments/job/rescue-1")
	b.Click("#review-payments-" + emergency[1])
	b.Type("#environment", "production")
	b.Click("button.approve")
	b.Says("main", "You have reviewed this window.", "This window is over.")
}

// Everything can be done with the keyboard alone.
func TestKeyboard(t *testing.T) {
	b := browser.Start(t)
	window, _ := request(t, stage.SRE, "reindex-keys", "by keyboard")
	b.Open(serve(t, stage.SecondSRE) + "c/firebreak/waiting")
	b.Says("main", window)
	to := func(selector string) {
		t.Helper()
		for range 60 {
			b.Keys("\t")
			if browser.Evaluate[bool](b, "document.activeElement.matches("+fmt.Sprintf("%q", selector)+")") {
				return
			}
		}
		t.Fatalf("%s cannot be reached with the key Tab", selector)
	}
	to("a.skip")
	to("#approve-payments-" + window)
	b.Keys("\r")
	b.Says("main", "Your decision")
	to("#environment")
	b.Keys("production\r")
	b.Says(".done", "You have approved this window.")
}

// Requests from elsewhere are refused, and a page says what a browser may do with it.
func TestForeignRequests(t *testing.T) {
	at := serve(t, stage.SecondSRE)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		reason, method, path, host, origin string
		status                             int
	}{
		"the page":            {"the base of all cases", "GET", u.Path + "c/firebreak/now", u.Host, "", 200},
		"another name":        {"a site can lead its own name to this machine", "GET", u.Path + "c/firebreak/now", "evil.example:" + u.Port(), "", 421},
		"another origin":      {"a form of another site", "POST", u.Path + "c/firebreak/window/payments/x/approve", u.Host, "https://evil.example", 403},
		"no origin":           {"what writes must say from where", "POST", u.Path + "c/firebreak/window/payments/x/approve", u.Host, "", 403},
		"another port":        {"another program of this machine", "POST", u.Path + "c/firebreak/window/payments/x/approve", u.Host, "http://127.0.0.1:1", 403},
		"without the secret":  {"another user of this machine", "GET", "/c/firebreak/now", u.Host, "", 404},
		"another secret":      {"as if guessed", "GET", "/0000/c/firebreak/now", u.Host, "", 404},
		"another cluster":     {"only those of the kubeconfig", "GET", u.Path + "c/elsewhere/now", u.Host, "", 404},
		"an asset":            {"those that are built in", "GET", u.Path + "assets/htmx.min.js", u.Host, "", 200},
		"a file":              {"and no others", "GET", u.Path + "assets/..%2f..%2fgo.mod", u.Host, "", 404},
		"an unknown decision": {"there are two", "POST", u.Path + "c/firebreak/window/payments/x/delete", u.Host, "http://" + u.Host, 404},
	} {
		t.Run(name, func(t *testing.T) {
			status, policy := ask(t, "http://"+u.Host+tc.path, tc.method, tc.host, tc.origin)
			if status != tc.status {
				t.Errorf("%d, want %d: %s", status, tc.status, tc.reason)
			}
			if !strings.Contains(policy, "script-src 'self'; style-src 'self'") || strings.Contains(policy, "unsafe") {
				t.Errorf("policy %q", policy)
			}
		})
	}
}
