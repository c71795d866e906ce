package change_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// several returns windows of different nearness, all approved but "unapproved".
func several(names ...string) *change.State {
	s := &change.State{}
	for _, name := range names {
		w := window()
		w.Name, w.UID = name, uid(name+"-uid")
		switch {
		case name == "elsewhere":
			w.Namespace = "prod-web"
		case name == "us":
			w.Spec.Scope.Clusters = []string{"prod-us-1"}
		case name == "staging":
			w.Spec.Environment = "staging"
		case name == "closed":
			w.Spec.Schedule.End = instant("02:15:00")
		case strings.HasPrefix(name, "three"):
			w.Spec.Schedule.Start = instant("03:00:00")
		case name == "five":
			w.Spec.Schedule.Start, w.Spec.Schedule.End = instant("05:00:00"), instant("06:00:00")
		case name == "carols":
			w.Spec.RequestedBy = carol()
		case name == "unplanned":
			w.Spec.Plan.Workloads[0].Names = []v1alpha1.Glob{"x"}
		}
		s.Windows = append(s.Windows, *w)
		if name != "unapproved" {
			s.Approvals = append(s.Approvals, approval(w, alice()))
		}
		if name == "used" {
			s.Executions = append(s.Executions, execution(w, "0", "job-0", v1alpha1.ExecutionUsed))
		}
	}
	return s
}

func TestNearest(t *testing.T) {
	for name, test := range map[string]struct {
		reason  string
		windows []string
		want    string
		stage   change.Stage
	}{
		"none at all":          {"there is nothing to name", nil, "", change.OutOfScope},
		"none in scope":        {"a window for something else is no near miss", []string{"elsewhere"}, "", change.OutOfScope},
		"one that covers":      {"it wins over every other", []string{"used", "five", "open", "closed"}, "open", change.Covers},
		"two that cover":       {"the name decides, so that all replicas name the same", []string{"open-b", "open-a"}, "open-a", change.Covers},
		"used before planned":  {"a used-up window was nearer than one with another plan", []string{"unplanned", "used"}, "used", change.Exhausted},
		"plan before opening":  {"another plan is nearer than another time", []string{"five", "unplanned"}, "unplanned", change.PlanDiffers},
		"the next opening":     {"of two that open later, the sooner", []string{"five", "three"}, "three", change.NotYetOpen},
		"opening at one time":  {"then the name decides", []string{"three-b", "three-a"}, "three-a", change.NotYetOpen},
		"opening before words": {"what is approved is nearer than what is not", []string{"unapproved", "five"}, "five", change.NotYetOpen},
		"words before closing": {"what can still be approved is nearer than what is over", []string{"closed", "unapproved"}, "unapproved", change.Unapproved},
		"closed before others": {"mine, but over, is nearer than another's", []string{"carols", "closed"}, "closed", change.Closed},
		"another's":            {"nearer than one of another environment", []string{"staging", "carols"}, "carols", change.NotYours},
		"another environment":  {"nearer than one of another cluster", []string{"us", "staging"}, "staging", change.OtherEnvironment},
		"another cluster":      {"nearer than nothing", []string{"us", "elsewhere"}, "us", change.OtherCluster},
	} {
		t.Run(name, func(t *testing.T) {
			v := change.Nearest(question(), several(test.windows...))
			got, stage := "", change.OutOfScope
			if v != nil {
				got, stage = v.Window.Name, v.Stage
			}
			if got != test.want || stage != test.stage {
				t.Errorf("%s: got %q at stage %d, want %q at stage %d", test.reason, got, stage, test.want, test.stage)
			}
		})
	}
}

