package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// setupWindows adds the reconciler of windows. Their status depends on their approvals, their executions and the estate, too.
func (s *Statuses) setupWindows(mgr manager.Manager) error {
	t := &trigger[reconcile.Request]{everything: s.allWindows}
	s.memory.OnEstate(func(_ *estate.Estate, updated []string) {
		if updated == nil { // their status tells nothing of data stores
			t.all()
		}
	})
	s.memory.OnObject(v1alpha1.KindChangeExecution, s.windowsOfExecutions(t.add))
	s.memory.OnObject(v1alpha1.KindChangeFreeze, func(string) { t.all() })
	return addReconciler(mgr, "changewindow-status", keyed(s.window), t,
		source.Kind(mgr.GetCache(), &v1alpha1.ChangeWindow{}, &handler.TypedEnqueueRequestForObject[*v1alpha1.ChangeWindow]{}),
		source.Kind(mgr.GetCache(), &v1alpha1.ChangeApproval{}, handler.TypedEnqueueRequestsFromMapFunc(windowOf)))
}

// windowsOfExecutions returns a function that requests the window of an execution that was written or deleted. For a deleted
// execution only the key is known, so the windows are remembered.
func (s *Statuses) windowsOfExecutions(add func(reconcile.Request)) func(key string) {
	var mu sync.Mutex
	windows := map[string]reconcile.Request{}
	return func(key string) {
		mu.Lock()
		window, known := windows[key]
		if x, ok := s.memory.view.Executions.Get(key); ok {
			window, known = windowRequest(x.Spec.Window.Namespace, x.Spec.Window.Name), true
			windows[key] = window
		} else {
			delete(windows, key)
		}
		mu.Unlock()
		if known {
			add(window)
		}
	}
}

func windowRequest(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}
}

// windowOf returns the window that an approval is about.
func windowOf(_ context.Context, a *v1alpha1.ChangeApproval) []reconcile.Request {
	if a.Spec.Window == nil {
		return nil
	}
	return []reconcile.Request{windowRequest(a.Namespace, a.Spec.Window.Name)}
}

// allWindows returns all windows.
func (s *Statuses) allWindows(ctx context.Context) ([]reconcile.Request, error) {
	var windows v1alpha1.ChangeWindowList
	if err := s.client.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list change windows: %w", err)
	}
	out := make([]reconcile.Request, len(windows.Items))
	for i := range windows.Items {
		out[i] = windowRequest(windows.Items[i].Namespace, windows.Items[i].Name)
	}
	return out, nil
}

func (s *Statuses) window(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	var w v1alpha1.ChangeWindow
	e := s.memory.Estate()
	if err := s.client.Get(ctx, key, &w); err != nil || e == nil {
		return 0, client.IgnoreNotFound(err)
	}
	// The objects in the lists belong to the caches: they are read and never written to.
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	if err := s.client.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list change windows: %w", err)
	}
	if err := s.client.List(ctx, &approvals, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list approvals: %w", err)
	}
	var delegations v1alpha1.ChangeDelegationList
	if err := s.client.List(ctx, &delegations, client.InNamespace(w.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list delegations: %w", err)
	}
	before := w.DeepCopy()
	state := &change.State{Windows: windows.Items, Approvals: approvals.Items, Delegations: delegations.Items, Executions: s.used(&w)}
	var unknown error
	probe := w.DeepCopy() // a condition that turned twice would seem to have changed
	if s.summarise(e, probe, state); approved(probe) {
		state.Unauthorised, unknown = view.Unauthorised(ctx, s.client, change.ApprovalsOf(&w, state.Approvals), state.Delegations)
	}
	next := s.summarise(e, &w, state)
	errs := []error{s.write(ctx, before, &w), unknown}
	if unknown == nil {
		errs = append(errs, s.approvals(ctx, &w, state, e, approved(probe)))
	}
	return next, errors.Join(errs...)
}

