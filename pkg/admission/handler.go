package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Cache answers from memory, without asking the API server.
type Cache interface {
	// View returns the present view. The text of an error is for the requester.
	View() (*policy.ClusterView, error)
	// Seen notes that an object exists.
	Seen(uid types.UID)
}

// Live reads from the API server itself.
type Live interface {
	// State reads the change state that a request needs.
	State(ctx context.Context, c *policy.PreparedRequest, namespace string) (*change.State, error)
	// Again reads the approvals in the namespace of a window again, and the ConfigMaps in the namespace of a run.
	Again(ctx context.Context, s *change.State, at time.Time, windows, namespace string, configMaps []string) error
	// Read reads the missing facts of a request.
	policy.Reader
}

// Ledger reserves executions.
type Ledger interface {
	Reserve(ctx context.Context, c ledger.ReservationRequest) (*ledger.Reservation, error)
	Release(ctx context.Context, r *ledger.Reservation) error
	// Write keeps a record of what somebody did about the permission to change production. asked identifies the request.
	Write(ctx context.Context, spec *v1alpha1.ChangeRecordSpec, asked string, now time.Time) error
}

// Recorder records the outcomes that must be accountable.
type Recorder interface {
	// Record is called once for each request that was denied, used a window or has findings.
	Record(ctx context.Context, o Outcome)
}

// Outcome is the result of judging a request.
type Outcome struct {
	Request  *policy.Request
	Decision *policy.Decision
	// Owner is the controlling owner of the object, if Kubernetes' own controllers sent it.
	Owner *types.NamespacedName
	// OwnerKind is the owner's kind.
	OwnerKind schema.GroupVersionKind
	OwnerUID  types.UID
	// Message is the text of a denial; it is empty if the request was admitted. ID is that of the denial.
	Message, ID string
	// Execution is the name of the reserved execution; it is empty if none was reserved.
	Execution string
}

// Handler judges requests.
type Handler struct {
	Cache    Cache
	Live     Live
	Ledger   Ledger
	Recorder Recorder
	Metrics  *Metrics
	// Clock returns the present time; it is a field so that tests may set it.
	Clock func() time.Time
	Log   logr.Logger
	// Skew measures the clock; it is nil if the clock is not measured.
	Skew *Skew
	// Deadline is how long a request may take: the webhook's timeout less two seconds.
	Deadline time.Duration
	// Attempts limits how many denied attempts are recorded of one user, Repeats how often one at the same object is.
	Attempts, Repeats *Limiter
	// Controllers limits how many sets of live reads Kubernetes' controllers may cause in one namespace.
	Controllers *Limiter
}

var _ admission.Handler = (*Handler)(nil)

// Handle implements the raw handler of controller-runtime. A panic denies the one request that caused it.
func (h *Handler) Handle(ctx context.Context, req admission.Request) (resp admission.Response) {
	started := time.Now()
	if until, ok := ctx.Deadline(); !ok || until.Sub(started) > h.Deadline { // the gate has mostly set one
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.Deadline)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			h.Log.Error(fmt.Errorf("panic: %v", p), "judging a request panicked", "resource", req.Resource.Resource,
				"namespace", req.Namespace, "name", req.Name, "stack", string(debug.Stack()))
			h.Metrics.panics.Inc()
			resp = failed(http.StatusInternalServerError, "Firebreak failed while judging this request; it is refused, and the failure is in Firebreak's log", 0)
		}
		h.Metrics.observe(&req, &resp, time.Since(started))
	}()
	return h.handle(ctx, requestOf(&req, h.Clock()))
}

func (h *Handler) handle(ctx context.Context, req *policy.Request) admission.Response {
	cluster, err := h.Cache.View()
	if err != nil {
		return failed(http.StatusServiceUnavailable, err.Error(), 2)
	}
	c, err := h.prepare(ctx, req, cluster)
	if err != nil {
		return h.undecided(req, err)
	}
	for _, uid := range c.Existing() {
		h.Cache.Seen(uid)
	}
	a, err := h.decide(ctx, req, c)
	if err == nil {
		err = h.keep(ctx, req, c, a)
	}
	if err != nil {
		return h.undecided(req, err)
	}
	return h.answer(ctx, req, c, a)
}

