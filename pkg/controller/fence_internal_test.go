package controller

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/fence"
)

// role is the ClusterRole that the fence belongs to.
func role() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "firebreak", UID: "role-1"}}
}

func builder(s *stage, mode fence.Mode) *FenceBuilder {
	return NewFenceBuilder(s.memory, s.client, s.client, mode, prometheus.NewRegistry(), s.log())
}

// A ConfigMap is written before its binding, and what is too much is taken away, bindings first. Nothing is written again until something changes,
// or it is time to look whether somebody has changed it.
func TestTheFenceIsBuiltInOrder(t *testing.T) {
	s := newStage(t, production, role())
	b := builder(s, fence.WhenAway)
	if err := b.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := func(call string) int {
		return slices.IndexFunc(s.calls, func(c string) bool { return strings.HasPrefix(c, call) })
	}
	for _, name := range []string{"hosts-0", "members", "jobs"} {
		cm, bound := at("apply ConfigMap firebreak-fence-"+name), at("apply ValidatingAdmissionPolicyBinding firebreak-fence-"+name)
		if cm < 0 || bound < cm || at("apply ValidatingAdmissionPolicy firebreak-fence-"+strings.TrimSuffix(name, "-0")) < 0 {
			t.Errorf("%s is not written before it is bound: %v", name, s.calls)
		}
	}
	if i := at("apply"); i < 0 || slices.ContainsFunc(s.calls, func(c string) bool { return strings.HasPrefix(c, "delete") }) {
		t.Errorf("of what never existed something was deleted: %v", s.calls)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{time.Second, 0}, {9 * time.Second, 6}, {time.Second, 0}, {2 * time.Minute, 9}, {time.Second, 0}} {
		s.calls, s.now = nil, s.now.Add(step.after)
		if err := b.once(t.Context()); err != nil || len(s.calls) != step.want {
			t.Errorf("%s later: %d calls, want %d: %v %v", step.after, len(s.calls), step.want, s.calls, err)
		}
	}
	if !manager.LeaderElectionRunnable(b).NeedLeaderElection() {
		t.Error("every replica builds")
	}
}

// A ConfigMap that somebody has changed is written again, and so is one that is gone.
func TestTheFenceIsPutBack(t *testing.T) {
	s := newStage(t, production, role())
	b := builder(s, fence.WhenAway)
	if err := b.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	var cm corev1.ConfigMap
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: own, Name: fence.Members}, &cm); err != nil {
		t.Fatal(err)
	}
	cm.Data = nil
	if err := errors.Join(s.client.Update(t.Context(), &cm), s.client.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fence.Jobs, Namespace: own}})); err != nil {
		t.Fatal(err)
	}
	s.calls, s.now = nil, s.now.Add(recheck)
	if err := b.once(t.Context()); err != nil || len(s.calls) != 8 {
		t.Errorf("%d calls, want what is amiss written, and what others may change: %v %v", len(s.calls), s.calls, err)
	}
}

// Where the fence is off, what is left of it is taken away: bindings before what they name.
func TestTheFenceIsTakenAway(t *testing.T) {
	s := newStage(t, production, role())
	if err := builder(s, fence.Always).once(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.calls = nil
	b := builder(s, fence.Off)
	if err := b.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds := []string{}
	for _, c := range s.calls {
		if kind := strings.Fields(c)[1]; len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
	}
	if strings.Join(kinds, " ") != "ValidatingAdmissionPolicyBinding ValidatingAdmissionPolicy ConfigMap" || len(s.calls) != 9 {
		t.Errorf("%d calls: %v", len(s.calls), s.calls)
	}
	s.calls = nil
	if err := b.once(t.Context()); err != nil || len(s.calls) > 0 {
		t.Errorf("again: %v %v", s.calls, err)
	}
}

// The fence knows the windows that are approved, by a status that is of the window's own words.
func TestTheFenceKnowsApprovedWindows(t *testing.T) {
	job := func(name string, edit func(*v1alpha1.ChangeWindow)) *v1alpha1.ChangeWindow {
		w := window(nil)
		w.Name, w.Namespace = name, "payments"
		w.Spec.Scope.Operations = []v1alpha1.Operation{v1alpha1.OperationCreate}
		w.Spec.Scope.Resources = []v1alpha1.ScopedResource{{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"a"}}}
		w.Status.Phase, w.Status.OpensAt, w.Status.ClosesAt = v1alpha1.WindowOpen, instant("02:00:00"), instant("04:00:00")
		w.Status.Digest = change.WindowDigest(&w.Spec)
		if edit != nil {
			edit(w)
		}
		return w
	}
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.ChangeWindow)
		want bool
	}{
		"open":           {nil, true},
		"approved":       {func(w *v1alpha1.ChangeWindow) { w.Status.Phase = v1alpha1.WindowApproved }, true},
		"pending":        {func(w *v1alpha1.ChangeWindow) { w.Status.Phase = v1alpha1.WindowPending }, false},
		"of other words": {func(w *v1alpha1.ChangeWindow) { w.Status.Digest = "" }, false},
		"of other cluster": {func(w *v1alpha1.ChangeWindow) {
			w.Spec.Scope.Clusters = []string{"x"}
			w.Status.Digest = change.WindowDigest(&w.Spec)
		}, false},
	} {
		s := newStage(t, production, role(), job("w", tc.edit))
		if err := builder(s, fence.Always).once(t.Context()); err != nil {
			t.Fatal(err)
		}
		var cm corev1.ConfigMap
		if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: own, Name: fence.Jobs}, &cm); err != nil {
			t.Fatal(err)
		}
		if got := cm.Data["open.payments"] != ""; got != tc.want {
			t.Errorf("%s: %t %v", name, got, cm.Data)
		}
	}
}

// A policy that cannot be written keeps no ConfigMap from saying that Firebreak is there. Without what it belongs to, nothing is built.
func TestTheFenceGoesOnWithoutAPolicy(t *testing.T) {
	s := newStage(t, production, role())
	s.broken["apply ValidatingAdmissionPolicy firebreak-fence-members as firebreak-fence"] = errBroken
	if err := builder(s, fence.WhenAway).once(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("%v, want the error", err)
	}
	var cm corev1.ConfigMap
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: own, Name: fence.Members}, &cm); err != nil || cm.Data["alive-until"] == "" || cm.OwnerReferences[0].Name != "firebreak" {
		t.Errorf("%v %+v", err, cm)
	}
	s = newStage(t, production)
	if err := builder(s, fence.WhenAway).once(t.Context()); err == nil || len(s.calls) > 0 {
		t.Errorf("%v %v, want nothing built that nobody takes away", err, s.calls)
	}
}
