package controller

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Contact tells how long ago the API server answered last. Make one with NewContact.
type Contact struct {
	clock func() time.Time
	last  atomic.Int64
}

// NewContact returns a Contact that takes the time of its making for that of the last answer.
func NewContact(clock func() time.Time) *Contact {
	c := &Contact{clock: clock}
	c.last.Store(clock().UnixNano())
	return c
}

// Wrap returns a transport that notes each answer of next, whatever it says.
func (c *Contact) Wrap(next http.RoundTripper) http.RoundTripper { return noting{c, next} }

// Silence returns how long ago the last answer came. It is 0 where nothing is noted.
func (c *Contact) Silence() time.Duration {
	if c == nil {
		return 0
	}
	return max(0, c.clock().Sub(time.Unix(0, c.last.Load())))
}

type noting struct {
	*Contact
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (n noting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(r)
	if err == nil {
		n.last.Store(n.clock().UnixNano())
	}
	return resp, err
}
