package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const (
	replicas = 3
	parallel = 50
)

var cluster *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

func TestMain(m *testing.M) {
	// These are created before there is a boundary: a namespace of production that a test deletes, and the right to delete it.
	os.Exit(fixture.Main(m, stage.Options{Replicas: replicas}, &cluster, func(ctx context.Context, s *stage.Stage) error {
		for _, args := range [][]string{
			{"create", "namespace", passing},
			{"create", "clusterrole", "namespace-deleter", "--verb=get,delete", "--resource=namespaces"},
			{"create", "clusterrolebinding", "namespace-deleter", "--clusterrole=namespace-deleter", "--group=sre"},
		} {
			if _, err := s.Kubectl(ctx, s.AdminConfig(), args...); err != nil {
				return err
			}
		}
		return nil
	}))
}

func people(t *testing.T) *fixture.People {
	t.Helper()
	return fixture.Everybody(t, cluster)
}

// burst creates Jobs of distinct names in parallel and returns the UIDs of those that were admitted. If dry is set, every fourth is
// a dry run. interrupt runs at the same time.
func burst(ctx context.Context, t *testing.T, c client.Client, prefix string, dry bool, interrupt func()) map[types.UID]string {
	t.Helper()
	var mu sync.Mutex
	admitted := map[types.UID]string{}
	var wg sync.WaitGroup
	if interrupt != nil {
		wg.Go(interrupt)
	}
	for i := range parallel {
		wg.Go(func() {
			job := fixture.Job(fmt.Sprintf("%s%d", prefix, i))
			if dry && i%4 == 0 {
				if err := c.Create(ctx, job, client.DryRunAll); err != nil && !transient(err) {
					t.Errorf("dry run of %s: %v", job.Name, err)
				}
				return
			}
			err := c.Create(ctx, job)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				admitted[job.UID] = job.Name
			case transient(err), strings.Contains(err.Error(), "ExecutionsExhausted: window"):
			default:
				t.Errorf("create %s: %v", job.Name, err)
			}
		})
	}
	wg.Wait()
	return admitted
}

// transient reports whether an error is temporary: the answers of a killed replica are lost, contention asks for a retry, and an API server that has
// just started does not know yet who may do what.
func transient(err error) bool {
	early := apierrors.IsForbidden(err) && !strings.Contains(err.Error(), "admission webhook") && strings.Contains(err.Error(), "cannot create resource")
	return early || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) || apierrors.IsTooManyRequests(err) ||
		strings.Contains(err.Error(), "failed calling webhook") || cutOff(err)
}

// cutOff reports whether the connection broke, or nothing accepted it.
func cutOff(err error) bool {
	var broken *net.OpError
	return errors.As(err, &broken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "http2: client connection lost") || strings.Contains(err.Error(), "connection reset by peer") ||
		apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsForbidden(err) && strings.Contains(err.Error(), "not yet ready to handle request")
}

func TestExactlyAsManyAsTheWindowAllows(t *testing.T) {
	cases := map[string]struct {
		reason string
		max    int32
		dry    bool
		rounds int
	}{
		"one execution, twenty rounds":     {"a slot is taken by whoever creates its record first", 1, false, 20},
		"three executions":                 {"a request that loses one slot finds the next free one", 3, false, 5},
		"one execution, dry runs mixed in": {"a dry run reserves nothing", 1, true, 5},
		"three executions, dry runs too":   {"a dry run reserves nothing, contended or not", 3, true, 5},
	}
	p := people(t)
	ctx := t.Context()
	id := 0
	for name, tc := range cases {
		for round := range tc.rounds {
			id++
			prefix := fmt.Sprintf("exact-%d-", id)
			w, err := p.Approved(ctx, fmt.Sprintf("exact-%d", id), prefix, tc.max)
			if err != nil {
				t.Fatal(err)
			}
			admitted := burst(ctx, t, p.SRE, prefix, tc.dry, nil)
			if len(admitted) != int(tc.max) {
				t.Errorf("%s, round %d: admitted %d, want %d: %s", name, round, len(admitted), tc.max, tc.reason)
			}
			checkLedger(ctx, t, p, w, prefix, int(tc.max))
		}
	}
}

// checkLedger compares the Jobs that exist with the executions on record: each has exactly one, and there are never
// more records than the window allows.
func checkLedger(ctx context.Context, t *testing.T, p *fixture.People, w *v1alpha1.ChangeWindow, prefix string, limit int) {
	t.Helper()
	executions, err := p.Executions(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	if len(executions) > limit {
		t.Errorf("window %s allows %d executions, and %d are on record", w.Name, limit, len(executions))
	}
	count := map[types.UID]int{}
	for _, x := range executions {
		count[x.Spec.Object.UID]++
	}
	var jobs batchv1.JobList
	if err := p.Admin.List(ctx, &jobs, client.InNamespace(fixture.Production)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, j := range jobs.Items {
		if !strings.HasPrefix(j.Name, prefix) {
			continue
		}
		n++
		if count[j.UID] != 1 {
			t.Errorf("Job %s has %d executions on record, want 1", j.Name, count[j.UID])
		}
	}
	if n > limit {
		t.Errorf("%d Jobs run under window %s, which allows %d", n, w.Name, limit)
	}
}

func TestServersKilledInBetween(t *testing.T) {
	p := people(t)
	ctx := t.Context()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for round := range 6 {
		prefix := fmt.Sprintf("killed-%d-", round)
		w, err := p.Approved(ctx, fmt.Sprintf("killed-%d", round), prefix, 3)
		if err != nil {
			t.Fatal(err)
		}
		victims := cluster.Pods.Pods()
		victim := victims[rnd.IntN(len(victims))].Name
		after := time.Duration(rnd.IntN(400)) * time.Millisecond
		burst(ctx, t, p.SRE, prefix, false, func() {
			time.Sleep(after)
			if err := cluster.Pods.Kill(victim); err != nil {
				t.Errorf("kill %s: %v", victim, err)
			}
		})
		checkLedger(ctx, t, p, w, prefix, 3)
		wait, cancel := context.WithTimeout(ctx, 60*time.Second)
		err = cluster.Pods.WaitReady(wait, replicas)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		// The remaining slots may still be used, and no more than those.
		burst(ctx, t, p.SRE, prefix+"again-", false, nil)
		checkLedger(ctx, t, p, w, prefix, 3)
	}
}

func TestDeletedAndRecreatedWindowStartsUnapproved(t *testing.T) {
	p := people(t)
	ctx := t.Context()
	w, err := p.Approved(ctx, "again", "again-", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SRE.Delete(ctx, w); err != nil {
		t.Fatal(err)
	}
	fresh := &v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Name: w.Name, Namespace: w.Namespace}, Spec: w.Spec}
	if err := p.SRE.Create(ctx, fresh); err != nil {
		t.Fatal(err)
	}
	err = p.SRE.Create(ctx, fixture.Job("again-1"))
	if err == nil || !strings.Contains(err.Error(), `window "again" does not permit it, since it has 0 of 1 approvals`) {
		t.Errorf("the run under the re-created window: %v, want it refused for want of approvals", err)
	}
}
