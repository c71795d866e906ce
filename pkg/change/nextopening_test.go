package change_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func frozen(from, to time.Time) v1alpha1.ChangeFreeze {
	f := v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "f", CreationTimestamp: metav1.NewTime(from)}}
	f.Spec.Environments = []string{"production"}
	f.Spec.Schedule = &v1alpha1.Schedule{Start: ptr(metav1.NewTime(from))}
	if !to.IsZero() {
		f.Spec.Schedule.End = ptr(metav1.NewTime(to))
	}
	return f
}

// The next opening takes all obstacles together.
func TestNextOpeningOfTheUnion(t *testing.T) {
	tomorrow := at("02:00:00").AddDate(0, 0, 1)
	session := func(q *change.Query) { q.Session = true }
	everything := func(f v1alpha1.ChangeFreeze) *v1alpha1.ChangeFreeze {
		f.Spec.Level = v1alpha1.FreezeEverything
		return &f
	}
	for name, test := range map[string]struct {
		reason   string
		window   func(*v1alpha1.ChangeWindow)
		given    time.Time
		used     []v1alpha1.ChangeExecution
		freeze   *v1alpha1.ChangeFreeze
		opens    string
		question func(*change.Query)
	}{
		"tomorrow night":                {reason: "the base of all cases", opens: "2026-11-29 02:00:00 UTC"},
		"frozen tomorrow":               {reason: "an occurrence during a freeze is none", freeze: ptr(frozen(at("18:00:00"), tomorrow.Add(20*time.Hour))), opens: "2026-11-30 02:00:00 UTC"},
		"frozen into the night":         {reason: "what is left of an occurrence after the freeze can be used", freeze: ptr(frozen(at("18:00:00"), tomorrow.Add(time.Hour))), opens: "2026-11-29 03:00:00 UTC"},
		"frozen until it is lifted":     {reason: "nobody knows when", freeze: ptr(frozen(at("18:00:00"), time.Time{}))},
		"a session, frozen tomorrow":    {reason: "a freeze of changes stops no session", freeze: ptr(frozen(at("18:00:00"), tomorrow.Add(20*time.Hour))), question: session, opens: "2026-11-29 02:00:00 UTC"},
		"a session, all frozen":         {reason: "a freeze of everything does", freeze: everything(frozen(at("18:00:00"), tomorrow.Add(20*time.Hour))), question: session, opens: "2026-11-30 02:00:00 UTC"},
		"a session, nothing frozen":     {reason: "it waits for the window only", question: session, opens: "2026-11-29 02:00:00 UTC"},
		"used tonight":                  {reason: "the next night has its own executions", used: used(nightly(), 0, "other"), question: func(q *change.Query) { q.At = at("02:30:00") }, opens: "2026-11-29 02:00:00 UTC"},
		"the approval lapses before it": {reason: "it would have to be approved again", given: tomorrow.Add(-4380*time.Hour - time.Minute)},
		"too late to start tonight":     {reason: "the next night has its own beginning", window: func(w *v1alpha1.ChangeWindow) { w.Spec.StartBefore = &metav1.Duration{Duration: 10 * time.Minute} }, question: func(q *change.Query) { q.At = at("02:30:00") }, opens: "2026-11-29 02:00:00 UTC"},
		"it never recurs again":         {reason: "nothing temporary stays for ever", window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Recurrence.ValidUntil = metav1.NewTime(tomorrow) }},
		"another plan":                  {reason: "what would run is not what it is for", question: func(q *change.Query) { q.Plan = &change.Plan{Digest: "v1:sha256:other"} }},
		"in a zone of its own": {
			reason: "people read a recurrence in the zone in which they wrote it",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Recurrence.TimeZone = "America/New_York" },
			opens:  "2026-11-29 02:00:00 EST in America/New_York (2026-11-29 07:00:00 UTC)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := nightly()
			if test.window != nil {
				test.window(w)
			}
			a := approval(w, alice())
			if !test.given.IsZero() {
				a.CreationTimestamp = metav1.NewTime(test.given)
			}
			s := &change.State{Windows: []v1alpha1.ChangeWindow{*w}, Approvals: []v1alpha1.ChangeApproval{a}, Executions: test.used}
			if test.freeze != nil {
				s.Freezes = append(s.Freezes, *test.freeze)
			}
			q := question()
			q.At = at("12:00:00")
			if test.question != nil {
				test.question(q)
			}
			got := ""
			if v := change.NextOpening(q, s); v != nil {
				got = v.OpensAt()
			}
			if got != test.opens {
				t.Errorf("%s: opens %q, want %q", test.reason, got, test.opens)
			}
		})
	}
}

func TestWhoMayApprove(t *testing.T) {
	for name, test := range map[string]struct {
		reason   string
		n        int
		not      string
		controls estate.Controls
		want     string
	}{
		"no limit":          {reason: "nothing else is limited", n: 1, want: `another member of "production" or "pci"`},
		"several":           {reason: "it says how many", n: 2, want: `2 other members of "production" or "pci"`},
		"not the requester": {reason: "the requester is named where somebody else asks", n: 1, not: "bob", want: `another member of "production" or "pci" (not bob)`},
		"users alone": {
			reason: "one list is a limit", n: 1, controls: estate.Controls{Approvers: v1alpha1.Approvers{Users: []v1alpha1.Glob{"oidc:*"}}},
			want: `another member of "production" or "pci" (one of user "oidc:*")`,
		},
		"users, groups, and not the requester": {
			reason: "it says all limits", n: 2, not: "bob",
			controls: estate.Controls{Approvers: v1alpha1.Approvers{Users: []v1alpha1.Glob{"oidc:*"}, Groups: []v1alpha1.Glob{"leads"}}},
			want:     `2 other members of "production" or "pci" (one of user "oidc:*", group "leads"; not bob)`,
		},
		"limits of two environments": {
			reason: "each holds", n: 1,
			controls: estate.Controls{
				Approvers:     v1alpha1.Approvers{Users: []v1alpha1.Glob{"oidc:*"}},
				AlsoApprovers: []v1alpha1.Approvers{{}, {Groups: []v1alpha1.Glob{"dba"}}},
			},
			want: `another member of "production" or "pci" (one of user "oidc:*"; one of group "dba")`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := question()
			q.Environments, q.Controls = []string{"production", "pci"}, test.controls
			if got := q.Approvers(test.n, test.not); got != test.want {
				t.Errorf("%s:\n got %s\nwant %s", test.reason, got, test.want)
			}
		})
	}
}
