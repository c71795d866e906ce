package cli

import (
	"testing"
	"time"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 12, 24, 15, 30, 0, 0, time.UTC)
	e := &env{clock: func() time.Time { return now }}
	for text, want := range map[string]time.Time{
		"12:24":                time.Date(2026, 12, 24, 12, 24, 0, 0, time.UTC),
		"18:00":                time.Date(2026, 12, 23, 18, 0, 0, 0, time.UTC), // the last such time was yesterday
		"12:24:30":             time.Date(2026, 12, 24, 12, 24, 30, 0, time.UTC),
		"2h":                   now.Add(-2 * time.Hour),
		"2026-12-01T00:00:00Z": time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := e.moment(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s (%v), want %s", text, got, err, want)
		}
	}
	if _, err := e.moment("noon"); err == nil || err.Error() != `"noon" is not a time of day such as 12:24, duration such as 2h, or instant in RFC 3339` {
		t.Errorf("noon: %v", err)
	}
}
