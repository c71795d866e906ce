package cli_test

import (
	"strings"
	"testing"
)

// What is wrong with a manifest is said before anything is asked of a cluster, wherever in it it stands.
func TestRequestReadsTheWholeManifestFirst(t *testing.T) {
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, image: x, envFrom: [{configMapRef: {name: s}}]}]}}}\n"
	for name, manifest := range map[string]string{"first": "a: [\n---\n" + job, "last": job + "---\na: [\n"} {
		t.Run(name, func(t *testing.T) {
			out, code := run(t, manifest, "request", "-f", "-", "--environment", "production", "--start", "now", "--reason", "test")
			if code != 2 || !strings.Contains(out, "it is no valid YAML") {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}
