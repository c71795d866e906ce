package main

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
)

// whyLines is how many lines of a failure are shown; the log has the rest.
const whyLines = 5

// outcome is the result of a run.
type outcome struct {
	wanted, passed, again sets.Set[string]
	why                   map[string]string // of those that failed
	took                  time.Duration
	judged                int      // requests, by Firebreak
	suite                 []string // failures of the suite itself, such as its set-up
}

func newOutcome(specs []string) *outcome {
	return &outcome{wanted: sets.New(specs...), passed: sets.New[string](), again: sets.New[string](), why: map[string]string{}}
}

// add counts a spec. Ginkgo reports the specs that were not selected too, as skipped.
func (o *outcome) add(r *specReport) {
	name := r.name()
	if r.LeafNodeType != "It" {
		if r.State != "passed" {
			o.suite = append(o.suite, r.LeafNodeType+": "+r.Failure.Message)
		}
		return
	}
	if !o.wanted.Has(name) {
		return
	}
	if r.State != "passed" {
		o.why[name] = r.State + ": " + r.Failure.Message
		return
	}
	o.passed.Insert(name)
	if r.NumAttempts > 1 {
		o.again.Insert(name)
	}
}

func (o *outcome) print(title string) {
	failed := o.wanted.Difference(o.passed)
	fmt.Printf("\n%s: %d passed, %d failed, in %.0f s\n", title, o.passed.Len(), failed.Len(), o.took.Seconds())
	for _, name := range sets.List(o.again) {
		fmt.Println("  passed at the second try:", name)
	}
	for _, why := range o.suite {
		fmt.Println("  the suite itself:", firstLines(why))
	}
	for _, name := range sets.List(failed) {
		why, ran := o.why[name]
		if !ran {
			why = "was not run; is there a spec of this name?"
		}
		fmt.Printf("  failed: %s\n    %s\n", name, firstLines(why))
	}
}

// firstLines returns the beginning of a text, without empty lines, indented.
func firstLines(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && len(lines) < whyLines {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n    ")
}
