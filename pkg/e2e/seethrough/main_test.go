package seethrough

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var the *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

// The people of these tests.
const (
	doc    = "dora"  // holds firebreak-doctor, and firebreak-request in namespace default
	viewer = "vera"  // holds view in namespace dev, and nothing else
	nobody = "nils"  // holds nothing
	checks = "chris" // holds view and firebreak-estate-view, as explain documents
)

const roles = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doctors}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-doctor}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: dora}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: doctors-ask, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-request}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: dora}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewers, namespace: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: vera}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: chris-views}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: chris}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: chris-views-the-estate}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-estate-view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: chris}]
`

func TestMain(m *testing.M) {
	users := []controlplane.User{{Name: doc, UID: "u-doc"}, {Name: viewer, UID: "u-viewer"}, {Name: nobody, UID: "u-nobody"}, {Name: checks, UID: "u-checks"}}
	os.Exit(fixture.Main(m, stage.Options{Replicas: 2, Users: users}, &the, func(ctx context.Context, s *stage.Stage) error {
		if err := s.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: dev}}"); err != nil {
			return err
		}
		return s.Apply(ctx, roles)
	}))
}

// plugin runs kubectl firebreak as somebody, and returns its output and exit status.
func plugin(t *testing.T, who string, args ...string) (string, int) {
	t.Helper()
	return fixture.Plugin(t, the, who, args...)
}

func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("it does not say %q:\n%s", w, out)
		}
	}
}

// write writes a manifest to a file.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
