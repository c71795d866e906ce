package gitops

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// window has one person request a window for an account, and another approve it. of are the flags that say what it is for.
func window(t *testing.T, namespace, name, account, operations string, of ...string) {
	t.Helper()
	args := append([]string{
		"request", "-n", namespace, "--name", name, "--for-service-account", account, "--operation", operations,
		"--environment", "production", "--start", "now", "--duration", "1h", "--reason", "the release",
	}, of...)
	if out, err := cluster.Plugin(t.Context(), cluster.UserConfig(stage.SRE), args...); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := cluster.Plugin(t.Context(), cluster.UserConfig(stage.SecondSRE), "approve", name, "-n", namespace, "--yes"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

// used compares what a window was used for, each as an operation, a kind and a name.
func used(t *testing.T, namespace, name string, want ...string) {
	t.Helper()
	p := fixture.Everybody(t, cluster)
	w := &v1alpha1.ChangeWindow{}
	if err := p.Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, w); err != nil {
		t.Fatal(err)
	}
	executions, err := p.Executions(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range executions {
		got = append(got, sentence(fmt.Sprintf("%s %s %s", x.Spec.Operation, x.Spec.Object.Kind, x.Spec.Object.Name)))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("window %q was used for (+), not for (-): %s", name, diff)
	}
}

// changing is what differs from one run of the tests to the next: times, and the names of executions.
var changing = regexp.MustCompile(`\d{13}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[-0-9a-z]*`)

// sentence returns what the webhook says in an answer of the API server, which helm prints twice; it returns an answer of anything else as it is.
func sentence(answer string) string {
	const begins = "denied the request: "
	if i := strings.LastIndex(answer, begins); i >= 0 {
		answer = answer[i+len(begins):]
	}
	return changing.ReplaceAllString(policy.WithoutDenialID(strings.TrimSpace(answer)), "…")
}

// said compares what a controller was told with a whole sentence.
func said(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it was told (+), not (-): %s", diff)
	}
}

// runs checks of which version the only container of a Deployment is, and that nothing has touched it since it was of that version.
func runs(t *testing.T, namespace, name string, version int) {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := fixture.Everybody(t, cluster).Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, d); err != nil {
		t.Fatal(err)
	}
	if image := d.Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, "@"+digest(version)) || d.Generation != int64(version) {
		t.Errorf("Deployment %s runs %s after %d changes, want version %d", name, image, d.Generation, version)
	}
}

// absent checks that there is no Job of a name.
func absent(t *testing.T, namespace, name string) {
	t.Helper()
	if err := fixture.Everybody(t, cluster).Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &batchv1.Job{}); !apierrors.IsNotFound(err) {
		t.Errorf("Job %s: %v, want none", name, err)
	}
}

// healthy waits until an object is what the controllers call healthy: a Job has completed, a Deployment is rolled out.
func healthy(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	admin := fixture.Everybody(t, cluster).Admin
	await.NoError(t, u.GetKind()+" "+u.GetName()+" is healthy", func() error { return health(t.Context(), admin, u) })
}

func health(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
	key := client.ObjectKeyFromObject(u)
	switch u.GetKind() {
	case "Job":
		j := &batchv1.Job{}
		if err := c.Get(ctx, key, j); err != nil {
			return fmt.Errorf("look at it: %w", err)
		}
		if !slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
		}) {
			return fmt.Errorf("it has not completed: %+v", j.Status)
		}
	case "Deployment":
		d := &appsv1.Deployment{}
		if err := c.Get(ctx, key, d); err != nil {
			return fmt.Errorf("look at it: %w", err)
		}
		if s := d.Status; s.ObservedGeneration < d.Generation || s.UpdatedReplicas < ptr.Deref(d.Spec.Replicas, 1) || s.AvailableReplicas < s.Replicas || s.Replicas > s.UpdatedReplicas {
			return fmt.Errorf("it is not rolled out: %+v", s)
		}
	}
	return nil
}
