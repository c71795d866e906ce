package firewall_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// The whole plan of each cluster: its policies, notes and summaries.
func TestGolden(t *testing.T) {
	for _, name := range []string{"story", "apart"} {
		t.Run(name, func(t *testing.T) {
			p := plan(t, name)
			var got bytes.Buffer
			head, err := yaml.Marshal(struct {
				Notes     []string           `json:"notes"`
				Expires   string             `json:"expires"`
				Summaries []firewall.Summary `json:"summaries"`
			}{p.Notes(), p.Expires().Format("2006-01-02 15:04"), p.Summaries()})
			if err != nil {
				t.Fatal(err)
			}
			got.Write(head)
			for _, ns := range p.Namespaces() {
				for _, policy := range p.Policies(ns) {
					raw, err := yaml.Marshal(policy)
					if err != nil {
						t.Fatal(err)
					}
					got.WriteString("---\n")
					got.Write(raw)
				}
			}
			file := filepath.Join("testdata", name, "plan.yaml")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("run with -update and read the difference:\n%s", d)
			}
		})
	}
}
