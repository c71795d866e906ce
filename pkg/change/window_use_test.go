package change_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

func TestOpenAndClosed(t *testing.T) {
	ask := func(clock string) func(*change.Query) { return func(q *change.Query) { q.At = at(clock) } }
	due := func(clock string) func(*change.Query) { return func(q *change.Query) { q.Scheduled = ptr(at(clock)) } }
	startBefore := func(w *v1alpha1.ChangeWindow) { w.Spec.StartBefore = &metav1.Duration{Duration: 30 * time.Minute} }
	deadline := func(w *v1alpha1.ChangeWindow) { w.Spec.Overrun = v1alpha1.OverrunDeadline }
	runWindowCases(t, map[string]windowCase{
		"one nanosecond before the start": {
			reason: "intervals are [start, end)", ask: ask("01:59:59.999999999"),
			stage: change.NotYetOpen, why: "it opens at 2026-11-28 02:00:00 UTC",
		},
		"at the start":                  {reason: "the start is included", ask: ask("02:00:00"), stage: change.Covers},
		"one nanosecond before the end": {reason: "the last instant is included", ask: ask("03:59:59.999999999"), stage: change.Covers},
		"at the end":                    {reason: "the end is not", ask: ask("04:00:00"), stage: change.Closed, why: "it closed at 2026-11-28 04:00:00 UTC"},
		"long after":                    {reason: "and never again", ask: ask("23:00:00"), stage: change.Closed, why: "it closed at 2026-11-28 04:00:00 UTC"},
		"in another zone, the same instant": {
			reason: "instants are compared, not clocks on walls",
			ask:    func(q *change.Query) { q.At = at("02:00:00").In(time.FixedZone("UTC+5:45", 20700)) },
			stage:  change.Covers,
		},
		"a run that was due at the start": {reason: "the scheduled time lies in the window", ask: due("02:00:00"), stage: change.Covers},
		"a run that was due before the start": {
			reason: "the cronjob controller would start it late", ask: due("01:59:59"),
			stage: change.NotYetOpen, why: "this run was due at 2026-11-28 01:59:59 UTC, outside the window",
		},
		"a run that is due at the end": {
			reason: "a scheduled time is an instant like any other", ask: due("04:00:00"),
			stage: change.NotYetOpen, why: "this run was due at 2026-11-28 04:00:00 UTC, outside the window",
		},
		"just before the last start": {
			reason: "thirty minutes from the opening", window: startBefore, ask: ask("02:29:59.999999999"),
			stage: change.Covers,
		},
		"at the last start": {
			reason: "that bound is an end too", window: startBefore, ask: ask("02:30:00"),
			stage: change.NotYetOpen, why: "executions had to start before 2026-11-28 02:30:00 UTC",
		},
		"a run without a deadline": {
			reason: "nothing would end it", window: deadline,
			stage: change.NotYetOpen, why: "it must be over by 2026-11-28 04:00:00 UTC: set spec.activeDeadlineSeconds",
		},
		"a run that ends as the window does": {
			reason: "its last instant lies inside", window: deadline,
			ask:   func(q *change.Query) { q.Deadline = 90 * time.Minute },
			stage: change.Covers,
		},
		"a run that ends after the window": {
			reason: "it would run when nobody is at hand", window: deadline,
			ask:   func(q *change.Query) { q.Deadline = 90*time.Minute + time.Second },
			stage: change.NotYetOpen, why: "with 1h30m1s to run it would outlast the window, which closes at 2026-11-28 04:00:00 UTC",
		},
		"a run without a deadline that may finish": {
			reason: "Finish is the default",
			stage:  change.Covers,
		},
		"a bare Pod under Deadline": {
			reason: "the deadline is spoken of for Jobs only", window: func(w *v1alpha1.ChangeWindow) {
				deadline(w)
				w.Spec.Scope.Resources = resources("", "Pod", "*")
				w.Spec.Plan.Workloads[0].ScopedResource = w.Spec.Scope.Resources[0]
			},
			ask:   func(q *change.Query) { q.Group, q.Kind = "", "Pod" },
			stage: change.Covers,
		},
		"closed comes before unapproved": {
			reason: "approving a closed window helps nobody", ask: ask("04:00:00"),
			state: func(s *change.State, _ *v1alpha1.ChangeWindow) { s.Approvals = nil },
			stage: change.Closed, why: "it closed at 2026-11-28 04:00:00 UTC",
		},
		"unapproved comes before not yet open": {
			reason: "there is still time to approve it", ask: ask("01:00:00"),
			state: func(s *change.State, _ *v1alpha1.ChangeWindow) { s.Approvals = nil },
			stage: change.Unapproved,
			why:   `it has 0 of 1 approvals`,
		},
	})
}

