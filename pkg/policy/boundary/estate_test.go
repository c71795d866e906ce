package boundary_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// theEstate returns the estate of package policy's fixtures, as far as the comparisons need it.
func theEstate(t *testing.T) *estate.Estate {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "estate.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	in := estate.Input{Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system", FirebreakAccount: "firebreak", Namespaces: map[string]map[string]string{}}
	for text := range strings.SplitSeq(string(raw), "\n---\n") {
		var kind struct {
			metav1.TypeMeta `json:",inline"`
			Metadata        metav1.ObjectMeta `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		switch kind.Kind {
		case v1alpha1.KindEnvironment:
			in.Environments = append(in.Environments, *parsed[v1alpha1.Environment](t, text))
		case v1alpha1.KindDataStore:
			in.DataStores = append(in.DataStores, *parsed[v1alpha1.DataStore](t, text))
		case "Namespace":
			in.Namespaces[kind.Metadata.Name] = kind.Metadata.Labels
		}
	}
	if len(in.Environments) == 0 || len(in.DataStores) == 0 {
		t.Fatal("the estate of the fixtures is empty")
	}
	return estate.Compile(in)
}

func now() time.Time { return time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) }
