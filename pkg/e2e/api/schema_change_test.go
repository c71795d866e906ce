package api

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

func TestSchemaOfChangeApprovals(t *testing.T) {
	const one = "name exactly one of window, freeze and execution"
	ref := map[string]string{"name": "x", "uid": "2c9a2b0e"}
	about := func(field, decision string) edits {
		return edits{"spec.window": nil, "spec." + field: ref, "spec.decision": decision}
	}
	trySchema(t, sam, v1alpha1.KindChangeApproval, map[string]schemaCase{
		"a word about nothing is refused": {
			reason: "the union; whatever the decision is for is missing too", edits: edits{"spec.window": nil},
			want: []metav1.StatusCause{invalid("spec.window", one), invalid("spec.decision", "Approve and Reject are for windows")},
		},
		"a word about two things is refused": {
			reason: "the union", edits: edits{"spec.freeze": ref},
			want: []metav1.StatusCause{invalid("spec.window", one), invalid("spec.decision", "Lift is for freezes")},
		},
		"an Approve of a freeze is refused": {
			reason: "freezes are lifted", edits: edits{"spec.window": nil, "spec.freeze": ref, "spec.decision": "Approve", "spec.digest": "sha256:" + hexDigest},
			want: []metav1.StatusCause{invalid("spec.decision", "Approve and Reject are for windows"), invalid("spec.decision", "Lift is for freezes")},
		},
		"a Lift of an execution is refused": {
			reason: "executions are released", edits: about("execution", "Lift"),
			want: []metav1.StatusCause{invalid("spec.decision", "Lift is for freezes"), invalid("spec.decision", "Release is for executions")},
		},
		"a Release of a window is refused": {
			reason: "windows are approved or rejected", edits: edits{"spec.decision": "Release"},
			want: []metav1.StatusCause{invalid("spec.decision", "Approve and Reject are for windows"), invalid("spec.decision", "Release is for executions")},
		},
		"an Approve that does not say what it approves is refused": {
			reason: "the digest is what the approver saw", edits: edits{"spec.decision": "Approve"},
			want: []metav1.StatusCause{required("spec.digest", "an approval says which words it approves")},
		},
		"an Approve of an empty digest is refused": {
			reason: "empty is no digest", edits: edits{"spec.decision": "Approve", "spec.digest": ""},
			want: []metav1.StatusCause{invalid("spec.digest", `"": spec.digest in body should match '^(v[0-9]+:)?sha256:[0-9a-f]{64}$'`)},
		},
		"a digest of another algorithm is refused": {
			reason: "only SHA-256", edits: edits{"spec.digest": "md5:" + hexDigest[:32]},
			want: []metav1.StatusCause{invalid("spec.digest", `"md5:`+hexDigest[:32]+`": spec.digest in body should match '^(v[0-9]+:)?sha256:[0-9a-f]{64}$'`)},
		},
		"an unknown decision is refused": {
			reason: "an enum", edits: edits{"spec.decision": "Maybe"},
			want: []metav1.StatusCause{unsupported("spec.decision", `"Maybe": supported values: "Approve", "Reject", "Lift", "Release"`)},
		},
		"a window without its UID is refused": {
			reason: "a re-created window starts unapproved", edits: edits{"spec.window": map[string]any{"name": "rebuild"}},
			want: []metav1.StatusCause{required("spec.window.uid", "")},
		},
		"a window with an empty UID is refused": {
			reason: "it would be nobody's", edits: edits{"spec.window.uid": ""},
			want: []metav1.StatusCause{invalid("spec.window.uid", `"": spec.window.uid in body should be at least 1 chars long`)},
		},
		"a comment without end is refused": {
			reason: "the bound, plus one", edits: edits{"spec.comment": long(2049)},
			want: []metav1.StatusCause{tooLong("spec.comment", 2048)},
		},
	})
}

