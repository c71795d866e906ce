package ledger

import (
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
}

// Reservation is a slot that a request holds.
type Reservation struct {
	*v1alpha1.ChangeExecution
	// Held is true if the key held the slot before: this request must not give such a reservation back.
	Held bool
}

// Reserve takes a slot. A key that holds a slot keeps it. Else Reserve picks a free slot at random, and one more if that was
// taken meanwhile. Its error is ErrExhausted, ErrContended, or that of a failed call; after a failed call the slot may or may
// not be taken.
func (l *Ledger) Reserve(ctx context.Context, c ReservationRequest) (*Reservation, error) {
	if c.Verdict.HeldSlot != "" {
		return l.held(c), nil
	}
	taken := c.Verdict.TakenSlots
	for try := 0; ; try++ {
		slot, ok := pick(c, taken)
		if !ok {
			return nil, ErrExhausted
		}
		x := l.execution(c, slot)
		err := l.client.Create(ctx, x)
		switch {
		case err == nil:
			return &Reservation{ChangeExecution: x}, nil
		case !apierrors.IsAlreadyExists(err):
			return &Reservation{ChangeExecution: l.execution(c, slot)}, fmt.Errorf("reserve an execution: %w", err)
		case try > 0:
			return nil, ErrContended
		}
		holder, slots, err := l.list(ctx, c)
		if err != nil {
			return nil, err
		}
		if holder != "" {
			c.Verdict.HeldSlot = holder
			return l.held(c), nil
		}
		taken = slots
	}
}

func (l *Ledger) held(c ReservationRequest) *Reservation {
	return &Reservation{ChangeExecution: l.execution(c, c.Verdict.HeldSlot), Held: true}
}

// pick returns a free slot. Without a limit the slot is derived from the key, so that a repeat takes the same one.
func pick(c ReservationRequest, taken []string) (string, bool) {
	if c.Verdict.Max == 0 {
		sum := sha256.Sum256([]byte(c.Key))
		return hex.EncodeToString(sum[:8]), true
	}
	var free []string
	// Each slot that was given back makes room for another under a new name, since its record stays.
	for i := range c.Verdict.Max + len(c.Verdict.Released) {
		if s := strconv.Itoa(i); !slices.Contains(taken, s) && !slices.Contains(c.Verdict.Released, s) {
			free = append(free, s)
		}
	}
	free = free[:min(len(free), max(0, c.Verdict.Max-len(taken)))]
	if len(free) == 0 {
		return "", false
	}
	return free[rand.IntN(len(free))], true
}

// list reads the slots in use, and the slot that the request's key holds.
func (l *Ledger) list(ctx context.Context, c ReservationRequest) (holder string, taken []string, err error) {
	var all v1alpha1.ChangeExecutionList
	uid := string(c.Verdict.Window.UID)
	if err := l.client.List(ctx, &all, client.InNamespace(l.namespace), client.MatchingLabels{v1alpha1.LabelWindowUID: uid}); err != nil {
		return "", nil, fmt.Errorf("list the executions of window %q: %w", c.Verdict.Window.Name, err)
	}
	for i := range all.Items {
		x := &all.Items[i]
		if string(x.Spec.Window.UID) != uid || x.Spec.Occurrence != c.Verdict.Occurrence || x.Released() {
			continue
		}
		taken = append(taken, x.Spec.Slot)
		if x.Spec.Key == c.Key && (holder == "" || change.LowerSlot(x.Spec.Slot, holder)) {
			holder = x.Spec.Slot
		}
	}
	return holder, taken, nil
}

// Name returns the name of the execution that takes a slot.
func Name(uid string, occurrence int64, slot string) string {
	return fmt.Sprintf("%s-%d-%s", uid, occurrence, slot)
}

func (l *Ledger) execution(c ReservationRequest, slot string) *v1alpha1.ChangeExecution {
	w := c.Verdict.Window
	return &v1alpha1.ChangeExecution{
		ObjectMeta: metav1.ObjectMeta{
			Name:      Name(string(w.UID), c.Verdict.Occurrence, slot),
			Namespace: l.namespace,
			Labels:    map[string]string{v1alpha1.LabelWindowUID: string(w.UID)},
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
			Key:        c.Key,
			Requester:  c.Requester,
			Operation:  c.Operation,
			Object:     c.Object,
			Digest:     c.Digest,
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
