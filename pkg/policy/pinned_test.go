package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// What a run was approved with does not change until the run has ended, in whatever way it would change.
func TestBypassTheContentOfARun(t *testing.T) {
	const (
		before = `{apiVersion: v1, kind: ConfigMap, metadata: {name: sql, namespace: payments}, data: {run: "select 1"}, binaryData: {gz: YQ==}}`
		want   = `PlanMismatch: Job "reindex-0" was approved in window "w" with the present content of this ConfigMap, and has not ended; wait until Job "reindex-0" has ended, or delete it first`
	)
	run := func(i int, window string) v1alpha1.ChangeExecution {
		var x v1alpha1.ChangeExecution
		x.Spec.Window = v1alpha1.ExecutedWindow{ObjectReference: v1alpha1.ObjectReference{Namespace: "payments", Name: window, UID: types.UID(window + "-uid")}}
		x.Spec.Object = v1alpha1.ExecutedObject{Group: "batch", Kind: "Job", Namespace: "payments", Name: fmt.Sprintf("reindex-%d", i), UID: types.UID(fmt.Sprint("job-", i))}
		x.Spec.ConfigMaps = []string{"sql"}
		return x
	}
	many := make([]v1alpha1.ChangeExecution, 0, 40)
	for i := range cap(many) {
		many = append(many, run(i, "w"))
	}
	one := many[:1]
	changed := func(old, now string) string { return strings.Replace(before, old, now, 1) }
	for name, tc := range map[string]struct {
		op      string
		after   string
		runs    []v1alpha1.ChangeExecution
		running []types.UID
		want    string
	}{
		"its text":                      {op: "update", after: changed("select 1", "drop table orders"), runs: one, running: []types.UID{"job-0"}, want: want},
		"its bytes":                     {op: "update", after: changed("YQ==", "Yg=="), runs: one, running: []types.UID{"job-0"}, want: want},
		"the loss of its text":          {op: "update", after: changed(`run: "select 1"`, ""), runs: one, running: []types.UID{"job-0"}, want: want},
		"its deletion":                  {op: "delete", runs: one, running: []types.UID{"job-0"}, want: want},
		"its deletion in a collection":  {op: "delete", runs: one, running: []types.UID{"job-0"}, want: want},
		"its labels":                    {op: "update", after: changed("name: sql", "name: sql, labels: {team: orders}"), runs: one, running: []types.UID{"job-0"}},
		"after the run":                 {op: "update", after: changed("select 1", "select 2"), runs: one},
		"after the runs that were read": {op: "update", after: changed("select 1", "select 2"), runs: many[:32]},
		"one of more runs than are read": {op: "update", after: changed("select 1", "select 2"), runs: many,
			want: strings.ReplaceAll(want, "reindex-0", "reindex-32")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.cluster.PinnedBy = func(namespace, configMap string) []v1alpha1.ChangeExecution {
				if namespace != "payments" || configMap != "sql" {
					return nil
				}
				return slices.Clone(tc.runs)
			}
			objects := before
			if tc.op == "update" {
				objects = before + "\n---\n" + tc.after
			}
			req := newRequest(t, s, header{Requester: "alice", Operation: tc.op}, documents(t, []byte(objects)), now())
			if strings.HasSuffix(name, "collection") {
				req.Name = "" // the review of one of a collection has no name
			}
			if c, err := policy.Prepare(*req, s.cluster); err != nil {
				t.Fatal(err)
			} else if m := c.Missing(); (m != nil && m.Runs != nil) != (name != "its labels") {
				t.Errorf("missing: %v", m)
			}
			req.Facts.RunsRead, req.Facts.Running = true, tc.running
			d, err := policy.Evaluate(*req, s.cluster, s.state(t))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range d.Denied() {
				if f.Rule == v1alpha1.RulePlanMismatch {
					got = append(got, fmt.Sprintf("%s: %s; %s", f.Rule, f.Message, f.Remedy))
				}
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