func TestSchemaOfChangeFreezes(t *testing.T) {
	const fourHours = "Everything lasts four hours at most"
	from := func(start, end time.Duration) edits {
		return edits{"spec.level": "Everything", "spec.schedule": map[string]string{"start": in(start), "end": in(end)}}
	}
	trySchema(t, sam, v1alpha1.KindChangeFreeze, map[string]schemaCase{
		"a freeze until it is lifted is admitted": {reason: "the sound object of the other cases"},
		"a freeze with an empty schedule is admitted": {
			reason: "it says what no schedule says", edits: edits{"spec.schedule": map[string]any{}},
		},
		"a freeze of no environment is refused": {
			reason: "it would stop nothing", edits: edits{"spec.environments": []string{}},
			want: []metav1.StatusCause{invalid("spec.environments", "0: spec.environments in body should have at least 1 items")},
		},
		"a freeze without a reason is refused": {
			reason: "everyone whom it stops reads it", edits: edits{"spec.reason": nil},
			want: []metav1.StatusCause{required("spec.reason", "")},
		},
		"an unknown level is refused": {
			reason: "an enum", edits: edits{"spec.level": "Some"},
			want: []metav1.StatusCause{unsupported("spec.level", `"Some": supported values: "Changes", "Everything"`)},
		},
		"an unknown way to lift it is refused": {
			reason: "an enum", edits: edits{"spec.liftedBy": "Nobody"},
			want: []metav1.StatusCause{unsupported("spec.liftedBy", `"Nobody": supported values: "Anyone", "TwoPersons"`)},
		},
		"Everything without a schedule is refused": {
			reason: "the red button releases itself", edits: edits{"spec.level": "Everything"},
			want: []metav1.StatusCause{required("spec.schedule", fourHours+", so it needs schedule.end")},
		},
		"Everything without an end is refused": {
			reason: "the red button releases itself", edits: edits{"spec.level": "Everything", "spec.schedule": map[string]string{"start": in(time.Hour)}},
			want: []metav1.StatusCause{required("spec.schedule", fourHours+", so it needs schedule.end")},
		},
		"Everything again and again is refused": {
			reason: "a recurrence has no end", edits: with(edits{"spec.level": "Everything"}, "spec.schedule", recurring(nil)["spec.schedule"]),
			want: []metav1.StatusCause{required("spec.schedule", fourHours+", so it needs schedule.end")},
		},
		"Everything for longer than four hours is refused": {
			reason: "by a second", edits: from(time.Hour, 5*time.Hour+time.Second),
			want: []metav1.StatusCause{invalid("spec.schedule.end", fourHours+"; renew it by creating another one")},
		},
		"an end before the start is refused": {
			reason: "it would never hold", edits: edits{"spec.schedule": map[string]string{"start": in(2 * time.Hour), "end": in(time.Hour)}},
			want: []metav1.StatusCause{invalid("spec.schedule.end", "must be after start")},
		},
	})
}

// unreadable is CEL's message about an instant that Go cannot read.
const unreadable = `Invalid date-time formatted string 2027-03-31t00:00:00z: parsing time "2027-03-31t00:00:00z" as "2006-01-02T15:04:05": ` +
	`cannot parse "t00:00:00z" as "T" evaluating rule: must be after 1970, and written like 2027-03-31T00:00:00Z`

