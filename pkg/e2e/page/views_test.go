package page

import (
	"context"
	_ "embed" // what looks for barriers
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/browser"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// axe looks for barriers: axe-core 4.14.1 from the npm registry, under the MPL 2.0 (LICENSE.axe-core).
// SHA-256: 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
//
//go:embed testdata/axe.min.js
var axe string

// barrier is what axe objects to.
type barrier struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// barriers returns what axe calls serious or critical on the page.
func barriers(t *testing.T, b *browser.Browser) []barrier {
	t.Helper()
	browser.Evaluate[any](b, axe+";0")
	var all []barrier
	raw := browser.Evaluate[string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.filter(v => v.impact == "serious" || v.impact == "critical").map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map(n => ({html: n.html, failureSummary: n.failureSummary}))}))))`)
	if err := json.Unmarshal([]byte(raw), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Each view at the width of a phone and of a desk, light and dark: axe finds nothing serious, and nothing but drawings and tables, which scroll, is wider.
func TestEachView(t *testing.T) {
	b := browser.Start(t)
	window, _ := request(t, stage.SRE, "reindex-view", "look at me")
	request(t, stage.SecondSRE, "reindex-own", "my own")
	at := serve(t, stage.SecondSRE)
	for _, view := range []struct{ name, path, says string }{
		{"now", "now", "Environments"}, {"waiting", "waiting", "To approve"}, {"window", "window/payments/" + window, "Your decision"}, {"calendar", "calendar", "waits for approval"},
		{"month", "calendar?show=month", "waits for approval"}, {"changes", "changes?since=24h", "Since"}, {"estate", "estate", "What crosses"},
	} {
		for _, width := range []int64{390, 1440} {
			for _, dark := range []bool{false, true} {
				b.Size(width, 900, dark)
				b.Open(at + "c/firebreak/" + view.path)
				b.Says("main", view.says)
				for _, v := range barriers(t, b) {
					t.Errorf("%s at %d, dark %t: %s (%s): %+v", view.name, width, dark, v.Help, v.ID, v.Nodes)
				}
				if wide := browser.Evaluate[int](b, "document.documentElement.scrollWidth"); int64(wide) > width {
					t.Errorf("%s is %d wide on a screen of %d", view.name, wide, width)
				}
				shade := map[bool]string{true: "dark", false: "light"}[dark]
				b.Shot(fmt.Sprintf("%s-%d-%s", view.name, width, shade))
			}
		}
		if pdf := b.Print(); len(pdf) < 5_000 {
			t.Errorf("%s prints as %d bytes", view.name, len(pdf))
		}
	}
}

// While the API server is gone, the page stays and says so; when it is back, it says that, too.
func TestTheAPIServerIsGone(t *testing.T) {
	b := browser.Start(t)
	b.Open(serve(t, stage.SecondSRE) + "c/firebreak/waiting")
	b.Says("#live", "As of")
	b.Says("main", "To approve")
	if err := the.Kill("kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	b.Says("#live", "The API server has not answered since", "What you see is from before.")
	b.Says("main", "To approve")
	time.Sleep(time.Until(killed.Add(10 * time.Second)))
	if err := the.Revive(t.Context(), "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	b.Says("#live", "As of")
	if err := the.Settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Says("main", "To approve")
}

// What a browser makes of the evidence: what users wrote is text, and nothing is wider than the screen or the paper.
func TestEvidencePage(t *testing.T) {
	b := browser.Start(t)
	request(t, stage.SRE, "reindex-evidence", "evidence "+sentinel)
	file := filepath.Join(t.TempDir(), "evidence.html")
	out := plugin(t, stage.SecondSRE, "evidence", "--from", "1h", "-o", "html")
	_, html, _ := strings.Cut(out, "<!DOCTYPE")
	if err := os.WriteFile(file, []byte("<!DOCTYPE"+html), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{390, 1280} {
		b.Size(width, 900, false)
		b.Open("file://" + file)
		b.Says("main", "What was done about the permission to change production", "<img src=x onerror=")
		for _, v := range barriers(t, b) {
			t.Errorf("at %d: %s (%s): %+v", width, v.Help, v.ID, v.Nodes)
		}
		if wide := browser.Evaluate[int](b, "document.documentElement.scrollWidth"); int64(wide) > width {
			t.Errorf("it is %d wide on a screen of %d", wide, width)
		}
		if title := browser.Evaluate[string](b, "document.title"); strings.Contains(title, "owned") {
			t.Error("what a user wrote was run as a script")
		}
		b.Shot(fmt.Sprintf("evidence-%d", width))
	}
	if pdf := b.Print(); len(pdf) < 5_000 {
		t.Errorf("it prints as %d bytes", len(pdf))
	}
}

// What users wrote is text in every view, whichever field they wrote it in.
func TestWhatUsersWroteIsText(t *testing.T) {
	b := browser.Start(t)
	people := fixture.Everybody(t, the)
	w, err := fixture.Window("sentinels", "sentinels-", 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Spec.Reason, w.Spec.Ticket, w.Spec.Rollback = "reason "+sentinel, "ticket "+sentinel, "rollback "+sentinel
	if err := people.SRE.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	no := fixture.Word(w, v1alpha1.DecisionReject)
	no.Spec.Comment = "comment " + sentinel
	await.True(t, "it is rejected", func() bool { return people.SecondSRE.Create(t.Context(), no) == nil })
	freeze := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "sentinel"}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"staging"}, Reason: "freeze " + sentinel}}
	if err := people.SecondSRE.Create(t.Context(), freeze); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = people.SecondSRE.Delete(context.WithoutCancel(t.Context()), freeze) })
	at := serve(t, stage.SecondSRE)
	for path, says := range map[string][]string{
		"now": {"freeze <img src=x"}, "waiting": {"To approve"}, "calendar": {"freeze <img src=x"}, "calendar?show=month": {"freeze <img src=x"},
		"changes?since=1h":          {"reason <img src=x", "comment <img src=x", "freeze <img src=x"},
		"window/payments/sentinels": {"reason <img src=x", "ticket <img src=x", "rollback <img src=x"},
		"changes?since=%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D%27owned%27%22%3E&who=%22%3E%3Cscript%3Edocument.title%3D%27owned%27%3C%2Fscript%3E": {"is not a time of day"},
	} {
		b.Open(at + "c/firebreak/" + path)
		b.Says("main", says...)
		if n := browser.Evaluate[int](b, "document.querySelectorAll('main img, main script').length"); n > 0 || strings.Contains(browser.Evaluate[string](b, "document.title"), "owned") {
			t.Errorf("%s: what a user wrote became %d elements of the page", path, n)
		}
	}
}

// The static site says when production is open and frozen, and not who asked for what.
func TestExport(t *testing.T) {
	b := browser.Start(t)
	people := fixture.Everybody(t, the)
	w, err := people.Approved(t.Context(), "exported", "exported-", 1)
	if err != nil {
		t.Fatal(err)
	}
	await.True(t, "its status says that it is open", func() bool {
		return people.Admin.Get(t.Context(), client.ObjectKeyFromObject(w), w) == nil && w.Status.Phase == v1alpha1.WindowOpen
	})
	folder := filepath.Join(t.TempDir(), "status")
	plugin(t, stage.SecondSRE, "ui", "--export", folder, "--zone", "Europe/Berlin")
	b.Open("file://" + filepath.Join(folder, "index.html"))
	b.Says("main", "payments/exported", "production")
	for _, name := range []string{"index.html", "next.html", "style.css"} {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"by sam", "robin", "CHG-7", "orders.prod", "look at me", "<script"} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
	}
	b.Shot("export")
}

// Three hundred namespaces and five hundred windows.
func TestTheSizeOfACompany(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes hundreds of windows")
	}
	b := browser.Start(t)
	people := fixture.Everybody(t, the)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for i := range 300 {
		g.Go(func() error { return namespaced(ctx, people, i) })
	}
	for i := range 500 {
		g.Go(func() error { return windowed(ctx, people, i) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	at := serve(t, stage.SecondSRE)
	for _, view := range []string{"now", "waiting", "calendar", "changes", "estate"} {
		b.Size(1440, 900, false)
		b.Open(at + "c/firebreak/" + view)
		b.Says("main", map[string]string{"now": "production", "waiting": "To approve", "calendar": "many-", "changes": "Since", "estate": "What crosses"}[view])
		said := browser.Evaluate[string](b, `new Promise(r => { new PerformanceObserver(l => r(JSON.stringify([l.getEntries()[0].startTime, performance.getEntriesByType("navigation")[0].transferSize]))).observe({type: "paint", buffered: true}); setTimeout(() => r("never"), 5000) })`)
		t.Logf("%s: first paint in ms and bytes sent %s, bytes as PDF %d", view, said, len(b.Print()))
		b.Shot("many-" + view)
	}
}

func namespaced(ctx context.Context, people *fixture.People, i int) error {
	return people.Admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("team-%03d-%s", i, []string{"dev", "test", "tools"}[i%3])}})
}

func windowed(ctx context.Context, people *fixture.People, i int) error {
	w, err := fixture.Window(fmt.Sprintf("many-%03d", i), fmt.Sprintf("many-%03d-", i), 1)
	if err != nil {
		return err
	}
	start := metav1.NewTime(time.Now().Add(time.Duration(i) * 20 * time.Minute))
	end := metav1.NewTime(start.Add(time.Hour))
	w.Spec.Schedule.Start, w.Spec.Schedule.End = &start, &end
	return people.SRE.Create(ctx, w)
}
