package admission

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter lets one set of live reads through in every interval for each namespace, with a small burst. Controllers retry
// refused requests with backoff, so nothing is lost. Persons are never limited.
type Limiter struct {
	every rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// NewLimiter returns a limiter that refills one token in every interval, up to burst.
func NewLimiter(every time.Duration, burst int) *Limiter {
	return &Limiter{every: rate.Every(every), burst: burst, buckets: map[string]*rate.Limiter{}}
}

// maxBuckets bounds the memory of the limiter. Beyond it, full buckets are dropped: a new bucket says the same.
const maxBuckets = 4096

// Allow takes a token of a namespace. It returns false if there is none.
func (l *Limiter) Allow(namespace string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[namespace]
	if !ok {
		l.sweep(now)
		b = rate.NewLimiter(l.every, l.burst)
		l.buckets[namespace] = b
	}
	return b.AllowN(now, 1)
}

func (l *Limiter) sweep(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	for k, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, k)
		}
	}
}