func TestSchemaOfExemptions(t *testing.T) {
	const nobody = "name at least one user, group or service account"
	trySchema(t, sam, v1alpha1.KindExemption, map[string]schemaCase{
		"an exemption that says everything is admitted": {reason: "the sound object of the other cases"},
		"one without subjects is refused": {
			reason: "empty never means everyone", edits: edits{"spec.subjects": map[string]any{}},
			want: []metav1.StatusCause{required("spec.subjects", nobody)},
		},
		"one whose lists of subjects are empty is refused": {
			reason: "empty never means everyone", edits: edits{"spec.subjects": map[string][]string{"users": {}, "groups": {}, "serviceAccounts": {}}},
			want: []metav1.StatusCause{required("spec.subjects", nobody)},
		},
		"one that leaves out what it must say is refused": {
			reason: "for whom, on what, why, until when", edits: edits{"spec": map[string]any{"rules": []string{"ProtectedState"}}},
			want: []metav1.StatusCause{
				required("spec.subjects", ""), required("spec.objects", ""), required("spec.reason", ""), required("spec.expiresAt", ""),
			},
		},
		"one from no rule is refused": {
			reason: "it would exempt from nothing", edits: edits{"spec.rules": []string{}},
			want: []metav1.StatusCause{invalid("spec.rules", "0: spec.rules in body should have at least 1 items")},
		},
		"one from a rule twice is refused": {
			reason: "the list is a set", edits: edits{"spec.rules": []string{"ProtectedState", "ProtectedState"}},
			want: []metav1.StatusCause{duplicate("spec.rules[1]", `"ProtectedState"`)},
		},
		"one from every rule by a star is refused": {
			reason: "rules are named, one by one", edits: edits{"spec.rules": []string{"*"}},
			want: []metav1.StatusCause{unsupported("spec.rules[0]", `"*": supported values: "IdentityOutsideEnvironment", "GrantAcrossTiers", `+
				`"BoundaryTampering", "DataStoreAcrossTiers", "NamespaceAcrossTiers", "CredentialAcrossTiers", "PlacementAcrossTiers", `+
				`"RouteAcrossTiers", "StorageAcrossTiers", "ChangeWindowRequired", "PlanMismatch", "TargetNotConfirmed", `+
				`"ExecutionsExhausted", "InteractiveAccess", "ChangeFrozen", "ProtectedState", "BlastRadius"`)},
		},
		"one for objects without names is refused": {
			reason: "all of a kind says so with a star", edits: edits{"spec.objects.names": []string{}},
			want: []metav1.StatusCause{invalid("spec.objects.names", "0: spec.objects.names in body should have at least 1 items")},
		},
		"one for objects of any kind is refused": {
			reason: "one kind each", edits: edits{"spec.objects.kind": nil},
			want: []metav1.StatusCause{required("spec.objects.kind", "")},
		},
		"one that expires in words is refused": {
			reason: "an instant", edits: edits{"spec.expiresAt": "never"},
			want: []metav1.StatusCause{wrongType("spec.expiresAt", `"never": spec.expiresAt in body must be of type date-time: "never"`)},
		},
		"one that expires at an instant in small letters is refused": {
			reason: "OpenAPI takes it and Go does not: no client could list exemptions any more", edits: edits{"spec.expiresAt": "2027-03-31t00:00:00z"},
			want: []metav1.StatusCause{invalid("spec.expiresAt", `"string": `+unreadable)},
		},
		"one that expires at the zero time is refused": {
			reason: "Go takes it for no time at all", edits: edits{"spec.expiresAt": "0001-01-01T00:00:00Z"},
			want: []metav1.StatusCause{invalid("spec.expiresAt", `"0001-01-01T00:00:00Z": must be after 1970, and written like 2027-03-31T00:00:00Z`)},
		},
	})
}

// Only Firebreak may write executions, so Firebreak sends them.
func TestSchemaOfChangeExecutions(t *testing.T) {
	trySchema(t, firebreak, v1alpha1.KindChangeExecution, map[string]schemaCase{
		"an execution as the ledger writes it is admitted": {reason: "the sound object of the other cases"},
		"one of a window without UID is refused": {
			reason: "a re-created window is another one", edits: edits{"spec.window.uid": nil},
			want: []metav1.StatusCause{required("spec.window.uid", "")},
		},
		"one without slot and key is refused": {
			reason: "the reservation itself", edits: edits{"spec.slot": "", "spec.key": ""},
			want: []metav1.StatusCause{
				invalid("spec.slot", `"": spec.slot in body should be at least 1 chars long`),
				invalid("spec.key", `"": spec.key in body should be at least 1 chars long`),
			},
		},
		"one of an unknown operation is refused": {
			reason: "an enum", edits: edits{"spec.operation": "CREATE"},
			want: []metav1.StatusCause{unsupported("spec.operation",
				`"CREATE": supported values: "Create", "Update", "Delete", "Scale", "Exec", "Attach", "PortForward", "Proxy", "Debug"`)},
		},
		"one before 1970 is refused": {
			reason: "occurrences are Unix times", edits: edits{"spec.occurrence": -1},
			want: []metav1.StatusCause{invalid("spec.occurrence", "-1: spec.occurrence in body should be greater than or equal to 0")},
		},
		"one without requester and object is refused": {
			reason: "who did what is what it records", edits: edits{"spec.requester": nil, "spec.object": nil},
			want: []metav1.StatusCause{required("spec.requester", ""), required("spec.object", "")},
		},
	})
}
