package admission

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Gate lets in as many requests as the memory of the process allows, before it reads anything of them. The number of waiting
// requests is bounded too. A request that cannot be let in gets an answer: an HTTP error would be admitted where the
// registration says Ignore.
type Gate struct {
	next     http.Handler
	metrics  *Metrics
	memory   *semaphore.Weighted
	capacity int64
	waiting  atomic.Int64
}

const (
	// requestBase and requestFactor are the bytes that judging a request may hold at once: requestBase for the request, and
	// requestFactor for each byte of its body. The factor is half of what may be allocated in all, since garbage is collected
	// meanwhile.
	requestBase, requestFactor = 256 << 10, 20
	// maxBody is the largest body that is read, in bytes: an API server sends at most two objects of 3 MiB and an envelope.
	maxBody = 7 << 20
	// maxWaiting is how many requests may wait. Each holds a connection, and nothing else.
	maxWaiting = 1024
)

// NewGate returns a gate in front of a handler. memory is how many bytes the process may use; half of them are for requests.
func NewGate(next http.Handler, memory int64, m *Metrics) *Gate {
	capacity := max(memory/2, requestBase+requestFactor*maxBody/4)
	return &Gate{next: next, metrics: m, memory: semaphore.NewWeighted(capacity), capacity: capacity}
}

// ServeHTTP implements http.Handler. It answers before the API server gives up: the timeout in the address says how long that
// waits.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if d, err := time.ParseDuration(r.URL.Query().Get("timeout")); err == nil && d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d-min(d/4, 2*time.Second))
		defer cancel()
	}
	weight := g.weight(r.ContentLength)
	if !g.enter(ctx, weight) {
		g.metrics.refused.Inc()
		refuse(w, r)
		return
	}
	defer g.memory.Release(weight)
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	g.next.ServeHTTP(w, r.WithContext(ctx))
}

// weight returns how many bytes a request of a length may hold. A request without a length counts as the longest.
func (g *Gate) weight(length int64) int64 {
	if length < 0 || length > maxBody {
		length = maxBody
	}
	return min(g.capacity, requestBase+requestFactor*length)
}

func (g *Gate) enter(ctx context.Context, weight int64) bool {
	if g.memory.TryAcquire(weight) {
		return true
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > maxWaiting {
		return false
	}
	return g.memory.Acquire(ctx, weight) == nil
}

// refuse answers a request that is not let in, and asks for a retry. It keeps only the beginning of the body, where the UID
// stands. It reads the rest, since a client that is still writing may miss the answer.
func refuse(w http.ResponseWriter, r *http.Request) {
	head := make([]byte, 4<<10)
	n, _ := io.ReadFull(r.Body, head) // a shorter body is read to its end
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBody))
	uid := reviewUID.FindSubmatch(head[:n])
	if uid == nil {
		http.Error(w, tooBusy, http.StatusServiceUnavailable)
		return
	}
	resp := failed(http.StatusTooManyRequests, tooBusy, 2)
	resp.UID = types.UID(uid[1])
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(admissionv1.AdmissionReview{ // a client that is gone cannot be answered
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"}, Response: &resp.AdmissionResponse,
	})
}

const tooBusy = "Firebreak is judging as many requests as its memory allows; try again"

// reviewUID finds the UID of a review, which stands before the object.
var reviewUID = regexp.MustCompile(`"request"\s*:\s*\{\s*"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"`)
