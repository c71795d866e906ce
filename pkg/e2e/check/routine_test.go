package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// manifest writes an object to a file and returns its name.
func manifest(t *testing.T, o any) string {
	t.Helper()
	raw, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A routine is approved once and recurs. Its window covers one run of the CronJob in each occurrence; the denial of a second run
// names the next occurrence.
func TestARoutineIsApprovedOnce(t *testing.T) {
	people, ctx := fixture.Everybody(t, cluster), t.Context()
	job := fixture.Job("x")
	nightly := &batchv1.CronJob{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"},
		ObjectMeta: metav1.ObjectMeta{Name: "routine", Namespace: fixture.Production},
		Spec:       batchv1.CronJobSpec{Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: job.Spec}},
	}
	opened := time.Now().UTC().Add(-time.Hour).Truncate(time.Hour)
	cron := fmt.Sprintf("%d %d * * *", opened.Minute(), opened.Hour())
	out, err := plugin(t, stage.SRE, "request", "-f", manifest(t, nightly), "-n", fixture.Production, "--environment", "production", "--name", "routine",
		"--cron", cron, "--time-zone", "UTC", "--duration", "3h", "--valid-until", "+2000h", "--reason", "the routine", "--max-executions", "2")
	if err != nil || !strings.Contains(out, fmt.Sprintf(`It opens by %q in UTC, each time for 3h, until `, cron)) {
		t.Fatalf("request: %v %s", err, out)
	}
	if err := people.SRE.Create(ctx, nightly.DeepCopy()); err == nil || !strings.Contains(err.Error(), `window "routine" does not permit it, since it has 0 of 1 approvals`) {
		t.Fatalf("before the approval: %v", err)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "routine", "-n", fixture.Production, "--yes"); err != nil || !strings.Contains(out, fmt.Sprintf("by %q in UTC, each time for 3h", cron)) {
		t.Fatalf("approve: %v %s", err, out)
	}
	if err := people.SRE.Create(ctx, nightly.DeepCopy()); err != nil {
		t.Fatalf("write the CronJob: %v", err)
	}
	t.Cleanup(func() { _ = people.Admin.Delete(ctx, nightly) })
	var runs batchv1.JobList
	await.NoError(t, "a run is spawned", func() error {
		if err := people.Admin.List(ctx, &runs, client.InNamespace(fixture.Production)); err != nil {
			return err
		}
		for _, j := range runs.Items {
			if strings.HasPrefix(j.Name, "routine-") {
				return nil
			}
		}
		return fmt.Errorf("no run among %d Jobs", len(runs.Items))
	})
	// The CronJob and its run have used the window up; the denial names the next occurrence.
	if err := people.SRE.Create(ctx, fixture.Job("routine-by-hand")); err == nil || !strings.Contains(err.Error(), "ExecutionsExhausted: window \"routine\" covers this, but it has been used 2 times, of the 2 that it allows") {
		t.Errorf("a third use: %v", err)
	}
}

// A freeze of level Everything stops persons, operators and sessions for a while; Pods are still replaced.
func TestTheRedButton(t *testing.T) {
	people, ctx := fixture.Everybody(t, cluster), t.Context()
	web := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "red-web", Namespace: "prod-red"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: fixture.Image}}},
	}
	for _, args := range [][]string{{"-n", "prod-red", "create", "deployment", "red", "--image=" + fixture.Image, "--replicas=1"}} {
		if out, err := cluster.Kubectl(ctx, cluster.UserConfig(stage.SRE), args...); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	pods := func() []corev1.Pod {
		var l corev1.PodList
		if err := people.Admin.List(ctx, &l, client.InNamespace("prod-red"), client.MatchingLabels{"app": "red"}); err != nil {
			t.Fatal(err)
		}
		return l.Items
	}
	await.NoError(t, "the Pod runs", func() error {
		if len(pods()) == 0 {
			return fmt.Errorf("no Pod")
		}
		return nil
	})
	if out, err := plugin(t, stage.SecondSRE, "freeze", "production", "--name", "red", "--namespace", "prod-red", "--reason", "an automation runs away", "--everything"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	const frozen = `robin froze "production" `
	pod := pods()[0]
	sam := cluster.UserConfig(stage.SRE)
	for name, tc := range map[string]struct {
		reason string
		does   func() error
	}{
		"a session": {"anything can be changed in it", func() error {
			out, err := cluster.Kubectl(ctx, sam, "-n", "prod-red", "exec", pod.Name, "--", "true")
			return said(out, err)
		}},
		"a deletion": {"of a Pod, too", func() error { return people.SRE.Delete(ctx, pod.DeepCopy()) }},
		"a scaling": {"within all bounds", func() error {
			out, err := cluster.Kubectl(ctx, sam, "-n", "prod-red", "scale", "deployment/red", "--replicas=2")
			return said(out, err)
		}},
		"a Pod by hand": {"by a person", func() error { return people.SRE.Create(ctx, web) }},
		"a new template": {"by a person", func() error {
			out, err := cluster.Kubectl(ctx, sam, "-n", "prod-red", "set", "env", "deployment/red", "A=b")
			return said(out, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.does(); err == nil || !strings.Contains(err.Error(), frozen) || !strings.Contains(err.Error(), "an automation runs away") {
				t.Errorf("%s: got %v, want it frozen", tc.reason, err)
			}
		})
	}
	t.Run("what runs is replaced", func(t *testing.T) { replaced(t, &pod, pods) })
	if out, err := plugin(t, stage.SRE, "unfreeze", "red"); err != nil {
		t.Fatalf("lift it: %v %s", err, out)
	}
	if err := people.SRE.Delete(ctx, &pods()[0]); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// replaced deletes a Pod as a node does that evicts it. The freeze does not bind the ReplicaSet's controller.
func replaced(t *testing.T, pod *corev1.Pod, pods func() []corev1.Pod) {
	t.Helper()
	out, err := cluster.Kubectl(t.Context(), cluster.UserConfig("system:node:kwok-0", "system:nodes"), "-n", pod.Namespace, "delete", "pod", pod.Name, "--wait=false")
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	await.NoError(t, "another Pod", func() error {
		for _, p := range pods() {
			if p.UID != pod.UID && p.DeletionTimestamp == nil {
				return nil
			}
		}
		return fmt.Errorf("nothing has replaced it")
	})
}

// said adds the output of kubectl to its error.
func said(out string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", out)
}
