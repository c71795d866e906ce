package soak

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/hostile"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var span = flag.Duration("soak", 15*time.Second, "how long the hostile texts are sent")

const (
	replicas, senders = 3, 4
	// limit is the one in values.yaml, in bytes. The kernel counts stacks and the runtime's own tables too.
	limit = 1 << 30
)

// shops defines the kind of the custom resources that are sent, and grants the right to send them.
const shops = `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: shops, labels: {rbac.authorization.k8s.io/aggregate-to-edit: "true"}}, rules: [{apiGroups: [example.com], resources: [shops], verbs: ["*"]}]}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: shops.example.com}, spec: {group: example.com, scope: Namespaced,
  names: {plural: shops, singular: shop, kind: Shop}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`

// A corpus that is meant to exhaust the readers affects no other user: no replica ends, and the requests of others are judged.
func TestSoak(t *testing.T) {
	s, err := stage.Start(t.Context(), stage.Options{Replicas: replicas, Before: func(ctx context.Context, s *stage.Stage) error { return s.Apply(ctx, shops) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Populate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids := enclose(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), *span)
	defer cancel()
	var all sync.WaitGroup
	var sent tally
	for i := range senders {
		all.Go(func() { attack(ctx, t, s, uint64(i), &sent) })
	}
	var honest tally
	var took delays
	for i, user := range []string{stage.SRE, stage.Developer} {
		all.Go(func() { work(ctx, t, s, user, []string{"payments", "dev"}[i], &honest, &took) })
	}
	var rounds atomic.Int64
	all.Go(func() { churn(ctx, t, s, &rounds) })
	all.Go(func() { changes(ctx, t, s, &honest) })
	var samples []sample
	all.Go(func() { samples = observe(ctx, t, s) })
	resident := watch(ctx, t, pids)
	all.Wait()
	page, grew := report(samples, &took, []string{
		fmt.Sprintf("%s hostile requests, %s honest ones", &sent, &honest),
		fmt.Sprintf("%d times an object of every watched kind was made, changed and deleted", rounds.Load()),
		fmt.Sprintf("resident at most %d MiB in one replica in the first third, and %d MiB in the last; the chart's limit is %d", resident[0]>>20, resident[2]>>20, limit>>20),
	})
	t.Log(page)
	if *span >= 10*time.Minute {
		keep(t, page)
		for _, g := range grew {
			t.Errorf("it grows: %s", g)
		}
	}
	if rounds.Load() == 0 {
		t.Error("nothing was churned")
	}
	if sent.answered.Load() == 0 || honest.answered.Load() == 0 {
		t.Error("nothing was judged")
	}
	if n := honest.refused.Load() + honest.denied.Load(); n > 0 {
		t.Errorf("%d honest requests were refused", n)
	}
	if got := identities(s); !slices.Equal(got, pids) {
		t.Errorf("the replicas are %v, want those of the beginning, %v", got, pids)
	}
	if most := slices.Max(resident[:]); most > limit {
		t.Errorf("%d MiB are resident, want at most %d", most>>20, limit>>20)
	}
}

// enclose makes the kernel refuse the replicas more memory than the chart gives them. A process that gets such a refusal ends.
func enclose(t *testing.T, s *stage.Stage) []int {
	t.Helper()
	pids := identities(s)
	if len(pids) != replicas {
		t.Fatalf("%d replicas run, want %d", len(pids), replicas)
	}
	for _, pid := range pids {
		if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: limit, Max: limit}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return pids
}

func identities(s *stage.Stage) []int {
	var out []int
	for _, p := range s.Pods.Pods() {
		out = append(out, p.PID)
	}
	return slices.Sorted(slices.Values(out))
}

// tally counts the answers, those that are denials of Firebreak, and the requests that got no answer of it.
type tally struct{ answered, denied, refused atomic.Int64 }

func (c *tally) String() string {
	return fmt.Sprintf("%d (%d denied, %d unanswered)", c.answered.Load(), c.denied.Load(), c.refused.Load())
}

func (c *tally) count(ctx context.Context, t *testing.T, err error) {
	if ctx.Err() != nil {
		return
	}
	c.answered.Add(1)
	switch {
	case err == nil:
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "denied the request"):
		c.denied.Add(1)
	default:
		if c.refused.Add(1) <= 3 {
			t.Logf("unanswered: %.600v", err)
		}
	}
}

// attack sends one text after the other, and stores one in twenty, so that the replicas remember it, too.
func attack(ctx context.Context, t *testing.T, s *stage.Stage, seed uint64, c *tally) {
	words, err := hostile.Vocabulary(s.Root)
	if err != nil {
		t.Error(err)
		return
	}
	dana, err := s.Client(s.UserConfig(stage.Developer))
	if err != nil {
		t.Error(err)
		return
	}
	random := rand.New(rand.NewPCG(seed, 1)) // seeded, so that a failure can be repeated
	where, ways := hostile.Places(), hostile.Patterns()
	maps.Copy(where, hostile.Forms())
	names, manners := slices.Sorted(maps.Keys(where)), slices.Sorted(maps.Keys(ways))
	sizes := []int{1_000, 10_000, 100_000, 700_000}
	for n := 0; ctx.Err() == nil; n++ {
		place := where[names[random.IntN(len(names))]]
		text := hostile.Fill(ways[manners[random.IntN(len(manners))]](words[random.IntN(len(words))]), sizes[random.IntN(len(sizes))])
		u := object(place, text)
		if n%20 > 0 || len(text) > 100_000 || place.Kind.Kind != "ConfigMap" {
			u.SetName(fmt.Sprintf("hostile-%d-%d", seed, n))
			c.count(ctx, t, dana.Create(ctx, u, client.DryRunAll))
			continue
		}
		u.SetName(fmt.Sprintf("hostile-%d-%d", seed, n/20%25))
		_ = dana.Delete(ctx, u.DeepCopy())
		c.count(ctx, t, dana.Create(ctx, u))
	}
}

// object returns an object that the API server accepts: the places leave out fields that the readers do not look at.
func object(p hostile.Place, text string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: p.Object(strings.ToValidUTF8(text, "?")).(map[string]any)}
	u = u.DeepCopy()
	u.SetGroupVersionKind(schema.GroupVersionKind(p.Kind))
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	if len(containers) == 0 {
		return u
	}
	labels := map[string]any{"app": "hostile"}
	_ = unstructured.SetNestedMap(u.Object, map[string]any{"matchLabels": labels}, "spec", "selector")
	_ = unstructured.SetNestedMap(u.Object, labels, "spec", "template", "metadata", "labels")
	container := containers[0].(map[string]any)
	container["name"], container["image"] = "a", "example.com/a"
	_ = unstructured.SetNestedSlice(u.Object, containers, "spec", "template", "spec", "containers")
	return u
}

