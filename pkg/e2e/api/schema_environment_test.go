package api

import (
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// controlled is an Environment of tier Production with change control.
func controlled(field string, value any) edits {
	return edits{"spec.tier": "Production", "spec.changeControl." + field: value}
}

func TestSchemaOfEnvironments(t *testing.T) {
	const onlyProduction = "only an environment of tier Production has change control"
	below := func(field string, value, least int) metav1.StatusCause {
		return invalid(field, strconv.Itoa(value)+": "+field+" in body should be greater than or equal to "+strconv.Itoa(least))
	}
	above := func(field string, value, most int) metav1.StatusCause {
		return invalid(field, strconv.Itoa(value)+": "+field+" in body should be less than or equal to "+strconv.Itoa(most))
	}
	trySchema(t, sam, v1alpha1.KindEnvironment, map[string]schemaCase{
		"an environment with nothing but its tier is admitted": {reason: "the sound object of the other cases"},
		"one without a tier is refused": {
			reason: "which side is the one thing it must say", edits: edits{"spec": map[string]any{}},
			want: []metav1.StatusCause{required("spec.tier", "")},
		},
		"one without a spec is refused": {
			reason: "so that nobody is a member of nothing by accident", edits: edits{"spec": nil},
			want: []metav1.StatusCause{required("spec", "")},
		},
		"an unknown tier is refused": {
			reason: "an enum", edits: edits{"spec.tier": "production"},
			want: []metav1.StatusCause{unsupported("spec.tier", `"production": supported values: "Production", "NonProduction", "Shared"`)},
		},
		"a name that fits no label is refused": {
			reason: "it is used as one", edits: edits{"metadata.name": long(64)},
			want: []metav1.StatusCause{invalid("<nil>", "metadata.name must be at most 63 characters, so that it fits a label")},
		},
		"a name that just fits a label is admitted": {reason: "the bound itself", edits: edits{"metadata.name": long(63)}},
		"change control outside Production is refused": {
			reason: "it would look like a protection and be none", edits: edits{"spec.changeControl": map[string]any{}},
			want: []metav1.StatusCause{forbidden("spec.changeControl", onlyProduction)},
		},
		"change control of a Shared environment is refused": {
			reason: "Shared is not Production", edits: edits{"spec.tier": "Shared", "spec.changeControl": map[string]any{}},
			want: []metav1.StatusCause{forbidden("spec.changeControl", onlyProduction)},
		},
		"no approvals are admitted": {
			reason: "0 is legal, so that lowering it is judged as a weakening", edits: controlled("requiredApprovals", 0),
		},
		"fewer than no approvals are refused": {
			reason: "the bound, less one", edits: controlled("requiredApprovals", -1),
			want: []metav1.StatusCause{below("spec.changeControl.requiredApprovals", -1, 0)},
		},
		"more approvals than anybody finds are refused": {
			reason: "the bound, plus one", edits: controlled("requiredApprovals", 11),
			want: []metav1.StatusCause{above("spec.changeControl.requiredApprovals", 11, 10)},
		},
		"an unknown maintenance mode is refused": {
			reason: "an enum", edits: controlled("maintenance", "None"),
			want: []metav1.StatusCause{unsupported("spec.changeControl.maintenance", `"None": supported values: "Detect", "Labeled", "All"`)},
		},
		"an unknown interactive access is refused": {
			reason: "an enum", edits: controlled("interactiveAccess", "Warn"),
			want: []metav1.StatusCause{unsupported("spec.changeControl.interactiveAccess", `"Warn": supported values: "Allow", "WindowRequired", "Deny"`)},
		},
		"blast radius out of bounds is refused": {
			reason: "each bound, and one beyond",
			edits:  controlled("blastRadius", map[string]any{"maxScaleDownPercent": 101, "maxScaleUpFactor": 0, "maxScaleFromZero": -1, "autoscalers": "Ask"}),
			want: []metav1.StatusCause{
				above("spec.changeControl.blastRadius.maxScaleDownPercent", 101, 100),
				below("spec.changeControl.blastRadius.maxScaleUpFactor", 0, 1),
				below("spec.changeControl.blastRadius.maxScaleFromZero", -1, 0),
				unsupported("spec.changeControl.blastRadius.autoscalers", `"Ask": supported values: "Deny", "Warn", "Audit"`),
			},
		},
		"an automated requester that is no service account is refused": {
			reason: "namespace and name", edits: controlled("automatedRequesters", []string{"jenkins"}),
			want: []metav1.StatusCause{invalid("spec.changeControl.automatedRequesters[0]",
				`"jenkins": spec.changeControl.automatedRequesters[0] in body should match '^[^/]+/[^/]+$'`)},
		},
		"an unknown rule is refused": {
			reason: "a rule misspelt would not be enforced as somebody believes",
			edits:  edits{"spec.enforcement.rules": map[string]string{"DatastoreAcrossTiers": "Warn"}},
			want:   []metav1.StatusCause{invalid("spec.enforcement.rules", "keys must be names of rules, such as DataStoreAcrossTiers")},
		},
		"an unknown action is refused": {
			reason: "an enum, in both places", edits: edits{"spec.enforcement": map[string]any{"default": "Ignore", "rules": map[string]string{"ProtectedState": "Off"}}},
			want: []metav1.StatusCause{
				unsupported("spec.enforcement.default", `"Ignore": supported values: "Deny", "Warn", "Audit"`),
				unsupported("spec.enforcement.rules.ProtectedState", `"Off": supported values: "Deny", "Warn", "Audit"`),
			},
		},
		"self-healing and unlisted automation that nobody is told of are refused": {
			reason: "Audit is not among what these two may be", edits: edits{"spec.enforcement": map[string]any{"selfHealing": "Audit", "unlistedAutomation": "Audit"}},
			want: []metav1.StatusCause{
				invalid("spec.enforcement.selfHealing", "must be Warn or Deny, since somebody must be told"),
				invalid("spec.enforcement.unlistedAutomation", "must be Warn or Deny, since somebody must be told"),
			},
		},
		"an empty glob is refused": {
			reason: "it would match nothing", edits: edits{"spec.namespaces.names": []string{""}},
			want: []metav1.StatusCause{invalid("spec.namespaces.names[0]", `"": spec.namespaces.names[0] in body should be at least 1 chars long`)},
		},
		"a glob longer than any name is refused": {
			reason: "the bound, plus one", edits: edits{"spec.identities.users": []string{long(254)}},
			want: []metav1.StatusCause{tooLong("spec.identities.users[0]", 253)},
		},
		"an operator without its namespace is refused": {
			reason: "which one would be a guess", edits: edits{"spec.identities.operators": []string{"cert-manager"}},
			want: []metav1.StatusCause{invalid("spec.identities.operators[0]", `"cert-manager": spec.identities.operators[0] in body should match '^[^/]+/[^/]+$'`)},
		},
		"a gateway without whom, why and until when is refused": {
			reason: "nothing temporary stays for ever", edits: edits{"spec.gateways": []map[string]any{{"host": "proxy.example.com"}}},
			want: []metav1.StatusCause{
				required("spec.gateways[0].from", ""), required("spec.gateways[0].reason", ""), required("spec.gateways[0].expiresAt", ""),
			},
		},
		"a gateway with a scheme is refused": {
			reason: "hosts are compared with hosts",
			edits: edits{"spec.gateways": []map[string]any{{
				"host": "https://proxy", "from": []string{"staging"}, "reason": "copy", "expiresAt": "2027-03-31T00:00:00Z"}}},
			want: []metav1.StatusCause{invalid("spec.gateways[0].host",
				`"https://proxy": spec.gateways[0].host in body should match '^[A-Za-z0-9_]([A-Za-z0-9_.:-]*[A-Za-z0-9_.])?$'`)},
		},
		"a gateway that expires at an instant in small letters is refused": {
			reason: "OpenAPI takes it and Go does not: the server could not list environments any more",
			edits: edits{"spec.gateways": []map[string]any{{
				"host": "proxy.example.com", "from": []string{"staging"}, "reason": "copy", "expiresAt": "2027-03-31t00:00:00z"}}},
			want: []metav1.StatusCause{invalid("spec.gateways[0].expiresAt", `"string": `+unreadable)},
		},
		"too many namespaces are refused": {
			reason: "every list is bounded", edits: edits{"spec.namespaces.names": many(513, "n")},
			want: []metav1.StatusCause{tooMany("spec.namespaces.names", 513, 512)},
		},
	})
}

func TestSchemaOfDurationsOfChangeControl(t *testing.T) {
	for _, field := range []string{"approvalValidity", "standardApprovalValidity", "maxWindowDuration", "emergencyMaxDuration", "executionRetention"} {
		path := "spec.changeControl." + field
		zero := invalid(path, "must be longer than zero")
		if field == "executionRetention" {
			zero = invalid(path, "must be at least 24h, so that yesterday's changes can be told")
		}
		trySchema(t, sam, v1alpha1.KindEnvironment, map[string]schemaCase{
			field + " of zero is refused":      {reason: "nothing could be done in no time", edits: controlled(field, "0s"), want: []metav1.StatusCause{zero}},
			field + " in days is refused":      {reason: "one message, which says what is wrong", edits: controlled(field, "7d"), want: []metav1.StatusCause{malformedDuration(path, "7d")}},
			field + " below zero is refused":   {reason: "the sign is not in the pattern", edits: controlled(field, "-8h"), want: []metav1.StatusCause{malformedDuration(path, "-8h")}},
			field + " beyond count is refused": {reason: "not as a failed conversion", edits: controlled(field, "2562048h"), want: []metav1.StatusCause{malformedDuration(path, "2562048h")}},
			field + " of a day is admitted":    {reason: "as Go writes it", edits: controlled(field, "24h0m0s")},
		})
	}
	trySchema(t, sam, v1alpha1.KindEnvironment, map[string]schemaCase{
		"executions that are kept for less than a day are refused": {
			reason: "yesterday's changes must be told", edits: controlled("executionRetention", "23h59m59s"),
			want: []metav1.StatusCause{invalid("spec.changeControl.executionRetention", "must be at least 24h, so that yesterday's changes can be told")},
		},
		"the longest duration that the pattern takes is admitted": {
			reason: "it can still be counted", edits: controlled("executionRetention", "99999h99999h99999h99999h"),
		},
	})
}

// The enums repeat the names of the rules, in two forms. A new rule must be added to both.
func TestSchemaKnowsEveryRule(t *testing.T) {
	rules := map[string]string{}
	names := make([]string, 0, len(v1alpha1.RuleNames()))
	for _, r := range v1alpha1.RuleNames() {
		rules[string(r)] = "Warn"
		names = append(names, string(r))
	}
	trySchema(t, sam, v1alpha1.KindEnvironment, map[string]schemaCase{
		"every rule may be enforced differently": {reason: "all 17 names, from the start", edits: edits{"spec.enforcement.rules": rules}},
	})
	trySchema(t, sam, v1alpha1.KindExemption, map[string]schemaCase{
		"every rule may be suspended": {reason: "all 17 names, from the start", edits: edits{"spec.rules": names}},
	})
}
