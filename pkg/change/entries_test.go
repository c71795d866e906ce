package change_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// otherJob is another plan than that of question.
func otherJob() *change.Plan { return &change.Plan{Digest: "v1:sha256:" + strings.Repeat("b", 64)} }

// apart has the window count each entry: Jobs of the hook, what the schedule of a CronJob makes, and a Deployment with its way back.
func apart(w *v1alpha1.ChangeWindow) {
	report := v1alpha1.ScopedResource{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"reindex-*"}}
	web := v1alpha1.ScopedResource{Group: "apps", Kind: "Deployment", Names: []v1alpha1.Glob{"web"}, Executions: ptr(int32(1))}
	w.Spec.Plan.Workloads[0].Executions = ptr(int32(1))
	report.Executions = ptr(int32(1))
	w.Spec.Plan.Workloads = append(w.Spec.Plan.Workloads,
		v1alpha1.PlannedWorkload{ScopedResource: report, Digest: plannedJob().Digest, MadeBy: &v1alpha1.Maker{Group: "batch", Kind: "CronJob", Name: "reindex"}},
		v1alpha1.PlannedWorkload{ScopedResource: web, Digest: plannedJob().Digest},
		v1alpha1.PlannedWorkload{ScopedResource: web, Digest: otherJob().Digest, Rollback: true})
	w.Spec.Scope.Resources = append(w.Spec.Scope.Resources, web)
	w.Spec.RollbackWithin = &metav1.Duration{Duration: time.Hour}
}

// took returns a change of the state: slots of the window were taken.
func took(slots ...string) func(*change.State, *v1alpha1.ChangeWindow) {
	return func(s *change.State, w *v1alpha1.ChangeWindow) {
		for _, slot := range slots {
			x := execution(w, slot, "of-"+slot, v1alpha1.ExecutionUsed)
			x.Spec.Entry = slot[:strings.LastIndexByte(slot, '-')+1]
			x.Spec.Entry = strings.TrimSuffix(x.Spec.Entry, "-")
			s.Executions = append(s.Executions, x)
		}
	}
}

