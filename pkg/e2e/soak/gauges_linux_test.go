package soak

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// gauges are what must not grow, each summed over all replicas.
func gauges() []string {
	return []string{"resident MiB", "goroutines", "descriptors", "queued"}
}

// sample is one look at all replicas.
type sample struct {
	at    time.Duration
	value map[string]float64
}

// observe samples the replicas' own metrics until the context ends.
func observe(ctx context.Context, t *testing.T, s *stage.Stage) []sample {
	var out []sample
	begin := time.Now()
	for every := max(*span/300, time.Second); ctx.Err() == nil; wait(ctx, every) {
		text, err := s.Metrics(ctx)
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("metrics: %v", err)
			}
			continue
		}
		out = append(out, sample{time.Since(begin), valuesOf(t, text)})
	}
	return out
}

// valuesOf reads the metrics of all replicas, one after the other in one text.
func valuesOf(t *testing.T, text string) map[string]float64 {
	out := map[string]float64{}
	replica := 0
	for part := range strings.SplitSeq(text, "# HELP certwatcher_read_certificate_errors_total") { // the first metric of a replica
		if part == "" {
			continue
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader("# HELP certwatcher_read_certificate_errors_total" + part))
		if err != nil {
			t.Errorf("metrics: %v", err)
			return out
		}
		sum := func(name string) (v float64) {
			for _, m := range families[name].GetMetric() {
				v += m.GetGauge().GetValue()
			}
			return v
		}
		out["resident MiB"] += sum("process_resident_memory_bytes") / (1 << 20)
		out["goroutines"] += sum("go_goroutines")
		out["descriptors"] += sum("process_open_fds")
		out["queued"] += sum("workqueue_depth")
		out[heapOf(replica)] = sum("go_memstats_heap_alloc_bytes") / (1 << 20)
		replica++
	}
	return out
}

// heapOf names the gauge of a replica's heap.
func heapOf(replica int) string { return fmt.Sprintf("heap %d", replica) }

// parts is into how many parts of the time the heap is told of.
const parts = 5

// leastHeap returns, for each part of the time, what the heaps of all replicas held at least: right after a collection, that is what is in use.
func leastHeap(all []sample) []float64 {
	out := make([]float64, parts)
	for replica := range replicas {
		least := make([]float64, parts)
		for _, s := range all {
			i := min(int(parts*s.at/(*span)), parts-1)
			if v := s.value[heapOf(replica)]; v > 0 && (least[i] == 0 || v < least[i]) {
				least[i] = v
			}
		}
		for i := range least {
			out[i] += least[i]
		}
	}
	return out
}

// settledSince is the share of the time after which a replica has reached what it needs.
const settledSince = 0.3

// trend is the mean of a gauge once it is settled, and by how much a straight line through it rises over that time.
type trend struct{ mean, rise float64 }

func trendOf(all []sample, name string) trend {
	from := time.Duration(settledSince * float64(*span))
	var n, sx, sy, sxx, sxy, last float64
	for _, s := range all {
		if s.at < from {
			continue
		}
		x, y := (s.at - from).Seconds(), s.value[name]
		n, sx, sy, sxx, sxy, last = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y, x
	}
	if d := n*sxx - sx*sx; n > 2 && d > 0 {
		return trend{sy / n, (n*sxy - sx*sy) / d * last}
	}
	return trend{}
}

// delays are how long requests took, with the time of each.
type delays struct {
	mu  sync.Mutex
	all []delay
}

type delay struct{ at, took time.Duration }

func (d *delays) add(at, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, delay{at, took})
}

// p99 returns the delay that 99 % of the requests of a part of the time did not exceed.
func (d *delays) p99(from, to float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var in []time.Duration
	for _, x := range d.all {
		if share := float64(x.at) / float64(*span); share >= from && share < to {
			in = append(in, x.took)
		}
	}
	if len(in) == 0 {
		return 0
	}
	slices.Sort(in)
	return in[len(in)*99/100]
}

// report returns what a soak showed, as a page, and which gauges grew by more than a tenth of their mean.
func report(all []sample, honest *delays, lines []string) (page string, grew []string) {
	var out strings.Builder
	fmt.Fprintf(&out, "<!-- made by make soak -->\n\n%s of %s.\n\n", *span, time.Now().UTC().Format(time.DateOnly))
	for _, l := range lines {
		fmt.Fprintf(&out, "- %s\n", l)
	}
	fmt.Fprintf(&out, "\nIn use on the heaps of all replicas, at the least, in each fifth of the time: %.1f MiB.\n", leastHeap(all))
	fmt.Fprintf(&out, "\nAll %d replicas together, after the first %.0f %% of the time:\n\n| | mean | rise of a straight line over the rest | share of the mean |\n| --- | ---: | ---: | ---: |\n", replicas, settledSince*100)
	for _, name := range gauges() {
		g := trendOf(all, name)
		share := 0.0
		if g.mean > 0 {
			share = g.rise / g.mean
		}
		fmt.Fprintf(&out, "| %s | %.1f | %+.2f | %+.1f %% |\n", name, g.mean, g.rise, 100*share)
		if share > 0.1 && g.rise > 3 {
			grew = append(grew, fmt.Sprintf("%s by %.1f from a mean of %.1f", name, g.rise, g.mean))
		}
	}
	begin, end := honest.p99(0.1, 0.4), honest.p99(0.7, 1)
	if begin > 0 {
		fmt.Fprintf(&out, "\nThe 99th percentile of the honest requests was %s in the second tenth to the fourth, and %s in the last three: %.2f times.\n",
			begin.Round(100*time.Microsecond), end.Round(100*time.Microsecond), float64(end)/float64(begin))
	}
	return out.String(), grew
}

// keep writes the page of a long soak beside the code.
func keep(t *testing.T, page string) {
	t.Helper()
	if err := os.WriteFile("last.md", []byte(page), 0o600); err != nil {
		t.Error(err)
	}
}
