package scale

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var percent = flag.Int("percent", 1, "the size of the company, in percent of the full one")

// rest is how long the server is watched while nothing happens.
const rest = time.Minute

// What a company of the full size has.
const (
	namespaces, stores, hosts, configMaps, windows = 5_000, 10_000, 10, 20_000, 500
	// resident is how many MiB the server may hold. The aim is 80.
	resident = 90
)

func of(full int) int { return max(1, full**percent/100) }

func TestScale(t *testing.T) {
	s, err := stage.Start(t.Context(), stage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin := clientOf(t, s)
	wait := rest
	if *percent < 100 {
		wait = 2 * time.Second
	}
	time.Sleep(wait) // what it read at its start was many times what it keeps
	t.Logf("idle, of an empty cluster: %.1f MiB", residentOf(t, pidOf(t, s)))
	begun := time.Now()
	found(t, s, admin)
	t.Logf("%d namespaces, %d stores with %d hosts, %d ConfigMaps and %d windows were written in %s",
		of(namespaces), of(stores), of(stores)*hosts, of(configMaps), of(windows), time.Since(begun).Round(time.Second))

	told(t, admin)
	again(t, s)
	pid := pidOf(t, s)
	begun = time.Now()
	inForce(t, admin, host(0, 0))
	t.Logf("judges by the estate %s after it is ready; %.1f MiB", time.Since(begun).Round(time.Millisecond), residentOf(t, pid))
	time.Sleep(wait)
	before := cpuOf(t, pid)
	time.Sleep(wait)
	t.Logf("while nothing happens: %.2f %% of a core", 100*float64(cpuOf(t, pid)-before)/float64(wait))
	held := residentOf(t, pid)
	t.Logf("holds %.1f MiB", held)
	if *percent == 100 && held > resident {
		t.Errorf("%.1f MiB are resident, want at most %d", held, resident)
	}
	changes(t, admin)
}

// told waits until every data store has its status: they are written at a bounded rate.
func told(t *testing.T, admin client.Client) {
	t.Helper()
	begun := time.Now()
	for {
		var list v1alpha1.DataStoreList
		if err := admin.List(t.Context(), &list); err != nil {
			t.Fatal(err)
		}
		without := slices.IndexFunc(list.Items, func(d v1alpha1.DataStore) bool { return d.Status.Tier == "" })
		if without < 0 {
			break
		}
		if time.Since(begun) > 10*time.Minute {
			t.Fatalf("%s has no status", list.Items[without].Name)
		}
		time.Sleep(time.Second)
	}
	t.Logf("all statuses are written %s later", time.Since(begun).Round(time.Second))
}

// changes measures how long a change of the estate takes until it is in force.
func changes(t *testing.T, admin client.Client) {
	t.Helper()
	var took []time.Duration
	for n := range 5 {
		var d v1alpha1.DataStore
		if err := admin.Get(t.Context(), client.ObjectKey{Name: storeName(0)}, &d); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("added-%d.production.rds.example.com", n)
		written := d.DeepCopy()
		d.Spec.Hosts = append(d.Spec.Hosts, name)
		if err := admin.Patch(t.Context(), &d, client.MergeFrom(written)); err != nil { // its status may have been written meanwhile
			t.Fatal(err)
		}
		begun := time.Now()
		inForce(t, admin, name)
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("a change of the estate is in force after %s, at most %s", took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
}

// inForce waits until a host is known to be production's.
func inForce(t *testing.T, admin client.Client, host string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		err := admin.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "probe", Namespace: namespace(0)}, Data: map[string]string{"DATABASE_HOST": host},
		}, client.DryRunAll)
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), fmt.Sprintf("names %q", host)) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not known: %v", host, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func namespace(n int) string { return fmt.Sprintf("dev-team-%d", n) }
func storeName(n int) string { return fmt.Sprintf("store-%d", n) }

// host is one of a store; the stores are production's and development's by turns.
func host(store, n int) string {
	return fmt.Sprintf("db-%d-%d.%s.rds.example.com", store, n, []string{"production", "development"}[store%2])
}

