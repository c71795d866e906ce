package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// lookEvery is how often it is looked for whether a run has ended that was approved with the content of ConfigMaps, which stay locked until then.
// A Job tells by itself; one that was deleted, and a Pod, do not.
const lookEvery = time.Minute

// mayHaveEnded reports whether it is time to look for the end of a run.
func (s *ReservationSettler) mayHaveEnded(x *v1alpha1.ChangeExecution, now time.Time) bool {
	return len(x.Spec.ConfigMaps) > 0 && x.Status.FinishedAt == nil && !x.Released() && now.Sub(s.looked[x.UID]) >= lookEvery && now.Sub(x.CreationTimestamp.Time) >= s.patience
}

// lookForEnd records the end of a run that is gone or over.
func (s *ReservationSettler) lookForEnd(ctx context.Context, x *v1alpha1.ChangeExecution, now time.Time) error {
	s.looked[x.UID] = now
	running, err := view.Running(ctx, s.live, []v1alpha1.ExecutedObject{x.Spec.Object})
	if err != nil {
		return fmt.Errorf("look for the end of %s %s/%s: %w", x.Spec.Object.Kind, x.Spec.Object.Namespace, x.Spec.Object.Name, err)
	}
	if slices.Contains(running, x.Spec.Object.UID) {
		return nil
	}
	delete(s.looked, x.UID)
	before, after := x.DeepCopy(), x.DeepCopy()
	at := metav1.NewTime(now)
	after.Status.FinishedAt = &at
	if err := s.client.Status().Patch(ctx, after, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("record the end of execution %s: %w", x.Name, err)
	}
	return nil
}
