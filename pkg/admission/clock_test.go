package admission_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/admission"
)

// A clock that is wrong opens no window; a request that needs none is judged all the same.
func TestAWrongClockOpensNoWindow(t *testing.T) {
	w := window("w")
	for name, tc := range map[string]struct {
		by      time.Duration
		message string // empty if the request is admitted
	}{
		"a little ahead":     {5 * time.Second, ""},
		"far ahead":          {9 * time.Second, "is 8s ahead of"},
		"a little behind":    {-5 * time.Second, ""},
		"more than a little": {-6 * time.Second, "is 6s behind"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrial(t, w, approval(w))
			x.Skew = admission.NewSkew(func() time.Time { return night().Add(tc.by) }, x.Metrics)
			answerDated(t, x.Skew, night())
			resp := x.Handle(t.Context(), reindex())
			if tc.message == "" {
				checkAnswer(t, resp, 0, "", "that is within what clocks differ by")
				return
			}
			want := fmt.Sprintf(`jobs.batch "reindex" is refused for now: Firebreak's clock %s the API server's, so no change window is opened; whoever runs Firebreak sets it right`, tc.message)
			if resp.Allowed || resp.Result.Code != http.StatusServiceUnavailable || resp.Result.Message != want || resp.Result.Details.RetryAfterSeconds != 10 {
				t.Errorf("the answer is %+v, want %q", resp.Result, want)
			}
			if diff := cmp.Diff(also(), x.api.sorted()); diff != "" {
				t.Errorf("the calls differ: %s", diff)
			}
		})
	}
}

// answerDated lets one answer of the API server measure a clock.
func answerDated(t *testing.T, s *admission.Skew, date time.Time) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Wrap(answering{date}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// answering is a transport that brings an empty answer with a date.
type answering struct{ date time.Time }

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Date": {a.date.Format(http.TimeFormat)}}, Body: http.NoBody}, nil
}

// broken is a transport that brings no answer.
type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { return nil, errDown }

// An answer without a date says nothing about the clock: the earlier measure stays, and the metric shows it.
func TestTheClockIsMeasuredByDates(t *testing.T) {
	x := newTrial(t)
	s := admission.NewSkew(func() time.Time { return night().Add(11 * time.Second) }, x.Metrics)
	answerDated(t, s, night())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, next := range map[string]http.RoundTripper{"no answer": broken{}, "no date": undated{}} {
		resp, err := s.Wrap(next).RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if got := s.Offset(); got != 10*time.Second || x.counted("clock_skew_seconds") != 10 {
			t.Errorf("%s: the clock is %s ahead, and the metric says %v, want 10s of both", name, got, x.counted("clock_skew_seconds"))
		}
	}
	if resp, err := s.Wrap(broken{}).RoundTrip(req); err != errDown || resp != nil { //nolint:errorlint,bodyclose // the transport's own, and there is no answer
		t.Errorf("the failure of the transport becomes %v", err)
	}
}

// undated is a transport that brings an answer without a date.
type undated struct{}

func (undated) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}
