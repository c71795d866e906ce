package overview

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Entry is one thing that was changed, or done about the permission to change it. Its form as JSON is stable.
type Entry struct {
	At        time.Time `json:"at"`
	Who       string    `json:"who"`
	Operation string    `json:"operation"`
	Object    string    `json:"object"`
	Namespace string    `json:"namespace,omitempty"`
	Window    string    `json:"window,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Ticket    string    `json:"ticket,omitempty"`
	Approvers []string  `json:"approvers,omitempty"`
	State     string    `json:"state,omitempty"`
	Result    string    `json:"result,omitempty"`
	Duration  string    `json:"duration,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	Execution string    `json:"execution,omitempty"`
	Record    string    `json:"record,omitempty"`
	Made      []string  `json:"made,omitempty"`
	// turn orders what was done in one second: words about windows in their order, then uses.
	turn uint64
}

// Trail reads the executions that began in an interval, the oldest first. Windows and approvals may be deleted, with their
// namespace: the executions hold what matters about them.
func Trail(ctx context.Context, c client.Client, home, ns string, from, to time.Time) ([]Entry, error) {
	var all v1alpha1.ChangeExecutionList
	if err := c.List(ctx, &all, client.InNamespace(home)); err != nil {
		return nil, fmt.Errorf("list executions: %w", err)
	}
	out := []Entry{}
	for i := range all.Items {
		x := &all.Items[i]
		at := x.CreationTimestamp.Time
		if at.Before(from) || !at.Before(to) || ns != "" && x.Spec.Object.Namespace != ns {
			continue
		}
		out = append(out, entryOf(x))
	}
	return out, nil
}

// revision returns the place of a record, which never changes, among all that the cluster stores.
func revision(r *v1alpha1.ChangeRecord) uint64 {
	n, err := strconv.ParseUint(r.ResourceVersion, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// Records reads what was done about the permission to change production in an interval.
func Records(ctx context.Context, c client.Client, home, ns string, from, to time.Time) ([]Entry, error) {
	var all v1alpha1.ChangeRecordList
	if err := c.List(ctx, &all, client.InNamespace(home)); err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	var out []Entry
	for i := range all.Items {
		r := &all.Items[i]
		at, o := r.CreationTimestamp.Time, r.Spec.Object
		if at.Before(from) || !at.Before(to) || ns != "" && o.Namespace != ns {
			continue
		}
		out = append(out, Entry{
			At: at, Who: r.Spec.Requester.Username, Operation: string(r.Spec.Act), Object: strings.ToLower(o.Kind) + "/" + o.Name, Namespace: o.Namespace,
			Reason: r.Spec.Message, Record: r.Name, turn: revision(r),
		})
	}
	return out, nil
}

func entryOf(x *v1alpha1.ChangeExecution) Entry {
	o := x.Spec.Object
	out := Entry{
		At: x.CreationTimestamp.Time, Who: x.Spec.Requester.Username, Operation: string(x.Spec.Operation), Object: strings.ToLower(o.Kind) + "/" + o.Name,
		Namespace: o.Namespace, Window: x.Spec.Window.Namespace + "/" + x.Spec.Window.Name, State: string(x.Status.State), Result: x.Status.Result,
		turn:   math.MaxUint64,
		Digest: x.Spec.Digest, Execution: x.Name, Reason: x.Spec.Window.Reason, Ticket: x.Spec.Window.Ticket, Approvers: x.Spec.Window.ApprovedBy,
		Made: x.Status.Made,
	}
	if out.State == "" {
		out.State = string(v1alpha1.ExecutionPending)
	}
	if s, f := x.Status.StartedAt, x.Status.FinishedAt; s != nil && f != nil {
		out.Duration = f.Sub(s.Time).String()
	}
	return out
}

// Sort orders entries by their time, and those of one second by their turn.
func Sort(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.turn, b.turn)) })
}
