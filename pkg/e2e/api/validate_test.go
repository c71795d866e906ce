package api

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// judgedCase is an object that the CRD accepts and the webhook judges.
type judgedCase struct {
	reason string
	// user sends the object, by default sam.
	user  string
	edits []edits
	// want are the causes of the refusal. If empty, the object is admitted.
	want []metav1.StatusCause
	// forbids is set if the objection is to the sender or the place: the status is then 403, not 422.
	forbids *refusal
}

func tryJudged(t *testing.T, kind string, cases map[string]judgedCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			user := tc.user
			if user == "" {
				user = sam
			}
			o := object(t, kind, tc.edits...)
			err := as(t, user).Create(t.Context(), o, client.DryRunAll)
			switch {
			case tc.forbids != nil:
				wantRefused(t, err, *tc.forbids)
			case len(tc.want) > 0:
				wantInvalid(t, err, webhook, kind, o.GetName(), tc.want...)
			case err != nil:
				t.Errorf("refused: %v", err)
			}
			if t.Failed() {
				t.Logf("reason of the case: %s", tc.reason)
			}
		})
	}
}

// lasts returns the edits for a window that opens at an instant after the tests began, and stays open for some time.
func lasts(from, length time.Duration) edits {
	return edits{"spec.schedule.start": in(from), "spec.schedule.end": in(from + length)}
}

// ends quotes the end of such a window as messages do.
func ends(from, length time.Duration) string {
	return `"` + change.Instant(now.Add(from+length)) + `": `
}

const day = 24 * time.Hour

