package controller

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// heard notes the objects of Events.
type heard struct {
	*record.FakeRecorder
	about       []corev1.ObjectReference
	annotations map[string]string
}

func (h *heard) Event(o runtime.Object, kind, reason, message string) {
	h.about = append(h.about, *o.(*corev1.ObjectReference))
	h.FakeRecorder.Event(o, kind, reason, message)
}

func (h *heard) Eventf(o runtime.Object, kind, reason, format string, args ...any) {
	h.about = append(h.about, *o.(*corev1.ObjectReference))
	h.FakeRecorder.Eventf(o, kind, reason, format, args...)
}

func (h *heard) AnnotatedEventf(o runtime.Object, annotations map[string]string, kind, reason, format string, args ...any) {
	h.about = append(h.about, *o.(*corev1.ObjectReference))
	h.annotations = annotations
	h.FakeRecorder.Eventf(o, kind, reason, format, args...)
}

// created returns bob's request to create a Job.
func created() *policy.Request {
	gv := schema.GroupVersion{Group: "batch", Version: "v1"}
	return &policy.Request{
		Operation: policy.Create, Kind: gv.WithKind("Job"), Resource: gv.WithResource("jobs"), Namespace: "payments", Name: "reindex",
		User: authenticationv1.UserInfo{Username: "bob"},
	}
}

func denied() *policy.Decision {
	return &policy.Decision{Findings: []policy.Finding{
		{Rule: v1alpha1.RuleBlastRadius, Action: v1alpha1.ActionWarn, Environment: "production", Path: "spec.replicas", Value: "9", Message: "it scales too far"},
		{Rule: v1alpha1.RuleChangeFrozen, Action: v1alpha1.ActionDeny},
	}}
}

func underAWindow() *policy.Decision {
	return &policy.Decision{Allowed: true, Use: &policy.WindowUse{Verdict: change.Verdict{
		Window: &v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Name: "rebuild", Namespace: "payments"}}, Approvals: change.Approvals{By: []string{"alice", "dana"}},
	}}}
}