func TestPlanned(t *testing.T) {
	manyFields := func(n int) *change.Plan {
		p := &change.Plan{Digest: "v1:sha256:" + strings.Repeat("b", 64)}
		for i := range n {
			p.Fields = append(p.Fields, v1alpha1.PlannedField{Path: "env" + string(rune('a'+i)), Digest: "2222222222222222"})
		}
		return p
	}
	runWindowCases(t, map[string]windowCase{
		"an image by tag alone": {
			reason: "what a tag means is decided when it is pulled",
			ask: func(q *change.Query) {
				q.Plan.Unpinned = []string{`containers["a"].image "a:1"`, `containers["b"].image "b"`}
			},
			stage: change.PlanDiffers, why: `an image by tag alone never matches a plan: containers["a"].image "a:1", containers["b"].image "b"`,
		},
		"too many ConfigMaps": {
			reason: "each is read live before a run is admitted",
			ask:    func(q *change.Query) { q.Plan.TooMany = true },
			stage:  change.PlanDiffers, why: "it uses more than 16 ConfigMaps, which no plan can pin",
		},
		"no entry of that name": {
			reason: "the scope is wider than the plan",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Plan.Workloads[0].Names = []v1alpha1.Glob{"reindex-stock"} },
			stage:  change.PlanDiffers, why: "its plan has no entry for this object",
		},
		"no entry of that kind": {
			reason: "an entry for the CronJob pins none of its Jobs",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Plan.Workloads[0].Kind = "CronJob" },
			stage:  change.PlanDiffers, why: "its plan has no entry for this object",
		},
		"the second of two entries that match": {
			reason: "the entry that has its digest pins it",
			window: func(w *v1alpha1.ChangeWindow) {
				other := w.Spec.Plan.Workloads[0]
				other.Digest = "v1:sha256:" + strings.Repeat("0", 64)
				w.Spec.Plan.Workloads = append([]v1alpha1.PlannedWorkload{other}, w.Spec.Plan.Workloads...)
			},
			stage: change.Covers,
		},
		"a plan by another algorithm": {
			reason: "a digest of an unknown version matches nothing that runs",
			window: func(w *v1alpha1.ChangeWindow) {
				w.Spec.Plan.Workloads[0].Digest = "v9:sha256:" + strings.Repeat("a", 64)
				w.Spec.Plan.Workloads[0].Fields = nil
			},
			stage: change.PlanDiffers,
			why:   "digest: approved v9:sha256:" + strings.Repeat("a", 64) + ", submitted nothing, since this version of Firebreak does not know its algorithm",
		},
		"an image that differs": {
			reason: "both texts are shown, and no value of an argument",
			ask: func(q *change.Query) {
				q.Plan.Digest = "v1:sha256:" + strings.Repeat("c", 64)
				q.Plan.Fields[0].Digest = "ffffffffffffffff"
				q.Plan.Fields[1] = v1alpha1.PlannedField{Path: `containers["reindex"].image`, Digest: "3333333333333333", Text: "reindex@sha256:3"}
			},
			stage: change.PlanDiffers,
			why: `containers["reindex"].args: approved sha256 0123456789ab, submitted sha256 ffffffffffff; ` +
				`containers["reindex"].image: approved "reindex@sha256:1", submitted "reindex@sha256:3"`,
		},
		"fields that agree under digests that do not": {
			reason: "the digest decides; fields only explain",
			ask:    func(q *change.Query) { q.Plan.Digest = "v1:sha256:" + strings.Repeat("d", 64) },
			stage:  change.PlanDiffers,
			why:    "digest: approved v1:sha256:" + strings.Repeat("a", 64) + ", submitted v1:sha256:" + strings.Repeat("d", 64),
		},
		"more differences than anybody reads": {
			reason: "eight are shown, the rest counted",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Plan.Workloads[0].Fields = nil },
			ask:    func(q *change.Query) { q.Plan = manyFields(10) },
			stage:  change.PlanDiffers,
			why: "enva: approved nothing, submitted sha256 222222222222; envb: approved nothing, submitted sha256 222222222222; " +
				"envc: approved nothing, submitted sha256 222222222222; envd: approved nothing, submitted sha256 222222222222; " +
				"enve: approved nothing, submitted sha256 222222222222; envf: approved nothing, submitted sha256 222222222222; " +
				"envg: approved nothing, submitted sha256 222222222222; envh: approved nothing, submitted sha256 222222222222; and 2 more",
		},
		"not yet open comes before another plan": {
			reason: "a window that fails later is nearer",
			ask:    func(q *change.Query) { q.At = at("01:00:00"); q.Plan.TooMany = true },
			stage:  change.NotYetOpen, why: "it opens at 2026-11-28 02:00:00 UTC",
		},
	})
}