// In a freeze, Nearest names the window that passes the freeze before another that covers, even if the other opens first and has the lower name.
func TestNearestInAFreeze(t *testing.T) {
	fire := emergency("z-fire", at("02:00:00"))
	fire.Spec.Schedule.Start, fire.Spec.OverridesFreeze = instant("02:20:00"), true
	for name, test := range map[string]struct {
		frozen bool
		want   string
	}{"a freeze": {true, "z-fire"}, "no freeze": {false, "open"}} {
		s := several("open")
		for _, w := range []*v1alpha1.ChangeWindow{fire, &several("open-b").Windows[0]} {
			s.Windows, s.Approvals = append(s.Windows, *w), append(s.Approvals, approval(w, alice()))
		}
		q := question()
		q.Frozen = test.frozen
		if v := change.Nearest(q, s); v == nil || v.Stage != change.Covers || v.Window.Name != test.want {
			t.Errorf("%s: got %+v, want %s", name, v, test.want)
		}
	}
}

func TestNextOpening(t *testing.T) {
	for name, test := range map[string]struct {
		reason  string
		windows []string
		want    string
	}{
		"the sooner of two":          {"that is what next means", []string{"five", "three"}, "three"},
		"not what is open":           {"it has opened", []string{"open"}, ""},
		"not what is over":           {"it will not open again", []string{"closed"}, ""},
		"not what nobody approved":   {"it may never open", []string{"unapproved"}, ""},
		"not another's":              {"it will not open for this requester", []string{"carols"}, ""},
		"not what is somewhere else": {"it will not open here", []string{"elsewhere", "us"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if v := change.NextOpening(question(), several(test.windows...)); v != nil {
				got = v.Window.Name
			}
			if got != test.want {
				t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
			}
		})
	}
	t.Run("not what is open but may not be used any more", func(t *testing.T) {
		s := several("open")
		q := question()
		q.Scheduled = ptr(at("01:00:00"))
		if v := change.NextOpening(q, s); v != nil {
			t.Errorf("a run that came late has no next opening in the window it missed: got %s", v.Window.Name)
		}
	})
}

func TestCandidates(t *testing.T) {
	s := several("open", "elsewhere", "closed", "us")
	var got []string
	for _, w := range change.Candidates([]*change.Query{question()}, s) {
		got = append(got, w.Name)
	}
	if diff := cmp.Diff([]string{"open", "closed", "us"}, got); diff != "" {
		t.Errorf("candidates are the windows in scope, whatever else may be wrong with them (-want +got):\n%s", diff)
	}
}

