package admission

import (
	"sync"
	"time"
)

// Limiter lets one set of live reads a second through for each namespace, with a small burst. Controllers retry what
// is refused with backoff, so nothing is lost; persons are never limited.
type Limiter struct {
	mu      sync.Mutex
	every   time.Duration
	burst   int
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// NewLimiter returns a limiter that refills one token in every interval, up to burst.
func NewLimiter(every time.Duration, burst int) *Limiter {
	return &Limiter{every: every, burst: burst, buckets: map[string]bucket{}}
}

// maxBuckets bounds the memory of the limiter; beyond it, full buckets are dropped, which says nothing new.
const maxBuckets = 4096

// Allow takes a token of a namespace, if there is one.
func (l *Limiter) Allow(namespace string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[namespace]
	if !ok {
		b = bucket{tokens: float64(l.burst), at: now}
		l.sweep(now)
	}
	b = l.refill(b, now)
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	l.buckets[namespace] = b
	return allowed
}

func (l *Limiter) refill(b bucket, now time.Time) bucket {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(float64(l.burst), b.tokens+float64(d)/float64(l.every))
		b.at = now
	}
	return b
}

func (l *Limiter) sweep(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	for k, b := range l.buckets {
		if l.refill(b, now).tokens >= float64(l.burst) {
			delete(l.buckets, k)
		}
	}
}