// TestPinned: a window pins an object of Firebreak's own by the digest of its spec. Where no pin is needed, a window that pins no such
// object lets it have any spec.
func TestPinned(t *testing.T) {
	digest := func(c string) string { return "v1:sha256:" + strings.Repeat(c, 64) }
	asked := func(must bool) func(*change.Query) {
		return func(q *change.Query) {
			q.Group, q.Kind, q.Name, q.Plan, q.Pin, q.MustPin = v1alpha1.GroupName, v1alpha1.KindEnvironment, "production", nil, digest("a"), must
		}
	}
	pins := func(name v1alpha1.Glob, pin string) func(*v1alpha1.ChangeWindow) {
		return func(w *v1alpha1.ChangeWindow) {
			w.Spec.Scope.Resources = resources(v1alpha1.GroupName, v1alpha1.KindEnvironment, "*")
			w.Spec.Plan.Workloads = append(w.Spec.Plan.Workloads, v1alpha1.PlannedWorkload{ScopedResource: resources(v1alpha1.GroupName, v1alpha1.KindEnvironment, name)[0], Digest: pin})
		}
	}
	unplanned := func(w *v1alpha1.ChangeWindow) {
		pins("x", "")(w)
		w.Spec.Type, w.Spec.Plan = v1alpha1.WindowEmergency, nil
	}
	unsaid := "it does not say for which spec, and this one has digest " + digest("a")
	runWindowCases(t, map[string]windowCase{
		"the spec that was approved": {reason: "it is the same", window: pins("production", digest("a")), ask: asked(true), stage: change.Covers},
		"another spec": {
			reason: "the approver saw another spec", window: pins("production", digest("b")), ask: asked(true),
			stage: change.PlanDiffers, why: "it was approved with digest " + digest("b") + ", and this one has " + digest("a"),
		},
		"another spec, where none must be pinned": {
			reason: "the window pins it all the same", window: pins("production", digest("b")), ask: asked(false),
			stage: change.PlanDiffers, why: "it was approved with digest " + digest("b") + ", and this one has " + digest("a"),
		},
		"a pattern of names": {reason: "a pattern approves the spec of no object by its name", window: pins("prod*", digest("a")), ask: asked(true), stage: change.PlanDiffers, why: unsaid},
		"a pattern of names, where none must be pinned": {
			reason: "a pattern pins every object that it matches", window: pins("prod*", digest("b")), ask: asked(false),
			stage: change.PlanDiffers, why: "it was approved with digest " + digest("b") + ", and this one has " + digest("a"),
		},
		"another name": {reason: "it pins another object", window: pins("staging", digest("a")), ask: asked(true), stage: change.PlanDiffers, why: unsaid},
		"another name, where none must be pinned": {reason: "it pins another object, and any spec may be written", window: pins("staging", digest("b")), ask: asked(false), stage: change.Covers},
		"another kind": {
			reason: "names of different kinds are different", ask: asked(true), stage: change.PlanDiffers, why: unsaid,
			window: func(w *v1alpha1.ChangeWindow) {
				pins("production", digest("a"))(w)
				w.Spec.Plan.Workloads[1].Kind = v1alpha1.KindDataStore
			},
		},
		"another group": {
			reason: "a kind of somebody else's is another", ask: asked(true), stage: change.PlanDiffers, why: unsaid,
			window: func(w *v1alpha1.ChangeWindow) {
				pins("production", digest("a"))(w)
				w.Spec.Plan.Workloads[1].Group = "example.com"
			},
		},
		"no plan":                            {reason: "it must say", window: unplanned, ask: asked(true), stage: change.PlanDiffers, why: unsaid},
		"no plan, where none must be pinned": {reason: "it need not say", window: unplanned, ask: asked(false), stage: change.Covers},
	})
	type spec struct {
		Hosts []string `json:"hosts"`
	}
	if a, again, b := change.SpecDigest(spec{[]string{"a"}}), change.SpecDigest(spec{[]string{"a"}}), change.SpecDigest(spec{[]string{"b"}}); a != again || a == b || !strings.HasPrefix(a, "v1:sha256:") {
		t.Errorf("one spec has one digest, and another has another: %s, %s, %s", a, again, b)
	}
}

func TestLowerSlot(t *testing.T) {
	for pair, want := range map[[2]string]bool{{"1", "2"}: true, {"2", "1"}: false, {"9", "10"}: true, {"10", "9"}: false, {"1", "1"}: false} {
		if got := change.LowerSlot(pair[0], pair[1]); got != want {
			t.Errorf("slot %s is lower than slot %s: %t; slots are numbers", pair[0], pair[1], got)
		}
	}
}

