package ledger

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// A rolling restart of the server under load loses no request: a replica that is told to stop finishes the requests that it has
// accepted, and gets no more before it closes.
func TestRollingRestartLosesNoRequest(t *testing.T) {
	p, ctx := people(t), t.Context()
	var stop atomic.Bool
	var sent, failed atomic.Int64
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				pod := &corev1.Pod{
					ObjectMeta: metav1.ObjectMeta{GenerateName: fmt.Sprintf("load-%d-", worker), Namespace: "dev"},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/load:1"}}},
				}
				sent.Add(1)
				// It is admitted if the webhook can be reached; a dry run is judged all the same.
				if err := p.Developer.Create(ctx, pod, client.DryRunAll); err != nil {
					failed.Add(1)
					t.Errorf("request %d of worker %d: %v", i, worker, err)
				}
			}
		})
	}
	for _, args := range [][]string{
		{"-n", stage.Namespace, "rollout", "restart", "deployment/firebreak"},
		{"-n", stage.Namespace, "rollout", "status", "deployment/firebreak", "--timeout=120s"},
	} {
		if _, err := cluster.Kubectl(ctx, cluster.AdminConfig(), args...); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
	t.Logf("%d requests during the restart, %d failed", sent.Load(), failed.Load())
	if sent.Load() < 50 {
		t.Errorf("only %d requests were sent, which shows nothing", sent.Load())
	}
}
