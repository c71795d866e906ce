package policy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// fewest is how many fixtures of each side a rule needs.
const fewest = 3

func TestEveryRuleHasFixtures(t *testing.T) {
	for _, r := range policy.Rules() {
		for _, side := range []string{"allow", "deny"} {
			dir := filepath.Join("testdata", folderOf(r.Name()), side)
			if n := len(glob(t, dir, "*.yaml")); n < fewest {
				t.Errorf("%s: %d fixtures; a rule needs at least %d of what it lets pass and of what it refuses", dir, n, fewest)
			}
		}
	}
}

// TestNoStrayFixtures checks that tests read every fixture: a file that no test reads looks like a promise that nobody keeps.
func TestNoStrayFixtures(t *testing.T) {
	known := map[string]bool{
		filepath.Join("testdata", "estate.yaml"):     true,
		filepath.Join("testdata", "requesters.yaml"): true,
	}
	for _, r := range policy.Rules() {
		for _, side := range []string{"allow", "deny"} {
			for _, path := range glob(t, "testdata", folderOf(r.Name()), side, "*.yaml") {
				known[path] = true
				known[strings.TrimSuffix(path, ".yaml")+".golden"] = true
				noteState(t, known, path)
			}
		}
	}
	err := filepath.WalkDir("testdata", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Dir(path) == filepath.Join("testdata", "corpus") {
			return err
		}
		if !known[path] {
			t.Errorf("%s belongs to no fixture of a rule in Rules()", path)
		}
		delete(known, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range known {
		if !*update || filepath.Ext(path) != ".golden" {
			t.Errorf("%s is missing", path)
		}
	}
}

// noteState adds the files of testdata/state that a fixture uses.
func noteState(t *testing.T, known map[string]bool, path string) {
	t.Helper()
	for _, name := range readFixture(t, path).State {
		file := filepath.Join("testdata", "state", name+".yaml")
		known[file] = true
		for _, d := range documents(t, read(t, file)) {
			for _, a := range []string{planOf, planWith} {
				if plan, ok := d.Metadata.Annotations[a]; ok {
					known[filepath.Join("testdata", "state", "plans", plan)] = true
				}
			}
		}
	}
}

func TestRulesAreNamesOfTheAPI(t *testing.T) {
	seen := map[v1alpha1.RuleName]bool{}
	for _, r := range policy.Rules() {
		if !slices.Contains(v1alpha1.RuleNames(), r.Name()) {
			t.Errorf("%s is a rule that v1alpha1.RuleNames() does not list, so no Environment can name it", r.Name())
		}
		if seen[r.Name()] {
			t.Errorf("%s stands twice in Rules()", r.Name())
		}
		seen[r.Name()] = true
	}
}

// TestCRDsListTheRules checks that the schemas repeat the names of all rules, in CEL and in an enum.
func TestCRDsListTheRules(t *testing.T) {
	want := make([]string, 0, len(v1alpha1.RuleNames()))
	for _, r := range v1alpha1.RuleNames() {
		want = append(want, string(r))
	}
	for name, got := range map[string][]string{
		"spec.enforcement.rules of Environment": celNames(t, schemaOf(t, "environments", "enforcement", "rules")),
		"spec.rules of Exemption":               enumNames(t, schemaOf(t, "exemptions", "rules")),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs from v1alpha1.RuleNames() (-want +got):\n%s", name, diff)
		}
	}
	if got := schemaOf(t, "environments", "enforcement", "rules").MaxProperties; got != len(want) {
		t.Errorf("spec.enforcement.rules holds at most %d rules, and there are %d", got, len(want))
	}
}

// property is the part of a schema in a CRD that the test reads.
type property struct {
	Properties    map[string]property     `json:"properties"`
	Items         *property               `json:"items"`
	Enum          []string                `json:"enum"`
	MaxProperties int                     `json:"maxProperties"`
	Validations   []struct{ Rule string } `json:"x-kubernetes-validations"`
}

type oneSchema struct {
	OpenAPIV3Schema property `json:"openAPIV3Schema"`
}

// schemaOf returns the schema of a field below spec.
func schemaOf(t *testing.T, plural string, path ...string) property {
	t.Helper()
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema oneSchema `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	file := filepath.Join("..", "..", "config", "crd", "firebreak.dev_"+plural+".yaml")
	if err := yaml.Unmarshal(read(t, file), &crd); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	p := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, name := range append([]string{"spec"}, path...) {
		next, ok := p.Properties[name]
		if !ok {
			t.Fatalf("%s has no %s", file, strings.Join(path, "."))
		}
		p = next
	}
	return p
}

// celNames returns the names in `name in ['A','B']`.
func celNames(t *testing.T, p property) []string {
	t.Helper()
	var out []string
	for _, v := range p.Validations {
		_, list, ok := strings.Cut(v.Rule, "name in [")
		if !ok {
			continue
		}
		for _, m := range regexp.MustCompile(`'([A-Za-z]+)'`).FindAllStringSubmatch(list, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

func enumNames(t *testing.T, p property) []string {
	t.Helper()
	if p.Items == nil {
		t.Fatal("is no list")
	}
	return p.Items.Enum
}