func TestWindowsAreJudged(t *testing.T) {
	const (
		plan = "the environment requires that a window which creates or updates workloads pins what may run; " +
			"kubectl firebreak request computes it from the manifest"
	)
	creates := func(kind, group string) edits {
		return edits{"spec.scope.operations": []string{"Create"},
			"spec.scope.resources": []map[string]any{{"group": group, "kind": kind, "names": []string{"*"}}}}
	}
	home := edits{"metadata.namespace": stage.Namespace, "spec.scope.clusters": []string{stage.Cluster}}
	tryJudged(t, v1alpha1.KindChangeWindow, map[string]judgedCase{
		"a window of eight hours within a year": {
			reason: "the bounds themselves are admitted", edits: []edits{lasts(300*day, 8*time.Hour)},
		},
		"a window that is open already": {reason: "there is no minimum notice", edits: []edits{lasts(-time.Hour, 2*time.Hour)}},
		"an environment that does not exist": {
			reason: "the requester types it, so that a typing error shows", edits: []edits{{"spec.environment": "prodution"}},
			want: []metav1.StatusCause{notFound("spec.environment", `"prodution"`)},
		},
		"an environment of another tier": {
			reason: "no window is needed there", edits: []edits{{"spec.environment": "staging"}},
			want: []metav1.StatusCause{invalid("spec.environment", `"staging": changes need windows in environments of tier Production only`)},
		},
		"another environment than the namespace's": {
			reason: "it confirms the target", edits: []edits{{"spec.environment": "ledger", "spec.rollback": "restore"}},
			want: []metav1.StatusCause{invalid("spec.environment", `"ledger": namespace "payments" belongs to "production"`)},
		},
		"a window for production in a namespace of another tier": {
			reason: "it would confirm what is not true", edits: []edits{{"metadata.namespace": "staging"}},
			want: []metav1.StatusCause{invalid("spec.environment", `"production": namespace "staging" belongs to "staging"`)},
		},
		"a window that is over": {
			reason: "an approval of it would mean nothing", edits: []edits{lasts(-3*time.Hour, time.Hour)},
			want: []metav1.StatusCause{invalid("spec.schedule.end", ends(-3*time.Hour, time.Hour)+"must be in the future")},
		},
		"a window longer than the environment allows": {
			reason: "by a second", edits: []edits{lasts(time.Hour, 8*time.Hour+time.Second)},
			want: []metav1.StatusCause{invalid("spec.schedule.end",
				ends(time.Hour, 8*time.Hour+time.Second)+"the window would last 8h0m1s, and the environment allows 8h0m0s")},
		},
		"a window in more than a year": {
			reason: "nobody who approves it will remember", edits: []edits{lasts(367*day, time.Hour)},
			want: []metav1.StatusCause{invalid("spec.schedule.end", ends(367*day, time.Hour)+"must be at most a year ahead")},
		},
		"a window that creates Jobs and pins nothing": {
			reason: "whatever is in scope could run", edits: []edits{creates("Job", "batch")},
			want: []metav1.StatusCause{required("spec.plan", plan)},
		},
		"a window that creates Deployments and pins nothing": {
			reason: "they run something, too", edits: []edits{creates("Deployment", "apps")},
			want: []metav1.StatusCause{required("spec.plan", plan)},
		},
		"a window that creates what runs nothing, and pins nothing": {
			reason: "there is nothing to pin", edits: []edits{creates("Service", "")},
		},
		"a pin with no fields beside it": {
			reason: "the fields are for people", edits: []edits{creates("Job", "batch"), {"spec.plan": map[string]any{"workloads": planned(nil)}}},
		},
		"a pin that is not the digest of its fields": {
			reason: "the approver would read fields that are not what is pinned",
			edits: []edits{creates("Job", "batch"), {"spec.plan": map[string]any{"workloads": planned(edits{
				"fields": []map[string]string{{"path": "spec.containers[0].image", "digest": hexDigest, "text": image}}})}}},
			want: []metav1.StatusCause{invalid("spec.plan.workloads[0].digest", `"v2:sha256:`+hexDigest+`": is not the digest of the fields beside it`)},
		},
		"a Standard window": {reason: "it recurs, with a pinned plan", edits: []edits{recurring(nil)}},
		"a Standard window whose occurrences are too long": {
			reason: "each of them is bounded", edits: []edits{recurring(edits{"duration": "9h"})},
			want: []metav1.StatusCause{invalid("spec.schedule.recurrence.duration", `"9h0m0s": each occurrence would last 9h0m0s, and the environment allows 8h0m0s`)},
		},
		"a Standard window that restricts both kinds of day": {
			reason: "cron joins them with or", edits: []edits{recurring(edits{"cron": "0 2 1 * 6"})},
			want: []metav1.StatusCause{invalid("spec.schedule.recurrence.cron",
				`"0 2 1 * 6": restricts the day of the month and the day of the week; cron joins the two with "or", which nobody expects: restrict one of them`)},
		},
		"a Standard window that never opens": {
			reason: "somebody believes that it does", edits: []edits{recurring(edits{"cron": "0 0 30 2 *"})},
			want: []metav1.StatusCause{invalid("spec.schedule.recurrence.cron", `"0 0 30 2 *": never fires`)},
		},
		"a Standard window in no zone": {
			reason: "it is never read as UTC", edits: []edits{recurring(edits{"timeZone": "Europe/Atlantis"})},
			want: []metav1.StatusCause{invalid("spec.schedule.recurrence.timeZone", `"Europe/Atlantis": is not the IANA name of a zone, such as Europe/London or UTC`)},
		},
		"a window without the rollback that its environment requires": {
			reason: "the approver asks for it anyway", edits: []edits{{"metadata.namespace": "ledger", "spec.environment": "ledger"}},
			want: []metav1.StatusCause{required("spec.rollback", `environment "ledger" requires that a window says how it is undone`)},
		},
		"everything that is wrong at once": {
			reason: "a person mends it in one go",
			edits:  []edits{{"metadata.namespace": "ledger", "spec.environment": "ledger"}, lasts(time.Hour, 2*time.Hour), creates("Job", "batch")},
			want: []metav1.StatusCause{
				invalid("spec.schedule.end", ends(time.Hour, 2*time.Hour)+"the window would last 2h0m0s, and the environment allows 1h30m0s"),
				required("spec.plan", plan),
				required("spec.rollback", `environment "ledger" requires that a window says how it is undone`),
			},
		},
		"a window in Firebreak's namespace that lists another environment's namespace": {
			reason: "it opens one environment", edits: []edits{home, {"spec.scope.namespaces": []string{"payments", "ledger", "nowhere"}}},
			want: []metav1.StatusCause{
				invalid("spec.scope.namespaces[1]", `"ledger": is not a namespace of environment "production"`),
				invalid("spec.scope.namespaces[2]", `"nowhere": is not a namespace of environment "production"`),
			},
		},
	})
}

