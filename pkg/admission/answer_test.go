package admission_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// own returns a request for an object of Firebreak's own kinds.
func own(kind, resource, ns, object string) ctrladmission.Request {
	r := review("sam", "sre", ns, admissionv1.Create, object)
	r.Name = "x"
	r.Kind = metav1.GroupVersionKind(v1alpha1.GVK(kind))
	r.Resource = metav1.GroupVersionResource{Group: v1alpha1.GroupName, Version: "v1alpha1", Resource: resource}
	return r
}

// A malformed object of Firebreak's own is answered as the API server does; a claim that the requester may not make is
// forbidden.
func TestRefusals(t *testing.T) {
	const schedule = `"schedule":{"start":"2026-11-28T02:00:00Z","end":"2026-11-28T04:00:00Z"},"scope":{"operations":["Create"],"resources":[{"group":"batch","kind":"Job","names":["reindex"]}]}`
	nobody := own(v1alpha1.KindChangeWindow, "changewindows", "payments", `{"metadata":{"name":"x"},"spec":{"type":"Normal","environment":"production","reason":"r",`+schedule+`}}`)
	nobody.UserInfo.Username, nobody.UserInfo.UID = "system:serviceaccount:payments:deployer", ""
	const (
		unscoped = `this is maintenance in "production": ` + maintained
		outsider = `service account "payments/deployer" is not a member of "production", to which namespace "payments" belongs`
		yourself = `act as yourself, for whoever acts as a member's account is not a member; or have the account listed in spec.identities.impersonated, which gives its power to everybody who may impersonate it`
		borrowed = `Forbidden: service account "payments/deployer" is impersonated or shows a long-lived token, and windows are requested by persons; request it as yourself`
	)
	deletion := own(v1alpha1.KindChangeFreeze, "changefreezes", "", "")
	deletion.Operation = admissionv1.Delete
	deletion.OldObject.Raw = []byte(`{"metadata":{"name":"x","uid":"f-1"},"spec":{"environments":["production"],"reason":"r","liftedBy":"TwoPersons"}}`)
	for name, tc := range map[string]struct {
		reason string
		req    ctrladmission.Request
		code   int32
		why    metav1.StatusReason
		text   string
		causes []metav1.StatusCause
	}{
		"an unknown environment": {
			reason: "the object is at fault, not who sends it",
			req:    own(v1alpha1.KindChangeWindow, "changewindows", "payments", `{"metadata":{"name":"x"},"spec":{"type":"Normal","environment":"nowhere","reason":"r",`+schedule+`}}`),
			code:   http.StatusUnprocessableEntity, why: metav1.StatusReasonInvalid,
			text:   `ChangeWindow.firebreak.dev "x" is invalid: spec.environment: Not found: "nowhere"`,
			causes: []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueNotFound, Field: "spec.environment", Message: `Not found: "nowhere"`}},
		},
		"a window that an impersonated account requests": {
			reason: "only who sends it is at fault", req: nobody, code: http.StatusForbidden, why: metav1.StatusReasonForbidden,
			text: `changewindows.firebreak.dev "x" is forbidden: ` + yourself + ` (IdentityOutsideEnvironment: ` + outsider + `); spec.requestedBy: ` + borrowed,
			causes: []metav1.StatusCause{
				{Type: "IdentityOutsideEnvironment", Message: outsider}, {Type: metav1.CauseTypeForbidden, Field: "spec.requestedBy", Message: borrowed},
			},
		},
		"a rule alone": {
			reason: "the sentence and the cause say the same", req: reindex(), code: http.StatusForbidden, why: metav1.StatusReasonForbidden,
			text:   requestOne + maintenance + ")",
			causes: []metav1.StatusCause{{Type: "ChangeWindowRequired", Message: unscoped}},
		},
		"a freeze that two persons lift": {
			reason: "no rule objects, and the object is well formed", req: deletion, code: http.StatusForbidden, why: metav1.StatusReasonForbidden,
			text:   `changefreezes.firebreak.dev "x" is forbidden: spec.liftedBy: Forbidden: this freeze is lifted by two persons, not by deleting it`,
			causes: []metav1.StatusCause{{Type: metav1.CauseTypeForbidden, Field: "spec.liftedBy", Message: "Forbidden: this freeze is lifted by two persons, not by deleting it"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrial(t)
			resp := x.Handle(t.Context(), tc.req)
			if resp.Allowed {
				t.Fatalf("admitted: %s", tc.reason)
			}
			if resp.Result.Code != tc.code || resp.Result.Reason != tc.why || said(resp) != tc.text {
				t.Errorf("got %d %s %q,\nwant %d %s %q: %s", resp.Result.Code, resp.Result.Reason, resp.Result.Message, tc.code, tc.why, tc.text, tc.reason)
			}
			if diff := cmp.Diff(tc.causes, resp.Result.Details.Causes); diff != "" {
				t.Errorf("the causes differ: %s", diff)
			}
			if len(x.told.outcomes) != 1 || x.told.outcomes[0].Message != resp.Result.Message || x.told.outcomes[0].Execution != "" {
				t.Errorf("the recorder is told %+v", x.told.outcomes)
			}
		})
	}
}

