package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// workers is how many senders take turns with the errands.
const workers = 4

// sparse: windows are requested and approved in one of so many turns. Whoever runs something reads all windows of the namespace.
const sparse = 5

// patience is how long a sender waits for an answer: longer than the API server waits for a webhook, so that the answer is the API
// server's own where it gives one.
const patience = 25 * time.Second

// verdict is what became of a request.
type verdict int

const (
	isFailed verdict = iota // nobody decided: an error of a server or a connection, or no answer
	isAdmitted
	isDenied
)

// verdictOf tells a decision from a failure to decide.
func verdictOf(err error) verdict {
	switch {
	case err == nil:
		return isAdmitted
	case apierrors.IsForbidden(err) && (strings.Contains(err.Error(), "denied the request") || strings.Contains(err.Error(), "denied request")):
		return isDenied // by the webhook; by a policy of the chart
	}
	return isFailed
}

// count is what became of the requests of one errand.
type count struct{ sent, admitted, denied, failed int64 }

func (c *count) add(o count) {
	c.sent, c.admitted, c.denied, c.failed = c.sent+o.sent, c.admitted+o.admitted, c.denied+o.denied, c.failed+o.failed
}

// tally counts by errand, and keeps some of the answers that were not expected.
type tally struct {
	sent atomic.Int64

	mu       sync.Mutex
	by       map[string]*count
	failures map[string]int
	wrong    []string
}

func newTally() *tally { return &tally{by: map[string]*count{}, failures: map[string]int{}} }

func (y *tally) note(e *errand, err error) {
	y.sent.Add(1)
	got := verdictOf(err)
	y.mu.Lock()
	defer y.mu.Unlock()
	c := y.by[e.name]
	if c == nil {
		c = &count{}
		y.by[e.name] = c
	}
	c.sent++
	switch got {
	case isAdmitted:
		c.admitted++
	case isDenied:
		c.denied++
	default:
		c.failed++
		y.failures[e.registration+": "+gist(err)]++
	}
	if got != isFailed && got != e.must && e.registration != broad && len(y.wrong) < 5 {
		y.wrong = append(y.wrong, fmt.Sprintf("%s: %v", e.name, err))
	}
}

// gist is what errors of one cause have in common: names and ports are taken out.
func gist(err error) string {
	words := strings.Fields(err.Error())
	for i, word := range words {
		if strings.ContainsAny(word, "0123456789") {
			words[i] = "…"
		}
	}
	text := strings.Join(words, " ")
	return text[:min(len(text), 220)]
}

// of adds up the counts of the errands that which says.
func (y *tally) of(which func(*errand) bool) count {
	y.mu.Lock()
	defer y.mu.Unlock()
	var out count
	for _, e := range errands() {
		if c := y.by[e.name]; c != nil && which(&e) {
			out.add(*c)
		}
	}
	return out
}

func everything(*errand) bool { return true }

func through(registration string) func(*errand) bool {
	return func(e *errand) bool { return e.registration == registration }
}

func named(name string) func(*errand) bool {
	return func(e *errand) bool { return e.name == name }
}

// traffic is steady: each sender sends the next errand when the one before is answered.
type traffic struct {
	*tally
	stop context.CancelFunc
	done sync.WaitGroup
}

func (w *world) send(t *testing.T) *traffic {
	ctx, cancel := context.WithCancel(t.Context())
	r := &traffic{tally: newTally(), stop: cancel}
	for worker := range workers {
		r.done.Go(func() {
			all := errands()
			for n := worker * len(all) / workers; ctx.Err() == nil; n++ {
				e := &all[n%len(all)]
				if e.registration == stamp && n/len(all)%sparse > 0 {
					continue
				}
				// A request that is under way when the traffic ends gets its answer.
				err := w.do(context.WithoutCancel(ctx), e, worker, fmt.Sprintf("%d-%d", worker, n))
				r.note(e, err)
				if verdictOf(err) == isFailed {
					time.Sleep(50 * time.Millisecond) // a refused connection comes back at once, and would be all that is counted
				}
			}
		})
	}
	return r
}

func (w *world) do(ctx context.Context, e *errand, worker int, name string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if e.must == isDenied {
		name = w.tag + "-" + name // others have prefixes of their own, or are not stored
	}
	return e.send(ctx, w, worker, name)
}

// end stops the traffic and waits for the last answers.
func (r *traffic) end() {
	r.stop()
	r.done.Wait()
}
