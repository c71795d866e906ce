package cli

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/hide"
)

var updateScreens = flag.Bool("update-screens", false, "write the golden screens anew")

// credential is how all credentials in the manifests of the test begin.
const credential = "hunter2"

// The approver's screen of twenty manifests that teams run in production: everything that runs is on it, and no credential.
func TestScreens(t *testing.T) {
	manifests, err := filepath.Glob("testdata/screens/*.yaml")
	if err != nil || len(manifests) < 20 {
		t.Fatalf("%d manifests, %v", len(manifests), err)
	}
	for _, file := range manifests {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			docs, err := readAll([]string{file}, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := newCluster(t, nil)
			window, err := c.run("", "request", "-f", file, "-n", "payments", "--environment", "production", "--start", "now", "--duration", "1h", "--reason", "r", "--name", "w", "--print")
			if err != nil {
				t.Fatal(err)
			}
			_, object, _ := strings.Cut(window, "apiVersion:") // a note may stand before it
			raw, err := yaml.YAMLToJSON([]byte("apiVersion:" + object))
			if err != nil {
				t.Fatal(err)
			}
			c = newCluster(t, map[string]string{own + "/namespaces/payments/changewindows/w": string(raw)})
			screen, err := c.run("", "reject", "w")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(screen, credential) {
				t.Errorf("a credential is on the screen:\n%s", screen)
			}
			for _, d := range docs {
				for _, text := range running(d.Object.Object, "") {
					if !strings.Contains(screen, text) {
						t.Errorf("%q runs, and is not on the screen", text)
					}
				}
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".golden", screen)
		})
	}
}

func compareGolden(t *testing.T, golden, screen string) {
	t.Helper()
	if *updateScreens {
		if err := os.WriteFile(golden, []byte(screen), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), screen); diff != "" {
		t.Errorf("the screen differs (-want +got):\n%s", diff)
	}
}

// running returns the words and lines below a value that decide what runs, but for those with something hidden in them, as the screen writes
// them.
func running(v any, key string) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if !slices.Contains([]string{"metadata", "kind", "apiVersion", "schedule"}, k) {
				out = append(out, running(item, k)...)
			}
		}
	case []any:
		for _, item := range v {
			out = append(out, running(item, key)...)
		}
	case string:
		for line := range strings.SplitSeq(v, "\n") {
			if line = plain(line); !strings.Contains(line, credential) && hide.Text("", line) == line {
				out = append(out, strings.ReplaceAll(line, "'", `'\''`))
			}
		}
	}
	if key == "data" || key == "value" || key == "args" || key == "command" || key == "image" {
		return out
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "Never" })
}

// What a text cannot do on the screen: move the cursor, or turn the direction of writing.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"ördentlich 'x' \"y\"": "ördentlich 'x' \"y\"", "a\x1b[2Kb": `a\x1b[2Kb`, "a\u202eb": `a\u202eb`, "a\tb": `a\tb`, "\xff": `\xff`, "a\u200bb": `a\u200bb`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q is printed as %q, want %q", text, got, want)
		}
	}
	if got := commandLine([]string{"sh", "-c", "echo 'a b'; rm $X", ""}); got != `sh -c 'echo '\''a b'\''; rm $X' ''` {
		t.Error(got)
	}
}