func TestWitness(t *testing.T) {
	const who = `"level"=0 "msg"=%MSG% "operation"="CREATE" "resource"="jobs.batch" "subresource"="" "namespace"="payments" "name"="reindex" "user"="bob" `
	itself := corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: "payments", Name: "reindex"}
	dry := created()
	dry.DryRun = true
	owner := admission.Outcome{
		Request: created(), Decision: denied(), Message: "no", OwnerUID: "cron-1",
		Owner: &types.NamespacedName{Namespace: "payments", Name: "nightly"}, OwnerKind: schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "CronJob"},
	}
	for name, tc := range map[string]struct {
		outcome   admission.Outcome
		msg, line string
		event     string
		regarding *corev1.ObjectReference
	}{
		"a denial": {admission.Outcome{Request: created(), Decision: denied(), Message: `jobs.batch "reindex" is forbidden`}, "denied",
			`"dryRun"=false "rules"="BlastRadius=Warn,ChangeFrozen=Deny" "message"="jobs.batch \"reindex\" is forbidden"`,
			`Warning ChangeFrozen jobs.batch "reindex" is forbidden`, &itself},
		"a denial of what is malformed": {admission.Outcome{Request: created(), Decision: &policy.Decision{}, Message: "spec is wrong"}, "denied",
			`"dryRun"=false "rules"="" "message"="spec is wrong"`, "Warning Invalid spec is wrong", &itself},
		"a denial of what a controller makes": {owner, "denied", `"dryRun"=false "rules"="BlastRadius=Warn,ChangeFrozen=Deny" "message"="no"`, "Warning ChangeFrozen no",
			&corev1.ObjectReference{APIVersion: "batch/v1", Kind: "CronJob", Namespace: "payments", Name: "nightly", UID: "cron-1"}},
		"a dry run that is denied": {admission.Outcome{Request: dry, Decision: denied(), Message: "no"}, "denied",
			`"dryRun"=true "rules"="BlastRadius=Warn,ChangeFrozen=Deny" "message"="no"`, "", nil},
		"a use of a window": {admission.Outcome{Request: created(), Decision: underAWindow(), Execution: "x-1"}, "admitted under a change window",
			`"dryRun"=false "rules"="" "window"="payments/rebuild" "execution"="x-1" "approvals"=["alice" "dana"]`,
			`Normal ChangeWindowUsed jobs.batch "reindex" admitted under change window "rebuild", approved by alice and dana`, &itself},
		"findings that warn": {admission.Outcome{Request: created(), Decision: &policy.Decision{Findings: denied().Findings[:1]}}, "admitted with findings",
			`"dryRun"=false "rules"="BlastRadius=Warn" "findings"=[{"rule"="BlastRadius" "action"="Warn" "path"="spec.replicas" "value"="9" "target"="" "environment"="production"}]`,
			`Warning BlastRadius jobs.batch "reindex" was admitted, and would be forbidden if this were enforced: BlastRadius: spec.replicas it scales too far`, &itself},
		"a finding that an exemption answers": {admission.Outcome{Request: created(), Decision: &policy.Decision{Findings: []policy.Finding{{Rule: v1alpha1.RuleBlastRadius, Action: v1alpha1.ActionAudit, Exempted: true}}}}, "admitted with findings",
			`"dryRun"=false "rules"="BlastRadius=Audit" "findings"=[{"rule"="BlastRadius" "action"="Audit" "path"="" "value"="" "target"="" "environment"=""}]`, "", nil},
		"a dry run with findings": {admission.Outcome{Request: dry, Decision: &policy.Decision{Findings: []policy.Finding{{Rule: v1alpha1.RuleBlastRadius, Action: v1alpha1.ActionAudit}}}}, "admitted with findings",
			`"dryRun"=true "rules"="BlastRadius=Audit" "findings"=[{"rule"="BlastRadius" "action"="Audit" "path"="" "value"="" "target"="" "environment"=""}]`, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, events := newStage(t, ""), &heard{FakeRecorder: record.NewFakeRecorder(10)}
			(&Recorder{Log: s.log(), Events: events}).Record(t.Context(), tc.outcome)
			if diff := cmp.Diff([]string{strings.Replace(who, "%MSG%", `"`+tc.msg+`"`, 1) + tc.line}, s.logged); diff != "" {
				t.Errorf("logged (-want +got):\n%s", diff)
			}
			if tc.event == "" {
				if len(events.Events) > 0 {
					t.Errorf("an Event: %s", <-events.Events)
				}
				return
			}
			if got := <-events.Events; got != tc.event || len(events.Events) > 0 {
				t.Errorf("Events: %s, and %d more; want %s", got, len(events.Events), tc.event)
			}
			if diff := cmp.Diff([]corev1.ObjectReference{*tc.regarding}, events.about); diff != "" {
				t.Errorf("about (-want +got):\n%s", diff)
			}
		})
	}
}

// The API server refuses Events of more than about a thousand bytes, and a denial must not go unrecorded because of its
// length.
func TestEventsAreClipped(t *testing.T) {
	const tail = " [denial 0a1b2c3d]"
	for name, tc := range map[string]struct{ message, id, want string }{
		"as long as may be": {strings.Repeat("a", 1000), "", strings.Repeat("a", 1000)},
		"one byte longer":   {strings.Repeat("a", 1001), "", strings.Repeat("a", 997) + "..."},
		"empty but for one": {"a", "", "a"},
		"with an id":        {strings.Repeat("a", 1000) + tail, "0a1b2c3d", strings.Repeat("a", 1000-len(tail)-3) + "..." + tail},
	} {
		t.Run(name, func(t *testing.T) {
			events := &heard{FakeRecorder: record.NewFakeRecorder(10)}
			(&Recorder{Log: newStage(t, "").log(), Events: events}).Record(t.Context(), admission.Outcome{Request: created(), Decision: denied(), Message: tc.message, ID: tc.id})
			if events.annotations[v1alpha1.AnnotationDenial] != tc.id || events.annotations[v1alpha1.AnnotationUser] != "bob" {
				t.Errorf("its annotations are %v", events.annotations)
			}
			if got := <-events.Events; got != "Warning ChangeFrozen "+tc.want || !utf8.ValidString(got) {
				t.Errorf("got %d bytes: %s", len(got), got)
			}
		})
	}
}
