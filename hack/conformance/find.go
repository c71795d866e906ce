package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
)

// unsteady reports whether a spec passes or fails by chance here.
func unsteady(spec string) bool {
	// A simulated Job runs for one second of every minute, and this spec looks for it every two seconds. Depending on the second in
	// which it starts, the spec finds the Job always or never.
	return strings.HasPrefix(spec, "[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent ")
}

// find runs every conformance spec on control planes without Firebreak, and writes down which pass. Each runs in a process of its
// own, since only then does it have a time limit of its own: a spec that waits for a container waits for five minutes.
func find(ctx context.Context, o options) error {
	all, err := conformanceSpecs(ctx)
	if err != nil {
		return err
	}
	f := &finder{patience: o.patient, passed: sets.New[string]()}
	if o.more {
		known, err := readList(regexp.MustCompile(""))
		if err != nil {
			return err
		}
		f.passed.Insert(known...)
	}
	var together, alone []string
	for _, spec := range all {
		if f.passed.Has(spec) || unsteady(spec) || !o.focus.MatchString(spec) {
			continue
		}
		if strings.Contains(spec, "[Serial]") {
			alone = append(alone, spec)
		} else {
			together = append(together, spec)
		}
	}
	fmt.Printf("Trying %d specs, and %d one at a time.\n", len(together), len(alone))
	f.toTry = len(together) + len(alone)
	// Serial specs run meanwhile on a control plane of their own.
	var serial error
	var wg sync.WaitGroup
	wg.Go(func() { serial = f.tryAll(ctx, alone, 1) })
	err = f.tryAll(ctx, together, o.workers)
	wg.Wait()
	if err := errors.Join(err, serial); err != nil {
		return err
	}
	version, err := exec.CommandContext(ctx, filepath.Join(toolsDir, "e2e.test"), "--version").Output()
	if err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	return writeList(strings.TrimSpace(string(version)), len(all), sets.List(f.passed))
}

// finder collects the specs that pass.
type finder struct {
	patience time.Duration
	toTry    int

	mu     sync.Mutex
	tried  int
	passed sets.Set[string]
}

// tryAll tries specs on one control plane.
func (f *finder) tryAll(ctx context.Context, specs []string, workers int) (err error) {
	c, err := startPlain(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	queue := make(chan string, len(specs))
	for _, spec := range specs {
		queue <- spec
	}
	close(queue)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for spec := range queue {
				if errs[i] = errors.Join(errs[i], f.try(ctx, c.ControlPlane, spec)); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// try runs one spec, and records whether it passes.
func (f *finder) try(ctx context.Context, c *controlplane.ControlPlane, spec string) error {
	began := time.Now()
	dir, err := os.MkdirTemp(c.Dir(), "spec-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	flags, err := e2eFlags(c)
	if err != nil {
		return err
	}
	report := filepath.Join(dir, "report.json")
	failure := execute(ctx, filepath.Join(dir, "log"), filepath.Join(toolsDir, "e2e.test"), append(flags,
		"--ginkgo.no-color", "--ginkgo.focus="+focus([]string{spec}),
		"--ginkgo.timeout="+f.patience.String(), "--ginkgo.json-report="+report)...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	result, err := readReport(report, []string{spec})
	if err != nil {
		return errors.Join(err, failure)
	}
	f.note(result, spec, time.Since(began))
	return nil
}

func (f *finder) note(result *outcome, spec string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried++
	says := "fails"
	if result.passed.Has(spec) {
		f.passed.Insert(spec)
		says = "passes"
	}
	fmt.Printf("%d/%d %s in %.0f s: %s\n", f.tried, f.toTry, says, took.Seconds(), spec)
	if why, ok := result.why[spec]; ok {
		fmt.Println("   ", firstLines(why))
	}
}
