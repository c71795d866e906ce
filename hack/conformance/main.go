// Command conformance runs Kubernetes' own conformance tests against a control plane without Firebreak and against one with it. A
// test that passes without Firebreak must pass with it: a cluster that has Firebreak is still Kubernetes.
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
	"sync"
	"syscall"
	"time"
)

// The paths are relative to the repository's root, where make starts this program.
const (
	listPath = "hack/conformance/specs.txt"
	toolsDir = "bin/e2e"
	logDir   = "bin/e2e/logs"
)

// options are the settings of the command line.
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
	flag.IntVar(&o.procs, "procs", 8, "how many specs run at a time on each control plane")
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
	plain, guarded, err := both(ctx, specs, o.procs)
	if err != nil {
		return err
	}
	plain.print("without Firebreak")
	guarded.print("with Firebreak")
	fmt.Printf("\nFirebreak judged %d requests meanwhile.\n", guarded.judged)
	if worse := plain.passed.Difference(guarded.passed); worse.Len() > 0 {
		return fmt.Errorf("%d of the specs pass without Firebreak and fail with it; see %s", worse.Len(), filepath.Join(logDir, "firebreak.log"))
	}
	if plain.passed.Len() == 0 || guarded.judged == 0 {
		return errors.New("nothing passes without Firebreak, or Firebreak has judged nothing: neither proves anything")
	}
	return nil
}

// both runs the specs without Firebreak and with it, at the same time, since both mostly wait.
func both(ctx context.Context, specs []string, procs int) (plain, guarded *outcome, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var plainErr, guardedErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		if plain, plainErr = try(ctx, "plain", specs, procs, startPlain); plainErr != nil {
			cancel() // a single outcome cannot be compared
		}
	})
	wg.Go(func() {
		if guarded, guardedErr = try(ctx, "firebreak", specs, procs, startGuarded); guardedErr != nil {
			cancel()
		}
	})
	wg.Wait()
	return plain, guarded, errors.Join(plainErr, guardedErr)
}

// try runs the specs on a control plane of their own.
func try(ctx context.Context, name string, specs []string, procs int, start starter) (*outcome, error) {
	began := time.Now()
	c, err := start(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	result, err := runSpecs(ctx, c.ControlPlane, name, specs, procs)
	judged, judgedErr := c.judged(ctx)
	if err = errors.Join(err, judgedErr, c.Stop()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	result.judged = judged
	result.took = time.Since(began)
	return result, nil
}
