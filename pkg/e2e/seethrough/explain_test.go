package seethrough

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

const across = `{apiVersion: batch/v1, kind: Job, metadata: {name: across, namespace: dev}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: x, args: [--host=orders.prod.db.example.com]}]}}}}`

// A developer is denied, and finds out why by the id alone, with the right to see the Events of their namespace.
func TestADenialIsExplained(t *testing.T) {
	said, err := the.KubectlWith(t.Context(), the.UserConfig(stage.Developer), across, "create", "-f", "-")
	id := policy.DenialIDIn(said)
	if err == nil || id == "" {
		t.Fatalf("%v: a denial without an id: %s", err, said)
	}
	var out string
	await.True(t, "the Event is there", func() bool {
		var code int
		out, code = plugin(t, viewer, "explain", id, "-n", "dev")
		return code == 0
	})
	contains(t, out, "Denial "+id+", from Event dev/", "What: Job across in namespace \"dev\".\n", "Who: "+stage.Developer+".\n",
		"DataStoreAcrossTiers: A workload uses the data stores of its own tier, or Shared ones.\n", "Ways that would pass:\n  - use a data store of \"development\"\n")
	if out, code := plugin(t, nobody, "explain", id, "-n", "dev"); code != 2 || !strings.Contains(out, "forbidden") {
		t.Errorf("exit %d, and a user who may not see Events sees this one:\n%s", code, out)
	}
	if out, code := plugin(t, viewer, "explain", "00000000", "-n", "dev"); code != 2 || !strings.Contains(out, `no Event in namespace "dev" tells of denial 00000000; API servers keep Events for an hour`) {
		t.Errorf("exit %d:\n%s", code, out)
	}
	out, code := plugin(t, nobody, "explain", said) // the text alone needs no rights
	if contains(t, out, "Warning: list events: ", "DataStoreAcrossTiers: "); code != 0 {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// What a stored object would be judged by, as a user who may see it and the estate.
func TestAnObjectIsExplained(t *testing.T) {
	if out, err := the.KubectlWith(t.Context(), the.UserConfig(stage.Developer), strings.Replace(strings.ReplaceAll(across, "across", "within"), ".prod.", ".dev.", 1), "create", "-f", "-"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, name := range []string{"job/within", "jobs.batch/within", "Job/within"} {
		out, code := plugin(t, checks, "explain", name, "-n", "dev")
		if contains(t, out, "Job \"within\" in namespace \"dev\": allow\n", "Who: user \"chris\", a member of no environment.\n", "Where: namespace \"dev\" is in \"development\".\n"); code != 0 {
			t.Errorf("exit %d:\n%s", code, out)
		}
	}
	if out, code := plugin(t, checks, "explain", "unicorn/x", "-n", "dev"); code != 2 || !strings.Contains(out, `the cluster serves no kind that is called "unicorn"`) {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if out, code := plugin(t, checks, "explain", "job/none", "-n", "dev"); code != 2 || !strings.Contains(out, `read job/none: jobs.batch "none" not found`) {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
