package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/controller"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	serving "github.com/firebreak-dev/firebreak/pkg/server"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// serve answers on a free port, which it prints, until its standard input ends.
func serve(kind string, hosts, changes int) error {
	pin(0)
	runtime.GOMAXPROCS(1)
	log.SetLogger(logr.Discard())
	var h http.Handler
	switch kind {
	case "raw":
		h = http.HandlerFunc(raw)
	case "controller-runtime":
		h = &ctrladmission.Webhook{Handler: allow{}}
	case "firebreak":
		go serving.TuneGC(context.Background(), 1<<30, nil)
		h = firebreak(hosts, changes)
	default:
		return fmt.Errorf("there is no server %q", kind)
	}
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = false
	s.StartTLS()
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		return err
	}
	fmt.Println(port)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// pin keeps the process on one core, where there are several.
func pin(core int) {
	var set unix.CPUSet
	set.Set(core % runtime.NumCPU())
	_ = unix.SchedSetaffinity(0, &set) // without it, the figures are noisier
}

// raw is the floor of floors: the envelope is decoded once, by the standard library, and everything is admitted.
func raw(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err != nil || review.Request == nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	review.Request = nil
	_ = json.NewEncoder(w).Encode(review) // a client that is gone cannot be answered
}

type allow struct{}

func (allow) Handle(context.Context, ctrladmission.Request) ctrladmission.Response {
	return ctrladmission.Allowed("")
}

// firebreak is the webhook as the server registers it, with an estate of so many hosts in place of a cluster, which changes so often a
// second.
func firebreak(hosts, changes int) http.Handler {
	m := admission.NewMetrics(prometheus.NewRegistry())
	c, in := &cache{}, fleet(hosts)
	e := estate.Compile(in)
	c.view.Store(policy.NewClusterView(e))
	if changes > 0 {
		go c.change(e, in, time.Second/time.Duration(changes))
	}
	h := &admission.Handler{
		Cache: c, Recorder: recorder{}, Live: live{},
		Metrics: m, Clock: time.Now, Log: logr.Discard(), Deadline: 8 * time.Second, Attempts: admission.NewLimiter(time.Minute, 1000), Repeats: admission.NewLimiter(time.Hour, 1), Controllers: admission.NewLimiter(time.Second, 20),
	}
	return admission.NewServer(h, 1<<30, m)
}

// live answers live reads at once: what the API server does meanwhile is not the webhook's cost.
type live struct{}

func (live) State(context.Context, *policy.PreparedRequest, string) (*change.State, error) {
	return &change.State{}, nil
}
func (live) Again(context.Context, *change.State, time.Time, string, string, []string) error {
	return nil
}
func (live) Read(context.Context, *policy.Missing, *policy.ClusterView, *policy.Facts) error {
	return nil
}

type cache struct {
	view atomic.Pointer[policy.ClusterView]
}

func (c *cache) View() (*policy.ClusterView, error) { return c.view.Load(), nil }
func (*cache) Seen(types.UID)                       {}

// change has a data store written again and again, and brings the estate up to date as the server does.
func (c *cache) change(e *estate.Estate, in estate.Input, every time.Duration) {
	in.Yield = func() { time.Sleep(view.Rest) }
	for n := 0; ; n++ {
		begun := time.Now()
		before := in.DataStores[0]
		after := before.DeepCopy()
		after.Spec.Hosts[1] = fmt.Sprintf("changed-%d.%s", n, databases)
		in.DataStores[0] = *after
		if e = e.Update(map[string]estate.StoreChange{after.Name: {Before: &before, After: after}}); e == nil {
			e = estate.Compile(in)
		}
		c.view.Store(policy.NewClusterView(e))
		took := time.Since(begun)
		time.Sleep(max(controller.Settle(took), every-took))
	}
}

type recorder struct{}

func (recorder) Record(context.Context, admission.Outcome) {}

// fleet is an estate of data stores with ten hosts each, half of them production's.
func fleet(hosts int) estate.Input {
	in := estate.Input{
		Environments: []v1alpha1.Environment{
			environment("production", v1alpha1.TierProduction, "payments", "sre"),
			environment("development", v1alpha1.TierNonProduction, "dev", "developers"),
		},
		Namespaces: map[string]map[string]string{"payments": nil, "dev": nil}, Cluster: "bench", FirebreakNamespace: "firebreak-system",
		Services: map[string]estate.Service{},
	}
	kinds := view.New(view.Settings{}, time.Now).Kinds()
	stores := kinds[slices.IndexFunc(kinds, func(k *view.Kind) bool { return k.Kind == v1alpha1.KindDataStore })] // as the server keeps them
	for i := 0; i < hosts; i += 10 {
		tier := []string{"production", "development"}[i/10%2]
		d := v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("store-%d", i)}, Spec: v1alpha1.DataStoreSpec{Environment: tier}}
		for j := range min(10, hosts) {
			d.Spec.Hosts = append(d.Spec.Hosts, fmt.Sprintf("db-%d.%s.rds.example.com", i+j, tier))
		}
		if kept, _ := stores.Reduce(&d); kept != nil {
			store, _ := kept.(v1alpha1.DataStore)
			in.DataStores = append(in.DataStores, store)
		}
	}
	return in
}

func environment(name string, tier v1alpha1.Tier, namespace, group string) v1alpha1.Environment {
	return v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{
		Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{v1alpha1.Glob(namespace)}},
		Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{v1alpha1.Glob(group)}},
	}}
}
