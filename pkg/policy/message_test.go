package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func TestMessages(t *testing.T) {
	req := &policy.Request{Resource: schema.GroupVersionResource{Group: "batch", Resource: "jobs"}, Name: "reindex"}
	store := policy.Finding{Rule: v1alpha1.RuleDataStoreAcrossTiers, Path: "spec.x", Message: "names it"}
	window := policy.Finding{Rule: v1alpha1.RuleChangeWindowRequired, Message: "needs one"}
	var many []policy.Finding
	for i := range 13 {
		many = append(many, policy.Finding{Rule: v1alpha1.RuleDataStoreAcrossTiers, Path: fmt.Sprintf("p%02d", i), Message: "m"})
	}
	const ten = "DataStoreAcrossTiers: p00 m; DataStoreAcrossTiers: p01 m; DataStoreAcrossTiers: p02 m; DataStoreAcrossTiers: p03 m; DataStoreAcrossTiers: p04 m; " +
		"DataStoreAcrossTiers: p05 m; DataStoreAcrossTiers: p06 m; DataStoreAcrossTiers: p07 m; DataStoreAcrossTiers: p08 m; DataStoreAcrossTiers: p09 m"
	for name, test := range map[string]struct {
		reason   string
		findings []policy.Finding
		want     string
	}{
		"one":            {"what, where, why", []policy.Finding{store}, `jobs.batch "reindex" is forbidden: violates environment segregation: DataStoreAcrossTiers: spec.x names it`},
		"of no field":    {"the request as a whole", []policy.Finding{window}, `jobs.batch "reindex" is forbidden: violates change control: ChangeWindowRequired: needs one`},
		"of two classes": {"segregation comes first", []policy.Finding{window, store}, `jobs.batch "reindex" is forbidden: violates environment segregation: DataStoreAcrossTiers: spec.x names it; and violates change control: ChangeWindowRequired: needs one`},
		"two":            {"every finding at once", []policy.Finding{store, {Rule: v1alpha1.RuleNamespaceAcrossTiers, Path: "spec.y", Message: "names that"}}, `jobs.batch "reindex" is forbidden: violates environment segregation: DataStoreAcrossTiers: spec.x names it; NamespaceAcrossTiers: spec.y names that`},
		"ten":            {"a terminal shows ten", many[:10], `jobs.batch "reindex" is forbidden: violates environment segregation: ` + ten},
		"eleven":         {"the rest is counted", many[:11], `jobs.batch "reindex" is forbidden: violates environment segregation: ` + ten + "; and 1 more"},
		"many and more":  {"each class counts its own", append([]policy.Finding{window}, many...), `jobs.batch "reindex" is forbidden: violates environment segregation: ` + ten + "; and 3 more; and violates change control: ChangeWindowRequired: needs one"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, policy.DenialMessage(req, test.findings)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
	warnings := policy.WarningMessages([]policy.Finding{store, window})
	if diff := cmp.Diff([]string{"would violate environment segregation: DataStoreAcrossTiers: spec.x names it", "would violate change control: ChangeWindowRequired: needs one"}, warnings); diff != "" {
		t.Errorf("one warning for each finding (-want +got):\n%s", diff)
	}
	causes := policy.Causes([]policy.Finding{store, window})
	want := []metav1.StatusCause{{Type: "DataStoreAcrossTiers", Field: "spec.x", Message: "names it"}, {Type: "ChangeWindowRequired", Message: "needs one"}}
	if diff := cmp.Diff(want, causes); diff != "" {
		t.Errorf("what machines read (-want +got):\n%s", diff)
	}
}

func TestDescribe(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		req    policy.Request
		want   string
	}{
		"a group":       {"as kubectl says it", policy.Request{Resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, Name: "a"}, `deployments.apps "a"`},
		"the core":      {"it has no name", policy.Request{Resource: schema.GroupVersionResource{Version: "v1", Resource: "pods"}, Name: "a"}, `pods "a"`},
		"a subresource": {"behind a slash", policy.Request{Resource: schema.GroupVersionResource{Version: "v1", Resource: "pods"}, SubResource: "exec", Name: "a"}, `pods/exec "a"`},
		"an odd name":   {"quoted", policy.Request{Resource: schema.GroupVersionResource{Resource: "pods"}, Name: "a\nb"}, `pods "a\nb"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.Describe(&test.req); got != test.want {
				t.Errorf("%s: got %s, want %s", test.reason, got, test.want)
			}
		})
	}
}

// TestNothingSecretIsRepeated: no message, warning, cause or finding repeats what came out of a Secret, nor what stands
// beside a host in a connection string.
func TestNothingSecretIsRepeated(t *testing.T) {
	const sentinel = "hunter2"
	s := newStage(t)
	for name, manifest := range map[string]string{ //nolint:gosec // it opens nothing
		"a Secret's DSN":            `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {dsn: "postgres://app:hunter2@orders.prod.db.example.com/o"}}`,
		"a Secret's host":           `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {host: "hunter2.prod.db.example.com"}}`,
		"a Secret's address list":   `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {hosts: "10.20.3.4,hunter2.prod.db.example.com"}}`,
		"a password in a URL":       inEnv("DB", "postgres://app:hunter2@orders.prod.db.example.com/o"),
		"a password with a slash":   inEnv("DB", "postgres://app:hunter2/x@orders.prod.db.example.com/o"),
		"a password with an @":      inEnv("DB", "postgres://app:hunter2@x@orders.prod.db.example.com/o"),
		"a password as a pair":      inEnv("DB", "host=orders.prod.db.example.com password=hunter2"),
		"a password as a flag":      inArgs("--password=hunter2", "--host", "orders.prod.db.example.com"),
		"a password in a query":     inEnv("DB", "jdbc:postgresql://orders.prod.db.example.com/o?password=hunter2"),
		"a password in a script":    inShell("PGPASSWORD=hunter2 psql -h orders.prod.db.example.com"),
		"a password in a ConfigMap": inConfigMap("a.properties", "db.host=orders.prod.db.example.com\ndb.password=hunter2\n"),
		"an image's credential":     `{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: payments}, spec: {template: {spec: {containers: [{name: c, image: x, command: [psql, "postgres://app:hunter2@orders.prod.db.example.com/o"], env: [{name: K, value: hunter2}]}]}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, requester := range []string{"dora", "bob"} {
				req := newRequest(t, s, by(requester), documents(t, []byte(manifest)), now())
				d, err := policy.Evaluate(req, s.world, s.state(t, "approved"))
				if err != nil {
					t.Fatal(err)
				}
				said := render(req, d) + fmt.Sprintf("%+v", d.Findings) + fmt.Sprintf("%+v", policy.Causes(d.Findings))
				if len(d.Findings) == 0 {
					t.Errorf("%s: nothing was found", requester)
				}
				if strings.Contains(said, sentinel) {
					t.Errorf("%s is told a secret: %s", requester, said)
				}
			}
		})
	}
}
