package reference_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// A path of a secret store has one form, however its API spells it.
func TestStorePathsHaveOneForm(t *testing.T) {
	for path, want := range map[string]string{
		"secret/prod/db":             "secret/prod/db",
		"/secret/prod/db/":           "secret/prod/db",
		"v1/secret/prod/db":          "secret/prod/db",
		"/v1/secret/data/prod/db":    "secret/prod/db",
		"secret/metadata/prod/db":    "secret/prod/db",
		"database/creds/prod-orders": "database/creds/prod-orders",
		"data/prod/db":               "data/prod/db",
		"secret/prod/data/db":        "secret/prod/data/db",
	} {
		if got := reference.StorePathTarget(path); got.Name != want || got.Kind != reference.StorePath {
			t.Errorf("%s: %v, want %q", path, got, want)
		}
	}
}

// Each word by which something copies a Secret into other namespaces, and each that says where to, is read.
func TestWordsOfReplication(t *testing.T) {
	for key, reads := range map[string]bool{
		"replicator.v1.mittwald.de/replicate-to":                     true,
		"reflector.v1.k8s.emberstack.com/reflection-allowed":         true,
		"reflector.v1.k8s.emberstack.com/reflection-auto-namespaces": true,
		"example.com/copy-to":                                        true,
		"example.com/copy-namespaces":                                true,
		"example.com/copy-count":                                     false,
		"example.com/owner":                                          false,
	} {
		found := reference.Extract(reference.Input{
			Namespace: "dev", Kind: schema.GroupKind{Kind: "Secret"}, Annotations: map[string]string{key: "payments"}, Budget: budget.New(),
		})
		got := slices.ContainsFunc(found, func(r reference.Reference) bool { return r.Kind == reference.Namespace && r.Name == "payments" })
		if got != reads {
			t.Errorf("%s: the namespace is read: %t, want %t (%s)", key, got, reads, strings.TrimSpace(key))
		}
	}
}