// approvals writes into each approval of a window whether it counts. Of a window that is over, whose approvers nobody asks about, what was written
// last stays.
func (s *Statuses) approvals(ctx context.Context, w *v1alpha1.ChangeWindow, state *change.State, e *estate.Estate, asked bool) error {
	counted := change.CountApprovals(w, state, controlsOf(w, e), nil, policy.ApproverCheck(e), s.memory.clock())
	var errs []error
	for _, shared := range change.ApprovalsOf(w, state.Approvals) {
		a := shared.DeepCopy()
		if !asked && len(a.Status.Conditions) > 0 && change.Over(w, s.memory.clock()) {
			continue
		}
		why, ignored := counted.NotCounted[a.Name]
		switch {
		case a.Spec.Decision == v1alpha1.DecisionReject:
			condition(&a.Status.Conditions, "Counts", true, "Rejects", "it blocks the window", a.Generation)
		case ignored:
			condition(&a.Status.Conditions, "Counts", false, "DoesNotCount", why, a.Generation)
		default:
			condition(&a.Status.Conditions, "Counts", true, "Counts", "", a.Generation)
		}
		a.Status.ObservedGeneration = a.Generation
		errs = append(errs, s.write(ctx, shared, a))
	}
	return errors.Join(errs...)
}

// controlsOf returns the controls of a window's environment.
func controlsOf(w *v1alpha1.ChangeWindow, e *estate.Estate) estate.Controls {
	var envs []*estate.Environment
	if env, ok := e.Environment(w.Spec.Environment); ok {
		envs = append(envs, env)
	}
	return estate.StrictestControls(envs)
}

// approved reports whether a window seems to be approved and not over: only then it matters whether its approvers still hold the right.
func approved(w *v1alpha1.ChangeWindow) bool {
	return w.Status.Phase == v1alpha1.WindowApproved || w.Status.Phase == v1alpha1.WindowOpen
}

// used returns the executions of a window that were not given back.
func (s *Statuses) used(w *v1alpha1.ChangeWindow) []v1alpha1.ChangeExecution {
	var out []v1alpha1.ChangeExecution
	s.memory.view.Executions.Each(func(_ string, x v1alpha1.ChangeExecution) {
		if change.Counts(w, &x) && !x.Released() {
			out = append(out, x)
		}
	})
	return out
}

// summarise fills in the status of a window, and returns after what time to look at it again.
func (s *Statuses) summarise(e *estate.Estate, w *v1alpha1.ChangeWindow, state *change.State) time.Duration {
	now := s.memory.clock()
	controls := controlsOf(w, e)
	sum := change.Summarise(w, change.Query{
		At: now, Cluster: e.Cluster, FirebreakNamespace: e.FirebreakNamespace, Controls: controls, Unfit: policy.ApproverCheck(e),
	}, state)
	st := &w.Status
	st.ObservedGeneration, st.Digest, st.Phase = w.Generation, change.WindowDigest(&w.Spec), sum.Phase
	st.Approvals = fmt.Sprintf("%d/%d", len(sum.Approvals.Names), sum.Approvals.Required)
	st.OpensAt, st.ClosesAt = instantOf(sum.Opens), instantOf(sum.Closes)
	st.Executions = v1alpha1.ExecutionSummary{Count: int32(len(state.Executions)), Last: latest(state.Executions)}
	turns := append(s.freezeOver(w, &sum, now), sum.Opens, sum.Closes)
	if sb := w.Spec.StartBefore; sb != nil {
		turns = append(turns, sum.Opens.Add(sb.Duration))
	}
	st.Phase = sum.Phase
	condition(&st.Conditions, "Ready", sum.Phase == v1alpha1.WindowOpen, sum.Reason, sum.Message, w.Generation)
	approved, reason := sum.Approvals.Enough(), "Approved"
	switch {
	case sum.Approvals.RejectedBy != "":
		reason = "Rejected"
	case !approved:
		reason = "ApprovalsMissing"
	}
	lapses := lapse(w, &sum, controls, state)
	message := sum.ApprovalMessage()
	if !lapses.IsZero() {
		message += fmt.Sprintf("; that counts until %s, before the window ends", change.Instant(lapses))
	}
	condition(&st.Conditions, "Approved", approved, reason, message, w.Generation)
	review(w, state)
	if w.Spec.Type == v1alpha1.WindowEmergency {
		return until(now, heartbeat, turns...) // it depends on other emergencies too
	}
	return until(now, windowHeartbeat, append(turns, lapses)...)
}

