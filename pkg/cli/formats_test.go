package cli_test

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// repository returns a folder with a manifest that names production's data store, on line 11, and one that names none.
func repository(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "shop.yaml"), `# the shop
apiVersion: v1
kind: ConfigMap
metadata: {name: shop, namespace: dev}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: till, namespace: dev}
data:
  a: b
  db: orders.prod.db.example.com
`)
	write(t, filepath.Join(folder, "values, old.txt"), "not a manifest")
	return folder
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const tillCrosses = `ConfigMap "till" in namespace "dev": data["db"] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"; use a data store of "development"`

// The report conforms to the schema of SARIF 2.1.0, and names file and line.
func TestSARIF(t *testing.T) {
	folder := repository(t)
	out, code := run(t, "", "check", "-f", folder, "--with", estate, "-o", "sarif")
	report, err := sarif.FromString(out, sarif.WithStrictValidation())
	if err != nil || code != 1 {
		t.Fatalf("exit %d: %v\n%s", code, err, out)
	}
	if err := report.Validate(); err != nil {
		t.Error(err)
	}
	if len(report.Runs) != 1 || len(report.Runs[0].Results) != 1 {
		t.Fatalf("want one result in one run:\n%s", out)
	}
	got := report.Runs[0].Results[0]
	where := got.Locations[0].PhysicalLocation
	if diff := cmp.Diff([]any{"DataStoreAcrossTiers", "error", tillCrosses, filepath.Join(folder, "shop.yaml"), 11},
		[]any{*got.RuleID, got.Level, *got.Message.Text, *where.ArtifactLocation.URI, *where.Region.StartLine}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Each object is a test case of its file.
func TestJUnit(t *testing.T) {
	folder := repository(t)
	write(t, filepath.Join(folder, "zz.yaml"), "a: [")
	out, code := run(t, "", "check", "-f", folder, "--with", estate, "-o", "junit")
	var got junit.Testsuites
	if err := xml.Unmarshal([]byte(out), &got); err != nil || code != 2 {
		t.Fatalf("exit %d: %v\n%s", code, err, out)
	}
	if got.Tests != 3 || got.Failures != 1 || got.Errors != 1 || len(got.Suites) != 2 {
		t.Errorf("%d tests, %d failures, %d errors in %d suites, want 3, 1, 1 in 2:\n%s", got.Tests, got.Failures, got.Errors, len(got.Suites), out)
	}
	if f := got.Suites[0].Testcases[1].Failure; f == nil || f.Message != `configmaps "till" is forbidden: use a data store of "development" (DataStoreAcrossTiers: data["db"] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development")` {
		t.Errorf("it says %+v", f)
	}
}

// GitHub shows each objection beside its line. Nothing in a name can begin another command.
func TestGitHub(t *testing.T) {
	folder := repository(t)
	odd := filepath.Join(folder, "a,b:c%.yaml")
	write(t, odd, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"x\\n::error::y\", namespace: dev}\ndata: {db: orders.prod.db.example.com}\n")
	out, code := run(t, "", "check", "-f", folder, "--with", estate, "-o", "github")
	want := "::error file=" + folder + `/a%2Cb%3Ac%25.yaml,line=4,title=DataStoreAcrossTiers::` + strings.Replace(tillCrosses, `"till"`, `"x\n::error::y"`, 1) + "\n" +
		"::error file=" + folder + "/shop.yaml,line=11,title=DataStoreAcrossTiers::" + tillCrosses + "\n"
	if out != want || code != 1 {
		t.Errorf("exit %d:\n%s\nwant:\n%s", code, out, want)
	}
}

// Every format says that nothing could be judged.
func TestFormatsOfNothing(t *testing.T) {
	const says = "there is nothing to judge in"
	for _, format := range []string{"text", "json", "yaml", "sarif", "junit", "github"} {
		folder := t.TempDir()
		if out, code := run(t, "", "check", "-f", folder, "--with", estate, "-o", format); code != 2 || !strings.Contains(out, says) {
			t.Errorf("%s: exit %d: %s", format, code, out)
		}
	}
}

// committed makes a repository of git of a folder, and commits what is in it.
func committed(t *testing.T, folder string) {
	t.Helper()
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "before"}} {
		cmd := exec.Command("git", append([]string{"-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
}

// What git knows of a revision is not told again; what is added since is, and what changed in other lines is not.
func TestDiff(t *testing.T) {
	folder := repository(t)
	committed(t, folder)
	check := func(paths ...string) (string, int) {
		args := []string{"check", "--with", estate, "--diff", "HEAD"}
		for _, p := range paths {
			args = append(args, "-f", filepath.Join(folder, p))
		}
		return run(t, "", args...)
	}
	shop := filepath.Join(folder, "shop.yaml")
	before, err := os.ReadFile(shop)
	if err != nil {
		t.Fatal(err)
	}
	write(t, shop, "# moved\n\n"+string(before))
	for _, path := range []string{".", "shop.yaml"} {
		if out, code := check(path); code != 0 || !strings.Contains(out, "2 judged: 2 admitted") {
			t.Errorf("%s: exit %d: %s", path, code, out)
		}
	}
	write(t, shop, string(before)+"  dns: orders.prod.db.example.com\n")
	write(t, filepath.Join(folder, "new", "a.yaml"), "{apiVersion: v1, kind: ConfigMap, metadata: {name: new, namespace: dev}, data: {x: orders.prod.db.example.com}}")
	out, code := check(".")
	if code != 1 || !strings.Contains(out, `data["dns"]`) || strings.Contains(out, `data["db"]`) || !strings.Contains(out, `"new"`) || !strings.Contains(out, "3 judged: 1 admitted, 0 admitted with warnings, 2 denied") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// A revision that git does not know, and what has none, are refused.
func TestDiffWithNothing(t *testing.T) {
	folder := repository(t)
	committed(t, folder)
	for revision, says := range map[string]string{"none": `git knows no commit "none"`, "--all": `"--all" is not a revision`} {
		if out, code := run(t, "", "check", "--with", estate, "--diff="+revision, "-f", folder); code != 2 || !strings.Contains(out, says) {
			t.Errorf("%s: exit %d: %s", revision, code, out)
		}
	}
	if out, code := run(t, "", "check", "--with", estate, "--diff=HEAD", "-f", "-"); code != 2 || !strings.Contains(out, "standard input has no revision") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// A folder with a kustomization is rendered: its patches count, and what it leaves out does not.
func TestKustomize(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "kustomization.yaml"), "namespace: dev\nbuildMetadata: [originAnnotations]\nresources: [base.yaml]\npatches:\n- patch: '[{\"op\": \"replace\", \"path\": \"/data/db\", \"value\": \"orders.prod.db.example.com\"}]'\n  target: {kind: ConfigMap}\n")
	write(t, filepath.Join(folder, "base.yaml"), "{apiVersion: v1, kind: ConfigMap, metadata: {name: till}, data: {db: none}}")
	write(t, filepath.Join(folder, "left-out.yaml"), "{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: dev}, data: {db: orders.prod.db.example.com}}")
	out, code := run(t, "", "check", "-f", folder, "--with", estate)
	if code != 1 || !strings.Contains(out, filepath.Join(folder, "base.yaml")+`: ConfigMap "till" in namespace "dev": deny`) || !strings.Contains(out, "1 judged") {
		t.Errorf("exit %d: %s", code, out)
	}
	write(t, filepath.Join(folder, "kustomization.yaml"), "resources: [../../outside.yaml]\n")
	if out, code := run(t, "", "check", "-f", folder, "--with", estate); code != 2 || !strings.Contains(out, "render the kustomization in "+folder) {
		t.Errorf("exit %d: %s", code, out)
	}
	above := filepath.Dir(folder)
	if out, code := run(t, "", "check", "-f", above, "--with", estate); code != 2 || !strings.Contains(out, "give its folder to have it rendered: -f "+folder) {
		t.Errorf("exit %d: %s", code, out)
	}
}

// A chart is rendered by the helm on the PATH, with its values; one that is given as a folder of manifests is not taken for manifests.
func TestHelm(t *testing.T) {
	kube, err := filepath.Abs("../../bin/kube")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write(t, filepath.Join(folder, "Chart.yaml"), "{apiVersion: v2, name: till, version: 0.1.0}")
	write(t, filepath.Join(folder, "templates", "a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: till, namespace: {{ .Release.Namespace }}}\ndata: {db: {{ .Values.db }}}\n")
	values := filepath.Join(t.TempDir(), "values.yaml")
	write(t, values, "db: orders.prod.db.example.com\n")
	t.Setenv("PATH", kube)
	out, code := run(t, "", "check", "--helm", folder, "-f", values, "-n", "dev", "--with", estate)
	if code != 1 || !strings.Contains(out, filepath.Join(folder, "templates", "a.yaml")+`: ConfigMap "till" in namespace "dev": deny`) {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run(t, "", "check", "--helm", folder, "-n", "dev", "--with", estate, "--diff", "HEAD"); code != 2 || !strings.Contains(out, "what a chart renders has no revision") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run(t, "", "check", "-f", folder, "--with", estate); code != 2 || !strings.Contains(out, "it is a chart; have it rendered: --helm "+folder) {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run(t, "", "check", "--helm", t.TempDir(), "--with", estate); code != 2 || !strings.Contains(out, "render the chart") {
		t.Errorf("exit %d: %s", code, out)
	}
	t.Setenv("PATH", t.TempDir())
	if out, code := run(t, "", "check", "--helm", folder, "--with", estate); code != 2 || !strings.Contains(out, "there is no helm on the PATH") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// Values that misspell a field declare less than they seem to, and are not used.
func TestMisspeltValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, "environments: {production: {tier: Production, namespace: {names: [payments]}}}\n")
	out, code := run(t, deployment("x.example.com"), "check", "-f", "-", "--with", file)
	if code != 2 || !strings.Contains(out, `--with: Environment "production": `) || !strings.Contains(out, `unknown field "spec.namespace"`) {
		t.Errorf("exit %d: %s", code, out)
	}
}

// A file that does not end its last line has lines all the same, and an option of helm is not a chart.
func TestHurriedInputs(t *testing.T) {
	out, code := run(t, "---\n# a\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: dev}\ndata:\n  db: orders.prod.db.example.com", "check", "-f", "-", "--with", estate, "-o", "github")
	if code != 1 || !strings.Contains(out, "::error line=8,title=DataStoreAcrossTiers::") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := run(t, "", "check", "--helm=--post-renderer=/bin/true", "--with", estate); code != 2 || !strings.Contains(out, `--helm: "--post-renderer=/bin/true" is not a chart`) {
		t.Errorf("exit %d: %s", code, out)
	}
}

// What a Secret named before and names now is not told apart by its value, which is never printed, but by what it leads to.
func TestDiffOfASecret(t *testing.T) {
	folder := t.TempDir()
	secret := func(host string) {
		write(t, filepath.Join(folder, "s.yaml"), "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: dev}, stringData: {db: "+host+"}}")
	}
	more := filepath.Join(t.TempDir(), "more.yaml")
	write(t, more, "{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: ledger}, spec: {environment: production, hosts: [ledger.prod.db.example.com]}}")
	secret("orders.prod.db.example.com")
	committed(t, folder)
	args := []string{"check", "-f", folder, "--with", estate, "--with", more, "--diff", "HEAD"}
	if out, code := run(t, "", args...); code != 0 {
		t.Errorf("unchanged: exit %d: %s", code, out)
	}
	secret("ledger.prod.db.example.com")
	if out, code := run(t, "", args...); code != 1 || !strings.Contains(out, `"ledger"`) {
		t.Errorf("changed: exit %d: %s", code, out)
	}
}
