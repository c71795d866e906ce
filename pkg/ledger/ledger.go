package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

var (
	// ErrExhausted is the error when no slot is free.
	ErrExhausted = errors.New("no execution is left")
	// ErrContended is the error when other requests took the slots while they were being tried; a retry helps.
	ErrContended = errors.New("other requests took the slots that were tried")
)

// Client is what the ledger needs of an API client. Its reads must be live.
type Client interface {
	List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error
	Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error
	Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error
	Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error
}

// Ledger reserves executions.
type Ledger struct {
	client    Client
	namespace string
}

// New returns a ledger that keeps its records in Firebreak's own namespace.
func New(c Client, namespace string) *Ledger { return &Ledger{client: c, namespace: namespace} }

// ReservationRequest is a request for one execution.
type ReservationRequest struct {
	// Verdict is the window's verdict, with the slots that were taken when its executions were read live.
	Verdict change.Verdict
	// Key identifies the execution: a request with the same key is a repeat of it.
	Key       string
	Requester v1alpha1.Stamp
	Operation v1alpha1.Operation
	Object    v1alpha1.ExecutedObject
	// Digest is that of the plan that runs; it is empty if there is no plan.
	Digest string
	// ConfigMaps are those whose content the plan pins.
	ConfigMaps []string
}

// Reservation is a slot that a request holds.
type Reservation struct {
	*v1alpha1.ChangeExecution
	// Held is true if the key held the slot before: this request must not give such a reservation back.
	Held bool
}

// Reserve takes a slot. A key that holds a slot keeps it. Else Reserve picks a free slot at random, and one more if that was
// taken meanwhile; where one slot stands for two limits, it takes the lowest free one, so that requests at once meet in one name,
// and looks again afterwards. Its error is ErrExhausted, ErrContended, or that of a failed call; after a failed call the slot may
// or may not be taken.
func (l *Ledger) Reserve(ctx context.Context, c ReservationRequest) (*Reservation, error) {
	slots := &c.Verdict.Slots
	tries := 2
	if slots.InOrder() {
		tries = inOrderTries
	}
	for try := 1; ; try++ {
		if slots.Held != "" {
			return &Reservation{ChangeExecution: l.execution(c, slots.Held), Held: true}, nil
		}
		slot, ok := pick(slots, c.Key)
		if !ok {
			return nil, ErrExhausted
		}
		x := l.execution(c, slot)
		err := l.client.Create(ctx, x)
		switch {
		case err == nil:
			return l.kept(ctx, &c, &Reservation{ChangeExecution: x})
		case !apierrors.IsAlreadyExists(err):
			return &Reservation{ChangeExecution: l.execution(c, slot)}, fmt.Errorf("reserve an execution: %w", err)
		case try >= tries:
			return nil, ErrContended
		}
		if full, err := l.look(ctx, &c); err != nil || full && slots.Held == "" {
			return nil, cmp.Or(err, ErrExhausted)
		}
	}
}

// inOrderTries is how often a slot is tried where slots are taken in their order: each time, another request has got ahead.
const inOrderTries = 5

// kept looks again at a slot that stands for two limits: a slot given back meanwhile may have let another request by.
func (l *Ledger) kept(ctx context.Context, c *ReservationRequest, r *Reservation) (*Reservation, error) {
	if !c.Verdict.Slots.InOrder() {
		return r, nil
	}
	full, err := l.look(ctx, c)
	if err != nil {
		return r, err
	}
	if full {
		return nil, cmp.Or(l.Release(ctx, r), ErrContended)
	}
	return r, nil
}

// pick returns a free slot. Without a limit the slot is derived from the key, so that a repeat takes the same one.
func pick(s *change.Slots, key string) (string, bool) {
	if s.Max == 0 && !s.InOrder() {
		sum := sha256.Sum256([]byte(key))
		return hex.EncodeToString(sum[:8]), true
	}
	limit := s.Max
	if limit == 0 {
		limit = len(s.Taken) + 1
	}
	var free []string
	// Each slot that was given back makes room for another under a new name, since its record stays.
	for i := range limit + len(s.Released) {
		if name := s.Prefix + strconv.Itoa(i); !slices.Contains(s.Taken, name) && !slices.Contains(s.Released, name) {
			free = append(free, name)
		}
	}
	free = free[:min(len(free), max(0, limit-len(s.Taken)))]
	switch {
	case len(free) == 0:
		return "", false
	case s.InOrder():
		return free[0], true
	}
	return free[rand.IntN(len(free))], true
}

// look reads the slots in use, and the slot that the request's key holds, and reports whether there are too many.
func (l *Ledger) look(ctx context.Context, c *ReservationRequest) (full bool, err error) {
	var all v1alpha1.ChangeExecutionList
	w := c.Verdict.Window
	if err := l.client.List(ctx, &all, client.InNamespace(l.namespace), client.MatchingLabels{v1alpha1.LabelWindowUID: change.Ledger(w)}); err != nil {
		return false, fmt.Errorf("list the executions of window %q: %w", w.Name, err)
	}
	return c.Verdict.Slots.Look(all.Items, &c.Verdict, c.Key), nil
}

// Name returns the name of the execution that takes a slot.
func Name(uid string, occurrence int64, slot string) string {
	return fmt.Sprintf("%s-%d-%s", uid, occurrence, slot)
}

func (l *Ledger) execution(c ReservationRequest, slot string) *v1alpha1.ChangeExecution {
	w := c.Verdict.Window
	return &v1alpha1.ChangeExecution{
		ObjectMeta: metav1.ObjectMeta{
			Name:      Name(change.Ledger(w), c.Verdict.Occurrence, slot),
			Namespace: l.namespace,
			Labels:    map[string]string{v1alpha1.LabelWindowUID: change.Ledger(w)},
		},
		Spec: v1alpha1.ChangeExecutionSpec{
			Window: v1alpha1.ExecutedWindow{
				ObjectReference: v1alpha1.ObjectReference{Namespace: w.Namespace, Name: w.Name, UID: w.UID},
				Type:            w.Spec.Type,
				Environment:     w.Spec.Environment,
				RequestedBy:     w.Spec.RequestedBy,
				Reason:          w.Spec.Reason,
				Ticket:          w.Spec.Ticket,
				ApprovedBy:      c.Verdict.Approvals.By,
				Digest:          change.WindowDigest(&w.Spec),
			},
			Occurrence: c.Verdict.Occurrence,
			Slot:       slot,
			Entry:      c.Verdict.Slots.Entry,
			Key:        c.Key,
			Requester:  c.Requester,
			Operation:  c.Operation,
			Object:     c.Object,
			Digest:     c.Digest,
			ConfigMaps: c.ConfigMaps,
			Approvals:  c.Verdict.Approvals.Names,
		},
	}
}

// Release gives back a reservation that was not used because its request is denied. Only the request that made it may call
// Release, before it is answered. A slot that has changed hands is left alone.
func (l *Ledger) Release(ctx context.Context, r *Reservation) error {
	if r.Held {
		return nil
	}
	x := r.ChangeExecution
	if x.UID == "" {
		// The answer to the creation was lost: look whether the execution exists.
		var found v1alpha1.ChangeExecution
		err := l.client.Get(ctx, client.ObjectKeyFromObject(x), &found)
		if apierrors.IsNotFound(err) || err == nil && found.Spec.Key != x.Spec.Key {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for reservation %s: %w", x.Name, err)
		}
		x = &found
	}
	err := l.client.Delete(ctx, x, client.Preconditions{UID: &x.UID})
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("give reservation %s back: %w", x.Name, err)
	}
	return nil
}
