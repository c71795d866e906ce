package roundtrips

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/controller"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
	"github.com/firebreak-dev/firebreak/pkg/scheme"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// most is how many round trips, one after the other, a change-controlled request may take.
const most = 6

//nolint:gochecknoglobals // one control plane serves the tests of this package
var (
	cluster *stage.Stage
	// own acts as the server's account, since only it may write executions.
	own *rest.Config
)

func TestMain(m *testing.M) {
	// The token is minted before there is a boundary: afterwards a token of this account is refused.
	os.Exit(fixture.Main(m, stage.Options{}, &cluster, func(ctx context.Context, s *stage.Stage) (err error) {
		own, err = s.ServiceAccountConfig(ctx, stage.Namespace, "firebreak")
		return err
	}))
}

// counter records when each call to the API server began and ended. It slows each call down a little, so that parallel calls
// overlap however the machine schedules them.
type counter struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  []interval
}

type interval struct {
	what       string
	start, end time.Time
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	time.Sleep(40 * time.Millisecond)
	resp, err := c.next.RoundTrip(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, interval{r.Method + " " + r.URL.Path, start, time.Now()})
	return resp, err
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}

// sequence returns the longest run of calls of which each began after the previous one had ended.
func (c *counter) sequence() (int, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.all, func(a, b interval) int { return a.end.Compare(b.end) })
	n, last := 0, time.Time{}
	var what []string
	for _, i := range c.all {
		what = append(what, i.what)
		if !i.start.Before(last) {
			n, last = n+1, i.end
		}
	}
	return n, what
}

type silent struct{}

func (silent) Record(context.Context, admission.Outcome) {}

// handler returns the server's own handler, connected to the real API server, and a counter of the calls that it makes for a
// request.
func handler(t *testing.T) (*admission.Handler, *counter) {
	t.Helper()
	sch, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	cfg := rest.CopyConfig(own)
	cfg.QPS = -1
	plain, err := client.NewWithWatch(cfg, client.Options{Scheme: sch})
	if err != nil {
		t.Fatal(err)
	}
	memory := controller.NewCache(plain, view.Settings{Cluster: stage.Cluster, Namespace: stage.Namespace, ServiceAccount: "firebreak"}, time.Now, logr.Discard())
	for _, r := range memory.Runnables() {
		go func() { _ = r.Start(t.Context()) }()
	}
	count := &counter{}
	counted := rest.CopyConfig(cfg)
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper { count.next = next; return count })
	c, err := client.NewWithWatch(counted, client.Options{Scheme: sch})
	if err != nil {
		t.Fatal(err)
	}
	// The client learns the path of each kind once, before the first request.
	for _, l := range []client.ObjectList{&v1alpha1.ChangeWindowList{}, &corev1.ConfigMapList{}} {
		if err := c.List(t.Context(), l, client.InNamespace(fixture.Production)); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for !memory.Synced() {
		if time.Now().After(deadline) {
			t.Fatal("the memory is not synced")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return &admission.Handler{
		Cache: memory, Live: admission.NewReader(c, stage.Namespace, memory.Remember), Ledger: ledger.New(c, stage.Namespace),
		Recorder: silent{}, Metrics: admission.NewMetrics(prometheus.NewRegistry()), Clock: time.Now, Log: logr.Discard(),
		Deadline: 8 * time.Second, Attempts: admission.NewLimiter(time.Minute, 1000), Repeats: admission.NewLimiter(time.Hour, 1), Controllers: admission.NewLimiter(time.Second, 100),
	}, count
}

func request(t *testing.T, user, group string, kind metav1.GroupVersionKind, resource string, o client.Object) ctrladmission.Request {
	t.Helper()
	o.SetUID(types.UID(fmt.Sprintf("uid-%d", time.Now().UnixNano())))
	o.SetCreationTimestamp(metav1.Now())
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "r", Operation: admissionv1.Create, Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(),
		Resource: metav1.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: resource},
		UserInfo: authenticationv1.UserInfo{Username: user, Groups: []string{group, "system:authenticated"}},
		Object:   runtime.RawExtension{Raw: raw},
	}}
}

func TestRoundTrips(t *testing.T) {
	h, count := handler(t)
	p, err := fixture.Clients(cluster)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approved(t.Context(), "calls", "calls-", 3); err != nil {
		t.Fatal(err)
	}
	job := metav1.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}
	inDev := fixture.Job("calls-dev")
	inDev.Namespace = "dev"
	inDev.Spec.Template.Spec.Containers[0].Args = []string{"--host", "orders.dev.db.example.com"}
	uncovered := fixture.Job("other")
	covered := fixture.Job("calls-1")
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings", Namespace: fixture.Production}, Data: map[string]string{"a": "b"}}
	cases := map[string]struct {
		reason   string
		req      ctrladmission.Request
		min, max int
		allowed  bool
	}{
		"a developer's Job in dev": {
			"nothing in a non-production namespace is change-controlled", request(t, stage.Developer, "developers", job, "jobs", inDev), 0, 0, true,
		},
		"a developer's Job in production": {
			"who is no member is refused from memory", request(t, stage.Developer, "developers", job, "jobs", fixture.Job("calls-dana")), 0, 0, false,
		},
		"a ConfigMap in production": {
			"what only a freeze could bind reads freezes, in one call",
			request(t, stage.SRE, "sre", metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "configmaps", configMap), 1, 1, true,
		},
		"maintenance that no window has in scope": {
			"windows and freezes are read in parallel, and nothing more", request(t, stage.SRE, "sre", job, "jobs", uncovered), 1, 1, false,
		},
		"maintenance under a window": {
			"windows; executions and approvals; the reservation; the approvals again", request(t, stage.SRE, "sre", job, "jobs", covered), 4, most, true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			count.reset()
			resp := h.Handle(t.Context(), tc.req)
			n, calls := count.sequence()
			if n < tc.min || n > tc.max {
				t.Errorf("%d round trips one after the other, want %d to %d: %s\n%s", n, tc.min, tc.max, tc.reason, strings.Join(calls, "\n"))
			}
			if resp.Allowed != tc.allowed {
				t.Errorf("allowed is %v: %v", resp.Allowed, resp.Result)
			}
		})
	}
}

// However many requests compete for the same slots, none takes more than six round trips one after the other.
func TestRoundTripsUnderContention(t *testing.T) {
	p, err := fixture.Clients(cluster)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approved(t.Context(), "contended", "contended-", 2); err != nil {
		t.Fatal(err)
	}
	job := metav1.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for i := range 8 {
		h, count := handler(t)
		req := request(t, stage.SRE, "sre", job, "jobs", fixture.Job(fmt.Sprintf("contended-%d", i)))
		wg.Go(func() {
			count.reset()
			resp := h.Handle(t.Context(), req)
			n, calls := count.sequence()
			mu.Lock()
			defer mu.Unlock()
			if resp.Allowed {
				admitted++
			}
			// A request that finds the window full after it lost a slot reads the state once more, to say so.
			if n > most {
				t.Errorf("%d round trips one after the other, want at most %d:\n%s", n, most, strings.Join(calls, "\n"))
			}
		})
	}
	wg.Wait()
	if admitted > 2 {
		t.Errorf("%d were admitted under a window that allows 2", admitted)
	}
}
