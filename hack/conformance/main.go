// Command conformance runs Kubernetes' own conformance tests against a control plane without Firebreak and against one
// with it. What passes without must pass with it: a cluster that has Firebreak is still Kubernetes.
//
// It runs the specs that need no kubelet, which specs.txt lists. With -find it looks for them anew.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// Paths from the repository's root, where make starts this.
const (
	listPath = "hack/conformance/specs.txt"
	toolsDir = "bin/e2e"
	logDir   = "bin/e2e/logs"
)

// options are what the command line says.
type options struct {
	find    bool
	more    bool
	workers int
	patient time.Duration
	procs   int
	focus   *regexp.Regexp
}

func main() {
	var o options
	flag.BoolVar(&o.find, "find", false, "look for the specs that pass without a kubelet, and write "+listPath)
	flag.BoolVar(&o.more, "more", false, "with -find: try only the specs that the list lacks, and add those that pass")
	flag.IntVar(&o.workers, "workers", 16, "with -find: how many specs run at a time")
	flag.DurationVar(&o.patient, "patience", 75*time.Second, "with -find: how long a spec may take")
	flag.IntVar(&o.procs, "procs", 8, "how many specs run at a time; most of their time they wait")
	focused := flag.String("focus", "", "only specs whose names match this regular expression")
	flag.Parse()
	o.focus = regexp.MustCompile(*focused)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if err := os.MkdirAll(logDir, 0o755); err != nil { //nolint:gosec // logs of a test, for everybody
		return err
	}
	if o.find {
		return find(ctx, o)
	}
	specs, err := readList(o.focus)
	if err != nil {
		return err
	}
	plain, err := try(ctx, "without Firebreak", "plain", specs, o.procs, startPlain)
	if err != nil {
		return err
	}
	guarded, err := try(ctx, "with Firebreak", "firebreak", specs, o.procs, startGuarded)
	if err != nil {
		return err
	}
	if worse := plain.passed.Difference(guarded.passed); worse.Len() > 0 {
		return fmt.Errorf("%d specs pass without Firebreak and fail with it; see %s", worse.Len(), filepath.Join(logDir, "firebreak.log"))
	}
	if plain.passed.Len() == 0 {
		return errors.New("nothing passes without Firebreak, which proves nothing")
	}
	return nil
}

// try runs the specs on a control plane of their own, and prints how it went.
func try(ctx context.Context, title, name string, specs []string, procs int, start starter) (*outcome, error) {
	began := time.Now()
	p, err := start(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", title, err)
	}
	result, err := runSpecs(ctx, p, name, specs, procs)
	if err = errors.Join(err, p.Stop()); err != nil {
		return nil, fmt.Errorf("%s: %w", title, err)
	}
	result.print(title, time.Since(began))
	return result, nil
}
