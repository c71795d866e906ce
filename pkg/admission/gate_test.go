package admission_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/firebreak-dev/firebreak/pkg/admission"
)

const head = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"705ab4f5-6393","object":"`

// held is a server whose handler waits until it is told to go on.
type held struct {
	*httptest.Server
	entered chan struct{}
	goOn    chan struct{}
}

func newHeld(t *testing.T, memory int64) *held {
	t.Helper()
	h := &held{entered: make(chan struct{}, 64), goOn: make(chan struct{})}
	h.Server = httptest.NewServer(admission.NewGate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.entered <- struct{}{}
		<-h.goOn
		_, _ = io.Copy(w, r.Body)
	}), memory, admission.NewMetrics(prometheus.NewRegistry())))
	t.Cleanup(h.Close)
	return h
}

func (h *held) send(t *testing.T, body, query string) string {
	t.Helper()
	resp, err := http.Post(h.URL+query, "application/json", strings.NewReader(body)) //nolint:noctx // a test
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(raw)
}

// A large request takes the place of many small ones, and a request that finds no place in time is answered, not dropped.
func TestTheGateFollowsMemory(t *testing.T) {
	h := newHeld(t, 100<<20)
	large := head + strings.Repeat("x", 2_000_000) + `"}}`
	var wg sync.WaitGroup
	wg.Go(func() { h.send(t, large, "") })
	<-h.entered
	answer := h.send(t, large, "?timeout=100ms")
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal([]byte(answer), &review); err != nil {
		t.Fatalf("%.200s: %v", answer, err)
	}
	r := review.Response
	if r == nil || r.Allowed || r.UID != "705ab4f5-6393" || r.Result.Code != http.StatusTooManyRequests || r.Result.Details.RetryAfterSeconds != 2 {
		t.Errorf("the answer is %.300s", answer)
	}
	const want = "Firebreak is judging as many requests as its memory allows; try again"
	if r != nil && r.Result.Message != want {
		t.Errorf("it says %q, want %q", r.Result.Message, want)
	}
	wg.Go(func() { h.send(t, head+`"}}`, "") })
	select {
	case <-h.entered:
	case <-time.After(10 * time.Second):
		t.Error("a small request has no place beside one large one")
	}
	close(h.goOn)
	wg.Wait()
}

// A body that is not a review cannot be answered as one.
func TestTheGateAndWhatIsNoReview(t *testing.T) {
	h := newHeld(t, 100<<20)
	var wg sync.WaitGroup
	wg.Go(func() { h.send(t, strings.Repeat("x", 3_000_000), "") })
	<-h.entered
	if got := h.send(t, strings.Repeat("y", 3_000_000), "?timeout=50ms"); !strings.Contains(got, "try again") {
		t.Errorf("got %.100q", got)
	}
	close(h.goOn)
	wg.Wait()
}

// A body that is longer than any review is not read to its end.
func TestTheGateLimitsBodies(t *testing.T) {
	h := newHeld(t, 1<<30)
	close(h.goOn)
	if got := h.send(t, strings.Repeat("x", 9<<20), ""); len(got) > 7<<20 {
		t.Errorf("%d bytes were read", len(got))
	}
}
