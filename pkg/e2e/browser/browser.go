package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long one thing on a page may take to appear.
const patience = 45 * time.Second

// Browser is a tab of a Chromium of its own.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// names are what Chromium is called on various systems.
func names() []string { return []string{"chromium", "chromium-browser", "google-chrome", "chrome"} }

// Start starts a Chromium. Where none is installed, the test is skipped and says so, unless CI says that one must be there.
func Start(t testing.TB) *Browser {
	t.Helper()
	var path string
	for _, name := range names() {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	switch {
	case path == "" && os.Getenv("CI") != "":
		t.Fatalf("no Chromium is installed (looked for %s), and CI must look at the pages", strings.Join(names(), ", "))
	case path == "":
		t.Skipf("SKIPPED: no Chromium is installed (looked for %s), so nobody has looked at the page", strings.Join(names(), ", "))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience), chromedp.IgnoreCertErrors,
		// Without a network, what Chromium does on the side only delays it.
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true))
	allocated, endAllocation := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, end := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		end()
		endAllocation()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &Browser{t, ctx}
}

// run runs an action that must end in time.
func run[T any](b *Browser, wait time.Duration, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, wait)
	defer cancel()
	return chromedp.Run(ctx, a)
}

// Do runs steps, which must succeed.
func (b *Browser) Do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if _, err := run(b, patience, chromedp.Steps(steps...)); err != nil {
		b.t.Fatalf("%s: %v\nThe page says:\n%s", what, err, b.text("body"))
	}
}

// Open opens an address.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.Do("open "+address, chromedp.Navigate(address))
}

// Click clicks on what a CSS selector finds.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.Do("click on "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Type types into what a CSS selector finds.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	b.Do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Keys presses keys, wherever the focus is.
func (b *Browser) Keys(keys string) {
	b.t.Helper()
	b.Do("press keys", chromedp.KeyEvent(keys))
}

// Size sets the size of the window, in pixels, and whether it is dark.
func (b *Browser) Size(width, height int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.Do("size the window", chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

func (b *Browser) text(selector string) string {
	out, err := run(b, 3*time.Second, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		return err.Error()
	}
	return out
}

// Says waits until a part of the page says all of something, and returns what it says.
func (b *Browser) Says(selector string, want ...string) string {
	b.t.Helper()
	var said string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		said = b.text(selector)
		missing := false
		for _, w := range want {
			missing = missing || !strings.Contains(said, w)
		}
		if !missing {
			return said
		}
	}
	b.t.Fatalf("%s does not say %q:\n%s", selector, want, said)
	return ""
}

// Evaluate returns the value of a script in the page; a promise is waited for.
func Evaluate[T any](b *Browser, script string) T {
	b.t.Helper()
	out, err := run(b, patience, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %.200s: %v", script, err)
	}
	return out
}

// Shot takes a picture of the whole page, if the variable SCREENSHOTS names a folder.
func (b *Browser) Shot(name string) {
	b.t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	png, err := run(b, patience, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Print returns the page as PDF.
func (b *Browser) Print() []byte {
	b.t.Helper()
	pdf, err := run(b, patience, chromedp.PrintToPDF())
	if err != nil {
		b.t.Fatal(err)
	}
	return pdf
}
