package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// delay is how long a server takes to answer below its capacity.
type delay struct {
	Server  string `json:"server"`
	Hosts   int    `json:"hosts"`
	Changes int    `json:"estateChangesPerSecond"`
	// Share of the server's capacity, and what that is in requests a second.
	Share float64 `json:"share"`
	Rate  float64 `json:"requestsPerSecond"`
	P50   float64 `json:"p50Ms"`
	P99   float64 `json:"p99Ms"`
	// Ratio of P99 to that of controller-runtime's server at the same share.
	Ratio float64 `json:"p99RatioToControllerRuntime"`
}

func (d *delay) name() string {
	switch {
	case d.Changes > 0:
		return fmt.Sprintf("%s, %d hosts, %d changes/s", d.Server, d.Hosts, d.Changes)
	case d.Hosts > 0:
		return fmt.Sprintf("%s, %d hosts", d.Server, d.Hosts)
	}
	return d.Server
}

// paced sends at a rate from all connections, and notes how long each answer took since it was due: a request that waits for another
// counts.
func (s *sender) paced(rate float64, length time.Duration) {
	every := time.Duration(float64(connections) / rate * float64(time.Second))
	began := time.Now()
	due := make([]time.Time, connections)
	for n := range due {
		due[n] = began.Add(every * time.Duration(n) / connections)
	}
	s.each(func(n int, c *connection) (time.Duration, bool, error) {
		at := due[n]
		if at.Sub(began) >= length {
			return 0, false, nil
		}
		due[n] = at.Add(every)
		time.Sleep(time.Until(at))
		_, err := s.post(c)
		return time.Since(at), true, err
	})
}

// shares of the capacity at which delays are measured.
func shares() []float64 { return []float64{0.1, 0.25, 0.5, 0.75, 0.9} }

// delays measures every server at several rates, in turn, several times. The median counts.
func delays(length time.Duration, rounds int, profiles string) ([]delay, error) {
	deployment := bodies()[1]
	var out []delay
	for _, kind := range []delay{{Server: "controller-runtime"}, {Server: "firebreak", Hosts: 1000}, {Server: "firebreak", Hosts: 100000}, {Server: "firebreak", Hosts: 100000, Changes: 10}} {
		s, err := start(kind.Server, kind.Hosts, 0, "")
		if err != nil {
			return nil, err
		}
		full, err := s.load(deployment, length)
		s.stop()
		if err == nil {
			s, err = start(kind.Server, kind.Hosts, kind.Changes, profiles)
		}
		if err != nil {
			return nil, err
		}
		for i, share := range shares() {
			d := kind
			d.Share, d.Rate = share, full.Rate*share
			if err := s.delay(&d, deployment, length, rounds); err != nil {
				s.stop()
				return nil, err
			}
			d.Ratio = 1
			if len(out) >= len(shares()) {
				d.Ratio = d.P99 / out[i].P99
			}
			out = append(out, d)
		}
		s.stop()
	}
	return out, nil
}

// delay measures a server at one rate.
func (s *server) delay(d *delay, b body, length time.Duration, rounds int) error {
	var p50, p99 []float64
	for range rounds {
		send, err := s.sender(b)
		if err != nil {
			return err
		}
		send.paced(d.Rate, length/4)
		send.times = nil
		send.paced(d.Rate, length)
		if err := errors.Join(send.failure, send.close()); err != nil || len(send.times) == 0 {
			return errors.Join(errors.New("no answers"), err)
		}
		slices.Sort(send.times)
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		p50, p99 = append(p50, ms(send.times[len(send.times)/2])), append(p99, ms(send.times[len(send.times)*99/100]))
	}
	slices.Sort(p50)
	slices.Sort(p99)
	d.P50, d.P99 = p50[len(p50)/2], p99[len(p99)/2]
	return nil
}
