package seethrough

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What runs, as a user with firebreak-doctor sees it; and the proposal is one that audit can take.
func TestDiscover(t *testing.T) {
	kubectl(t, "apply", "-f", write(t, `
{apiVersion: v1, kind: Namespace, metadata: {name: wiki-staging}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: wiki, namespace: wiki-staging}, data: {DATABASE_URL: "postgres://wiki@wiki-staging.db.corp.internal:5432/wiki"}}
`))
	out, code := plugin(t, doc, "discover")
	if strings.Contains(out, "widen what binding") || strings.Contains(out, "ClusterRoleBinding \"system:") || strings.Contains(out, "the role does not exist yet") {
		t.Errorf("what is Kubernetes' own is told:\n%s", out)
	}
	contains(t, out, "  staging:\n    tier: NonProduction\n", "\"wiki-staging\"", "hosts: [\"wiki-staging.db.corp.internal\"]\n", "# At standard these ")
	if code != 0 || strings.Contains(out, "Warning: ") {
		t.Errorf("exit %d, or its role does not let it see what it reads:\n%s", code, out)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := plugin(t, doc, "audit", "--as-if", file); code == 2 && !strings.Contains(out, "judged") {
		t.Errorf("exit %d: the proposal cannot be judged by:\n%s", code, out)
	}
	out, code = plugin(t, doc, "discover", "--diff")
	if contains(t, out, "+ host wiki-staging.db.corp.internal, as a data store of staging: no DataStore declares it (ConfigMap wiki-staging/wiki, data[\"DATABASE_URL\"])\n"); code != 1 {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
