package faults

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// account is what the store says about a row, whatever its senders were told.
type account struct {
	// forbidden is how many objects are stored that must be denied.
	forbidden int
	// lost says what lacks its record, and which execution lacks its object.
	lost []string
	// held is how many executions have no object because their request failed after it had reserved one. They are given back.
	held int
}

// account compares the store with what was admitted. failed is how many runs under the window nobody decided, as far as their senders
// know.
func (w *world) account(ctx context.Context, failed int64) (account, error) {
	var a account
	var err error
	if a.forbidden, err = w.forbidden(ctx); err != nil {
		return a, err
	}
	if err := w.compareRuns(ctx, &a, failed); err != nil {
		return a, err
	}
	return a, w.compareRequests(ctx, &a)
}

// forbidden counts what is stored and must not be.
func (w *world) forbidden(ctx context.Context) (int, error) {
	n := 0
	for _, l := range []client.ObjectList{&corev1.ConfigMapList{}, &batchv1.JobList{}, &v1alpha1.ChangeApprovalList{}} {
		if err := w.admin.List(ctx, l, client.MatchingLabels{label: denied}); err != nil {
			return 0, fmt.Errorf("look for what must not be stored: %w", err)
		}
		switch l := l.(type) {
		case *corev1.ConfigMapList:
			n += len(l.Items)
		case *batchv1.JobList:
			n += len(l.Items)
		case *v1alpha1.ChangeApprovalList:
			n += len(l.Items)
		}
	}
	var e v1alpha1.Environment
	if err := w.admin.Get(ctx, client.ObjectKey{Name: "production"}, &e); err != nil {
		return 0, fmt.Errorf("look at the boundary: %w", err)
	}
	if len(e.Spec.Namespaces.Names) != 2 {
		n++
	}
	return n, nil
}

// compareRuns compares the Jobs of the row with the executions of its window.
func (w *world) compareRuns(ctx context.Context, a *account, failed int64) error {
	jobs, err := w.jobs(ctx)
	if err != nil {
		return err
	}
	var executions v1alpha1.ChangeExecutionList
	if err := w.admin.List(ctx, &executions, client.InNamespace(stage.Namespace), client.MatchingLabels{v1alpha1.LabelWindowUID: string(w.window.UID)}); err != nil {
		return fmt.Errorf("list executions: %w", err)
	}
	records := map[types.UID]int{}
	for _, x := range executions.Items {
		records[x.Spec.Object.UID]++
		if _, ok := jobs[x.Spec.Object.UID]; !ok && x.Status.State != v1alpha1.ExecutionReleased {
			a.held++
		}
	}
	for uid, name := range jobs {
		if records[uid] != 1 {
			a.lost = append(a.lost, fmt.Sprintf("Job %s has %d executions on record", name, records[uid]))
		}
	}
	for uid, name := range w.ran {
		if _, ok := jobs[uid]; !ok {
			a.lost = append(a.lost, fmt.Sprintf("Job %s was admitted, and is not stored", name))
		}
	}
	if int64(a.held) > failed {
		a.lost = append(a.lost, fmt.Sprintf("%d executions have no object, and only %d requests failed", a.held, failed))
	}
	return nil
}

func (w *world) jobs(ctx context.Context) (map[types.UID]string, error) {
	var all batchv1.JobList
	if err := w.admin.List(ctx, &all, client.InNamespace(fixture.Production)); err != nil {
		return nil, fmt.Errorf("list Jobs: %w", err)
	}
	out := map[types.UID]string{}
	for _, j := range all.Items {
		if strings.HasPrefix(j.Name, w.tag+runs) {
			out[j.UID] = j.Name
		}
	}
	return out, nil
}

// compareRequests looks for the record of each window that was requested, and withdraws the windows.
func (w *world) compareRequests(ctx context.Context, a *account) error {
	var windows v1alpha1.ChangeWindowList
	if err := w.admin.List(ctx, &windows, client.InNamespace(fixture.Production)); err != nil {
		return fmt.Errorf("list windows: %w", err)
	}
	var records v1alpha1.ChangeRecordList
	if err := w.admin.List(ctx, &records, client.InNamespace(stage.Namespace)); err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	recorded := map[types.UID]bool{}
	for _, r := range records.Items {
		if r.Spec.Act == v1alpha1.ActCreated {
			recorded[r.Spec.Object.UID] = true
		}
	}
	stored := map[types.UID]bool{}
	for i := range windows.Items {
		window := &windows.Items[i]
		if !strings.HasPrefix(window.Name, w.tag+asked) {
			continue
		}
		stored[window.UID] = true
		if !recorded[window.UID] {
			a.lost = append(a.lost, fmt.Sprintf("window %s has no record of who requested it", window.Name))
		}
		if err := w.sam.Delete(ctx, window); err != nil {
			return fmt.Errorf("withdraw window %s: %w", window.Name, err)
		}
	}
	for uid, name := range w.requested {
		if !stored[uid] {
			a.lost = append(a.lost, fmt.Sprintf("window %s was admitted, and is not stored", name))
		}
	}
	return nil
}
