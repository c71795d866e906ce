package chart

import (
	"strings"
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// helm test says whether an installation works and, if not, what is wrong.
func TestHelmTest(t *testing.T) {
	test := func() (string, error) {
		return the.Helm(t.Context(), "test", "firebreak", "-n", stage.Namespace, "--timeout=60s")
	}
	out, err := test()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "Phase:          Succeeded") {
		t.Errorf("helm test says\n%s", out)
	}
	for _, want := range []string{
		"ok: the API server sends to every webhook\n", "ok: what is allowed is admitted\n",
		`ok: what is malformed is refused: Environment.firebreak.dev "selftest" is invalid: spec.nodes.selector: Invalid value: "Like" is not a valid label selector operator`,
	} {
		if logs := the.Pods.Logs(); !strings.Contains(logs, want) {
			t.Errorf("the test says\n%s\nwant in it %q", logs, want)
		}
	}
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=0"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(the.Pods.Pods()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the replica does not go")
		}
	}
	if out, err := test(); err == nil {
		t.Errorf("without a replica helm test passes:\n%s", out)
	}
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=1"); err != nil {
		t.Fatal(err)
	}
	if err := the.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := test(); err != nil {
		t.Error(err)
	}
}
