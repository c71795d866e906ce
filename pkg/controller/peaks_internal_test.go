package controller

import (
	"fmt"
	"testing"
	"time"
)

// What was asked for counts for an hour after it was asked for no more, in however many steps it went down.
func TestPeaks(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var p peaks
	for i, n := range []int64{10, 6, 4, 2} {
		p.note("Deployment/payments/web", n, at.Add(time.Duration(i)*10*time.Minute))
	}
	for name, tc := range map[string]struct {
		after time.Duration
		want  int64
	}{
		"at once":                    {30 * time.Minute, 10},
		"an hour after the first":    {70 * time.Minute, 6},
		"an hour after the last":     {90 * time.Minute, 2},
		"a day later":                {24 * time.Hour, 2},
		"a moment before it expires": {70*time.Minute - 1, 10},
	} {
		if got := p.of("Deployment/payments/web", at.Add(tc.after)); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	if got := p.of("Deployment/payments/other", at); got != 0 {
		t.Errorf("of what was never seen: %d", got)
	}
}

// However often a workload is scaled, and however many there are, what is remembered stays bounded, and the peak stays in it.
func TestPeaksAreBounded(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var p peaks
	p.note("a", 100, at)
	for i := range 1000 {
		p.note("a", int64(i%7), at.Add(time.Duration(i)*time.Second))
	}
	if n := len(p.all["a"]); n > maxAsked || p.of("a", at.Add(1000*time.Second)) != 100 {
		t.Errorf("%d changes are remembered, and the peak is %d", n, p.of("a", at.Add(1000*time.Second)))
	}
	for i := range 20_000 {
		p.note(fmt.Sprint("gone-", i), 1, at)
	}
	if len(p.all) > 2*4096 {
		t.Errorf("%d workloads are remembered", len(p.all))
	}
}