// found writes the company into the cluster.
func found(t *testing.T, s *stage.Stage, admin client.Client) {
	t.Helper()
	if err := s.Apply(t.Context(), `{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production, namespaces: {names: ["prod-*"]}, identities: {groups: ["sre", "system:masters"]}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: development}, spec: {tier: NonProduction, namespaces: {names: ["dev-*"]}, identities: {groups: ["developers", "system:masters"]}}}
`); err != nil {
		t.Fatal(err)
	}
	all(t, of(namespaces), func(ctx context.Context, n int) error {
		return admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace(n), Labels: map[string]string{"team": strconv.Itoa(n), "cost-centre": "shop"}}})
	})
	if err := s.Apply(t.Context(), `{apiVersion: v1, kind: Namespace, metadata: {name: prod-0}}`); err != nil {
		t.Fatal(err)
	}
	all(t, of(stores), func(ctx context.Context, n int) error {
		d := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: storeName(n)}, Spec: v1alpha1.DataStoreSpec{Environment: []string{"production", "development"}[n%2]}}
		for i := range hosts {
			d.Spec.Hosts = append(d.Spec.Hosts, host(n, i))
		}
		return admin.Create(ctx, d)
	})
	all(t, of(configMaps), func(ctx context.Context, n int) error {
		return admin.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("settings-%d", n), Namespace: namespace(n % of(namespaces))},
			Data: map[string]string{
				"DATABASE_HOST": host(2*n%of(stores)|1, n%hosts), "LOG_LEVEL": "info",
				"application.properties": fmt.Sprintf("spring.datasource.url=jdbc:postgresql://db-%d.team.example.org:5432/shop\nserver.port=8080\nfeature.flags=a,b,c\n", n),
			},
		})
	})
	all(t, of(windows), func(ctx context.Context, n int) error {
		return admin.Create(ctx, window(n))
	})
}

func window(n int) *v1alpha1.ChangeWindow {
	from := metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second))
	until := metav1.NewTime(from.Add(time.Hour))
	return &v1alpha1.ChangeWindow{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("window-%d", n), Namespace: stage.Namespace},
		Spec: v1alpha1.ChangeWindowSpec{
			Environment: "production", Schedule: v1alpha1.Schedule{Start: &from, End: &until}, Reason: "move the orders to the new index",
			Scope: v1alpha1.Scope{
				Operations: []v1alpha1.Operation{v1alpha1.OperationDelete}, Namespaces: []string{"prod-0"}, Clusters: []string{stage.Cluster},
				Resources: []v1alpha1.ScopedResource{{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"reindex"}}},
			},
		},
	}
}

// all does something n times, by many at once.
func all(t *testing.T, n int, do func(ctx context.Context, n int) error) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || t.Context().Err() != nil {
					return
				}
				err := do(t.Context(), i)
				for tries := 0; err != nil && !apierrors.IsAlreadyExists(err) && tries < 20; tries++ {
					time.Sleep(500 * time.Millisecond) // what was written before it is not in force yet
					err = do(t.Context(), i)
				}
				if err != nil && !apierrors.IsAlreadyExists(err) {
					t.Errorf("object %d cannot be written: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// again starts the server anew, and waits until it is ready.
func again(t *testing.T, s *stage.Stage) {
	t.Helper()
	old := pidOf(t, s)
	if err := s.Pods.Kill(s.Pods.Pods()[0].Name); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for len(s.Pods.Pods()) == 0 || s.Pods.Pods()[0].PID == old || s.Pods.Pods()[0].PID == 0 {
		time.Sleep(20 * time.Millisecond)
		if time.Since(begun) > time.Minute {
			t.Fatal("the server does not start again")
		}
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready again after %s", time.Since(begun).Round(10*time.Millisecond))
}

func clientOf(t *testing.T, s *stage.Stage) client.Client {
	t.Helper()
	cfg := s.AdminConfig()
	cfg.QPS = -1
	c, err := s.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pidOf(t *testing.T, s *stage.Stage) int {
	t.Helper()
	pods := s.Pods.Pods()
	if len(pods) != 1 {
		t.Fatalf("%d servers run, want one", len(pods))
	}
	return pods[0].PID
}

// residentOf returns how many bytes a process holds in memory, as container_memory_rss counts them: without its program, which the kernel
// reads again where it drops it.
func residentOf(t *testing.T, pid int) float64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "RssAnon:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return float64(n) / 1024
		}
	}
	t.Fatal("the kernel does not tell what is resident")
	return 0
}

// cpuOf returns the CPU time that a process has used.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	total := time.Duration(0)
	for _, task := range tasks {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if err != nil {
			continue // the thread has ended
		}
		n, err := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += time.Duration(n)
	}
	return total
}
