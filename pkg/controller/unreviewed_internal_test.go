package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

const count = "firebreak_emergencies_unreviewed environment="

func TestUnreviewed(t *testing.T) {
	first := window(emergency)
	second := window(func(w *v1alpha1.ChangeWindow) {
		emergency(w)
		w.Name, w.UID, w.CreationTimestamp = "second", "second-1", metav1.NewTime(at("01:00:00"))
	})
	for name, tc := range map[string]struct {
		objects []client.Object
		known   []*v1alpha1.ChangeExecution
		want    []string
	}{
		"no emergency":              {[]client.Object{window(nil)}, nil, []string{count + "production second=false 0", count + "production second=true 0"}},
		"one that nobody looked at": {[]client.Object{first}, nil, []string{count + "production second=false 1", count + "production second=true 0"}},
		"one that its requester looked at": {[]client.Object{first, word(first, "bob", "Approve")}, nil,
			[]string{count + "production second=false 1", count + "production second=true 0"}},
		"one that somebody else has rejected": {[]client.Object{first, word(first, "alice", "Reject")}, nil,
			[]string{count + "production second=false 0", count + "production second=true 0"}},
		"a second one": {[]client.Object{first, second}, nil, []string{count + "production second=false 1", count + "production second=true 1"}},
		"a second one, the first looked at": {[]client.Object{first, second, word(first, "alice", "Approve")}, nil,
			[]string{count + "production second=false 1", count + "production second=true 0"}},
		"one that was used twice and deleted": {nil, []*v1alpha1.ChangeExecution{execution(first, "x-1", nil), execution(first, "x-2", nil)},
			[]string{count + "production second=false 1", count + "production second=true 0"}},
		"one that is there and was used": {[]client.Object{first}, []*v1alpha1.ChangeExecution{execution(first, "x-1", nil)},
			[]string{count + "production second=false 1", count + "production second=true 0"}},
		"one of an environment that is none": {[]client.Object{window(func(w *v1alpha1.ChangeWindow) { emergency(w); w.Spec.Environment = "prod" })}, nil,
			[]string{count + "prod second=false 1", count + "production second=false 0", count + "production second=true 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newStage(t, production+"{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: test}, spec: {tier: NonProduction}}\n", tc.objects...), prometheus.NewRegistry()
			for _, x := range tc.known {
				s.know(x)
			}
			if err := NewUnreviewed(s.memory, s.client, r, s.log()).once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, metrics(t, r)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// An environment that is gone is no longer reported; a new one is, with zeros.
func TestUnreviewedForgetsEnvironments(t *testing.T) {
	s, r := newStage(t, production), prometheus.NewRegistry()
	u := NewUnreviewed(s.memory, s.client, r, s.log())
	s.know(s.read("{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: billing}, spec: {tier: Production}}")...)
	for _, tc := range []struct {
		do   func()
		want []string
	}{
		{func() {}, []string{count + "production second=false 0", count + "production second=true 0"}},
		{s.memory.compile, []string{count + "billing second=false 0", count + "billing second=true 0", count + "production second=false 0", count + "production second=true 0"}},
		{func() { s.forget(v1alpha1.KindEnvironment, "production"); s.memory.compile() }, []string{count + "billing second=false 0", count + "billing second=true 0"}},
	} {
		tc.do()
		if err := u.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, metrics(t, r)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// If the count fails, the last one stays, and that is an error; without an estate nothing is counted.
func TestUnreviewedThatCannotBeCounted(t *testing.T) {
	s, r := newStage(t, production, window(emergency)), prometheus.NewRegistry()
	u := NewUnreviewed(s.memory, s.client, r, s.log())
	est := s.memory.est.Swap(nil)
	if err := u.once(t.Context()); err != nil || len(metrics(t, r)) > 0 {
		t.Errorf("without an estate: %v, %v", metrics(t, r), err)
	}
	s.memory.est.Store(est)
	if err := u.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := metrics(t, r)
	for call, text := range map[string]string{
		"list ChangeWindowList":   "list change windows: the API server is away",
		"list ChangeApprovalList": "list approvals: the API server is away",
	} {
		s.broken = map[string]error{call: errBroken}
		if err := u.once(t.Context()); !errors.Is(err, errBroken) || err.Error() != text {
			t.Errorf("%s: %v", call, err)
		}
		if diff := cmp.Diff(want, metrics(t, r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", call, diff)
		}
	}
}

// The counter counts at once when it starts, logs failures, and ends with its context.
func TestUnreviewedRuns(t *testing.T) {
	s, r := newStage(t, production, window(emergency)), prometheus.NewRegistry()
	s.broken["list ChangeWindowList"] = errBroken
	u := NewUnreviewed(s.memory, s.client, r, s.log())
	var leads manager.LeaderElectionRunnable = u
	if !leads.NeedLeaderElection() {
		t.Error("every replica counts, so each emergency is counted several times")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Start(ctx) }()
	eventually(t, "a line of the log", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.logged) > 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.wantLogged(`"msg"="could not count unreviewed emergencies" "error"="list change windows: the API server is away"`)
}
