package e2e

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Other programs may rely on the packages that pkg/README.md lists. The doc.go of every other package says that it may change
// without notice.
func TestWhatIsPublicIsDeliberate(t *testing.T) {
	public := []string{"api/v1alpha1", "change", "estate", "policy", "policy/boundary", "policy/powers", "policy/tools", "reference", "schedule", "view", "workload"}
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != ".go" {
			return err
		}
		name, err := filepath.Rel("..", filepath.Dir(file))
		if err != nil || seen[name] || strings.Contains(name, "testdata") {
			return err
		}
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name, "doc.go"), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if doc := f.Doc.Text(); strings.Contains(doc, "may change without notice") == slices.Contains(public, name) {
				t.Errorf("public: %t, but doc.go says: %s", slices.Contains(public, name), doc)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 30 {
		t.Errorf("only %d packages were found", len(seen))
	}
}
