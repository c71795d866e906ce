package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// mostRuns is how often a row's window may be used; no row comes near.
const mostRuns = 10_000

// runs is what the names of a row's permitted Jobs begin with, and asked what those of its requested windows do, after the row's tag.
const runs, asked = "-run-", "-asked-"

// world is who sends requests, and what they send them about.
type world struct {
	*stage.Stage
	admin, dana, sam, robin, builder, bot, controller client.Client

	web *appsv1.ReplicaSet // whose Pods the controller makes
	own *v1alpha1.ChangeWindow
	// tag begins every name of the present row; window is the one that its Jobs run under.
	tag    string
	window *v1alpha1.ChangeWindow

	// postponed counts the answers that ask for a retry, which clients then make themselves.
	postponed atomic.Int64

	mu sync.Mutex
	// ran and requested are the UIDs of the Jobs and windows that were admitted.
	ran, requested map[types.UID]string
}

func newWorld(ctx context.Context, s *stage.Stage) (*world, error) {
	w := &world{Stage: s, web: &appsv1.ReplicaSet{}}
	var err error
	if w.admin, err = s.Client(s.AdminConfig()); err != nil {
		return nil, err
	}
	for to, cfg := range map[*client.Client]*rest.Config{
		&w.dana: s.UserConfig(stage.Developer), &w.sam: s.UserConfig(stage.SRE), &w.robin: s.UserConfig(stage.SecondSRE),
		&w.builder: machines["builder"], &w.bot: machines["release-bot"], &w.controller: machines["replicaset-controller"],
	} {
		cfg.Wrap(w.countRetries)
		if *to, err = s.Client(cfg); err != nil {
			return nil, err
		}
	}
	if err := w.admin.Get(ctx, client.ObjectKey{Namespace: "dev", Name: "web"}, w.web); err != nil {
		return nil, fmt.Errorf("read the ReplicaSet: %w", err)
	}
	if w.own, err = w.windowFor("never-approved", "never-approved-"); err != nil {
		return nil, err
	}
	return w, w.sam.Create(ctx, w.own)
}

// roundTripper is a function that sends a request.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (w *world) countRetries(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil && response.Header.Get("Retry-After") != "" {
			w.postponed.Add(1)
		}
		return response, err
	})
}

// windowFor returns a window for Jobs as maintenance makes them.
func (w *world) windowFor(name, prefix string) (*v1alpha1.ChangeWindow, error) {
	out, err := fixture.Window(name, prefix, mostRuns)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(maintenance(prefix))
	if err != nil {
		return nil, fmt.Errorf("encode the Job: %w", err)
	}
	template, err := workload.Of(batchv1.SchemeGroupVersion.WithKind("Job").GroupKind(), raw)
	if err != nil {
		return nil, err
	}
	plan := change.PlanOf(template, nil)
	out.Spec.Plan.Workloads[0].Digest, out.Spec.Plan.Workloads[0].Fields = plan.Digest, plan.Fields
	return out, nil
}

// begin gives the world an approved window of its own for a row.
func (w *world) begin(ctx context.Context, tag string) (err error) {
	w.tag, w.ran, w.requested = tag, map[types.UID]string{}, map[types.UID]string{}
	if w.window, err = w.windowFor(tag, tag+runs); err != nil {
		return err
	}
	if err := w.sam.Create(ctx, w.window); err != nil {
		return fmt.Errorf("request window %s: %w", tag, err)
	}
	return w.robin.Create(ctx, fixture.Word(w.window, v1alpha1.DecisionApprove))
}

func (w *world) run(ctx context.Context, name string) error {
	job := maintenance(w.tag + runs + name)
	err := w.sam.Create(ctx, job)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ran[job.UID] = job.Name
	}
	return err
}

func (w *world) ask(ctx context.Context, name string) error {
	window, err := w.windowFor(w.tag+asked+name, "unused-")
	if err != nil {
		return err
	}
	err = w.sam.Create(ctx, window)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.requested[window.UID] = window.Name
	}
	return err
}

// podOf returns the Pod that the controller makes of its ReplicaSet.
func (w *world) podOf(name string) *corev1.Pod {
	yes := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "dev", Labels: w.web.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: w.web.Name, UID: w.web.UID, Controller: &yes, BlockOwnerDeletion: &yes}},
		},
		Spec: *w.web.Spec.Template.Spec.DeepCopy(),
	}
}