func TestSummarise(t *testing.T) {
	type want struct {
		Phase                    v1alpha1.WindowPhase
		Reason, Message, Approve string
	}
	for name, test := range map[string]struct {
		reason string
		window func(*v1alpha1.ChangeWindow)
		words  func(*v1alpha1.ChangeWindow) []v1alpha1.ChangeApproval
		used   int
		clock  string
		want   want
	}{
		"nobody approved it": {
			reason: "it waits for words", clock: "01:00:00",
			words: func(*v1alpha1.ChangeWindow) []v1alpha1.ChangeApproval { return nil },
			want:  want{v1alpha1.WindowPending, "ApprovalsMissing", "0 of 1 approvals", "one approval is needed"},
		},
		"approved, before its start": {
			reason: "it waits for its time", clock: "01:00:00",
			want: want{v1alpha1.WindowApproved, "NotYetOpen", "opens at 2026-11-28 02:00:00 UTC", "approved by oidc:sre-alice"},
		},
		"open": {
			reason: "now", clock: "02:00:00",
			want: want{v1alpha1.WindowOpen, "Open", "until 2026-11-28 04:00:00 UTC", "approved by oidc:sre-alice"},
		},
		"used up": {
			reason: "one is all", clock: "02:30:00", used: 1,
			want: want{v1alpha1.WindowExhausted, "Exhausted", "used once, which is all that it allows", "approved by oidc:sre-alice"},
		},
		"closed": {
			reason: "over", clock: "04:00:00", used: 1,
			want: want{v1alpha1.WindowClosed, "Closed", "closed at 2026-11-28 04:00:00 UTC", "approved by oidc:sre-alice"},
		},
		"rejected": {
			reason: "a Reject blocks, whatever else was said", clock: "02:30:00",
			words: func(w *v1alpha1.ChangeWindow) []v1alpha1.ChangeApproval {
				return []v1alpha1.ChangeApproval{approval(w, alice()), rejection(w, carol(), "no")}
			},
			want: want{v1alpha1.WindowRejected, "Rejected", "rejected by oidc:dba-carol", "rejected by oidc:dba-carol"},
		},
		"for another cluster": {
			reason: "it says so here, and opens there", clock: "02:30:00",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Clusters = []string{"prod-us-1"} },
			want:   want{v1alpha1.WindowPending, "OtherCluster", `it is for cluster "prod-us-1", and this is "prod-eu-1"`, "approved by oidc:sre-alice"},
		},
		"being deleted": {
			reason: "a finalizer keeps it, and nobody may use it any more", clock: "02:30:00",
			window: func(w *v1alpha1.ChangeWindow) { w.DeletionTimestamp = instant("02:10:00") },
			want:   want{v1alpha1.WindowClosed, "Deleted", "it is being deleted", "approved by oidc:sre-alice"},
		},
		"too late to begin": {
			reason: "what begins now would not be over in time", clock: "03:30:00",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.StartBefore = hours(1) },
			want:   want{v1alpha1.WindowClosed, "StartPassed", "executions had to start before 2026-11-28 03:00:00 UTC", "approved by oidc:sre-alice"},
		},
		"of Firebreak's own namespace, for no cluster": {
			reason: "it must say for which", clock: "02:30:00",
			window: func(w *v1alpha1.ChangeWindow) { w.Namespace = "firebreak-system" },
			want:   want{v1alpha1.WindowPending, "OtherCluster", "it names no cluster, which a window in Firebreak's own namespace must", "approved by oidc:sre-alice"},
		},
		"malformed": {
			reason: "it will never open", clock: "02:30:00",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.End = instant("01:00:00") },
			want:   want{v1alpha1.WindowInvalid, "Malformed", "it ends before it starts", "approved by oidc:sre-alice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := window()
			if test.window != nil {
				test.window(w)
			}
			words := []v1alpha1.ChangeApproval{approval(w, alice())}
			if test.words != nil {
				words = test.words(w)
			}
			var used []v1alpha1.ChangeExecution
			for range test.used {
				used = append(used, execution(w, "0", "k", v1alpha1.ExecutionUsed))
			}
			s := change.Summarise(w, change.Query{At: at(test.clock), Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system", Controls: estate.ControlsOf(nil), Unfit: unfit}, &change.State{Approvals: words, Executions: used})
			if diff := cmp.Diff(test.want, want{s.Phase, s.Reason, s.Message, s.ApprovalMessage()}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// An emergency passes a freeze only if a second person has approved it, even if the environment requires no approval of
// windows.
func TestOverridingNeedsAnApproval(t *testing.T) {
	for name, tc := range map[string]struct {
		required  int32
		approvals int
		want      bool
	}{
		"none wanted, none given": {0, 0, false},
		"none wanted, one given":  {0, 1, true},
		"one wanted, one given":   {1, 1, true},
		"two wanted, one given":   {2, 1, false},
	} {
		w, q := emergency("fire", at("02:00:00")), question()
		w.Spec.OverridesFreeze = true
		q.Controls.RequiredApprovals = tc.required
		s := &change.State{Windows: []v1alpha1.ChangeWindow{*w}}
		if tc.approvals > 0 {
			s.Approvals = []v1alpha1.ChangeApproval{approval(w, alice())}
		}
		v := change.Judge(w, q, s)
		if got := v.Overrides(q); v.Stage != change.Covers || got != tc.want {
			t.Errorf("%s: it overrides: %t (%s), want %t", name, got, v.Why, tc.want)
		}
	}
}
