package admission

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// The memory that a request may hold follows from its length. A request without a length holds as much as the longest, and
// none holds more than there is.
func TestWeights(t *testing.T) {
	wide := NewGate(nil, 4<<30, NewMetrics(prometheus.NewRegistry()))
	narrow := NewGate(nil, 0, NewMetrics(prometheus.NewRegistry()))
	got := map[string]int64{
		"empty": wide.weight(0), "a kilobyte": wide.weight(1 << 10), "the longest": wide.weight(maxBody), "longer": wide.weight(maxBody + 1),
		"unsaid": wide.weight(-1), "longest of a small process": narrow.weight(maxBody), "a kilobyte of a small process": narrow.weight(1 << 10),
	}
	const longest = requestBase + requestFactor*maxBody
	want := map[string]int64{
		"empty": requestBase, "a kilobyte": requestBase + 20<<10, "the longest": longest, "longer": longest, "unsaid": longest,
		"longest of a small process": requestBase + longest/4 - requestBase/4, "a kilobyte of a small process": requestBase + 20<<10,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the weights differ: %s", diff)
	}
}

// entered records the requests that are let in, and how long each may take.
type entered struct {
	n      int
	within time.Duration
	read   int
	err    error
}

func (e *entered) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	e.n++
	if d, ok := r.Context().Deadline(); ok {
		e.within = time.Until(d)
	}
	raw, err := io.ReadAll(r.Body)
	e.read, e.err = len(raw), err
}

func post(ctx context.Context, g *Gate, query, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/validate"+query, strings.NewReader(body)))
	return w
}

// A request is answered before the API server gives up; a missing or wrong timeout sets no limit.
func TestTheGateSetsTheDeadline(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"?timeout=10s": 8 * time.Second, "?timeout=2s": 1500 * time.Millisecond, "": 0, "?timeout=soon": 0, "?timeout=-1s": 0, "?timeout=0s": 0,
	} {
		var e entered
		post(t.Context(), NewGate(&e, 1<<30, NewMetrics(prometheus.NewRegistry())), query, "{}")
		if e.n != 1 || e.within > want || want > 0 && e.within < want/2 || want == 0 && e.within != 0 {
			t.Errorf("%q: it is let in %d times, within %s; want %s", query, e.n, e.within, want)
		}
	}
}

// A body that is too long is cut, and the reader is told; one that just fits is read whole.
func TestTheGateCutsBodies(t *testing.T) {
	for name, tc := range map[string]struct {
		length int
		cut    bool
	}{"the longest": {maxBody, false}, "one byte more": {maxBody + 1, true}} {
		var e entered
		post(t.Context(), NewGate(&e, 1<<30, NewMetrics(prometheus.NewRegistry())), "", strings.Repeat("x", tc.length))
		if e.read != maxBody || (e.err != nil) != tc.cut {
			t.Errorf("%s: %d bytes are read, then %v", name, e.read, e.err)
		}
	}
}

// Beyond the bound of the queue, a request is refused at once. Refused requests are counted, and hold nothing.
func TestTheGateBoundsTheQueue(t *testing.T) {
	r := prometheus.NewRegistry()
	var e entered
	g := NewGate(&e, 0, NewMetrics(r))
	if !g.memory.TryAcquire(g.capacity) {
		t.Fatal("the gate is not empty")
	}
	g.waiting.Store(maxWaiting)
	w := post(t.Context(), g, "", `{"request": {"uid": "u-1", "object": {}}}`)
	if e.n != 0 || w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"uid":"u-1","allowed":false`) || g.waiting.Load() != maxWaiting {
		t.Errorf("%d are let in, the answer is %d %s, %d wait", e.n, w.Code, w.Body, g.waiting.Load())
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("the answer is %s", ct)
	}
	g.waiting.Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w := post(ctx, g, "", "no review"); e.n != 0 || w.Code != http.StatusServiceUnavailable || w.Body.String() != tooBusy+"\n" {
		t.Errorf("%d are let in, the answer is %d %q", e.n, w.Code, w.Body)
	}
	if got := seriesOf(t, r, "firebreak_admission_refused_busy_total")[""]; got != 2 || g.waiting.Load() != 0 {
		t.Errorf("%v are counted, %d wait", got, g.waiting.Load())
	}
	g.memory.Release(g.capacity)
	if post(t.Context(), g, "", "{}"); e.n != 1 || !g.memory.TryAcquire(g.capacity) {
		t.Errorf("%d are let in once there is room, or one that ended holds memory", e.n)
	}
}
