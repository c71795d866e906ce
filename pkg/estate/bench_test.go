package estate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// estateOfHosts has n hosts, half of them wildcards, in stores of a thousand.
func estateOfHosts(n int) *estate.Estate { return estate.Compile(fleetOfHosts(n)) }

func fleetOfHosts(n int) estate.Input {
	in := estate.Input{Environments: []v1alpha1.Environment{{Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction}}}}
	in.Environments[0].Name = "production"
	for i := 0; i < n; i++ {
		if i%1000 == 0 {
			d := v1alpha1.DataStore{Spec: v1alpha1.DataStoreSpec{Environment: "production"}}
			d.Name = fmt.Sprintf("store-%06d", i)
			in.DataStores = append(in.DataStores, d)
		}
		host := fmt.Sprintf("db-%d.eu-west-1.prod.example.com", i)
		if i%2 == 1 {
			host = "*." + host
		}
		spec := &in.DataStores[len(in.DataStores)-1].Spec
		spec.Hosts = append(spec.Hosts, host)
	}
	return in
}

// BenchmarkHost looks up a host that is registered, one below a wildcard and one that is nobody's. The ratio of 100,000
// registered hosts to 100 shows that a lookup does not grow with their number.
func BenchmarkHost(b *testing.B) {
	hosts := []string{"db-42.eu-west-1.prod.example.com", "replica.db-43.eu-west-1.prod.example.com", "orders.dev.db.example.org"}
	lookups := func(b *testing.B, e *estate.Estate) time.Duration {
		b.ReportAllocs()
		for b.Loop() {
			for _, h := range hosts {
				e.Host(h)
			}
		}
		return b.Elapsed() / time.Duration(b.N)
	}
	var few, many time.Duration
	b.Run("hosts=100", func(b *testing.B) { few = lookups(b, estateOfHosts(100)) })
	b.Run("hosts=100000", func(b *testing.B) {
		many = lookups(b, estateOfHosts(100_000))
		if few > 0 {
			b.ReportMetric(float64(many)/float64(few), "x-of-100-hosts")
		}
	})
}

// BenchmarkGlobs looks up a namespace, a service account and a Secret among few globs and among many.
func BenchmarkGlobs(b *testing.B) {
	globs := func(n int) *estate.Estate {
		in := estate.Input{}
		env := v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction}}
		env.Name = "production"
		d := v1alpha1.DataStore{Spec: v1alpha1.DataStoreSpec{Environment: "production", Credentials: &v1alpha1.Credentials{}}}
		for i := range n {
			env.Spec.Namespaces.Names = append(env.Spec.Namespaces.Names, v1alpha1.Glob(fmt.Sprintf("team-%d-*", i)))
			env.Spec.Identities.ServiceAccounts = append(env.Spec.Identities.ServiceAccounts, v1alpha1.ServiceAccountGlob(fmt.Sprintf("ci-%d/*-deployer", i)))
			d.Spec.Credentials.Secrets = append(d.Spec.Credentials.Secrets, v1alpha1.Glob(fmt.Sprintf("*-orders-%d", i)))
		}
		in.Environments, in.DataStores = []v1alpha1.Environment{env}, []v1alpha1.DataStore{d}
		return estate.Compile(in)
	}
	lookups := func(b *testing.B, e *estate.Estate) time.Duration {
		for b.Loop() {
			e.NamespaceWith("team-7-shop", nil)
			e.Identity("system:serviceaccount:ci-7:shop-deployer", nil)
			e.Credential(reference.Target{Kind: reference.Secret, Name: "shop-orders-7"})
		}
		return b.Elapsed() / time.Duration(b.N)
	}
	var few, many time.Duration
	b.Run("globs=10", func(b *testing.B) { few = lookups(b, globs(10)) })
	b.Run("globs=10000", func(b *testing.B) {
		many = lookups(b, globs(10_000))
		if few > 0 {
			b.ReportMetric(float64(many)/float64(few), "x-of-10-globs")
		}
	})
}

// BenchmarkCompileFleet compiles 10,000 data stores with 100,000 hosts and 5,000 namespaces, as it happens off the request
// path after a change.
func BenchmarkCompileFleet(b *testing.B) {
	in := estate.Input{Namespaces: map[string]map[string]string{}, Environments: []v1alpha1.Environment{{Spec: v1alpha1.EnvironmentSpec{
		Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"prod-*"}},
	}}}}
	in.Environments[0].Name = "production"
	for i := range 10_000 {
		d := v1alpha1.DataStore{Spec: v1alpha1.DataStoreSpec{Environment: "production"}}
		d.Name = fmt.Sprintf("store-%05d", i)
		for j := range 10 {
			d.Spec.Hosts = append(d.Spec.Hosts, fmt.Sprintf("db-%d.store-%d.prod.example.com", j, i))
		}
		in.DataStores = append(in.DataStores, d)
	}
	for i := range 5_000 {
		in.Namespaces[fmt.Sprintf("prod-%d", i)] = nil
	}
	b.ReportAllocs()
	for b.Loop() {
		estate.Compile(in)
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		estateOfHosts(10_000)
	}
}

// BenchmarkUpdate changes one host of 100,000 and, in the same run, compiles all of them: the ratio says what a change costs.
func BenchmarkUpdate(b *testing.B) {
	in := fleetOfHosts(100_000)
	e := estate.Compile(in)
	b.ReportAllocs()
	var update, compile time.Duration
	for n := 0; b.Loop(); n++ {
		before := in.DataStores[n%len(in.DataStores)]
		after := before.DeepCopy()
		after.Spec.Hosts[0] = fmt.Sprintf("changed-%d.eu-west-1.prod.example.com", n)
		begun := time.Now() //nolint:forbidigo // a benchmark measures
		next := e.Update(map[string]estate.StoreChange{after.Name: {Before: &before, After: after}})
		update += time.Since(begun) //nolint:forbidigo // a benchmark measures
		in.DataStores[n%len(in.DataStores)] = *after
		begun = time.Now() //nolint:forbidigo // a benchmark measures
		compiled := estate.Compile(in)
		compile += time.Since(begun) //nolint:forbidigo // a benchmark measures
		if e = next; e == nil {
			e = compiled
		}
	}
	b.ReportMetric(float64(update.Nanoseconds())/float64(b.N), "ns/update")
	b.ReportMetric(float64(compile.Nanoseconds())/float64(b.N), "ns/compile")
	b.ReportMetric(float64(compile)/float64(update), "x-as-fast")
}
