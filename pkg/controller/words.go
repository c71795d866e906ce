package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Words does what persons have asked Firebreak to do by their words: it lifts a freeze that two have lifted, and gives an
// execution back that an approver has released. The words stay as the record of it.
type Words struct {
	memory *Memory
	client client.Client
	log    logr.Logger
}

// NewWords returns what runs on the leading replica. c must not read from a cache.
func NewWords(m *Memory, c client.Client, log logr.Logger) *Words { return &Words{m, c, log} }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Words) NeedLeaderElection() bool { return true }

const heed = 2 * time.Second

// Start heeds words until the context ends.
func (w *Words) Start(ctx context.Context) error {
	t := time.NewTicker(heed)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := w.once(ctx); err != nil && ctx.Err() == nil {
			w.log.Error(err, "could not do what was asked by words")
		}
	}
}

func (w *Words) once(ctx context.Context) error {
	var words v1alpha1.ChangeApprovalList
	if err := w.client.List(ctx, &words, client.InNamespace(w.memory.settings.Namespace)); err != nil {
		return fmt.Errorf("list words: %w", err)
	}
	est := w.memory.Estate()
	if est == nil {
		return nil
	}
	unfit := policy.Unfit(est)
	for i := range words.Items {
		var err error
		switch a := &words.Items[i]; {
		case a.Spec.Freeze != nil:
			err = w.lift(ctx, a.Spec.Freeze.Name, words.Items, unfit)
		case a.Spec.Execution != nil:
			err = w.release(ctx, a.Spec.Execution.Name, words.Items, unfit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Words) lift(ctx context.Context, name string, words []v1alpha1.ChangeApproval, unfit change.Unfit) error {
	var f v1alpha1.ChangeFreeze
	if err := w.client.Get(ctx, client.ObjectKey{Name: name}, &f); err != nil {
		return client.IgnoreNotFound(err)
	}
	by := change.LiftedBy(&f, words, unfit)
	if by == nil {
		return nil
	}
	if err := w.client.Delete(ctx, &f, client.Preconditions{UID: &f.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("lift freeze %q: %w", name, err)
	}
	w.log.Info("lifted a freeze", "freeze", name, "by", by)
	return nil
}

func (w *Words) release(ctx context.Context, name string, words []v1alpha1.ChangeApproval, unfit change.Unfit) error {
	var x v1alpha1.ChangeExecution
	if err := w.client.Get(ctx, client.ObjectKey{Namespace: w.memory.settings.Namespace, Name: name}, &x); err != nil {
		return client.IgnoreNotFound(err)
	}
	if x.Status.State == v1alpha1.ExecutionReleased {
		return nil
	}
	by := change.ReleasedBy(&x, w.environments(&x), words, unfit)
	if by == "" {
		return nil
	}
	before := x.DeepCopy()
	now := metav1.NewTime(w.memory.clock())
	x.Status.State, x.Status.ReleasedBy, x.Status.Result, x.Status.FinishedAt = v1alpha1.ExecutionReleased, by, "given back", &now
	if err := w.client.Status().Patch(ctx, &x, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("give execution %q back: %w", name, err)
	}
	w.log.Info("gave an execution back", "execution", name, "by", by)
	return nil
}

// environments are those that an execution happened in: of its object's namespace or, for what lies in none, all.
func (w *Words) environments(x *v1alpha1.ChangeExecution) []string {
	est := w.memory.Estate()
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
