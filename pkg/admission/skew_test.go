package admission

import (
	"net/http"
	"testing"
	"time"
)

func TestSkew(t *testing.T) {
	theirs := time.Date(2026, 12, 24, 12, 24, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		reason string
		ours   time.Time
		took   time.Duration
		want   time.Duration
	}{
		"together":                 {"no skew", theirs, 0, 0},
		"within the second":        {"a Date has whole seconds", theirs.Add(900 * time.Millisecond), 0, 0},
		"ahead":                    {"it is measured", theirs.Add(11 * time.Second), 0, 10 * time.Second},
		"behind":                   {"it is measured", theirs.Add(-10 * time.Second), 0, -10 * time.Second},
		"an answer that took long": {"it says little of the clock", theirs.Add(10 * time.Second), 2 * time.Second, 0},
	} {
		s := NewSkew(time.Now, nil)
		s.saw(test.ours.Add(-test.took), test.ours, theirs.Format(http.TimeFormat))
		if got := s.Offset(); got != test.want {
			t.Errorf("%s: %s: %s, want %s", name, test.reason, got, test.want)
		}
	}
	var none *Skew
	if none.Offset() != 0 {
		t.Error("what is not measured is none")
	}
	if got := (skewed{-7 * time.Second}).Error(); got != "Firebreak's clock is 7s behind the API server's, so no change window is opened; whoever runs Firebreak sets it right" {
		t.Error(got)
	}
}
