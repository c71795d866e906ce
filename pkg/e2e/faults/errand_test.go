package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

// label marks what must not be stored: with denied, whatever is broken; with unjudged, as long as a replica answers.
const label, denied, unjudged = "faults", "denied", "unjudged"

// The registrations, by what happens when no replica answers: core and stamp refuse, broad admits.
const core, stamp, broad = "core", "stamp", "broad"

// errand is one request that somebody sends again and again.
type errand struct {
	name, registration string
	must               verdict
	send               func(ctx context.Context, w *world, worker int, name string) error
}

// errands returns what is sent in turn.
func errands() []errand {
	return []errand{
		{"a developer names production's database", core, isDenied, func(ctx context.Context, w *world, _ int, name string) error {
			return w.dana.Create(ctx, crossing(name, denied))
		}},
		{"a developer changes a setting in development", core, isAdmitted, func(ctx context.Context, w *world, worker int, name string) error {
			return set(ctx, w.dana, "dev", "settings", worker, name)
		}},
		{"a run under the window", core, isAdmitted, func(ctx context.Context, w *world, _ int, name string) error {
			return w.run(ctx, name)
		}},
		{"a run without a window", core, isDenied, func(ctx context.Context, w *world, _ int, name string) error {
			return w.sam.Create(ctx, without(name))
		}},
		{"a member changes a setting in production", core, isAdmitted, func(ctx context.Context, w *world, worker int, name string) error {
			return set(ctx, w.sam, fixture.Production, "settings", worker, name)
		}},
		{"a machine names production's database", broad, isDenied, func(ctx context.Context, w *world, _ int, name string) error {
			return w.builder.Create(ctx, crossing(name, unjudged))
		}},
		{"a machine changes a setting in development", broad, isAdmitted, func(ctx context.Context, w *world, worker int, name string) error {
			return set(ctx, w.builder, "dev", "machine", worker, name)
		}},
		{"a machine runs in production without a window", core, isDenied, func(ctx context.Context, w *world, _ int, name string) error {
			return w.bot.Create(ctx, without(name))
		}},
		{"a controller makes a Pod", broad, isAdmitted, func(ctx context.Context, w *world, _ int, name string) error {
			return w.controller.Create(ctx, w.podOf(name), client.DryRunAll)
		}},
		{"a member moves production's namespace out", core, isDenied, func(ctx context.Context, w *world, _ int, _ string) error {
			e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}}
			return w.sam.Patch(ctx, e, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"namespaces":{"names":["prod-*"]}}}`)))
		}},
		{"a member asks for a window", stamp, isAdmitted, func(ctx context.Context, w *world, _ int, name string) error {
			return w.ask(ctx, name)
		}},
		{"a member approves their own window", stamp, isDenied, func(ctx context.Context, w *world, _ int, name string) error {
			word := fixture.Word(w.own, v1alpha1.DecisionApprove)
			word.GenerateName, word.Name, word.Labels = "", name, map[string]string{label: denied}
			return w.sam.Create(ctx, word)
		}},
	}
}

// crossing is a ConfigMap of development that leads to production's database.
func crossing(name, marked string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "dev", Labels: map[string]string{label: marked}},
		Data:       map[string]string{"url": "postgres://orders.prod.db.example.com/orders"},
	}
}

// maintenance is a Job that names production's database and makes no Pod: Pods would take the machine's time, and show nothing.
func maintenance(name string) *batchv1.Job {
	job := fixture.Job(name)
	job.Spec.Parallelism = ptr.To[int32](0)
	return job
}

func without(name string) *batchv1.Job {
	job := maintenance(name)
	job.Labels = map[string]string{label: denied}
	return job
}

func set(ctx context.Context, c client.Client, namespace, name string, worker int, value string) error {
	raw, err := json.Marshal(map[string]any{"data": map[string]string{"value": value}})
	if err != nil {
		return fmt.Errorf("encode a patch: %w", err)
	}
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + strconv.Itoa(worker), Namespace: namespace}}
	return c.Patch(ctx, o, client.RawPatch("application/merge-patch+json", raw))
}
