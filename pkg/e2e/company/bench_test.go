package company_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/company"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const (
	// senders send at once, and each waits for its answer.
	senders = 4
	// sent is how many requests each measurement sends.
	sent = 4_000
)

// BenchmarkAdmissionBesideLooks measures what a request waits for its admission while somebody audits the cluster again and again, and while the server scans what is
// stored, as shares of what it waits alone. All of it runs on the cores of one machine, the audit too.
func BenchmarkAdmissionBesideLooks(b *testing.B) {
	acme := company.New(teams)
	s, _ := adopt(b, acme)
	if err := fixture.ServeOpenReports(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	delays(b, s, acme) // warms caches up
	alone := delays(b, s, acme)
	ctx, end := context.WithCancel(b.Context())
	audits := 0
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.Plugin(ctx, s.AdminConfig(), "audit", "-o", "json"); err == nil || ctx.Err() == nil {
				audits++
			}
		}
	})
	audited := delays(b, s, acme)
	end()
	done.Wait()
	if out, err := s.Upgrade(b.Context(), filepath.Join(s.Root, "charts", "firebreak"), "--set", "reports.enabled=true", "--set", "reports.every=1s"); err != nil {
		b.Fatal(err, out)
	}
	if err := s.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	delays(b, s, acme)
	scanned := delays(b, s, acme)
	b.ReportMetric(float64(at(audited, .99))/float64(at(alone, .99)), "p99-audit")
	b.ReportMetric(float64(at(audited, .5))/float64(at(alone, .5)), "p50-audit")
	b.ReportMetric(float64(at(scanned, .99))/float64(at(alone, .99)), "p99-scan")
	b.ReportMetric(float64(at(scanned, .5))/float64(at(alone, .5)), "p50-scan")
	b.ReportMetric(float64(audits), "audits")
	b.ReportMetric(float64(at(alone, .99).Microseconds())/1e3, "ms-p99-alone")
	b.ReportMetric(0, "ns/op")
}

// at returns the delay that a share of all are below.
func at(all []time.Duration, share float64) time.Duration { return all[int(share*float64(len(all)-1))] }

// delays creates Deployments as dry runs, and returns how long each took, in order.
func delays(b *testing.B, s *stage.Stage, acme *company.Company) []time.Duration {
	b.Helper()
	c, err := s.Client(s.UserConfig("dee", company.Deployers))
	if err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	var out []time.Duration
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for n := i; n < sent; n += senders {
				u := &unstructured.Unstructured{}
				if err := yaml.Unmarshal([]byte(acme.Objects[2*(n%(len(acme.Objects)/2))]), &u.Object); err != nil {
					b.Error(err)
					return
				}
				u.SetName("measured")
				began := time.Now()
				_ = c.Create(b.Context(), u, client.DryRunAll) // those that cross are denied
				took := time.Since(began)
				mu.Lock()
				out = append(out, took)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(out)
	return out
}
