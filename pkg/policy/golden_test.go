package policy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

var update = flag.Bool("update", false, "write the golden files")

// header is the content of the comment at the head of a fixture, below `# case:`.
type header struct {
	// Reason says why the request is decided as it is.
	Reason string `json:"reason"`
	// Requester is a name in testdata/requesters.yaml.
	Requester string `json:"requester"`
	// Operation is create (the default), update (of the second document), delete (of the first) or connect.
	Operation string `json:"operation"`
	// SubResource is the request's. If there is one, Resource and Name are the core resource and the name that it belongs to.
	SubResource string `json:"subresource"`
	Resource    string `json:"resource"`
	Name        string `json:"name"`
	// Namespace is the request's; it defaults to the object's own.
	Namespace string `json:"namespace"`
	// At is the instant of the request; it defaults to that of now.
	At *time.Time `json:"at"`
	// State names files of testdata/state.
	State []string `json:"state"`
	// DryRun is as in the request.
	DryRun bool `json:"dryRun"`
	// RoleRead is true if the role that is bound was looked for, and does not exist.
	RoleRead bool `json:"roleRead"`
	// Propagation says what becomes of the dependents of a deleted object: Background, Foreground or Orphan.
	Propagation string `json:"propagation"`
}

// fixture is one file of testdata/<rule>/{allow,deny}.
type fixture struct {
	header
	path    string
	objects []document
}

func readFixture(t *testing.T, path string) fixture {
	t.Helper()
	raw := read(t, path)
	var head strings.Builder
	for line := range strings.Lines(string(raw)) {
		comment, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		head.WriteString(strings.TrimPrefix(comment, " "))
	}
	var h struct {
		Case header `json:"case"`
	}
	if err := yaml.UnmarshalStrict([]byte(head.String()), &h); err != nil {
		t.Fatalf("%s: its header is no YAML: %v", path, err)
	}
	f := fixture{header: h.Case, path: path, objects: documents(t, raw)}
	if f.Reason == "" || f.Requester == "" || len(f.objects) == 0 {
		t.Fatalf("%s: needs a reason, a requester and an object", path)
	}
	return f
}

// request returns the request that the API server would send for a fixture.
func (f *fixture) request(t *testing.T, s *stage) *policy.Request {
	t.Helper()
	at := now()
	if f.At != nil {
		at = *f.At
	}
	return newRequest(t, s, f.header, f.objects, at)
}

func newRequest(t testing.TB, s *stage, h header, objects []document, at time.Time) *policy.Request {
	t.Helper()
	o := objects[0]
	plural, _ := meta.UnsafeGuessKindToResource(o.gvk())
	req := &policy.Request{
		Operation: policy.Create, Kind: o.gvk(), Resource: plural, SubResource: h.SubResource,
		Namespace: o.Metadata.Namespace, Name: o.Metadata.Name, User: s.as(t, h.Requester),
		Object: o.json, DryRun: h.DryRun, Facts: policy.Facts{RoleRead: h.RoleRead}, Now: at,
	}
	if o.Kind == "Namespace" {
		req.Namespace = o.Metadata.Name
	}
	if h.Resource != "" {
		req.Resource = schema.ParseGroupResource(h.Resource).WithVersion("v1")
	}
	if h.Name != "" {
		req.Name = h.Name
	}
	if h.Namespace != "" {
		req.Namespace = h.Namespace
	}
	if h.Propagation != "" {
		req.Options = fmt.Appendf(nil, `{"propagationPolicy":%q}`, h.Propagation)
	}
	if len(objects) > 1 {
		req.OldObject = objects[1].json
	}
	switch h.Operation {
	case "", "create":
		req.Object = created(t, o, at)
	case "update":
		req.Operation = policy.Update
	case "delete":
		req.Operation, req.OldObject, req.Object = policy.Delete, o.json, nil
	case "connect":
		req.Operation, req.Options, req.Object = policy.Connect, o.json, nil
	default:
		t.Fatalf("operation is create, update, delete or connect, not %q", h.Operation)
	}
	return req
}

// created adds the fields that the API server has set when a validating webhook sees a new object.
func created(t testing.TB, d document, at time.Time) []byte {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(d.json, &o); err != nil {
		t.Fatal(err)
	}
	m, ok := o["metadata"].(map[string]any)
	if !ok {
		return d.json
	}
	m["creationTimestamp"] = at.UTC().Format(time.RFC3339)
	if m["uid"] == nil {
		m["uid"] = "uid-of-" + d.Metadata.Name
	}
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func folderOf(r v1alpha1.RuleName) string { return strings.ToLower(string(r)) }

// TestFixtures judges testdata/<rule>/{allow,deny}/*.yaml and compares the texts that the requester would read with the golden beside
// each.
func TestFixtures(t *testing.T) {
	s := newStage(t)
	for _, rule := range policy.Rules() {
		for _, side := range []string{"allow", "deny"} {
			for _, path := range glob(t, "testdata", folderOf(rule.Name()), side, "*.yaml") {
				t.Run(folderOf(rule.Name())+"/"+side+"/"+strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
					f := readFixture(t, path)
					req := f.request(t, s)
					d, err := policy.Evaluate(*req, s.cluster, s.state(t, f.State...))
					if err != nil {
						t.Fatalf("%s: %v", f.Reason, err)
					}
					denies := slices.ContainsFunc(d.Denied(), func(f policy.Finding) bool { return f.Rule == rule.Name() })
					denies = denies && !f.DryRun // a dry run is warned, and admitted
					if want := side == "deny"; denies != want || d.Allowed == want {
						t.Errorf("%s: %s denies: %t, admitted: %t", f.Reason, rule.Name(), denies, d.Allowed)
					}
					compareGolden(t, strings.TrimSuffix(path, ".yaml")+".golden", render(req, d), f.Reason)
				})
			}
		}
	}
}

func compareGolden(t *testing.T, path, got, reason string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./pkg/policy -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: differs from %s (-want +got):\n%s", reason, path, diff)
	}
}

func glob(t *testing.T, parts ...string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
