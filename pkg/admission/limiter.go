package admission

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter lets one act of each key through in every interval, with a burst: sets of live reads that controllers cause in a namespace, which they
// retry with backoff, so that nothing is lost; and records of what was denied to a user.
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

// Spent reports whether a key has no token left. Unlike Allow, it remembers nothing of the key.
func (l *Limiter) Spent(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	return ok && b.TokensAt(now) < 1
}

// Allow takes a token of a key. It returns false if there is none.
func (l *Limiter) Allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		l.sweep(now)
		b = rate.NewLimiter(l.every, l.burst)
		l.buckets[key] = b
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