// prepare makes a request ready. It reads live what the memory does not hold yet: a namespace created a moment ago, a
// controller's account.
func (h *Handler) prepare(ctx context.Context, req *policy.Request, w *policy.ClusterView) (*policy.PreparedRequest, error) {
	c, err := policy.PrepareWith(ctx, *req, w, liveReads{h.Live})
	if err == nil {
		*req = c.Request() // messages and records name an object whose name was yet to be generated
		h.Metrics.work.Observe(float64(c.Work()))
	}
	return c, err
}

// liveReads marks the errors of live reads.
type liveReads struct{ policy.Reader }

// Read implements policy.Reader.
func (l liveReads) Read(ctx context.Context, m *policy.Missing, w *policy.ClusterView, f *policy.Facts) error {
	if err := l.Reader.Read(ctx, m, w, f); err != nil {
		return unavailable{err}
	}
	return nil
}

// unavailable is a failed live read: the request is refused for now, and a retry helps.
type unavailable struct{ error }

func (u unavailable) Unwrap() error { return u.error }

// throttled is the error for a controller that asks more often than windows are read for it.
type throttled struct{}

func (throttled) Error() string { return "too many requests of controllers in this namespace" }

func (h *Handler) undecided(req *policy.Request, err error) admission.Response {
	if req.Name == "" {
		req.Name = nameIn(req.Object)
	}
	h.Log.Error(err, "could not judge a request", "operation", req.Operation, "resource", req.Resource.Resource,
		"subresource", req.SubResource, "namespace", req.Namespace, "name", req.Name, "user", req.User.Username)
	h.Metrics.undecided.Inc()
	var u unavailable
	var t throttled
	var s skewed
	var d policy.UndecidedError
	var e existing
	switch {
	case errors.As(err, &e):
		return failed(http.StatusConflict, fmt.Sprintf("%s already exists", policy.Describe(*req)), 0)
	case errors.As(err, &s):
		return failed(http.StatusServiceUnavailable, fmt.Sprintf("%s is refused for now: %v", policy.Describe(*req), s), 10)
	case errors.As(err, &t):
		return failed(http.StatusTooManyRequests, fmt.Sprintf("%s cannot be judged now: %v; it is tried again", policy.Describe(*req), err), 2)
	case errors.As(err, &u):
		return failed(http.StatusServiceUnavailable, fmt.Sprintf(
			"%s is refused for now: Firebreak could not read from the API server what it judges this by; try again", policy.Describe(*req)), 2)
	case errors.As(err, &d):
		resp := failed(http.StatusForbidden, fmt.Sprintf("%s is forbidden: %v", policy.Describe(*req), err), 0)
		marked(req, &resp)
		return resp
	}
	resp := failed(http.StatusBadRequest, fmt.Sprintf(
		"%s is refused: Firebreak cannot read it (%v); correct the manifest, or tell those who run Firebreak", policy.Describe(*req), err), 0)
	marked(req, &resp)
	return resp
}

// nameIn returns the name of an object, or the prefix of the name to be generated. It returns an empty string if the object
// cannot be read.
func nameIn(object []byte) string {
	var o metav1.PartialObjectMetadata
	if json.Unmarshal(object, &o) != nil {
		return ""
	}
	return cmp.Or(o.Name, o.GenerateName)
}

func requestOf(r *admission.Request, now time.Time) *policy.Request {
	out := &policy.Request{
		Operation:   policy.Operation(r.Operation),
		Kind:        schema.GroupVersionKind(r.Kind),
		Resource:    schema.GroupVersionResource(r.Resource),
		SubResource: r.SubResource,
		Namespace:   r.Namespace,
		Name:        r.Name,
		User:        r.UserInfo,
		Object:      r.Object.Raw,
		OldObject:   r.OldObject.Raw,
		DryRun:      r.DryRun != nil && *r.DryRun,
		Now:         now,
	}
	if r.Operation == admissionv1.Delete {
		out.Options = r.Options.Raw
	}
	if r.Operation == admissionv1.Connect {
		// The payload of a CONNECT is options, not the object.
		out.Options, out.Object, out.OldObject = out.Object, nil, nil
	}
	return out
}
