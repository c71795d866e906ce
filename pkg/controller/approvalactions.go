package controller

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-logr/logr"
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

// ApprovalActions does what people request by ChangeApprovals in Firebreak's own namespace. It deletes a freeze that two
// persons have lifted, and gives back an execution that an approver has released. The approvals remain as the record.
type ApprovalActions struct {
	memory *Cache
	client client.Client
	log    logr.Logger
}

// approvalAction is the request of an approval: it names a freeze or an execution.
type approvalAction struct{ freeze, execution string }

// NewApprovalActions returns the reconciler for the leading replica. c must not read from a cache.
func NewApprovalActions(m *Cache, c client.Client, log logr.Logger) *ApprovalActions {
	return &ApprovalActions{m, c, log}
}

// SetupWithManager adds the reconciler.
func (a *ApprovalActions) SetupWithManager(mgr manager.Manager) error {
	t := &trigger[approvalAction]{everything: func(ctx context.Context) ([]approvalAction, error) {
		var out []approvalAction
		approvals, err := a.approvals(ctx, mgr.GetCache())
		for i := range approvals {
			out = append(out, a.asked(ctx, &approvals[i])...)
		}
		return out, err
	}}
	a.memory.OnEstate(func(_ *estate.Estate, updated []string) {
		if updated == nil { // an approver may have become a member
			t.all()
		}
	})
	return addReconciler(mgr, "approval-actions", a, t,
		source.TypedKind(mgr.GetCache(), &v1alpha1.ChangeApproval{}, handler.TypedEnqueueRequestsFromMapFunc(a.asked)))
}

// approvals lists the approvals in Firebreak's own namespace.
func (a *ApprovalActions) approvals(ctx context.Context, from client.Reader) ([]v1alpha1.ChangeApproval, error) {
	var out v1alpha1.ChangeApprovalList
	if err := from.List(ctx, &out, client.InNamespace(a.memory.settings.Namespace)); err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	return out.Items, nil
}

// asked returns the actions that an approval requests.
func (a *ApprovalActions) asked(_ context.Context, approval *v1alpha1.ChangeApproval) []approvalAction {
	switch {
	case approval.Namespace != a.memory.settings.Namespace:
		return nil
	case approval.Spec.Freeze != nil:
		return []approvalAction{{freeze: approval.Spec.Freeze.Name}}
	case approval.Spec.Execution != nil:
		return []approvalAction{{execution: approval.Spec.Execution.Name}}
	}
	return nil
}

// Reconcile implements reconcile.TypedReconciler. It reads live, since its actions cannot be undone.
func (a *ApprovalActions) Reconcile(ctx context.Context, what approvalAction) (reconcile.Result, error) {
	est := a.memory.Estate()
	if est == nil {
		return reconcile.Result{}, nil // the first estate that is compiled causes everything to be looked at again
	}
	state, err := a.state(ctx, what)
	switch {
	case err != nil:
	case what.freeze != "":
		err = a.lift(ctx, what.freeze, state, policy.ApproverCheck(est))
	default:
		err = a.release(ctx, what.execution, state, policy.ApproverCheck(est))
	}
	return reconcile.Result{}, err
}

// state reads the approvals, and which of those that request an action count no more.
func (a *ApprovalActions) state(ctx context.Context, what approvalAction) (*change.State, error) {
	approvals, err := a.approvals(ctx, a.client)
	if err != nil {
		return nil, err
	}
	var asked []*v1alpha1.ChangeApproval
	for i := range approvals {
		if slices.Contains(a.asked(ctx, &approvals[i]), what) {
			asked = append(asked, &approvals[i])
		}
	}
	s := &change.State{Approvals: approvals}
	s.Unauthorised, err = view.Unauthorised(ctx, a.client, asked, nil)
	return s, err
}

func (a *ApprovalActions) lift(ctx context.Context, name string, state *change.State, unfit change.ApproverCheck) error {
	var f v1alpha1.ChangeFreeze
	if err := a.client.Get(ctx, client.ObjectKey{Name: name}, &f); err != nil {
		return client.IgnoreNotFound(err)
	}
	by := change.LiftedBy(&f, state, unfit)
	if by == nil {
		return nil
	}
	if err := a.client.Delete(ctx, &f, client.Preconditions{UID: &f.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("lift freeze %q: %w", name, err)
	}
	a.log.Info("lifted a freeze", "freeze", name, "by", by)
	return nil
}

func (a *ApprovalActions) release(ctx context.Context, name string, state *change.State, unfit change.ApproverCheck) error {
	var x v1alpha1.ChangeExecution
	if err := a.client.Get(ctx, client.ObjectKey{Namespace: a.memory.settings.Namespace, Name: name}, &x); err != nil {
		return client.IgnoreNotFound(err)
	}
	if x.Status.State == v1alpha1.ExecutionReleased {
		return nil
	}
	by := change.ReleasedBy(&x, a.environments(&x), state, unfit)
	if by == "" {
		return nil
	}
	before := x.DeepCopy()
	now := metav1.NewTime(a.memory.clock())
	x.Status.State, x.Status.ReleasedBy, x.Status.Result, x.Status.FinishedAt = v1alpha1.ExecutionReleased, by, "given back", &now
	if err := a.client.Status().Patch(ctx, &x, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("give execution %q back: %w", name, err)
	}
	a.log.Info("gave an execution back", "execution", name, "by", by)
	return nil
}

// environments returns the Production environments of the object's namespace, or all of them if the object has no namespace.
func (a *ApprovalActions) environments(x *v1alpha1.ChangeExecution) []string {
	est := a.memory.Estate()
	envs := est.Production()
	if ns := x.Spec.Object.Namespace; ns != "" {
		envs = est.NamespaceOrName(ns).Production()
	}
	out := make([]string, len(envs))
	for i, e := range envs {
		out[i] = e.Name
	}
	return out
}