// A request that an environment only warns of is admitted, and the finding is a warning, an annotation and a count.
func TestWarnings(t *testing.T) {
	x := newTrial(t)
	req := review("sam", "sre", "edge", admissionv1.Create, strings.NewReplacer("orders.prod.db", "routes.edge.db", "payments", "edge").Replace(reindexJob))
	resp := x.Handle(t.Context(), req)
	checkAnswer(t, resp, 0, "", "the environment only warns")
	const why = `it names data store "routes", runs psql and is started by a person`
	want := []string{`this would be forbidden: request a window: kubectl firebreak request -f MANIFEST -n edge (ChangeWindowRequired: this is maintenance in "edge" (Production): ` + why + `)`}
	if diff := cmp.Diff(want, resp.Warnings); diff != "" {
		t.Errorf("the warnings differ: %s", diff)
	}
	if diff := cmp.Diff(map[string]string{"findings": "ChangeWindowRequired=Warn", "maintenance": why}, resp.AuditAnnotations); diff != "" {
		t.Errorf("the audit annotations differ: %s", diff)
	}
	if x.counted("findings_total") != 1 || len(x.told.outcomes) != 1 || x.told.outcomes[0].Message != "" {
		t.Errorf("%v findings are counted, the recorder is told %+v", x.counted("findings_total"), x.told.outcomes)
	}
}

// A dry run that would need a window is admitted with a warning, since it stores nothing.
func TestADryRunIsWarned(t *testing.T) {
	x := newTrial(t)
	req := reindex()
	req.DryRun = new(bool)
	*req.DryRun = true
	resp := x.Handle(t.Context(), req)
	checkAnswer(t, resp, 0, "", "it stores nothing")
	if len(resp.Warnings) != 1 || !strings.HasPrefix(resp.Warnings[0], "a real run would be forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments (ChangeWindowRequired: this is maintenance") {
		t.Errorf("the warnings are %q", resp.Warnings)
	}
	if resp.AuditAnnotations["findings"] != "ChangeWindowRequired=Deny" {
		t.Errorf("the audit annotations are %v", resp.AuditAnnotations)
	}
}

// A denial with many findings spells out ten and counts the others. The annotation names each rule once, and machines get all
// findings.
func TestManyFindings(t *testing.T) {
	x := newTrial(t)
	var env []string
	for i := range 40 {
		env = append(env, fmt.Sprintf(`{"name":"V%d","value":"orders.prod.db.example.com"}`, i))
	}
	req := review("dana", "developers", "dev", admissionv1.Create,
		fmt.Sprintf(`{"metadata":{"name":"reindex"},"spec":{"template":{"spec":{"containers":[{"name":"m","image":"x","env":[%s]}]}}}}`, strings.Join(env, ",")))
	r := x.Handle(t.Context(), req)
	if r.Allowed || strings.Count(r.Result.Message, "DataStoreAcrossTiers: ") != 10 || !strings.HasSuffix(said(r), "; and 30 more)") || len(r.Result.Details.Causes) != 40 {
		t.Errorf("admitted: %t, %d causes, %q", r.Allowed, len(r.Result.Details.Causes), r.Result.Message)
	}
	id := policy.DenialIDIn(r.Result.Message)
	if diff := cmp.Diff(map[string]string{"findings": "DataStoreAcrossTiers=Deny", "denial": id}, r.AuditAnnotations); diff != "" {
		t.Errorf("the audit annotations differ: %s", diff)
	}
	if got := x.counted("findings_total"); got != 40 {
		t.Errorf("%v findings are counted, want 40", got)
	}
}

// Every denial ends with an id, the same for the same request and reasons, by which its Event and its line in the audit log are found.
func TestDenialsHaveAnID(t *testing.T) {
	x := newTrial(t)
	first, again := x.Handle(t.Context(), reindex()), x.Handle(t.Context(), reindex())
	id := policy.DenialIDIn(first.Result.Message)
	if id == "" || again.Result.Message != first.Result.Message || first.AuditAnnotations["denial"] != id || x.told.outcomes[0].ID != id {
		t.Errorf("%q and %q, the audit log says %v, the recorder is told %q", first.Result.Message, again.Result.Message, first.AuditAnnotations, x.told.outcomes[0].ID)
	}
	other := reindex()
	other.UserInfo.Username = "robin"
	if got := policy.DenialIDIn(x.Handle(t.Context(), other).Result.Message); got == id || got == "" {
		t.Errorf("another user's denial has the id %q", got)
	}
}

// The recorder is told the owner of an object that a controller sends.
func TestTheOwnerIsTold(t *testing.T) {
	x := newTrial(t)
	req := reindex()
	req.UserInfo.Username, req.UserInfo.UID, req.UserInfo.Groups = "system:kube-controller-manager", "", []string{"system:authenticated"}
	req.Object.Raw = []byte(strings.Replace(reindexJob, `"metadata":{`, `"metadata":{"ownerReferences":[{"apiVersion":"batch/v1","kind":"CronJob","name":"nightly","uid":"c-1","controller":true}],`, 1))
	resp := x.Handle(t.Context(), req)
	if resp.Allowed || len(x.told.outcomes) != 1 {
		t.Fatalf("%+v, the recorder is told %+v", resp.AdmissionResponse, x.told.outcomes)
	}
	o := x.told.outcomes[0]
	got := fmt.Sprint(o.Owner, " ", o.OwnerKind, " ", o.OwnerUID)
	if want := "payments/nightly batch/v1, Kind=CronJob c-1"; got != want || o.Message != resp.Result.Message {
		t.Errorf("the recorder is told of %s and %q, want %s and %q", got, o.Message, want, resp.Result.Message)
	}
}
