package policy_test

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

func TestMessages(t *testing.T) {
	req := &policy.Request{Resource: schema.GroupVersionResource{Group: "batch", Resource: "jobs"}, Name: "reindex"}
	store := policy.Finding{Rule: v1alpha1.RuleDataStoreAcrossTiers, Path: "spec.x", Message: "names it", Remedy: "use another"}
	window := policy.Finding{Rule: v1alpha1.RuleChangeWindowRequired, Class: policy.ChangeControl, Message: "needs one", Remedy: "request it"}
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
		"one":            {"what, what to do, where, why", []policy.Finding{store}, `jobs.batch "reindex" is forbidden: use another (DataStoreAcrossTiers: spec.x names it)`},
		"of no field":    {"the request as a whole", []policy.Finding{window}, `jobs.batch "reindex" is forbidden: request it (ChangeWindowRequired: needs one)`},
		"of two classes": {"what to do comes first, for each", []policy.Finding{window, store}, `jobs.batch "reindex" is forbidden: request it; use another (ChangeWindowRequired: needs one; DataStoreAcrossTiers: spec.x names it)`},
		"the same cure":  {"it is said once", []policy.Finding{store, store}, `jobs.batch "reindex" is forbidden: use another (DataStoreAcrossTiers: spec.x names it; DataStoreAcrossTiers: spec.x names it)`},
		"no cure":        {"nothing helps", many[:1], `jobs.batch "reindex" is forbidden: DataStoreAcrossTiers: p00 m`},
		"two":            {"every finding at once", []policy.Finding{store, {Rule: v1alpha1.RuleNamespaceAcrossTiers, Path: "spec.y", Message: "names that"}}, `jobs.batch "reindex" is forbidden: use another (DataStoreAcrossTiers: spec.x names it; NamespaceAcrossTiers: spec.y names that)`},
		"ten":            {"a terminal shows ten", many[:10], `jobs.batch "reindex" is forbidden: ` + ten},
		"eleven":         {"the rest is counted", many[:11], `jobs.batch "reindex" is forbidden: ` + ten + "; and 1 more"},
		"many and more":  {"what is not shown is counted", append([]policy.Finding{window}, many...), `jobs.batch "reindex" is forbidden: request it (ChangeWindowRequired: needs one; ` + strings.TrimSuffix(ten, "; DataStoreAcrossTiers: p09 m") + "; and 4 more)"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, policy.DenialMessage(*req, test.findings)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
	warnings := policy.WarningMessages([]policy.Finding{store, window})
	if diff := cmp.Diff([]string{"this would be forbidden: use another (DataStoreAcrossTiers: spec.x names it)", "this would be forbidden: request it (ChangeWindowRequired: needs one)"}, warnings); diff != "" {
		t.Errorf("one warning for each finding (-want +got):\n%s", diff)
	}
	bounded := policy.WarningMessages(many)
	if len(bounded) != 11 || bounded[10] != "and 3 more findings of this kind" {
		t.Errorf("%d warnings, of which the last is %q", len(bounded), bounded[len(bounded)-1])
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
			if got := policy.Describe(test.req); got != test.want {
				t.Errorf("%s: got %s, want %s", test.reason, got, test.want)
			}
		})
	}
}

