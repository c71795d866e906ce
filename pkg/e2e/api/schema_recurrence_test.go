package api

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// recurring is a Standard window, which this version's CRD accepts and its webhook does not.
func recurring(recurrence edits) edits {
	var r any = map[string]any{"cron": "0 2 * * 6", "duration": "2h", "timeZone": "Europe/London", "validUntil": in(2000 * time.Hour)}
	for path, value := range recurrence {
		r = put(r, []string{path}, value)
	}
	return edits{
		"spec.type": "Standard", "spec.schedule": map[string]any{"recurrence": r},
		"spec.plan": map[string]any{"workloads": planned(nil)},
	}
}

func with(e edits, path string, value any) edits {
	e[path] = value
	return e
}

func TestSchemaOfRecurrences(t *testing.T) {
	const (
		needs  = "Normal and Emergency windows need start and end, Standard windows a recurrence"
		prefix = "the zone has a field of its own: use timeZone, not a TZ= prefix"
		field  = "spec.schedule.recurrence"
	)
	trySchema(t, sam, v1alpha1.KindChangeWindow, map[string]schemaCase{
		"a Standard window with start and end is refused": {
			reason: "it recurs, or it is no Standard window", edits: edits{"spec.type": "Standard", "spec.plan": map[string]any{"workloads": planned(nil)}},
			want: []metav1.StatusCause{required("spec.schedule", needs)},
		},
		"a Normal window with a recurrence is refused": {
			reason: "a recurrence is approved with its plan, as Standard", edits: with(recurring(nil), "spec.type", "Normal"),
			want: []metav1.StatusCause{required("spec.schedule", needs)},
		},
		"an interval and a recurrence together are refused": {
			reason: "one of the two would be ignored", edits: with(recurring(nil), "spec.schedule.start", in(time.Hour)),
			want: []metav1.StatusCause{forbidden(field, "give either start and end, or a recurrence")},
		},
		"a Standard window without a plan is refused": {
			reason: "nobody looks when it opens", edits: with(recurring(nil), "spec.plan", nil),
			want: []metav1.StatusCause{required("spec.plan", "a Standard window recurs without anybody looking, so it must pin its plan")},
		},
		"a zone in the cron is refused": {
			reason: "the parser would read it and the field would lie", edits: recurring(edits{"cron": "TZ=UTC 0 2 * * 6"}),
			want: []metav1.StatusCause{invalid(field+".cron", prefix)},
		},
		"a zone in the cron by its longer name is refused": {
			reason: "the parser knows both", edits: recurring(edits{"cron": "CRON_TZ=UTC 0 2 * * 6"}),
			want: []metav1.StatusCause{invalid(field+".cron", prefix)},
		},
		"a cron of fewer than five fields is refused": {
			reason: "the dialect has five", edits: recurring(edits{"cron": "@daily"}),
			want: []metav1.StatusCause{invalid(field+".cron", `"@daily": `+field+`.cron in body should be at least 9 chars long`)},
		},
		"the server's own zone is refused": {
			reason: "it differs from server to server", edits: recurring(edits{"timeZone": "Local"}),
			want: []metav1.StatusCause{invalid(field+".timeZone", "must be an IANA zone such as Europe/London; the server's own zone is never meant")},
		},
		"an empty zone is refused": {
			reason: "it would be read as UTC", edits: recurring(edits{"timeZone": ""}),
			want: []metav1.StatusCause{invalid(field+".timeZone", `"": `+field+`.timeZone in body should be at least 1 chars long`)},
		},
		"no zone is refused": {
			reason: "it would be read as UTC", edits: recurring(edits{"timeZone": nil}),
			want: []metav1.StatusCause{required(field+".timeZone", "")},
		},
		"a recurrence without an end is refused": {
			reason: "nothing temporary stays for ever", edits: recurring(edits{"validUntil": nil}),
			want: []metav1.StatusCause{required(field+".validUntil", "")},
		},
		"an occurrence of no length is refused": {
			reason: "it would never be open", edits: recurring(edits{"duration": "0h0m"}),
			want: []metav1.StatusCause{invalid(field+".duration", "must be longer than zero")},
		},
		"an occurrence of a negative length is refused": {
			reason: "the sign is not in the pattern", edits: recurring(edits{"duration": "-2h"}),
			want: []metav1.StatusCause{malformedDuration(field+".duration", "-2h")},
		},
		"executions that must start within no time are refused": {
			reason: "a window that can never be used", edits: edits{"spec.startBefore": "0s"},
			want: []metav1.StatusCause{invalid("spec.startBefore", "must be longer than zero")},
		},
		"a duration in days is refused": {
			reason: "a day is not always 24 hours; one message says what is wrong", edits: edits{"spec.startBefore": "1d"},
			want: []metav1.StatusCause{malformedDuration("spec.startBefore", "1d")},
		},
		"a duration with a space is refused": {
			reason: "it does not parse", edits: edits{"spec.startBefore": "1h 30m"},
			want: []metav1.StatusCause{malformedDuration("spec.startBefore", "1h 30m")},
		},
		"a bare number is no duration": {
			reason: "of what?", edits: edits{"spec.startBefore": "30"},
			want: []metav1.StatusCause{malformedDuration("spec.startBefore", "30")},
		},
		"a number that is no text is no duration": {
			reason: "YAML makes a number of it", edits: edits{"spec.startBefore": 30},
			want: []metav1.StatusCause{
				wrongType("spec.startBefore", `"integer": spec.startBefore in body must be of type string: "integer"`),
			},
		},
		"a duration beyond what can be counted is refused as malformed": {
			reason: "it must not end in a message about type conversion", edits: edits{"spec.startBefore": "9999999h"},
			want: []metav1.StatusCause{malformedDuration("spec.startBefore", "9999999h")},
		},
		"a duration with a fraction is admitted": {reason: "Go writes durations so", edits: edits{"spec.startBefore": "1.5h"}},
		"a duration as Go writes it is admitted": {reason: "typed clients send it so", edits: edits{"spec.startBefore": "1h30m0s"}},
	})
}
