package api

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// schemaCase is an object of a kind that is valid except for its edits.
type schemaCase struct {
	reason string
	edits  edits
	// want are the causes of the refusal. If empty, the object is admitted.
	want []metav1.StatusCause
}

// trySchema sends each case as a dry run, as a user whom RBAC permits it.
func trySchema(t *testing.T, user, kind string, cases map[string]schemaCase) {
	t.Helper()
	c := as(t, user)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := object(t, kind, tc.edits)
			err := c.Create(t.Context(), o, client.DryRunAll)
			switch {
			case len(tc.want) > 0:
				wantInvalid(t, err, "", kind, o.GetName(), andUnchecked(tc.want)...)
			case err != nil:
				t.Errorf("refused: %v", err)
			}
			if t.Failed() {
				t.Logf("reason of the case: %s", tc.reason)
			}
		})
	}
}

// andUnchecked adds the API server's message for an OpenAPI error that keeps it from evaluating CEL.
func andUnchecked(causes []metav1.StatusCause) []metav1.StatusCause {
	for _, c := range causes {
		switch {
		case c.Type == "FieldValueTooLong", c.Type == "FieldValueTooMany", c.Type == metav1.CauseTypeTypeInvalid,
			c.Type == metav1.CauseTypeFieldValueNotSupported, c.Message == "Required value":
			return append(slices.Clone(causes), invalid("<nil>",
				"null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"))
		}
	}
	return causes
}

// long returns a text of n letters.
func long(n int) string { return strings.Repeat("x", n) }

// many returns n different strings.
func many(n int, prefix string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = prefix + strconv.Itoa(i)
	}
	return out
}

// The pattern of durations, which a malformed duration does not match.
const durationPattern = `'^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$'`

func malformedDuration(field, value string) metav1.StatusCause {
	return invalid(field, `"`+value+`": `+field+` in body should match `+durationPattern)
}

func TestSchemaOfDataStores(t *testing.T) {
	const nothing = "name at least one host, range, resource name, service or credential"
	noCIDR := func(i, value string) metav1.StatusCause {
		return invalid("spec.cidrs["+i+"]", `"`+value+`": must be a range such as 10.20.0.0/16`)
	}
	noHost := func(i, value string) metav1.StatusCause {
		field := "spec.hosts[" + i + "]"
		return invalid(field, `"`+value+`": `+field+` in body should match '^(\*\.)?[^\s/:@*?#,]+$'`)
	}
	trySchema(t, sam, v1alpha1.KindDataStore, map[string]schemaCase{
		"a data store with a host is admitted": {reason: "the sound object of the other cases"},
		"everything a data store can be known by is admitted": {
			reason: "one of each, as the design shows them",
			edits: edits{
				"spec.hosts":         []string{"*.staging.db.example.com", "orders_1.example.com."},
				"spec.cidrs":         []string{"10.20.0.0/16", "2001:db8::/32", "192.0.2.7/32"},
				"spec.resourceNames": []string{"arn:aws:rds:eu-west-1:1234:db:orders", "proj:europe-west1:orders"},
				"spec.services":      []map[string]string{{"namespace": "staging", "name": "orders-db"}},
				"spec.credentials":   map[string][]string{"secrets": {"orders-*"}, "vaultPaths": {"database/*"}, "roleNames": {"r"}},
			},
		},
		"one known by nothing is refused": {
			reason: "no reference could ever match it", edits: edits{"spec.hosts": nil},
			want: []metav1.StatusCause{required("spec.hosts", nothing)},
		},
		"one whose lists are all empty is refused": {
			reason: "an empty list names as little as no list",
			edits:  edits{"spec.hosts": []string{}, "spec.cidrs": []string{}, "spec.resourceNames": []string{}, "spec.services": []any{}},
			want:   []metav1.StatusCause{required("spec.hosts", nothing)},
		},
		"credentials that name nothing are refused": {
			reason: "the field is there, its content is not", edits: edits{"spec.credentials": map[string]any{}},
			want: []metav1.StatusCause{required("spec.credentials.secrets", "name at least one secret, vault path or role")},
		},
		"credentials whose list is empty are refused": {
			reason: "an empty list names nothing, so nothing would ever match",
			edits:  edits{"spec.hosts": nil, "spec.credentials.secrets": []string{}},
			want:   []metav1.StatusCause{required("spec.credentials.secrets", "name at least one secret, vault path or role")},
		},
		"one without an environment is refused": {
			reason: "what belongs nowhere protects nothing", edits: edits{"spec.environment": nil},
			want: []metav1.StatusCause{required("spec.environment", "")},
		},
		"one with an empty environment is refused": {
			reason: "empty is not unassigned", edits: edits{"spec.environment": ""},
			want: []metav1.StatusCause{invalid("spec.environment", `"": spec.environment in body should be at least 1 chars long`)},
		},
		"hosts with scheme, port, user, path or space are refused": {
			reason: "hosts are compared with hosts; a URL would never match one",
			edits:  edits{"spec.hosts": []string{"postgres://db", "db:5432", "u@db", "db/x", "d b", "db,db2", "*"}},
			want: []metav1.StatusCause{
				noHost("0", "postgres://db"), noHost("1", "db:5432"), noHost("2", "u@db"), noHost("3", "db/x"),
				noHost("4", "d b"), noHost("5", "db,db2"), noHost("6", "*"),
			},
		},
		"a host that is there twice is refused": {
			reason: "the list is a set", edits: edits{"spec.hosts": []string{"a.example.com", "a.example.com"}},
			want: []metav1.StatusCause{duplicate("spec.hosts[1]", `"a.example.com"`)},
		},
		"ranges that are none are refused": {
			reason: "each by its place: a bare address, a length too great, a mapped address, a zone, words",
			edits:  edits{"spec.cidrs": []string{"10.20.0.1", "10.20.0.0/33", "::ffff:10.0.0.0/104", "fe80::%eth0/64", "prod", "10.20.0.0/16"}},
			want: []metav1.StatusCause{
				noCIDR("0", "10.20.0.1"), noCIDR("1", "10.20.0.0/33"), noCIDR("2", "::ffff:10.0.0.0/104"),
				noCIDR("3", "fe80::%eth0/64"), noCIDR("4", "prod"),
			},
		},
		"a resource name of two letters is refused": {
			reason: "it would match by accident", edits: edits{"spec.resourceNames": []string{"db"}},
			want: []metav1.StatusCause{invalid("spec.resourceNames[0]", `"db": spec.resourceNames[0] in body should be at least 3 chars long`)},
		},
		"a service without a namespace is refused": {
			reason: "a Service is known by both", edits: edits{"spec.services": []map[string]string{{"name": "db"}}},
			want: []metav1.StatusCause{required("spec.services[0].namespace", "")},
		},
		"a service that is there twice is refused": {
			reason: "the list is a map by namespace and name",
			edits:  edits{"spec.services": []map[string]string{{"namespace": "a", "name": "db"}, {"namespace": "a", "name": "db"}}},
			want:   []metav1.StatusCause{duplicate("spec.services[1]", `{"name":"db","namespace":"a"}`)},
		},
		"too many ranges are refused": {
			reason: "every list is bounded", edits: edits{"spec.cidrs": many(257, "1")},
			want: []metav1.StatusCause{tooMany("spec.cidrs", 257, 256)},
		},
	})
}
