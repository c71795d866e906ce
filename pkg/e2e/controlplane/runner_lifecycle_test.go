package controlplane

import (
	"errors"
	"fmt"
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

func (r *runnerTest) testUnready(t *testing.T) {
	p := r.settle(t)[0]
	post(t, p, "/ready")
	await.NoError(t, "the API to know", func() error { return r.endpoints(t, replicas-1) })
	for range 20 {
		if name, err := get(r.runner.Address(), "/name"); err != nil || name == p.Name {
			t.Fatalf("a connection went to %q (%v), want the Pod that is still ready", name, err)
		}
	}
	if err := r.runner.Kill(p.Name); err != nil { // a new process has forgotten it
		t.Fatal(err)
	}
	r.settle(t)
}

func (r *runnerTest) testKill(t *testing.T) {
	before := r.settle(t)[0]
	if err := r.runner.Kill(before.Name); err != nil {
		t.Fatal(err)
	}
	after := r.restarted(t, before)
	if after.IP != before.IP {
		t.Errorf("the address changed from %s to %s; it is the Pod's, not the process's", before.IP, after.IP)
	}
	await.NoError(t, "the API to show the restart", func() error {
		pod, err := r.admin.CoreV1().Pods("shop").Get(t.Context(), before.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		s := pod.Status.ContainerStatuses[0]
		if int(s.RestartCount) != after.Restarts || s.LastTerminationState.Terminated == nil || s.LastTerminationState.Terminated.ExitCode != 137 {
			return fmt.Errorf("the container's status is %+v", s)
		}
		return nil
	})
	if err := r.runner.Kill("no-such-pod"); err == nil {
		t.Error("a Pod that does not exist was killed")
	}
}

// restarted waits until the Pod has another process, which is ready.
func (r *runnerTest) restarted(t *testing.T, before RunningPod) (after RunningPod) {
	t.Helper()
	await.NoError(t, "a restart", func() error {
		for _, p := range r.runner.Pods() {
			if p.Name == before.Name && p.Restarts > before.Restarts && p.Ready && p.PID != before.PID {
				after = p
				return nil
			}
		}
		return errors.New(r.runner.describe())
	})
	return after
}

func (r *runnerTest) testLiveness(t *testing.T) {
	p := r.settle(t)[0]
	post(t, p, "/live")
	r.restarted(t, p)
	checkLog(t, p, "ended gracefully")
}

func (r *runnerTest) testDelete(t *testing.T) {
	p := r.settle(t)[1]
	if err := r.admin.CoreV1().Pods("shop").Delete(t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.gone(t, p)
	checkLog(t, p, "ended gracefully")
	r.settle(t)
}

// gone waits until neither the API nor the runner has the Pod.
func (r *runnerTest) gone(t *testing.T, p RunningPod) {
	t.Helper()
	await.NoError(t, "the Pod to go", func() error {
		for _, other := range r.runner.Pods() {
			if other.Name == p.Name {
				return errors.New("the runner has it")
			}
		}
		return nil
	})
	if _, err := r.admin.CoreV1().Pods("shop").Get(t.Context(), p.Name, metav1.GetOptions{}); err == nil {
		t.Errorf("Pod %s is still there", p.Name)
	}
}

func (r *runnerTest) testRollout(t *testing.T) {
	before := r.settle(t)
	kubectl(t, r.plane, r.plane.AdminConfig(), "rollout", "restart", "deployment/guard")
	kubectl(t, r.plane, r.plane.AdminConfig(), "rollout", "status", "deployment/guard", "--timeout=60s")
	for _, p := range before {
		r.gone(t, p)
	}
	r.settle(t)
}

func (r *runnerTest) testOthers(t *testing.T) {
	var deployment appsv1.Deployment
	text, err := os.ReadFile("testdata/stray.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &deployment); err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin.AppsV1().Deployments("shop").Create(t.Context(), &deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	stray := func() (*corev1.PodList, error) {
		return r.admin.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{LabelSelector: "app=stray"})
	}
	await.NoError(t, "the stray to be bound", func() error {
		pods, err := stray()
		if err == nil && (len(pods.Items) != 1 || pods.Items[0].Spec.NodeName != "local-0") {
			err = errors.New("not bound")
		}
		return err
	})
	if n := len(r.settle(t)); n != replicas {
		t.Errorf("%d Pods run, want %d", n, replicas)
	}
	if err := r.admin.AppsV1().Deployments("shop").Delete(t.Context(), "stray", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await.NoError(t, "the stray to go", func() error {
		pods, err := stray()
		if err == nil && len(pods.Items) > 0 {
			err = errors.New("it is there")
		}
		return err
	})
}

func (r *runnerTest) testOneRunner(t *testing.T) {
	_, err := r.plane.RunPods(t.Context(), RunnerOptions{Namespace: "shop", Deployment: "other"})
	if err == nil || err.Error() != "another Pod runner plays node local-0 already" {
		t.Errorf("got %v, want that the node is taken", err)
	}
}

func (r *runnerTest) testAPIServerRestart(t *testing.T) {
	before := r.settle(t)
	if err := r.plane.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := r.settle(t)
	for i := range before {
		if before[i].PID != after[i].PID {
			t.Errorf("Pod %s was restarted", before[i].Name)
		}
	}
	// The runner must have reconnected, too.
	if err := r.runner.Kill(before[0].Name); err != nil {
		t.Fatal(err)
	}
	r.restarted(t, before[0])
	r.settle(t)
}

func (r *runnerTest) testStop(t *testing.T) {
	pods := r.settle(t)
	r.runner.Stop()
	for _, p := range pods {
		if exists(fmt.Sprintf("/proc/%d", p.PID)) {
			t.Errorf("process %d of Pod %s is still there", p.PID, p.Name)
		}
	}
	if _, err := get(r.runner.Address(), "/name"); err == nil {
		t.Error("the balancer still answers")
	}
	r.runner.Stop()
	again, err := r.plane.RunPods(t.Context(), RunnerOptions{Namespace: "shop", Deployment: "guard", Images: r.runner.options.Images})
	if err != nil {
		t.Fatal(err)
	}
	r.runner = again
	r.settle(t) // as a node that comes back takes its Pods up again
}
