package upgrade

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// requests is how many requests are sent at least. They go on until the upgrade is over.
const requests = 10_000

func pod(host string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "load-", Namespace: "dev"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x", Args: []string{"--host=" + host}}}},
	}
}

func configMap(host string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "load-", Namespace: "dev"},
		Data:       map[string]string{"url": "postgres://" + host + "/orders"},
	}
}

// load returns the requests that are sent in turn: to core, which refuses when no replica answers, and to broad, which would then
// let pass what it should refuse. They are dry runs, which are judged alike and leave nothing to clean up.
func load() []struct {
	object  func() client.Object
	refused bool
} {
	const own, other = "orders.dev.db.example.com", "orders.prod.db.example.com"
	return []struct {
		object  func() client.Object
		refused bool
	}{
		{func() client.Object { return pod(own) }, false},
		{func() client.Object { return pod(other) }, true},
		{func() client.Object { return configMap(own) }, false},
		{func() client.Object { return configMap(other) }, true},
	}
}

// wrong returns an error if an answer is not the expected one, else nil.
func wrong(err error, refused bool) error {
	switch {
	case !refused && err != nil:
		return fmt.Errorf("what is allowed: %w", err)
	case refused && err == nil:
		return errors.New("what is refused was admitted: nobody judged it")
	case refused && !strings.Contains(err.Error(), "DataStoreAcrossTiers"):
		return fmt.Errorf("what is refused was refused for another reason: %w", err)
	}
	return nil
}

func TestAnUpgradeUnderLoadFailsNoRequest(t *testing.T) {
	s, err := stage.Start(t.Context(), stage.Options{Chart: filepath.Join("testdata", "firebreak-0.1.0.tgz"), Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	if err := s.Populate(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := fixture.Everybody(t, s)
	before := names(s)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sent, during atomic.Int64
	var upgrading atomic.Bool
	failures := make(chan error, 100)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				what := load()[i%len(load())]
				err := wrong(p.Developer.Create(context.WithoutCancel(ctx), what.object(), client.DryRunAll), what.refused)
				sent.Add(1)
				if upgrading.Load() {
					during.Add(1)
				}
				if err != nil {
					select {
					case failures <- err:
					default:
					}
				}
			}
		})
	}
	time.Sleep(2 * time.Second)
	upgrading.Store(true)
	if out, err := s.Upgrade(t.Context(), filepath.Join(s.Root, "charts", "firebreak"), "--wait", "--timeout=180s"); err != nil {
		t.Fatal(err, out)
	}
	replaced(t, s, before)
	upgrading.Store(false)
	for sent.Load() < requests && t.Context().Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	wg.Wait()
	close(failures)
	t.Logf("%d requests, %d of them while the upgrade was under way", sent.Load(), during.Load())
	n := 0
	for err := range failures {
		if n++; n <= 10 {
			t.Error(err)
		}
	}
	if n > 0 {
		t.Errorf("%d or more requests had the wrong answer", n)
	}
	if during.Load() < requests/20 {
		t.Errorf("only %d requests were sent while the upgrade was under way", during.Load())
	}
	recorded(t, s)
}

func names(s *stage.Stage) map[string]bool {
	out := map[string]bool{}
	for _, p := range s.Pods.Pods() {
		out[p.Name] = true
	}
	return out
}

// replaced waits until every replica of before is gone and three others are ready.
func replaced(t *testing.T, s *stage.Stage, before map[string]bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		ready, old := 0, 0
		for _, p := range s.Pods.Pods() {
			switch {
			case before[p.Name]:
				old++
			case p.Ready:
				ready++
			}
		}
		if old == 0 && ready == 3 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d old replicas are left, and %d new ones ready", old, ready)
		}
	}
}

// recorded shows that the declarations from before the upgrade still exist, and that the additions of the new chart work.
func recorded(t *testing.T, s *stage.Stage) {
	t.Helper()
	out, err := s.Kubectl(t.Context(), s.AdminConfig(), "get", "environments,datastores", "-o", "name")
	if err != nil || strings.Count(out, "\n") != 6 {
		t.Errorf("the estate after the upgrade: %v\n%s", err, out)
	}
	if out, err := s.Helm(t.Context(), "list", "-n", stage.Namespace); err != nil || !strings.Contains(out, "firebreak-0.2.0") {
		t.Errorf("the release: %v\n%s", err, out)
	}
}
