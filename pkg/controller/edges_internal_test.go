package controller

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// An instant beyond the longest duration is looked at again after the heartbeat, like one that is merely far.
func TestUntilAnInstantThatNoDurationReaches(t *testing.T) {
	now := time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC)
	if got := until(now, time.Hour, now.AddDate(5000, 0, 0)); got != time.Hour {
		t.Errorf("in %s", got)
	}
}

// A message is cut between letters.
func TestClipKeepsLettersWhole(t *testing.T) {
	if got := clip(strings.Repeat("a", 996)+"éééé", 1000); !utf8.ValidString(got) || len(got) > 1000 || !strings.HasSuffix(got, "a...") {
		t.Errorf("%d bytes, valid: %t: %s", len(got), utf8.ValidString(got), got[990:])
	}
}

// The record of a slot that was given back is recognised by its label before its status is written: it is not a repeat of the
// execution.
func TestARecordIsNoRepeat(t *testing.T) {
	x := v1alpha1.ChangeExecution{}
	x.Name, x.Spec.Key = "w-0-0", "k"
	record := *x.DeepCopy()
	record.Name, record.Labels = "w-0-0-abc", map[string]string{v1alpha1.LabelExecutionState: string(v1alpha1.ExecutionReleased)}
	if got := repeats(map[string]v1alpha1.ChangeExecution{"a": x, "b": record}); len(got) != 0 {
		t.Errorf("repeats: %v", got)
	}
}

// An object that could not be looked at keeps the condition that another replica wrote.
func TestWhatWasNotLookedAtKeepsItsCondition(t *testing.T) {
	w := newPendingDeclarations(prometheus.NewRegistry())
	var e v1alpha1.Environment
	condition(&e.Status.Conditions, v1alpha1.ConditionPendingApproval, true, reasonPending, "it needs a window", 1)
	w.incomplete(true)
	w.set(map[declaration]obstacle{})
	w.condition(v1alpha1.KindEnvironment, "production", &e.Status.Conditions, 1)
	if len(e.Status.Conditions) != 1 {
		t.Error("the condition is gone though nobody could look")
	}
	w.incomplete(false)
	w.condition(v1alpha1.KindEnvironment, "production", &e.Status.Conditions, 1)
	if len(e.Status.Conditions) != 0 {
		t.Error("the condition stays although nothing is declared any more")
	}
}

// A deleted execution names its window, too.
func TestAnExecutionThatHasGoneNamesItsWindow(t *testing.T) {
	s := newStage(t, "")
	var named []reconcile.Request
	tell := NewStatuses(s.memory, s.client, nil).windowsOfExecutions(func(r reconcile.Request) { named = append(named, r) })
	x := *execution(window(nil), "x-1", nil)
	s.memory.view.Executions.Put("own/x-1", x)
	tell("own/x-1")
	s.memory.view.Executions.Delete("own/x-1")
	tell("own/x-1")
	tell("own/x-1") // it has gone already
	want := windowRequest(x.Spec.Window.Namespace, x.Spec.Window.Name)
	if !slices.Equal(named, []reconcile.Request{want, want}) {
		t.Errorf("named: %v", named)
	}
}

// A listener that waits delays no informer, and no status reports a spec as in force before it is compiled.
func TestListenersAreToldOutsideTheLock(t *testing.T) {
	s := newStage(t, production)
	told, done := make(chan struct{}), make(chan struct{})
	s.memory.OnEstate(func(*estate.Estate, []string) { close(told); <-done })
	s.memory.touch()
	if !s.memory.Behind() {
		t.Error("what has changed is taken for compiled")
	}
	go s.memory.compile()
	<-told
	s.memory.tell(v1alpha1.KindEnvironment, "production") // would wait for ever
	if s.memory.Behind() {
		t.Error("what is compiled is taken for changed")
	}
	close(done)
}