// windowHeartbeat is after what time, at the latest, the status of a window is computed again. All that it turns with is known: openings,
// closings, freezes and lapsing approvals; the heartbeat is for what nobody has thought of.
const windowHeartbeat = 10 * time.Minute

// lapse returns when the first approval of a window stops to count before the window ends; zero: none does.
func lapse(w *v1alpha1.ChangeWindow, sum *change.Summary, c estate.Controls, state *change.State) time.Time {
	var first time.Time
	for i := range state.Approvals {
		a := &state.Approvals[i]
		if a.Namespace != w.Namespace || !slices.Contains(sum.Approvals.Names, a.Name) {
			continue
		}
		if end, early := change.Lapses(&w.Spec, c, a.CreationTimestamp.Time); early && (first.IsZero() || end.Before(first)) {
			first = end
		}
	}
	return first
}

// freezeOver puts the freezes that bind a window into its summary: a window is not open while a freeze holds, and a coming freeze is
// mentioned. It returns when these freezes begin and end.
func (s *Statuses) freezeOver(w *v1alpha1.ChangeWindow, sum *change.Summary, now time.Time) []time.Time {
	if sum.Phase != v1alpha1.WindowOpen && sum.Phase != v1alpha1.WindowApproved || w.Spec.OverridesFreeze {
		return nil
	}
	opens := sum.Opens
	if now.After(opens) {
		opens = now
	}
	over := change.FreezesOver(w, s.memory.view.Freezes.Values(), opens, sum.Closes)
	if len(over) == 0 {
		return nil
	}
	var turns []time.Time
	for _, f := range over {
		turns = append(turns, f.Start, f.End)
	}
	what := change.FreezeInForce(over[0].Freeze, w.Spec.Environment, opens)
	at, ok := change.FirstUnfrozen(over, opens, sum.Closes)
	switch {
	case !ok:
		sum.Phase, sum.Reason, sum.Message = v1alpha1.WindowApproved, "Frozen", what+"; it does not open before it closes"
	case at.After(opens):
		sum.Phase, sum.Reason, sum.Message = v1alpha1.WindowApproved, "Frozen", what+"; it opens at "+change.Instant(at)
	default:
		sum.Message += "; " + change.FreezeInForce(over[0].Freeze, w.Spec.Environment, over[0].Start) + ", from " + change.Instant(over[0].Start)
	}
	return turns
}

// review sets the condition Reviewed of an emergency: whether somebody other than its requester has reviewed it.
func review(w *v1alpha1.ChangeWindow, state *change.State) {
	if w.Spec.Type != v1alpha1.WindowEmergency {
		return
	}
	by, second := change.ReviewedBy(w, state.Approvals), change.SecondUnreviewed(w, state)
	reason, message := "Unreviewed", "somebody other than its requester approves or rejects it afterwards"
	if second {
		message += "; it is the second that its requester has opened, and lasts half as long"
	}
	if by != "" {
		reason, message = "Reviewed", "by "+by
	}
	condition(&w.Status.Conditions, "Reviewed", by != "", reason, message, w.Generation)
}

func instantOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}

func latest(used []v1alpha1.ChangeExecution) []string {
	slices.SortFunc(used, func(a, b v1alpha1.ChangeExecution) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	var out []string
	for i := range min(len(used), 10) {
		out = append(out, used[i].Name)
	}
	return out
}
