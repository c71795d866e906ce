package change_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// TestDigestsAreStable pins what the algorithms give for one window, one Job and one Pod. Approvals and plans in
// clusters hold such digests: a change that makes this test red would void all of them. It needs a new version of the
// algorithm beside the old one, not a new number here.
func TestDigestsAreStable(t *testing.T) {
	whole := window()
	whole.Spec.Ticket, whole.Spec.Rollback = "CHG-20417", "restore the snapshot"
	whole.Spec.MaxExecutions, whole.Spec.StartBefore, whole.Spec.Overrun = ptr(int32(3)), hours(1), v1alpha1.OverrunDeadline
	whole.Spec.Subjects = v1alpha1.Subjects{Users: []v1alpha1.Glob{"oidc:sre-*"}}
	whole.Spec.Scope.Clusters = []string{"prod-eu-1"}
	for name, test := range map[string]struct{ got, want string }{
		"a window":             {change.WindowDigest(&window().Spec), "v1:sha256:2356d4097b5f130265ed662de350dbfd8aa9a5c6b18aaacecc4cf1387f54dfd6"},
		"a window in full":     {change.WindowDigest(&whole.Spec), "v1:sha256:517d0c768a7d6950b9e17ed1b662cdf3a85b506729b0bb45dbadae48181a0781"},
		"the plan of a Job":    {change.PlanOf(manifest(t, "job-as-written"), settings).V1.Digest, "v1:sha256:899a4782a059ca842f93485024d609655a977c2f847a745485b2fe5a38b7510b"},
		"the plan of a Pod":    {change.PlanOf(manifest(t, "pod-as-written"), settings).V1.Digest, "v1:sha256:b860dc7d392cf01619e89e4e84d3cc5c527216950b8209682db5292a89e2b506"},
		"the plan of plainJob": {change.PlanOf(work(t, plainJob), settings).V1.Digest, "v1:sha256:672621125de5431fb9d9221809c8fe14ae17e3a2ecc81db2fcfcaaf107a3f626"},

		"the present plan of a Job":    {change.PlanOf(manifest(t, "job-as-written"), settings).Digest, "v2:sha256:d94db85dcf6ac9b397199d5362359a0e21fd3deb2708d969166b1c511afc2fca"},
		"the present plan of a Pod":    {change.PlanOf(manifest(t, "pod-as-written"), settings).Digest, "v2:sha256:b860dc7d392cf01619e89e4e84d3cc5c527216950b8209682db5292a89e2b506"},
		"the present plan of plainJob": {change.PlanOf(work(t, plainJob), settings).Digest, "v2:sha256:55fcdecaefaefbdc249dd5db95a76733f642680845dd864327ccb1ec9b425c2f"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("got %s, want %s", test.got, test.want)
			}
		})
	}
}

// TestWindowDigestCoversTheWords checks that the digest covers everything that an approver reads.
func TestWindowDigestCoversTheWords(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(*v1alpha1.ChangeWindowSpec)
	}{
		"reason":         {"what for", func(s *v1alpha1.ChangeWindowSpec) { s.Reason = "another" }},
		"environment":    {"where", func(s *v1alpha1.ChangeWindowSpec) { s.Environment = "pci" }},
		"start":          {"when", func(s *v1alpha1.ChangeWindowSpec) { s.Schedule.Start = instant("02:00:01") }},
		"operations":     {"what may happen", func(s *v1alpha1.ChangeWindowSpec) { s.Scope.Operations = append(s.Scope.Operations, "Delete") }},
		"names":          {"to what", func(s *v1alpha1.ChangeWindowSpec) { s.Scope.Resources[0].Names = []v1alpha1.Glob{"*"} }},
		"subjects":       {"who", func(s *v1alpha1.ChangeWindowSpec) { s.Subjects.Users = []v1alpha1.Glob{"*"} }},
		"plan":           {"what runs", func(s *v1alpha1.ChangeWindowSpec) { s.Plan = nil }},
		"executions":     {"how often", func(s *v1alpha1.ChangeWindowSpec) { s.MaxExecutions = ptr(int32(2)) }},
		"requester":      {"the stamp is among the words", func(s *v1alpha1.ChangeWindowSpec) { s.RequestedBy = carol() }},
		"overrides":      {"whether a freeze is passed", func(s *v1alpha1.ChangeWindowSpec) { s.OverridesFreeze = true }},
		"its groups":     {"the stamp as a whole", func(s *v1alpha1.ChangeWindowSpec) { s.RequestedBy.Groups = nil }},
		"rollback":       {"how it is undone", func(s *v1alpha1.ChangeWindowSpec) { s.Rollback = "x" }},
		"the last start": {"until when it may start", func(s *v1alpha1.ChangeWindowSpec) { s.StartBefore = hours(1) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := window()
			test.change(&w.Spec)
			if change.WindowDigest(&w.Spec) == change.WindowDigest(&window().Spec) {
				t.Errorf("%s: the digest is the same", test.reason)
			}
		})
	}
}
