package controller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

func kept(name string, days int) *v1alpha1.ChangeRecord {
	return &v1alpha1.ChangeRecord{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: own, UID: "r-1", CreationTimestamp: metav1.NewTime(at("02:30:00").AddDate(0, 0, -days))},
		Spec:       v1alpha1.ChangeRecordSpec{Act: v1alpha1.ActDeleted, Requester: *person("bob"), Message: "lifted it", Object: v1alpha1.ExecutedObject{Kind: "ChangeFreeze", Name: "stop"}},
	}
}

// Records are kept as long as the environments keep their executions, and nothing is deleted while no estate is known.
func TestRecordsAreKept(t *testing.T) {
	s := newStage(t, production, kept("fresh", 1), kept("kept", 30), kept("old", 500))
	k := NewRecordKeeper(s.memory, s.client, own, s.log())
	if err := k.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantCalls("delete ChangeRecord old of UID r-1")
	if !manager.LeaderElectionRunnable(k).NeedLeaderElection() {
		t.Error("every replica deletes")
	}
	unknown := &Cache{}
	if err := NewRecordKeeper(unknown, s.client, own, s.log()).sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantCalls()
}
