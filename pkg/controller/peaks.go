package controller

import (
	"sync"
	"time"
)

// peaks remembers the most replicas that each workload asked for within the last hour. A restart forgets them: then what a
// workload asks for now is all that was seen.
type peaks struct {
	mu  sync.Mutex
	all map[string][]asked
	// sweepAt is how many workloads there are when those are forgotten that are long gone.
	sweepAt int
}

// asked is how many replicas were asked for, until when; zero: they still are.
type asked struct {
	replicas int64
	until    time.Time
}

const (
	// peakFor is how long what was asked for counts.
	peakFor = time.Hour
	// maxAsked is how many changes are remembered of one workload; beyond it the smallest is forgotten.
	maxAsked = 16
)

func (p *peaks) note(key string, replicas int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all, p.sweepAt = map[string][]asked{}, 4096
	}
	past := p.all[key]
	if n := len(past); n > 0 {
		if past[n-1].replicas == replicas {
			past[n-1].until = time.Time{}
			return
		}
		past[n-1].until = now
	}
	p.all[key] = shorten(append(past, asked{replicas: replicas}), now)
	p.sweep(now)
}

// shorten forgets what no longer counts and, if that is not enough, the smallest of what does.
func shorten(past []asked, now time.Time) []asked {
	out := past[:0]
	for _, a := range past {
		if a.until.IsZero() || now.Sub(a.until) < peakFor {
			out = append(out, a)
		}
	}
	if len(out) > maxAsked {
		least := 0
		for i := range out[:len(out)-1] {
			if out[i].replicas < out[least].replicas {
				least = i
			}
		}
		out = append(out[:least], out[least+1:]...)
	}
	return out
}

// sweep forgets, now and then, workloads that have not changed for an hour: what they ask for is known without it.
func (p *peaks) sweep(now time.Time) {
	if len(p.all) < p.sweepAt {
		return
	}
	for key, past := range p.all {
		if past = shorten(past, now); len(past) < 2 {
			delete(p.all, key)
		} else {
			p.all[key] = past
		}
	}
	p.sweepAt = max(4096, 2*len(p.all))
}

// of returns the most that a workload asked for within the last hour; 0: nothing was seen.
func (p *peaks) of(key string, now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var most int64
	for _, a := range p.all[key] {
		if a.until.IsZero() || now.Sub(a.until) < peakFor {
			most = max(most, a.replicas)
		}
	}
	return most
}
