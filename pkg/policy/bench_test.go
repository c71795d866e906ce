package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// benchWorld has one environment of each side, and as many hosts as are asked for.
func benchWorld(hosts int) *policy.ClusterView {
	environment := func(name string, tier v1alpha1.Tier) v1alpha1.Environment {
		return v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{
			Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{v1alpha1.Glob(name)}},
		}}
	}
	var stores []v1alpha1.DataStore
	for i := 0; i < hosts; i += 10 {
		d := v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("store-%d", i)}, Spec: v1alpha1.DataStoreSpec{Environment: "production"}}
		for j := range 10 {
			d.Spec.Hosts = append(d.Spec.Hosts, fmt.Sprintf("db-%d-%d.prod.example.com", i, j))
		}
		stores = append(stores, d)
	}
	production := environment("production", v1alpha1.TierProduction)
	production.Spec.ChangeControl = &v1alpha1.ChangeControl{MaintenanceTools: []string{"shard-mover"}}
	return policy.NewClusterView(estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{production, environment("development", v1alpha1.TierNonProduction)},
		DataStores:   stores, Namespaces: map[string]map[string]string{"production": nil, "development": nil},
	}))
}

// benchRequest creates a Deployment of about 8 KB.
func benchRequest() *policy.Request {
	var env []string
	for i := range 95 {
		env = append(env, fmt.Sprintf(`{"name":"SETTING_%02d","value":"https://service-%02d.development.svc.cluster.local:8443/p"}`, i, i))
	}
	return &policy.Request{
		Operation: policy.Create, Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Resource:  schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
		Namespace: "development", Name: "shop", Now: time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC), User: authenticationv1.UserInfo{Username: "dana"},
		Object: []byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"shop"},"spec":{"template":{"spec":{"containers":[{"name":"a","image":"b","env":[` +
			strings.Join(env, ",") + `]}]}}}}`),
	}
}

// BenchmarkEvaluate judges an 8 KB Deployment against an estate of 10 hosts and, in the same run, one of 100,000: the
// ratio of the two holds on a noisy machine.
func BenchmarkEvaluate(b *testing.B) {
	small, large, req := benchWorld(10), benchWorld(100_000), benchRequest()
	judge := func(w *policy.ClusterView) time.Duration {
		start := time.Now() //nolint:forbidigo // a benchmark measures
		if d, err := policy.Evaluate(*req, w, nil); err != nil || !d.Allowed {
			b.Fatalf("%v %+v", err, d)
		}
		return time.Since(start) //nolint:forbidigo // a benchmark measures
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(req.Object)))
	var few, many time.Duration
	for b.Loop() {
		few += judge(small)
		many += judge(large)
	}
	b.ReportMetric(float64(few.Nanoseconds())/float64(b.N), "ns/10-hosts")
	b.ReportMetric(float64(many.Nanoseconds())/float64(b.N), "ns/100k-hosts")
	b.ReportMetric(float64(many)/float64(few), "ratio")
}

// BenchmarkEvaluateBytes judges a Deployment of 1 KB and, in the same run, one of 1 MB: what a byte costs in the large one
// is what it costs in the small one.
func BenchmarkEvaluateBytes(b *testing.B) {
	w := benchWorld(1000)
	small, large := sizedRequest(1<<10), sizedRequest(1<<20)
	judge := func(r *policy.Request) time.Duration {
		start := time.Now() //nolint:forbidigo // a benchmark measures
		if d, err := policy.Evaluate(*r, w, nil); err != nil || !d.Allowed {
			b.Fatalf("%v %+v", err, d)
		}
		return time.Since(start) //nolint:forbidigo // a benchmark measures
	}
	var few, many time.Duration
	for b.Loop() {
		for range 64 {
			few += judge(small)
		}
		many += judge(large)
	}
	perByte := func(d time.Duration, bytes int) float64 {
		return float64(d.Nanoseconds()) / float64(b.N) / float64(bytes)
	}
	a, z := perByte(few, 64*len(small.Object)), perByte(many, len(large.Object))
	b.ReportMetric(a, "ns/byte-1KB")
	b.ReportMetric(z, "ns/byte-1MB")
	b.ReportMetric(z/a, "ratio")
}

// sizedRequest creates a Deployment of about that many bytes.
func sizedRequest(bytes int) *policy.Request {
	r := benchRequest()
	var env strings.Builder
	for i := 0; env.Len() < bytes-200; i++ {
		if i > 0 {
			env.WriteByte(',')
		}
		fmt.Fprintf(&env, `{"name":"SETTING_%d","value":"https://service-%d.development.svc.cluster.local:8443/p"}`, i, i)
	}
	r.Object = []byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"shop"},"spec":{"template":{"spec":{"containers":[{"name":"a","image":"b","env":[` +
		env.String() + `]}]}}}}`)
	return r
}
