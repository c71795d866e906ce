package policy_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// A window that would pin nothing, or go on for what it is not, is refused at its field.
func TestBypassWindowsThatPinNothing(t *testing.T) {
	const (
		head = `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeWindow, metadata: {name: w, namespace: %s}, spec: {type: Normal, environment: production, reason: r, schedule: {start: "2026-11-28T03:00:00Z", end: "2026-11-28T04:00:00Z"}, `
		d    = `"v2:sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
		jobs = `scope: {operations: [Create], resources: [{group: batch, kind: Job, names: ["*"]}]}, plan: {workloads: [{group: batch, kind: Job, names: [a], digest: ` + d + `%s}]}`
		env  = `scope: {clusters: [prod-eu-1], operations: [Create, Update], resources: [{group: firebreak.dev, kind: Environment, names: [staging]}]}, plan: {workloads: [{group: firebreak.dev, kind: Environment, names: [staging], digest: ` + d + `%s}]}`
	)
	cases := map[string]words{}
	for name, tc := range map[string][3]string{
		"one that goes on for nothing": {"payments", `extends: {name: x, uid: "not a label value!"}, ` + fmt.Sprintf(jobs, ""), `spec.extends: Not found: "x"`},
		"a pin for another maker": {"firebreak-system", fmt.Sprintf(env, ", madeBy: {kind: CronJob, group: batch, name: x}"),
			`spec.plan: Required value: a window for Environment "staging" says what it is to be; kubectl firebreak request -f MANIFEST fills it in`},
		"a maker of something else": {"payments", fmt.Sprintf(jobs, ", madeBy: {kind: Deployment, group: apps, name: x}"),
			`spec.plan.workloads[0].madeBy: Invalid value: "Deployment x": is for the Jobs that the schedule of a CronJob starts, and for nothing else`},
		"a way back that nothing leads to": {"payments", "rollbackWithin: 1h, " + fmt.Sprintf(jobs, ""), "spec.rollbackWithin: Forbidden: no entry of the plan is a way back"},
		"a way back that is too long": {"payments", "rollbackWithin: 20h, " + fmt.Sprintf(jobs, ", rollback: true"),
			`spec.plan.workloads[0].rollback: Invalid value: "20h0m0s": the way back would stay open for longer than the 8h that the environment allows a window`},
	} {
		cases[name] = words{reason: name, header: by("bob"), object: fmt.Sprintf(head, tc[0]) + tc[1] + "}}", want: tc[2]}
	}
	runWords(t, cases)
}

// A custom resource whose paths are long costs no more memory than any other.
func TestBypassMemoryOfCustomResources(t *testing.T) {
	s := newStage(t)
	leaves := make([]string, 380)
	for i := range leaves {
		leaves[i] = fmt.Sprintf(`"a%d": 1`, i)
	}
	workflow := func(key string) string {
		return `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"wf","namespace":"payments"},"spec":{"` + key + `":{` + strings.Join(leaves, ",") +
			`},"templates":[{"name":"a","container":{"image":"x","command":["psql","-h","orders.prod.db.example.com"]}}]}}`
	}
	req := newRequest(t, s, by("bob"), documents(t, []byte(workflow("k"))), now())
	req.Object = []byte(workflow(strings.Repeat("k", 1_200_000)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := policy.Prepare(*req, s.cluster)
	if err != nil {
		t.Fatal(err)
	}
	c.Decide(s.state(t, "approved"))
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / uint64(len(req.Object)); per > 48 {
		t.Errorf("%d bytes are allocated for each byte", per)
	}
}
