package cli_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// decision is what check said of one manifest.
type decision struct {
	Results []struct {
		Decision, Message string
		Findings          []struct{ Rule, Path, Action string }
	}
}

// judged runs check as somebody, and returns allow, deny or undecided with what was said.
func judged(t *testing.T, file, stdin, estate, user, group, namespace string) (string, decision) {
	t.Helper()
	out, code := run(t, stdin, "check", "-f", file, "--with", estate, "--as", user, "--as-group", group, "-n", namespace, "-o", "json")
	var d decision
	if i := strings.Index(out, "{"); i >= 0 {
		if err := json.Unmarshal([]byte(out[i:]), &d); err != nil && code < 2 {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return map[int]string{0: "allow", 1: "deny"}[code] + map[bool]string{true: "undecided"}[code > 1], d
}

// TestForms judges manifests in the forms of public issues: testdata/forms/CASES.tsv says what each should get, by which rule, and in
// which field.
func TestForms(t *testing.T) {
	f, err := os.Open("testdata/forms/CASES.tsv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 50 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		file, user, group, namespace, want, rule, path := row[0], row[1], row[2], row[3], row[4], row[5], row[6]
		t.Run(strings.TrimSuffix(file, ".yaml")+"/as "+group, func(t *testing.T) {
			got, d := judged(t, "testdata/forms/"+file, "", "testdata/forms/estate.yaml", user, group, namespace)
			if got != want {
				t.Fatalf("%s, want %s (%s)", got, want, row[7])
			}
			if want == "deny" && !names(d, rule, path) {
				t.Errorf("not by %s at %s: %+v", rule, path, d)
			}
		})
	}
}

// names reports whether a finding is by a rule and in a field; a dash stands for any.
func names(d decision, rule, path string) bool {
	for _, r := range d.Results {
		for _, f := range r.Findings {
			if (rule == "-" || f.Rule == rule) && (path == "-" || strings.Contains(f.Path, path)) {
				return true
			}
		}
	}
	return false
}

// TestMetInRepositories judges what was met in real repositories: miss-* is denied, alarm-* is admitted without a finding, and of
// miss-estate-* the declaration is malformed, which is said.
func TestMetInRepositories(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*.json")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			want := "allow"
			switch {
			case strings.HasPrefix(name, "miss-estate-"):
				want = "undecided"
			case strings.HasPrefix(name, "miss-"):
				want = "deny"
			}
			got, d := judged(t, file, "", strings.TrimSuffix(file, ".json")+"-estate.yaml", "dana", "developers", "dev")
			if got != want || want == "allow" && len(d.Results[0].Findings) > 0 {
				t.Errorf("%s, want %s: %+v", got, want, d)
			}
		})
	}
}

// TestSiblings judges siblings of those forms, each with its estate: references in other spellings, and harmless texts that look like them.
func TestSiblings(t *testing.T) {
	f, err := os.Open("testdata/siblings/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	count := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct {
			Name, User, Group, Namespace, Want string
			Estate                             int
			Object                             json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		count[c.Want]++
		t.Run(c.Want+"/"+c.Name, func(t *testing.T) {
			if got, d := judged(t, "-", string(c.Object), fmt.Sprintf("testdata/siblings/estate-%d.yaml", c.Estate), c.User, c.Group, c.Namespace); got != c.Want {
				t.Errorf("%s, want %s: %s\n%+v", got, c.Want, c.Object, d)
			}
		})
	}
	if lines.Err() != nil || count["deny"] < 300 || count["allow"] < 300 {
		t.Errorf("%v, %v", count, lines.Err())
	}
}