// work does what people and their tools do all day, four times a second.
func work(ctx context.Context, t *testing.T, s *stage.Stage, user, namespace string, c *tally, took *delays) {
	begin := time.Now()
	mine, err := s.Client(s.UserConfig(user))
	if err != nil {
		t.Error(err)
		return
	}
	settings := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "settings", "namespace": namespace},
	}}
	if err := mine.Create(ctx, settings); err != nil {
		t.Errorf("%s cannot begin: %v", user, err)
		return
	}
	for n := 0; ctx.Err() == nil; n++ {
		_ = unstructured.SetNestedField(settings.Object, strconv.Itoa(n), "data", "a")
		sent := time.Now()
		err := mine.Update(ctx, settings)
		if ctx.Err() == nil {
			took.add(sent.Sub(begin), time.Since(sent))
		}
		c.count(ctx, t, err)
		wait(ctx, 250*time.Millisecond)
	}
}

// watch returns the most memory that a replica used in each third of the time, in bytes.
func watch(ctx context.Context, t *testing.T, pids []int) [3]int64 {
	var out [3]int64
	begin := time.Now()
	for ctx.Err() == nil {
		third := min(2, int(3*time.Since(begin) / *span))
		for _, pid := range pids {
			n, err := residentOf(pid)
			if err != nil {
				t.Errorf("a replica is gone: %v", err)
				<-ctx.Done()
				return out
			}
			out[third] = max(out[third], n)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return out
}

func residentOf(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 2 {
		return 0, errors.New("it has ended")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
