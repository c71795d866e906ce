package check

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// The log says who froze and lifted, requested, approved and withdrew, and who tried to take the boundary away, though nothing of it is there
// any more.
func TestTheRecordOutlivesWhatItIsAbout(t *testing.T) {
	if out, err := plugin(t, stage.SecondSRE, "freeze", "production", "--name", "short-one", "--reason", "stock-taking", "--only-namespace", "prod-red"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "unfreeze", "short-one"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	ask(t, jobFile(t, t.TempDir(), "recorded", "migrate"), "recorded-w")
	if out, err := plugin(t, stage.SecondSRE, "approve", "recorded-w", "-n", "payments", "--yes", "--comment", "looks right"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := kubectl(t, "delete", "changewindow", "recorded-w", "-n", "payments"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := cluster.Kubectl(t.Context(), cluster.AdminConfig(), "delete", "crd", "changerecords.firebreak.dev"); err == nil {
		t.Fatalf("the record was deleted: %s", out)
	}
	out, err := plugin(t, stage.SRE, "log", "--since", "10m")
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, want := range []string{
		"In all namespaces, from ", `robin  Created  changefreeze/short-one`, `froze production (freeze "short-one"), until somebody lifts it: stock-taking`,
		`lifted the freeze of production (freeze "short-one")`, `requested window "recorded-w" for "production": the orders move`, `approved window "recorded-w": looks right`,
		`withdrew window "recorded-w"`, "Denied", `customresourcedefinitions.apiextensions.k8s.io "changerecords.firebreak.dev" is forbidden: `,
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("the log lacks %q:\n%s", want, out)
		}
	}
}
