package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/cli"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// passing is a namespace of production that a test deletes.
const passing = "prod-passing"

// The API server is killed while requests are under way, and comes back. Its answers hold, unanswered requests are tried again, and
// no window is used more often than it allows.
func TestTheAPIServerRestartedInBetween(t *testing.T) {
	p, ctx := people(t), t.Context()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for round := range 3 {
		prefix := fmt.Sprintf("dark-%d-", round)
		w, err := p.Approved(ctx, fmt.Sprintf("dark-%d", round), prefix, 3)
		if err != nil {
			t.Fatal(err)
		}
		before := names(ctx, t, p)
		after := time.Duration(rnd.IntN(600)) * time.Millisecond
		burst(ctx, t, p.SRE, prefix, false, func() {
			time.Sleep(after)
			wait, cancel := context.WithTimeout(ctx, 2*time.Minute)
			defer cancel()
			if err := cluster.RestartAPIServer(wait); err != nil {
				t.Errorf("restart the API server: %v", err)
			}
		})
		if t.Failed() {
			return
		}
		ready(ctx, t)
		checkLedger(ctx, t, p, w, prefix, 3)
		burst(ctx, t, p.SRE, prefix+"again-", false, nil)
		checkLedger(ctx, t, p, w, prefix, 3)
		now := names(ctx, t, p)
		for name := range before {
			if !now[name] {
				t.Errorf("execution %s has vanished", name)
			}
		}
	}
}

// ready waits until the replicas answer again, since they were cut off, too.
func ready(ctx context.Context, t *testing.T) {
	t.Helper()
	wait, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	if err := cluster.Pods.WaitReady(wait, replicas); err != nil {
		t.Fatal(err)
	}
}

// names returns the names of all executions that hold a slot.
func names(ctx context.Context, t *testing.T, p *fixture.People) map[string]bool {
	t.Helper()
	var all v1alpha1.ChangeExecutionList
	if err := p.Admin.List(ctx, &all, client.InNamespace(stage.Namespace)); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, x := range all.Items {
		if x.Status.State != v1alpha1.ExecutionReleased {
			out[x.Name] = true
		}
	}
	return out
}

// The log still tells what happened when its object, its window, its approval and the namespace of them all are deleted.
func TestTheTrailOutlivesWhatItIsAbout(t *testing.T) {
	p, ctx := people(t), t.Context()
	w, err := fixture.Window("passing", "passing-", 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Namespace, w.Spec.Reason, w.Spec.Ticket = passing, "rebuild the index once more", "CHG-99"
	if err := p.SRE.Create(ctx, w); err != nil {
		t.Fatal(err)
	}
	if err := p.SecondSRE.Create(ctx, fixture.Word(w, v1alpha1.DecisionApprove)); err != nil {
		t.Fatal(err)
	}
	job := fixture.Job("passing-1")
	job.Namespace = passing
	if err := p.SRE.Create(ctx, job); err != nil {
		t.Fatal(err)
	}
	told := func(when string) {
		t.Helper()
		want := entry{Who: stage.SRE, Operation: "Create", Object: "job/passing-1", Namespace: passing, Window: passing + "/passing",
			Reason: "rebuild the index once more", Ticket: "CHG-99", Approvers: fmt.Sprint([]string{stage.SecondSRE})}
		if got := logged(t, "job/passing-1"); got != want {
			t.Errorf("the log %s: %+v, want %+v", when, got, want)
		}
	}
	told("at first")
	if err := p.SRE.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
	told("without the Job")
	if err := p.SRE.Delete(ctx, w); err != nil {
		t.Fatal(err)
	}
	told("without the window")
	deleteNamespace(ctx, t, p)
	told("without the namespace")
}

// deleteNamespace deletes the namespace under a boundary window, and waits until it is gone.
func deleteNamespace(ctx context.Context, t *testing.T, p *fixture.People) {
	t.Helper()
	w, err := fixture.Window("farewell", "x", 1)
	if err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: passing}}
	if err := p.Admin.Get(ctx, client.ObjectKeyFromObject(ns), ns); err != nil {
		t.Fatal(err)
	}
	w.Namespace, w.Spec.Plan = stage.Namespace, nil
	w.Spec.Scope = v1alpha1.Scope{
		Operations: []v1alpha1.Operation{v1alpha1.OperationDelete}, Clusters: []string{stage.Cluster},
		Resources: []v1alpha1.ScopedResource{{Kind: "Namespace", Names: []v1alpha1.Glob{passing}, UIDs: []string{string(ns.UID)}}},
	}
	if err := p.SRE.Create(ctx, w); err != nil {
		t.Fatal(err)
	}
	if err := p.SecondSRE.Create(ctx, fixture.Word(w, v1alpha1.DecisionApprove)); err != nil {
		t.Fatal(err)
	}
	if err := p.SRE.Delete(ctx, ns); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		err := p.Admin.Get(ctx, client.ObjectKeyFromObject(ns), ns)
		if apierrors.IsNotFound(err) {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("namespace %s is still there: %v %+v", passing, err, ns.Status)
		}
	}
}

// entry is the log's entry for the run; Approvers is as the log prints it.
type entry struct {
	Who, Operation, Object, Namespace, Window, Reason, Ticket string
	Approvers                                                 string
}

func logged(t *testing.T, object string) entry {
	t.Helper()
	kubeconfig, err := cluster.Kubeconfig(cluster.UserConfig(stage.SRE), "")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root, err := cli.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	if err != nil {
		t.Fatal(err)
	}
	root.SetArgs([]string{"log", "--since", "10m", "-A", "-o", "json", "--kubeconfig", kubeconfig})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v %s", err, out.String())
	}
	var all []struct {
		entry
		Approvers []string
	}
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	for _, e := range all {
		if e.Object == object {
			e.entry.Approvers = fmt.Sprint(e.Approvers)
			return e.entry
		}
	}
	t.Fatalf("the log says nothing of %s: %s", object, out.String())
	return entry{}
}
