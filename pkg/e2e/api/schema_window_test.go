package api

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// planned is one entry of a plan.
func planned(e edits) []any {
	var o any = map[string]any{
		"group": "batch", "kind": "Job", "names": []any{"reindex"},
		"digest": "v2:sha256:" + hexDigest,
	}
	for path, value := range e {
		o = put(o, []string{path}, value)
	}
	return []any{o}
}

const hexDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestSchemaOfChangeWindows(t *testing.T) {
	const needs = "Normal and Emergency windows need start and end, Standard windows a recurrence"
	trySchema(t, sam, v1alpha1.KindChangeWindow, map[string]schemaCase{
		"a Normal window with start and end is admitted": {reason: "the sound object of the other cases"},
		"one with every optional field is admitted": {
			reason: "bounds are inclusive",
			edits: edits{
				"spec.ticket": long(128), "spec.rollback": long(2048), "spec.reason": long(2048), "spec.maxExecutions": 10000,
				"spec.startBefore": "1h30m", "spec.overrun": "Deadline", "spec.overridesFreeze": false,
				"spec.subjects": map[string][]string{"users": {"sam"}, "groups": {"sre"}, "serviceAccounts": {"payments/*"}},
				"spec.plan":     map[string]any{"workloads": planned(nil)}, "spec.scope.clusters": []string{"prod-eu-1"},
			},
		},
		"one without an environment is refused": {
			reason: "typing it confirms the target", edits: edits{"spec.environment": nil},
			want: []metav1.StatusCause{required("spec.environment", "")},
		},
		"an environment longer than a name is refused": {
			reason: "names of Environments have at most 63 characters", edits: edits{"spec.environment": long(64)},
			want: []metav1.StatusCause{tooLong("spec.environment", 63)},
		},
		"one without a reason is refused": {
			reason: "the approver reads it", edits: edits{"spec.reason": ""},
			want: []metav1.StatusCause{invalid("spec.reason", `"": spec.reason in body should be at least 1 chars long`)},
		},
		"a reason without end is refused": {
			reason: "the bound, plus one", edits: edits{"spec.reason": long(2049)},
			want: []metav1.StatusCause{tooLong("spec.reason", 2048)},
		},
		"a ticket without end is refused": {
			reason: "the bound, plus one", edits: edits{"spec.ticket": long(129)},
			want: []metav1.StatusCause{tooLong("spec.ticket", 128)},
		},
		"one without schedule and scope is refused": {
			reason: "a permission without when and what is none", edits: edits{"spec.schedule": nil, "spec.scope": nil},
			want: []metav1.StatusCause{required("spec.schedule", ""), required("spec.scope", "")},
		},
		"an unknown type is refused": {
			reason: "the words are ITIL's", edits: edits{"spec.type": "Urgent"},
			want: []metav1.StatusCause{unsupported("spec.type", `"Urgent": supported values: "Normal", "Standard", "Emergency"`)},
		},
		"an unknown operation is refused": {
			reason: "operations are named as the design names them", edits: edits{"spec.scope.operations": []string{"create"}},
			want: []metav1.StatusCause{unsupported("spec.scope.operations[0]",
				`"create": supported values: "Create", "Update", "Delete", "Scale", "Exec", "Attach", "PortForward", "Proxy", "Debug"`)},
		},
		"a scope without operations is refused": {
			reason: "empty is not everything", edits: edits{"spec.scope.operations": []string{}},
			want: []metav1.StatusCause{invalid("spec.scope.operations", "0: spec.scope.operations in body should have at least 1 items")},
		},
		"a scope without resources is refused": {
			reason: "empty is not everything", edits: edits{"spec.scope.resources": []any{}},
			want: []metav1.StatusCause{invalid("spec.scope.resources", "0: spec.scope.resources in body should have at least 1 items")},
		},
		"resources without kind and names are refused": {
			reason: "a window for everything says so", edits: edits{"spec.scope.resources.0": map[string]any{"group": "batch"}},
			want: []metav1.StatusCause{required("spec.scope.resources[0].kind", ""), required("spec.scope.resources[0].names", "")},
		},
		"an empty glob is refused": {
			reason: "it would match nothing", edits: edits{"spec.scope.resources.0.names.0": ""},
			want: []metav1.StatusCause{invalid("spec.scope.resources[0].names[0]", `"": spec.scope.resources[0].names[0] in body should be at least 1 chars long`)},
		},
		"a glob among the namespaces is refused": {
			reason: "a window lists names, so that what it opens can be counted", edits: edits{"spec.scope.namespaces": []string{"prod-*"}},
			want: []metav1.StatusCause{invalid("spec.scope.namespaces[0]", `"prod-*": spec.scope.namespaces[0] in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'`)},
		},
		"too many clusters are refused": {
			reason: "every list is bounded", edits: edits{"spec.scope.clusters": many(65, "c")},
			want: []metav1.StatusCause{tooMany("spec.scope.clusters", 65, 64)},
		},
		"zero executions are refused": {
			reason: "a window for nothing", edits: edits{"spec.maxExecutions": 0},
			want: []metav1.StatusCause{invalid("spec.maxExecutions", "0: spec.maxExecutions in body should be greater than or equal to 1")},
		},
		"more executions than anybody counts are refused": {
			reason: "the bound, plus one", edits: edits{"spec.maxExecutions": 10001},
			want: []metav1.StatusCause{invalid("spec.maxExecutions", "10001: spec.maxExecutions in body should be less than or equal to 10000")},
		},
		"executions per occurrence of a Normal window are refused": {
			reason: "it has one occurrence", edits: edits{"spec.maxExecutionsPerOccurrence": 1},
			want: []metav1.StatusCause{forbidden("spec.maxExecutionsPerOccurrence", "only Standard windows have occurrences")},
		},
		"a Normal window that overrides a freeze is refused": {
			reason: "a freeze wins over every window but an Emergency one", edits: edits{"spec.overridesFreeze": true},
			want: []metav1.StatusCause{forbidden("spec.overridesFreeze", "only Emergency windows may override a freeze")},
		},
		"an unknown overrun is refused": {
			reason: "an enum", edits: edits{"spec.overrun": "Kill"},
			want: []metav1.StatusCause{unsupported("spec.overrun", `"Kill": supported values: "Finish", "Deadline"`)},
		},
		"a service account without its namespace is refused": {
			reason: "which one would be a guess", edits: edits{"spec.subjects.serviceAccounts": []string{"deployer"}},
			want: []metav1.StatusCause{invalid("spec.subjects.serviceAccounts[0]", `"deployer": spec.subjects.serviceAccounts[0] in body should match '^[^/]+/[^/]+$'`)},
		},
		"too many subjects are refused": {
			reason: "every list is bounded", edits: edits{"spec.subjects.users": many(65, "u")},
			want: []metav1.StatusCause{tooMany("spec.subjects.users", 65, 64)},
		},
		"a plan of nothing is refused": {
			reason: "it would pin nothing and look like a pin", edits: edits{"spec.plan": map[string]any{"workloads": []any{}}},
			want: []metav1.StatusCause{invalid("spec.plan.workloads", "0: spec.plan.workloads in body should have at least 1 items")},
		},
		"a pin without the version of its algorithm is refused": {
			reason: "every digest names the version that made it",
			edits:  edits{"spec.plan": map[string]any{"workloads": planned(edits{"digest": "sha256:" + hexDigest})}},
			want: []metav1.StatusCause{invalid("spec.plan.workloads[0].digest",
				`"sha256:`+hexDigest+`": spec.plan.workloads[0].digest in body should match '^v[0-9]+:sha256:[0-9a-f]{64}$'`)},
		},
		"a field that is pinned twice is refused": {
			reason: "one of the two would be lost",
			edits: edits{"spec.plan": map[string]any{"workloads": planned(edits{"fields": []map[string]string{
				{"path": "a", "digest": hexDigest}, {"path": "a", "digest": hexDigest}}})}},
			want: []metav1.StatusCause{duplicate("spec.plan.workloads[0].fields[1]", `{"path":"a"}`)},
		},
		"start and end that are no instants are refused": {
			reason: "a schedule in words opens nothing", edits: edits{"spec.schedule.start": "tomorrow", "spec.schedule.end": "2026-12-24"},
			want: []metav1.StatusCause{
				wrongType("spec.schedule.start", `"tomorrow": spec.schedule.start in body must be of type date-time: "tomorrow"`),
				wrongType("spec.schedule.end", `"2026-12-24": spec.schedule.end in body must be of type date-time: "2026-12-24"`),
			},
		},
		"an end before the start is refused": {
			reason: "it would never be open", edits: edits{"spec.schedule.end": in(time.Minute)},
			want: []metav1.StatusCause{invalid("spec.schedule.end", "must be after start")},
		},
		"an end at the start is refused": {
			reason: "the end is excluded, so it would never be open", edits: edits{"spec.schedule.end": in(time.Hour)},
			want: []metav1.StatusCause{invalid("spec.schedule.end", "must be after start")},
		},
		"the same instant in two zones is no interval": {
			reason: "instants are compared, not texts",
			edits:  edits{"spec.schedule.start": "2026-12-24T02:00:00+01:00", "spec.schedule.end": "2026-12-24T01:00:00Z"},
			want:   []metav1.StatusCause{invalid("spec.schedule.end", "must be after start")},
		},
		"a Normal window without an end is refused": {
			reason: "nothing temporary stays for ever", edits: edits{"spec.schedule.end": nil},
			want: []metav1.StatusCause{required("spec.schedule", needs)},
		},
		"an Emergency window without an end is refused": {
			reason: "nor that", edits: edits{"spec.type": "Emergency", "spec.schedule.end": nil},
			want: []metav1.StatusCause{required("spec.schedule", needs)},
		},
	})
}
