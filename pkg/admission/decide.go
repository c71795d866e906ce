package admission

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// outcome is a decision, the state that it was made with, and the reservation that it rests on, if any.
type outcome struct {
	*policy.Decision
	state       *change.State
	reservation *ledger.Reservation
}

// decide judges a prepared request: from memory if nothing more is needed, else with live reads.
func (h *Handler) decide(ctx context.Context, req *policy.Request, c *policy.PreparedRequest) (outcome, error) {
	if !c.LiveReads().Any() {
		return outcome{Decision: c.Decide(nil)}, nil
	}
	if c.FromController() && !h.Controllers.Allow(req.Namespace, h.Clock()) {
		return outcome{}, throttled{}
	}
	h.Metrics.liveReads.Inc()
	state, err := h.Live.State(ctx, c, req.Namespace)
	if err != nil {
		return outcome{}, unavailable{err}
	}
	d := c.Decide(state)
	if d.Use == nil || req.DryRun {
		return outcome{Decision: d, state: state}, nil
	}
	if by := h.Skew.Offset(); by > maxSkew || by < -maxSkew {
		return outcome{}, skewed{by}
	}
	if state.Exists && d.Use.Verdict.Slots.Held == "" {
		return outcome{}, existing{} // the API server would refuse it after the webhook, so it takes no slot
	}
	return h.reserve(ctx, req, c, state, d)
}

// existing is the error for the creation of an object that exists already.
type existing struct{}

func (existing) Error() string { return "it exists already" }

// reserve takes a slot, then looks at the approvals and the pinned ConfigMaps once more: a revocation whose answer had arrived
// before this request was sent is always honoured, and a change of a ConfigMap before the reservation is seen. Each replica
// locks the ConfigMaps as soon as its watch has told of the reservation. If the window no longer permits the request, the slot is
// given back and the request denied.
func (h *Handler) reserve(ctx context.Context, req *policy.Request, c *policy.PreparedRequest, state *change.State, d *policy.Decision) (outcome, error) {
	r, err := h.Ledger.Reserve(ctx, claim(req, c, d.Use))
	switch {
	case errors.Is(err, ledger.ErrExhausted):
		// Another request took the last slot meanwhile. Judged again, the window itself says so.
		full, err := h.Live.State(ctx, c, req.Namespace)
		if err != nil {
			return outcome{}, unavailable{err}
		}
		if again := c.Decide(full); again.Use == nil {
			return outcome{Decision: again}, nil
		}
		return outcome{}, unavailable{ledger.ErrContended}
	case errors.Is(err, ledger.ErrContended):
		return outcome{}, unavailable{err}
	case err != nil:
		h.release(r)
		return outcome{}, unavailable{err}
	}
	window := d.Use.Verdict.Window
	if err := h.Live.Again(ctx, state, c.At(), window.Namespace, req.Namespace, d.Use.ConfigMaps); err != nil {
		h.release(r)
		return outcome{}, unavailable{err}
	}
	again := c.Decide(withOwn(state, r))
	if again.Use == nil || again.Use.Verdict.Window.UID != window.UID || ctx.Err() != nil {
		h.release(r)
		if again.Allowed {
			// Another window would cover it; the retry will use that one.
			return outcome{}, unavailable{fmt.Errorf("window %q no longer covers the request", window.Name)}
		}
		return outcome{Decision: again}, nil
	}
	h.Metrics.reservations.Inc()
	return outcome{Decision: again, reservation: r}, nil
}

// withOwn adds the request's own reservation to the state: its key then holds a slot.
func withOwn(s *change.State, r *ledger.Reservation) *change.State {
	out := *s
	if !r.Held {
		out.Executions = append(append([]v1alpha1.ChangeExecution{}, s.Executions...), *r.ChangeExecution)
	}
	return &out
}

// release gives a reservation back. It uses a context of its own, since the request's may be over. If it fails, the execution
// stays used, which is the safe side, and is cleared up later.
func (h *Handler) release(r *ledger.Reservation) {
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	if err := h.Ledger.Release(ctx, r); err != nil {
		h.Log.Error(err, "could not give a reservation back", "execution", r.Name)
	}
}

// keep writes a record of what must outlive its object. What cannot be recorded is refused for now, except to Kubernetes' own controllers, which
// clear up; of what is denied, as many records are kept as a person may cause.
func (h *Handler) keep(ctx context.Context, req *policy.Request, c *policy.PreparedRequest, a outcome) error {
	r := c.Record(a.Decision, a.state)
	if r == nil || r.Act == v1alpha1.ActDenied && !h.worthKeeping(r) {
		return nil
	}
	sum := sha256.Sum256(slices.Concat(req.Object, []byte{0}, req.OldObject))
	err := h.Ledger.Write(ctx, r, hex.EncodeToString(sum[:]), h.Clock())
	switch {
	case err == nil:
		return nil
	case r.Act == v1alpha1.ActDenied, c.FromController(), cannotBeKept(err):
		h.Log.Error(err, "could not keep a record", "act", r.Act, "kind", r.Object.Kind, "namespace", r.Object.Namespace, "name", r.Object.Name, "user", req.User.Username)
		return nil
	}
	h.release(a.reservation)
	return unavailable{err}
}

// worthKeeping reports whether a denied attempt is recorded: each at one object once an hour, and of one user as many as the limit allows.
func (h *Handler) worthKeeping(r *v1alpha1.ChangeRecordSpec) bool {
	o, now := r.Object, h.Clock()
	key := strings.Join([]string{r.Requester.Username, o.Group, o.Kind, o.Namespace, o.Name}, "\x00")
	// The same again takes nothing from what the user may cause, so that it hides no other attempt.
	return !h.Repeats.Spent(key, now) && h.Attempts.Allow(r.Requester.Username, now) && h.Repeats.Allow(key, now)
}

// cannotBeKept reports whether records cannot be written at all: the kind is not served or the right to write it is missing, as under an older
// chart, or Firebreak's namespace is being deleted. A quota, or a policy of somebody, is not such a reason.
func cannotBeKept(err error) bool {
	return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) ||
		apierrors.IsForbidden(err) && strings.Contains(err.Error(), `cannot create resource "changerecords"`)
}

const releaseTimeout = 1500 * time.Millisecond

func claim(req *policy.Request, c *policy.PreparedRequest, u *policy.WindowUse) ledger.ReservationRequest {
	kind, version := req.Kind.Kind, req.Kind.Version
	if req.Operation == policy.Connect {
		kind, version = policy.SessionKind(req.Resource.Resource), req.Resource.Version // the payload's kind is that of its options
	}
	return ledger.ReservationRequest{
		Verdict:    u.Verdict,
		Key:        u.Key,
		Operation:  u.Operation,
		Digest:     u.Digest,
		ConfigMaps: u.ConfigMaps,
		Requester:  v1alpha1.Stamp{Username: req.User.Username, UID: req.User.UID, Groups: req.User.Groups},
		Object: v1alpha1.ExecutedObject{
			Group: req.Kind.Group, Version: version, Kind: kind, Resource: req.Resource.Resource,
			Namespace: req.Namespace, Name: req.Name, UID: c.UID(),
		},
	}
}
