package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// fault is one thing that breaks.
type fault struct {
	name string
	// short puts it into the short form, too.
	short bool
	// inject breaks it, and heal, unless it is nil, mends it. What is not mended must mend itself.
	inject, heal func(*scene) error
	expect       expectation
	// lasts is how long it is broken at least; requests is how many requests are sent meanwhile at least, by default a few.
	lasts    time.Duration
	requests int64
	// each shows the registrations apart.
	each bool
	// missing says why the fault is not made.
	missing string
}

// expectation is what senders may notice.
type expectation int

const (
	// mayFail: some requests may get no decision.
	mayFail expectation = iota
	// fails: some must, or be asked to try again, or be admitted unjudged; else the fault was not made.
	fails
	// seamless: nobody notices anything.
	seamless
)

// scene is what a fault acts on. It may note what heal needs.
type scene struct {
	*world
	t    *testing.T
	sent *traffic
	undo []func() error
	// injected is the certificate that must be replaced.
	injected []byte
}

// later has heal do something; the last comes first.
func (x *scene) later(f func() error) { x.undo = append(x.undo, f) }

// undone is the heal of faults that use later.
func undone(x *scene) error {
	var errs []error
	for i := len(x.undo) - 1; i >= 0; i-- {
		errs = append(errs, x.undo[i]())
	}
	x.undo = nil
	return errors.Join(errs...)
}

// few is how many requests are sent while something is broken, unless a fault says more: twice what all errands are.
const few = 24

// longest is how long requests are waited for. While nothing answers, each takes as long as the API server waits.
const longest = 20 * time.Second

// row makes the fault and counts what becomes of the traffic.
func (f *fault) row(t *testing.T, w *world, tag string) *result {
	r := &result{fault: f}
	t.Cleanup(func() { r.bad = t.Failed() })
	if err := w.begin(t.Context(), tag); err != nil {
		t.Fatal(err)
	}
	rightNow(t, w, "before the fault")
	postponed := w.postponed.Load()
	x := &scene{world: w, t: t, sent: w.send(t)}
	// Whatever a row comes to, the next one begins with everything mended.
	defer func() {
		x.sent.end()
		if err := undone(x); err != nil {
			t.Error(err)
		}
	}()
	if err := f.inject(x); err != nil {
		t.Fatal("inject:", err)
	}
	f.meanwhile(x)
	if f.heal != nil {
		if err := f.heal(x); err != nil {
			t.Fatal("heal:", err)
		}
	}
	begin := time.Now()
	rightNow(t, w, "after the fault")
	r.recovery = time.Since(begin)
	x.sent.end()
	r.tally, r.postponed = x.sent.tally, w.postponed.Load()-postponed
	var err error
	if r.account, err = w.account(t.Context(), r.of(named("a run under the window")).failed); err != nil {
		t.Fatal(err)
	}
	r.assert(t)
	if err := w.tidy(t.Context()); err != nil {
		t.Error(err)
	}
	return r
}

// meanwhile waits until the fault has lasted, and enough was sent.
func (f *fault) meanwhile(x *scene) {
	begin, before := time.Now(), x.sent.sent.Load()
	for x.t.Context().Err() == nil {
		lasted := time.Since(begin)
		enough := x.sent.sent.Load()-before >= max(f.requests, few) || f.requests == 0 && lasted > longest
		if enough && lasted >= f.lasts {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// rightNow waits until all replicas are ready and each errand gets the answer that it must.
func rightNow(t *testing.T, w *world, when string) {
	t.Helper()
	attempt := 0
	await.NoError(t, "everything is judged as it must be "+when, func() error {
		attempt++
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := w.Pods.WaitReady(ctx, replicas); err != nil {
			return err
		}
		for i, e := range errands() {
			name := fmt.Sprintf("%s-%d-%d", strings.Fields(when)[0], attempt, i)
			if err := w.do(t.Context(), &e, i%workers, name); verdictOf(err) != e.must {
				return fmt.Errorf("%s: %w", e.name, errors.Join(err, errWrong))
			}
		}
		return nil
	})
}

var errWrong = errors.New("that is not the answer which it must get")

// tidy removes what was admitted unjudged while nobody could judge it.
func (w *world) tidy(ctx context.Context) error {
	if err := w.dana.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace("dev"), client.MatchingLabels{label: unjudged}); err != nil {
		return fmt.Errorf("remove what nobody judged: %w", err)
	}
	return nil
}

// pods returns the replicas; the leading one comes first.
func (x *scene) pods() ([]string, error) {
	leader, err := x.leader()
	if err != nil {
		return nil, err
	}
	out := []string{leader}
	for _, p := range x.Pods.Pods() {
		if p.Name != leader && !p.Terminating {
			out = append(out, p.Name)
		}
	}
	if len(out) < replicas {
		return nil, fmt.Errorf("the replicas are %v, want %d", out, replicas)
	}
	return out, nil
}

// admins runs kubectl as the administrator.
func (x *scene) admins(args ...string) error {
	_, err := x.Kubectl(x.t.Context(), x.AdminConfig(), args...)
	return err
}

func (x *scene) deployment(args ...string) error {
	return x.admins(append([]string{"-n", stage.Namespace}, args...)...)
}
