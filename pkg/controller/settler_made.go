package controller

import (
	"context"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// madeObjects are what controllers made of custom resources that were created under windows, by the UID of the execution. They are kept here as
// well as in the status, which this replica's own cache shows only a moment after it was written.
type madeObjects struct {
	mu    sync.Mutex
	names map[types.UID][]string
}

// maxMade is how many objects the status of an execution lists.
const maxMade = 64

// noteMade records an object under the execution that created the custom resource it is made of.
func (s *ReservationSettler) noteMade(ctx context.Context, kind string, o client.Object) {
	owner := metav1.GetControllerOf(o)
	if owner == nil || workload.HasTemplate(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()) {
		return // what a Job or a Deployment makes is itself
	}
	for _, x := range s.memory.view.Executions.All() {
		if x.Spec.Object.UID != owner.UID {
			continue
		}
		names, more := s.made.add(x.UID, x.Status.Made, kind+"/"+o.GetName())
		if !more {
			continue
		}
		before, after := x.DeepCopy(), x.DeepCopy()
		after.Status.Made = names
		if err := s.client.Status().Patch(ctx, after, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
			s.made.forget(x.UID)
			s.log.Error(err, "could not record what was made of a custom resource", "execution", x.Name, "made", kind+"/"+o.GetName())
		}
	}
}

// add adds a name to those of an execution, and reports whether it is new and there is room.
func (m *madeObjects) add(execution types.UID, known []string, name string) ([]string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := m.names[execution]
	for _, n := range known {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	more := !slices.Contains(names, name) && len(names) < maxMade
	if more {
		names = append(names, name)
	}
	m.names[execution] = names
	return slices.Clone(names), more
}

// forget lets the names of an execution be taken from its status again.
func (m *madeObjects) forget(execution types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.names, execution)
}
