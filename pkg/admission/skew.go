package admission

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Skew measures how far the server's clock is from the API server's, by the Date header of its answers.
type Skew struct {
	clock   func() time.Time
	metrics *Metrics
	last    atomic.Int64
}

// NewSkew returns a Skew that reads the time from clock. m may be nil.
func NewSkew(clock func() time.Time, m *Metrics) *Skew { return &Skew{clock: clock, metrics: m} }

// maxSkew is how far the clocks may be apart: beyond it, Firebreak does not know whether a window is open.
const maxSkew = 5 * time.Second

// Offset returns how far this clock is ahead of the API server's; it is negative if the clock is behind. A Date has whole
// seconds, so a lead of up to one second counts as none.
func (s *Skew) Offset() time.Duration {
	if s == nil {
		return 0
	}
	return time.Duration(s.last.Load())
}

// Wrap returns a transport that measures the clock at every answer of next.
func (s *Skew) Wrap(next http.RoundTripper) http.RoundTripper { return measuring{s, next} }

type measuring struct {
	*Skew
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper. An answer that took more than a second is not measured: it says little about the
// clock.
func (m measuring) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := m.clock()
	resp, err := m.next.RoundTrip(r)
	if err == nil {
		m.saw(sent, m.clock(), resp.Header.Get("Date"))
	}
	return resp, err
}

func (s *Skew) saw(sent, received time.Time, date string) {
	theirs, err := http.ParseTime(date)
	if err != nil || received.Sub(sent) > time.Second {
		return
	}
	skew := received.Sub(theirs)
	switch {
	case skew > time.Second: // the Date header leaves out the fraction of its second
		skew -= time.Second
	case skew >= 0:
		skew = 0
	}
	s.last.Store(int64(skew))
	if s.metrics != nil {
		s.metrics.skew.Set(skew.Seconds())
	}
}

// skewed is the error for a clock that is wrong: no window is opened by it.
type skewed struct{ by time.Duration }

func (s skewed) Error() string {
	side, by := "ahead of", s.by
	if by < 0 {
		side, by = "behind", -by
	}
	return fmt.Sprintf("Firebreak's clock is %s %s the API server's, so no change window is opened; whoever runs Firebreak sets it right", by.Round(time.Second), side)
}