// Windows are requested by persons, and by the automations that the environment names.
func TestWhoMayRequest(t *testing.T) {
	ledger := edits{"metadata.namespace": "ledger", "spec.environment": "ledger", "spec.rollback": "restore"}
	const notAPerson = ` is not a person, and windows are requested by persons, or by service accounts that spec.changeControl.automatedRequesters names; let a person request it`
	tryJudged(t, v1alpha1.KindChangeWindow, map[string]judgedCase{
		"a service account that the environment names": {
			reason: "two different persons must then approve", user: releaser, edits: []edits{ledger},
		},
		"a service account that no environment names": {
			reason: "every right, but no person", user: bot,
			forbids: of(byWebhook("changewindows", "rebuild", forbidden("spec.requestedBy", `service account "ci/bot"`+notAPerson))),
		},
		"a user that automation is listed under": {
			reason: "a pipeline with a user's name is no person", user: "ci-deployer",
			forbids: of(byWebhook("changewindows", "rebuild", forbidden("spec.requestedBy", `user "ci-deployer"`+notAPerson))),
		},
	})
	t.Run("somebody who impersonates the named service account", func(t *testing.T) {
		err := impersonating(t, sam, releaser).Create(t.Context(), object(t, v1alpha1.KindChangeWindow, ledger), client.DryRunAll)
		const outsider = `IdentityOutsideEnvironment: service account "ci/releaser" is not a member of "ledger" (Production), to which namespace "ledger" belongs`
		const borrowed = `spec.requestedBy: Forbidden: service account "ci/releaser" is impersonated or shows a long-lived token, and windows are requested by persons; request it as yourself`
		if err == nil || !strings.Contains(err.Error(), outsider) || !strings.Contains(err.Error(), borrowed) {
			t.Errorf("got %v\nwant %s and %s", err, outsider, borrowed)
		}
	})
}

func TestFreezesAreJudged(t *testing.T) {
	tryJudged(t, v1alpha1.KindChangeFreeze, map[string]judgedCase{
		"environments that do not exist": {
			reason: "a typing error would be found out on the day that was to be frozen", edits: []edits{{"spec.environments": []string{"staging", "stagin", "prod"}}},
			want: []metav1.StatusCause{notFound("spec.environments[1]", `"stagin"`), notFound("spec.environments[2]", `"prod"`)},
		},
		"Everything": {
			reason: "for four hours",
			edits:  []edits{{"spec.level": "Everything", "spec.schedule": map[string]string{"start": in(time.Hour), "end": in(5 * time.Hour)}}},
		},
		"Everything, at once and for longer": {
			reason: "nothing may stay so for long",
			edits:  []edits{{"spec.level": "Everything", "spec.schedule": map[string]string{"end": in(5 * time.Hour)}}},
			want:   []metav1.StatusCause{invalid("spec.schedule.end", `"`+change.Instant(now.Add(5*time.Hour))+`": Everything lasts four hours at most; renew it by creating another one`)},
		},
		"two persons": {
			reason: "their words are heeded", edits: []edits{{"spec.liftedBy": "TwoPersons"}},
		},
		"a recurrence": {
			reason: "every Saturday", edits: []edits{{"spec.schedule": recurring(nil)["spec.schedule"]}},
		},
		"one that is over": {
			reason: "it would stop nothing, and somebody believes it does", edits: []edits{{"spec.schedule": map[string]string{"end": in(-time.Hour)}}},
			want: []metav1.StatusCause{invalid("spec.schedule.end", `"`+now.Add(-time.Hour).String()+`": must be in the future`)},
		},
		"one that is planned": {
			reason: "freezes have no bound ahead", edits: []edits{{"spec.schedule": map[string]string{"start": in(400 * day), "end": in(410 * day)}}},
		},
	})
}

