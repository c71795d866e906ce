package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// The kustomize tree installs the same as the chart with its default values.
func TestKustomizeInstallsTheSame(t *testing.T) {
	chart, err := the.Helm(t.Context(), "template", "firebreak", filepath.Join(the.Root, "charts", "firebreak"), "-n", "firebreak-system", "--skip-tests", "--set", "cluster.name=replace-me", "--set", "image.repository=ghcr.io/firebreak-dev/firebreak")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := the.Kubectl(t.Context(), the.AdminConfig(), "kustomize", filepath.Join(the.Root, "config"))
	if err != nil {
		t.Fatal(err)
	}
	want, got := objects(t, chart), objects(t, tree)
	delete(got, "Namespace/firebreak-system") // helm creates it with --create-namespace
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("objects (-chart +kustomize):\n%s", diff)
	}
	for name := range want {
		// Line breaks within an expression do not matter, and kustomize sets its own.
		if diff := cmp.Diff(want[name], got[name], cmp.Comparer(func(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) })); diff != "" {
			t.Errorf("%s (-chart +kustomize):\n%s", name, diff)
		}
	}
}

// objects reads manifests, without the labels that say which of the two installed them.
func objects(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return out
		}
		u := &unstructured.Unstructured{}
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		if err := json.Unmarshal(raw, &u.Object); err != nil {
			t.Fatal(err)
		}
		for _, path := range [][]string{{"metadata", "labels"}, {"metadata", "annotations", "helm.sh/resource-policy"}} {
			unstructured.RemoveNestedField(u.Object, path...)
		}
		if a := u.GetAnnotations(); len(a) == 0 {
			unstructured.RemoveNestedField(u.Object, "metadata", "annotations")
		}
		if text, ok, _ := unstructured.NestedString(u.Object, "data", "registrations.yaml"); ok {
			text = regexp.MustCompile(`(?m)^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n`).ReplaceAllString(text, "")
			if err := unstructured.SetNestedField(u.Object, text, "data", "registrations.yaml"); err != nil {
				t.Fatal(err)
			}
		}
		out[fmt.Sprintf("%s/%s", u.GetKind(), u.GetName())] = u.Object
	}
}