func TestEntriesAreCountedApart(t *testing.T) {
	scheduled := func(q *change.Query) {
		q.Requester = change.Party{Controller: true}
		q.MadeBy = &v1alpha1.Maker{Group: "batch", Kind: "CronJob", Name: "reindex"}
	}
	of := func(kind, name string, op v1alpha1.Operation, p *change.Plan, clock string) func(*change.Query) {
		return func(q *change.Query) {
			q.Group, q.Kind, q.Name, q.Operations, q.Plan, q.At = "apps", kind, name, []v1alpha1.Operation{op}, p, at(clock)
		}
	}
	const once = "it has been used for this object once, which is all that it allows"
	runWindowCases(t, map[string]windowCase{
		"the hook, once the schedule has run": {reason: "a scheduled run takes its own entry", window: apart, state: took("e1-0"), stage: change.Covers},
		"the schedule, once the hook has run": {reason: "and leaves the hook's", window: apart, ask: scheduled, state: took("e0-0"), stage: change.Covers},
		"the hook again":                      {reason: "each once", window: apart, state: took("e0-0"), stage: change.Exhausted, why: once},
		"the schedule again":                  {reason: "each once", window: apart, ask: scheduled, state: took("e1-0"), stage: change.Exhausted, why: once},
		"the hook, given back": {reason: "a slot that was given back is free under another name", window: apart, state: func(s *change.State, w *v1alpha1.ChangeWindow) {
			took("e0-0")(s, w)
			s.Executions[0].Status.State = v1alpha1.ExecutionReleased
		}, stage: change.Covers},
		"a schedule that the window is not for": {reason: "what is counted for a person is not taken by the clock", window: apart, ask: func(q *change.Query) { scheduled(q); q.MadeBy.Name = "other" }, stage: change.PlanDiffers, why: "its plan has no entry for this object"},
		"a total besides": {reason: "the whole window is used up", window: func(w *v1alpha1.ChangeWindow) { apart(w); w.Spec.MaxExecutions = ptr(int32(1)) },
			state: func(s *change.State, w *v1alpha1.ChangeWindow) {
				s.Executions = append(s.Executions, execution(w, "0", "another", ""))
			}, stage: change.Exhausted, why: "it has been used once, which is all that it allows"},
		"an entry under a total": {reason: "the total is not reached, the entry's is", window: func(w *v1alpha1.ChangeWindow) { apart(w); w.Spec.MaxExecutions = ptr(int32(5)) },
			state: func(s *change.State, w *v1alpha1.ChangeWindow) {
				x := execution(w, "3", "another", "")
				x.Spec.Entry = "e0"
				s.Executions = append(s.Executions, x)
			}, stage: change.Exhausted, why: once},

		"an update that no operation permits": {reason: "the scope says Create", window: apart, ask: of("Deployment", "web", v1alpha1.OperationUpdate, plannedJob(), "02:30:00"), stage: change.OutOfScope, why: "its scope does not include this"},
		"the way back":                        {reason: "what was stored may be put back", window: apart, ask: of("Deployment", "web", v1alpha1.OperationUpdate, otherJob(), "02:30:00"), stage: change.Covers},
		"the way back after the window":       {reason: "for as long as the window says", window: apart, ask: of("Deployment", "web", v1alpha1.OperationUpdate, otherJob(), "04:59:59"), stage: change.Covers},
		"the way back much later":             {reason: "and no longer", window: apart, ask: of("Deployment", "web", v1alpha1.OperationUpdate, otherJob(), "05:00:00"), stage: change.Closed, why: "it closed at 2026-11-28 04:00:00 UTC"},
		"a way back that is open for too long": {reason: "the environment allowed more when the window was written", window: func(w *v1alpha1.ChangeWindow) {
			apart(w)
			w.Spec.RollbackWithin.Duration = 20 * time.Hour
		}, ask: of("Deployment", "web", v1alpha1.OperationUpdate, otherJob(), "02:30:00"), stage: change.NotInForce, why: "its way back stays open for longer than the 8h that the environment allows"},
		"the way forth after the window": {reason: "only the way back stays open", window: apart, ask: of("Deployment", "web", v1alpha1.OperationCreate, plannedJob(), "04:00:00"), stage: change.Closed, why: "it closed at 2026-11-28 04:00:00 UTC"},
		"the way back, twice":            {reason: "it has one execution", window: apart, ask: of("Deployment", "web", v1alpha1.OperationUpdate, otherJob(), "02:30:00"), state: took("e3-0"), stage: change.Exhausted, why: once},
		"what was stored, to create it":  {reason: "the way back is an update", window: apart, ask: of("Deployment", "web", v1alpha1.OperationCreate, otherJob(), "02:30:00"), stage: change.PlanDiffers, why: "digest: approved v1:sha256:" + strings.Repeat("a", 64) + ", submitted v1:sha256:" + strings.Repeat("b", 64)},
		"an object that runs nothing, deleted": {reason: "each operation of an object in the scope has its count", window: func(w *v1alpha1.ChangeWindow) {
			apart(w)
			w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.OperationDelete)
		}, ask: of("Deployment", "web", v1alpha1.OperationDelete, nil, "02:30:00"), state: took("e2-0", "r1-scale-0"), stage: change.Covers},
		"one that was deleted already": {reason: "once is once", window: func(w *v1alpha1.ChangeWindow) {
			apart(w)
			w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.OperationDelete)
		}, ask: of("Deployment", "web", v1alpha1.OperationDelete, nil, "02:30:00"), state: took("r1-delete-0"), stage: change.Exhausted, why: once},
	})
}

