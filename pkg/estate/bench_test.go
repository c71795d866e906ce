package estate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// estateOfHosts has n hosts, half of them wildcards, in stores of a thousand.
func estateOfHosts(n int) *estate.Estate {
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
	return estate.Compile(in)
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

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		estateOfHosts(10_000)
	}
}