func TestExhausted(t *testing.T) {
	used := func(states ...v1alpha1.ExecutionState) func(*change.State, *v1alpha1.ChangeWindow) {
		return func(s *change.State, w *v1alpha1.ChangeWindow) {
			for i, st := range states {
				s.Executions = append(s.Executions, execution(w, string(rune('0'+i)), "another-job-"+string(rune('0'+i)), st))
			}
		}
	}
	atMost := func(n int32) func(*v1alpha1.ChangeWindow) {
		return func(w *v1alpha1.ChangeWindow) { w.Spec.MaxExecutions = &n }
	}
	runWindowCases(t, map[string]windowCase{
		"used once": {
			reason: "a Normal window allows one unless it says more", state: used(v1alpha1.ExecutionUsed),
			stage: change.Exhausted, why: "it has been used once, which is all that it allows",
		},
		"reserved once": {
			reason: "a reservation counts until it is proved a phantom", state: used(v1alpha1.ExecutionPending),
			stage: change.Exhausted, why: "it has been used once, which is all that it allows",
		},
		"reserved once, status not written yet": {
			reason: "an empty state is Pending", state: used(""),
			stage: change.Exhausted, why: "it has been used once, which is all that it allows",
		},
		"given back": {reason: "a released slot is free", state: used(v1alpha1.ExecutionReleased), stage: change.Covers},
		"three of three": {
			reason: "exactly as often as it says", window: atMost(3), state: used("", v1alpha1.ExecutionUsed, v1alpha1.ExecutionUsed),
			stage: change.Exhausted, why: "it has been used 3 times, of the 3 that it allows",
		},
		"two of three, one given back": {
			reason: "one is left", window: atMost(3), state: used(v1alpha1.ExecutionUsed, v1alpha1.ExecutionReleased, v1alpha1.ExecutionUsed),
			stage: change.Covers,
		},
		"lowered below what was used": {
			reason: "more than allowed is exhausted too", window: atMost(2), state: used("", "", ""),
			stage: change.Exhausted, why: "it has been used 3 times, of the 2 that it allows",
		},
		"a maximum of zero": {
			reason: "the schema refuses it; should it be stored all the same, it is no window without limit",
			window: atMost(0), state: used(v1alpha1.ExecutionUsed),
			stage: change.Exhausted, why: "it has been used once, which is all that it allows",
		},
		"used by the same object": {
			reason: "a key that holds a slot keeps it",
			state: func(s *change.State, w *v1alpha1.ChangeWindow) {
				s.Executions = append(s.Executions, execution(w, "0", "job-1", v1alpha1.ExecutionUsed))
			},
			stage: change.Covers,
		},
		"given back by the same object": {
			reason: "what was released is held no longer, and the other holds the only slot",
			state: func(s *change.State, w *v1alpha1.ChangeWindow) {
				s.Executions = append(s.Executions, execution(w, "0", "job-1", v1alpha1.ExecutionReleased), execution(w, "1", "job-2", ""))
			},
			stage: change.Exhausted, why: "it has been used once, which is all that it allows",
		},
		"executions of a window of the same name": {
			reason: "a deleted and re-created window has another UID",
			state: func(s *change.State, w *v1alpha1.ChangeWindow) {
				other := *w
				other.UID = uid("rebuild-0")
				s.Executions = append(s.Executions, execution(&other, "0", "job-0", v1alpha1.ExecutionUsed))
			},
			stage: change.Covers,
		},
		"executions of another occurrence": {
			reason: "occurrences are counted apart",
			state: func(s *change.State, w *v1alpha1.ChangeWindow) {
				x := execution(w, "0", "job-0", v1alpha1.ExecutionUsed)
				x.Spec.Occurrence = 1
				s.Executions = append(s.Executions, x)
			},
			stage: change.Covers,
		},
	})
}

func TestHeldAndTakenSlots(t *testing.T) {
	w, q := window(), question()
	w.Spec.MaxExecutions = ptr(int32(5))
	s := &change.State{Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}}
	s.Executions = []v1alpha1.ChangeExecution{
		execution(w, "3", "job-1", ""), execution(w, "1", "job-1", v1alpha1.ExecutionUsed),
		execution(w, "0", "job-0", v1alpha1.ExecutionUsed), execution(w, "2", "job-1", v1alpha1.ExecutionReleased),
	}
	v := change.Judge(w, q, s)
	if got := strings.Join(v.Slots.Taken, " "); v.Stage != change.Covers || v.Slots.Held != "1" || got != "0 1 3" || v.Slots.Max != 5 {
		t.Errorf("a key that holds two slots keeps the lower, and a released one is not taken: held %q, taken %s of %d (%s)", v.Slots.Held, got, v.Slots.Max, v.Why)
	}
}