// A change of an admitted run is part of the execution that started it: it takes no other, and must lead to the plan.
func TestAChangeContinuesAnExecution(t *testing.T) {
	patch := func(q *change.Query) {
		q.Operations, q.Key, q.Continues = []v1alpha1.Operation{v1alpha1.OperationUpdate}, "patch-1", "job-1"
	}
	started := func(s *change.State, w *v1alpha1.ChangeWindow) {
		x := execution(w, "0", "job-1", v1alpha1.ExecutionUsed)
		x.Spec.Digest = plannedJob().Digest
		s.Executions = append(s.Executions, x)
	}
	elsewhere := func(s *change.State, w *v1alpha1.ChangeWindow) {
		s.Executions = append(s.Executions, execution(w, "0", "job-0", v1alpha1.ExecutionUsed))
	}
	runWindowCases(t, map[string]windowCase{
		"of a run that it started":       {reason: "the execution is used already, and covers this", ask: patch, state: started, stage: change.Covers},
		"of a run that it did not start": {reason: "it permits to create", ask: patch, state: elsewhere, stage: change.OutOfScope, why: "its scope does not include this"},
		"to something else":              {reason: "it must still be the plan", ask: func(q *change.Query) { patch(q); q.Plan = otherJob() }, state: started, stage: change.PlanDiffers, why: `containers["reindex"].args: approved sha256 0123456789ab, submitted nothing; containers["reindex"].image: approved "reindex@sha256:1", submitted nothing`},
		"after the window":               {reason: "a suspended run is resumed in its window", ask: func(q *change.Query) { patch(q); q.At = at("04:00:00") }, state: started, stage: change.Closed, why: "it closed at 2026-11-28 04:00:00 UTC"},
		"of a run that was given back": {reason: "that never came to exist", ask: patch, state: func(s *change.State, w *v1alpha1.ChangeWindow) {
			s.Executions = append(s.Executions, execution(w, "0", "job-1", v1alpha1.ExecutionReleased))
		}, stage: change.OutOfScope, why: "its scope does not include this"},
		"of a window that permits updates": {reason: "it is an execution of its own", window: func(w *v1alpha1.ChangeWindow) {
			w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.OperationUpdate)
		}, ask: patch, state: elsewhere, stage: change.Exhausted, why: "it has been used once, which is all that it allows"},
	})
}

// An emergency covers what its requester does and what that makes, and not a schedule that happens to run meanwhile.
func TestEmergenciesAndSchedules(t *testing.T) {
	emergency := func(w *v1alpha1.ChangeWindow) { w.Spec.Type, w.Spec.Plan = v1alpha1.WindowEmergency, nil }
	scheduled := func(q *change.Query) {
		q.Requester = change.Party{Controller: true}
		q.MadeBy = &v1alpha1.Maker{Group: "batch", Kind: "CronJob", Name: "reindex"}
	}
	runWindowCases(t, map[string]windowCase{
		"the requester": {reason: "it is theirs", window: emergency, stage: change.Covers},
		"a schedule":    {reason: "nobody looks at it", window: emergency, ask: scheduled, stage: change.NotYours, why: `an emergency covers what its requester does and what that makes, not the schedule of CronJob "reindex"`},
		"what the requester has made": {reason: "they wrote the CronJob under it", window: emergency, ask: scheduled, stage: change.Covers, state: func(s *change.State, w *v1alpha1.ChangeWindow) {
			x := execution(w, "00", "cron-1", v1alpha1.ExecutionUsed)
			x.Spec.Operation, x.Spec.Object = v1alpha1.OperationCreate, v1alpha1.ExecutedObject{Group: "batch", Kind: "CronJob", Namespace: "payments", Name: "reindex"}
			s.Executions = append(s.Executions, x)
		}},
		"a schedule under a normal window": {reason: "scope, plan and time decide", ask: scheduled, stage: change.Covers},
	})
}

// A status says that nothing is left once each entry was used, and not before.
func TestSpentWindows(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		slots  []string
		phase  v1alpha1.WindowPhase
	}{
		"two of three": {"the Deployment is left", []string{"e0-0", "e1-0"}, v1alpha1.WindowOpen},
		"all of them":  {"the way back is not counted", []string{"e0-0", "e1-0", "e2-0"}, v1alpha1.WindowExhausted},
		"the way back": {"it is no use of the window", []string{"e3-0"}, v1alpha1.WindowOpen},
	} {
		t.Run(name, func(t *testing.T) {
			w := window()
			apart(w)
			s := &change.State{Windows: []v1alpha1.ChangeWindow{*w}, Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}}
			took(tc.slots...)(s, w)
			q := question()
			if got := change.Summarise(w, *q, s); got.Phase != tc.phase {
				t.Errorf("it is %s (%s), want %s: %s", got.Phase, got.Message, tc.phase, tc.reason)
			}
		})
	}
}