func TestExemptionsAreJudged(t *testing.T) {
	expires := func(d time.Duration) []edits { return []edits{{"spec.expiresAt": in(d)}} }
	tryJudged(t, v1alpha1.KindExemption, map[string]judgedCase{
		"one of thirty days": {reason: "the bound itself", edits: expires(30 * day)},
		"one of more than thirty days": {
			reason: "nothing temporary stays for ever", edits: expires(30*day + 10*time.Minute),
			want: []metav1.StatusCause{invalid("spec.expiresAt", `"`+now.Add(30*day+10*time.Minute).String()+`": must be at most 30 days ahead`)},
		},
		"one that has expired": {
			reason: "it would never count", edits: expires(-time.Minute),
			want: []metav1.StatusCause{invalid("spec.expiresAt", `"`+now.Add(-time.Minute).String()+`": must be in the future`)},
		},
	})
}

func TestEnvironmentsAreJudged(t *testing.T) {
	selector := map[string]any{"matchExpressions": []map[string]any{{"key": "env", "operator": "Near", "values": []string{"prod"}}}}
	tryJudged(t, v1alpha1.KindEnvironment, map[string]judgedCase{
		"a selector with an operator that there is not": {
			reason: "it would match nothing, and the namespaces be unprotected", edits: []edits{{"spec.namespaces.selector": selector}},
			want: []metav1.StatusCause{invalid("spec.namespaces.selector", `"Near" is not a valid label selector operator`)},
		},
		"a node selector with a malformed value": {
			reason: "the same for the pool", edits: []edits{{"spec.nodes.selector": map[string]any{"matchLabels": map[string]string{"pool": "a b"}}}},
			want: []metav1.StatusCause{invalid("spec.nodes.selector",
				`values[0][pool]: Invalid value: "a b": `+validation.IsValidLabelValue("a b")[0])},
		},
		"a selector of protected state with a malformed key": {
			reason: "the same for what must not be deleted",
			edits:  []edits{controlled("protectedState.selector", map[string]any{"matchLabels": map[string]string{"a/b/c": "x"}})},
			want: []metav1.StatusCause{invalid("spec.changeControl.protectedState.selector",
				`key: Invalid value: "a/b/c": `+strings.Replace(validation.IsQualifiedName("a/b/c")[0], "a qualified name", "a valid label key", 1))},
		},
		"a gateway whose host is none": {
			reason: "nothing would ever go through it",
			edits:  []edits{{"spec.gateways": []map[string]any{{"host": "proxy..example.com", "from": []string{"staging"}, "reason": "copy", "expiresAt": in(day)}}}},
			want:   []metav1.StatusCause{invalid("spec.gateways[0].host", `"proxy..example.com": must be a host name or an address`)},
		},
	})
}

func TestDataStoresAreJudged(t *testing.T) {
	const noHost = "must be a host name, without scheme and port; a leading *. is allowed"
	tryJudged(t, v1alpha1.KindDataStore, map[string]judgedCase{
		"hosts that are none": {
			reason: "each is named by its place", edits: []edits{{"spec.hosts": []string{"a..b", "db.example.com", "*.b\\c", "db.1"}}},
			want: []metav1.StatusCause{
				invalid("spec.hosts[0]", `"a..b": `+noHost), invalid("spec.hosts[2]", `"*.b\\c": `+noHost), invalid("spec.hosts[3]", `"db.1": `+noHost),
			},
		},
	})
	t.Run("a store that becomes malformed", func(t *testing.T) {
		o := create(t, sam, object(t, v1alpha1.KindDataStore))
		before := stored(t, o)
		err := as(t, sam).Patch(t.Context(), edited(t, before, edits{"spec.hosts.0": "a..b"}), client.MergeFrom(before))
		wantInvalid(t, err, webhook, v1alpha1.KindDataStore, "cache", invalid("spec.hosts[0]", `"a..b": `+noHost))
	})
}
