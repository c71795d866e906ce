package view

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Peaks remembers how many replicas each workload asked for within the last hour, as far as that is more than it asked for
// later. The leading replica writes this into the status of the Environment, and reads it from there after a restart.
type Peaks struct {
	mu sync.Mutex
	// all holds falling numbers: each is more than the next one. The last may be what the workload asks for now.
	all map[Workload][]asked
	// sweepAt is the number of workloads at which Peaks forgets those that are long gone.
	sweepAt int
}

// Workload names one workload. Where replicas are counted, its kind includes its group, as in Deployment.apps.
type Workload struct{ Namespace, Kind, Name string }

// asked is a number of replicas and the time until which a workload asked for it; the time is zero if the workload still
// does.
type asked struct {
	replicas int64
	until    time.Time
}

func (a asked) counts(now time.Time) bool { return a.until.IsZero() || now.Sub(a.until) < peakFor }

// compareEnds orders by the time until which each was asked for; one without an end comes last.
func compareEnds(a, b asked) int {
	switch {
	case a.until.IsZero() && b.until.IsZero():
		return 0
	case a.until.IsZero():
		return 1
	case b.until.IsZero():
		return -1
	}
	return a.until.Compare(b.until)
}

const (
	// peakFor is how long a number counts after the workload stopped asking for it.
	peakFor = time.Hour
	// maxAsked is how many steps are remembered of one workload; beyond it the two that differ least become one.
	maxAsked = 16
)

// Note notes that a workload asks for a number of replicas now.
func (p *Peaks) Note(key Workload, replicas int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	past := p.all[key]
	if n := len(past); n > 0 && past[n-1].until.IsZero() {
		if past[n-1].replicas == replicas {
			return
		}
		past[n-1].until = now
	}
	p.put(key, append(past, asked{replicas: replicas}), now)
}

// Gone notes that a workload no longer exists, or that nothing tells any more how many replicas it asks for.
func (p *Peaks) Gone(key Workload, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if past := p.all[key]; len(past) > 0 && past[len(past)-1].until.IsZero() {
		past[len(past)-1].until = now
	}
}

// Recall takes in the peaks that another replica has seen, or this one before a restart.
func (p *Peaks) Recall(recorded []v1alpha1.ReplicaPeak, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range recorded {
		a := asked{replicas: r.Replicas, until: r.Until.Time}
		if a.until.After(now) {
			a.until = now // clocks differ a little; a status that somebody wrote must not count for ever
		}
		if key := (Workload{r.Namespace, r.Kind, r.Name}); a.counts(now) {
			p.put(key, append(p.all[key], a), now)
		}
	}
}

// put keeps the numbers that still count and that are more than every later one.
func (p *Peaks) put(key Workload, past []asked, now time.Time) {
	if p.all == nil {
		p.all, p.sweepAt = map[Workload][]asked{}, 4096
	}
	p.all[key] = falling(past, now)
	p.sweep(now)
}

// falling sorts numbers by their ends. It drops those that no longer count and those that an equal or larger one outlasts,
// and merges steps where there are too many.
func falling(past []asked, now time.Time) []asked {
	slices.SortStableFunc(past, compareEnds)
	out := past[:0]
	for _, a := range past {
		if !a.counts(now) {
			continue
		}
		for len(out) > 0 && out[len(out)-1].replicas <= a.replicas {
			out = out[:len(out)-1]
		}
		out = append(out, a)
	}
	for len(out) > maxAsked {
		out = merged(out)
	}
	return out
}

// merged makes one of the two past steps that differ least: the larger number, until the later end.
func merged(past []asked) []asked {
	least := 0
	for i := 1; i < len(past)-2; i++ {
		if past[i].replicas-past[i+1].replicas < past[least].replicas-past[least+1].replicas {
			least = i
		}
	}
	past[least+1].replicas = past[least].replicas
	return append(past[:least], past[least+1:]...)
}

// sweep forgets, now and then, workloads that have not asked for less for an hour: their present number is known without
// Peaks.
func (p *Peaks) sweep(now time.Time) {
	if len(p.all) < p.sweepAt {
		return
	}
	for key, past := range p.all {
		if past = falling(past, now); len(past) == 0 || len(past) == 1 && past[0].until.IsZero() {
			delete(p.all, key)
		} else {
			p.all[key] = past
		}
	}
	p.sweepAt = max(4096, 2*len(p.all))
}

// Of returns the most replicas that a workload asked for within the last hour; it is 0 if nothing was seen.
func (p *Peaks) Of(key Workload, now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var most int64
	for _, a := range p.all[key] {
		if a.counts(now) {
			most = max(most, a.replicas)
		}
	}
	return most
}

// Past returns, by namespace, the numbers that workloads asked for within the last hour and no longer ask for.
func (p *Peaks) Past(now time.Time) map[string][]v1alpha1.ReplicaPeak {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string][]v1alpha1.ReplicaPeak{}
	for key, past := range p.all {
		for _, a := range past {
			if a.until.IsZero() || !a.counts(now) {
				continue
			}
			out[key.Namespace] = append(out[key.Namespace], v1alpha1.ReplicaPeak{
				Namespace: key.Namespace, Kind: key.Kind, Name: key.Name, Replicas: a.replicas, Until: metav1.NewTime(a.until.Truncate(time.Second)),
			})
		}
	}
	return out
}

// Recorded sorts peaks as a status holds them. If there are too many, it leaves out those that ended first.
func Recorded(all []v1alpha1.ReplicaPeak) []v1alpha1.ReplicaPeak {
	if n := len(all) - v1alpha1.MaxReplicaPeaks; n > 0 {
		slices.SortFunc(all, func(a, b v1alpha1.ReplicaPeak) int { return a.Until.Compare(b.Until.Time) })
		all = all[n:]
	}
	slices.SortFunc(all, func(a, b v1alpha1.ReplicaPeak) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), a.Until.Compare(b.Until.Time))
	})
	return all
}