// TestNothingSecretIsRepeated checks that no message, warning, cause or finding repeats a text that came out of a Secret, or that is beside
// a host in a connection string.
func TestNothingSecretIsRepeated(t *testing.T) {
	const sentinel = "hunter2"
	s := newStage(t)
	s.cluster.Secrets = func(_, name string) (reference.Contents, bool) {
		return reference.RememberedSecret(&corev1.Secret{StringData: map[string]string{"dsn": "postgres://app:hunter2@orders.prod.db.example.com/o", "p": "hunter2"}}), name == "known"
	}
	for name, manifest := range map[string]string{
		"a Secret's DSN":                `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {dsn: "postgres://app:hunter2@orders.prod.db.example.com/o"}}`,
		"a Secret's host":               `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {host: "hunter2.prod.db.example.com"}}`,
		"a Secret's address list":       `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {hosts: "10.20.3.4,hunter2.prod.db.example.com"}}`,
		"a password in a URL":           inEnv("DB", "postgres://app:hunter2@orders.prod.db.example.com/o"),
		"a password with a slash":       inEnv("DB", "postgres://app:hunter2/x@orders.prod.db.example.com/o"),
		"a password with an @":          inEnv("DB", "postgres://app:hunter2@x@orders.prod.db.example.com/o"),
		"a password as a pair":          inEnv("DB", "host=orders.prod.db.example.com password=hunter2"),
		"a password as a flag":          inArgs("--password=hunter2", "--host", "orders.prod.db.example.com"),
		"a password in a query":         inEnv("DB", "jdbc:postgresql://orders.prod.db.example.com/o?password=hunter2"),
		"a password in a script":        inShell("PGPASSWORD=hunter2 psql -h orders.prod.db.example.com"),
		"a password in a ConfigMap":     inConfigMap("a.properties", "db.host=orders.prod.db.example.com\ndb.password=hunter2\n"),
		"a password for Go's driver":    inEnv("DB", "app:hunter2@tcp(orders.prod.db.example.com:3306)/o"),
		"a password for MongoDB":        inEnv("DB", "mongodb+srv://app:hunter2@orders.prod.db.example.com/o"),
		"a password for Redis":          inEnv("DB", "redis://:hunter2@orders.prod.db.example.com:6379/0"),
		"a password for SQL Server":     inEnv("DB", "Server=tcp:orders.prod.db.example.com,1433;User ID=app;Password=hunter2;"),
		"a password for Oracle":         inEnv("DB", "jdbc:oracle:thin:app/hunter2@orders.prod.db.example.com:1521/o"),
		"a password for AMQP":           inEnv("DB", "amqps://app:hunter2@orders.prod.db.example.com:5671/v"),
		"a password in base64":          inEnv("DB", base64.StdEncoding.EncodeToString([]byte("postgres://app:hunter2@orders.prod.db.example.com/o1"))),
		"a Secret's data in base64":     `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, data: {dsn: ` + base64.StdEncoding.EncodeToString([]byte("postgres://app:hunter2@orders.prod.db.example.com/o")) + `}}`,
		"a Secret's file":               `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {application.yaml: "db:\n  host: orders.prod.db.example.com\n  password: hunter2\n"}}`,
		"a Secret's script":             `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {run.sh: "PGPASSWORD=hunter2 psql -h orders.prod.db.example.com\n"}}`,
		"a Secret that kubectl applied": `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"p":"hunter2"}}'}}, stringData: {h: orders.prod.db.example.com}}`,
		"what a Secret brings in":       inContainer("envFrom: [{secretRef: {name: known}}], env: [{name: A, valueFrom: {secretKeyRef: {name: known, key: dsn}}}, {name: B, value: $(A)}]"),
		"a custom resource's DSN":       inObject("example.org/v1", "Thing", "spec: {dsn: 'postgres://app:hunter2@orders.prod.db.example.com/o', password: hunter2}"),
		"a token in a header":           inContainer("livenessProbe: {httpGet: {host: orders.prod.db.example.com, port: 80, httpHeaders: [{name: Authorization, value: 'Bearer hunter2'}]}}"),
		"an image's credential":         `{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: payments}, spec: {template: {spec: {containers: [{name: c, image: x, command: [psql, "postgres://app:hunter2@orders.prod.db.example.com/o"], env: [{name: K, value: hunter2}]}]}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, requester := range []string{"dora", "bob"} {
				req := newRequest(t, s, by(requester), documents(t, []byte(manifest)), now())
				d, err := policy.Evaluate(*req, s.cluster, s.state(t, "approved"))
				if err != nil {
					t.Fatal(err)
				}
				said := render(req, d) + strings.Join(texts(reflect.ValueOf(d)), "\n") + strings.Join(texts(reflect.ValueOf(policy.Causes(d.Findings))), "\n")
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

// texts returns every text that can be reached from a value of any type, so that fields which a decision gains later are checked too.
func texts(v reflect.Value) []string {
	var out []string
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			out = texts(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out = append(out, texts(v.Field(i))...)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			out = append(out, texts(v.Index(i))...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			out = append(append(out, texts(k)...), texts(v.MapIndex(k))...)
		}
	default: // numbers and functions hold no text
	}
	return out
}

// A custom resource may give its variables and containers names of any length: no sentence repeats a long one.
func TestLongNamesAreNotRepeated(t *testing.T) {
	s := newStage(t)
	for name, object := range map[string]string{
		"a variable":  `env: [{name: ` + strings.Repeat("A", 300_000) + `, value: orders.prod.db.example.com}]`,
		"a container": `args: [--db=orders.prod.db.example.com:5432]}, {name: b, image: x`,
		"no variable": `env: [{name: "", value: orders.prod.db.example.com}]`,
	} {
		container := "c"
		if name == "a container" {
			container = strings.Repeat("c", 300_000)
		}
		text := `{apiVersion: acme.example.com/v1, kind: Thing, metadata: {name: t, namespace: dev}, spec: {template: {spec: {containers: [{name: ` + container + `, image: x, ` + object + `}]}}}}`
		req := newRequest(t, s, by("dora"), documents(t, []byte(text)), now())
		d, err := policy.Evaluate(*req, s.cluster, nil)
		if err != nil {
			t.Fatal(err)
		}
		if said := policy.DenialMessage(*req, d.Denied()); d.Allowed || len(said) > 1000 || !strings.Contains(said, "spec.template.spec.containers[0].") {
			t.Errorf("%s: admitted: %t, %d bytes: %.300s", name, d.Allowed, len(said), said)
		}
	}
}
