package workload_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// samples returns one object of every built-in kind that runs Pods: the design's list. A kind that is added to the package
// needs a line here, and the other way round.
func samples() map[string]struct {
	object, path string
	wanted       int64
	once         bool
} {
	const spec = `{"containers":[{"name":"a","image":"b"}]}`
	template := func(rest string) string { return fmt.Sprintf(`{"spec":{%s"template":{"spec":%s}}}`, rest, spec) }
	return map[string]struct {
		object, path string
		wanted       int64
		once         bool
	}{
		"Pod":                   {`{"spec":` + spec + `}`, "spec.containers[0]", 1, true},
		"Job.batch":             {template(`"parallelism":3,`), "spec.template.spec.containers[0]", 3, true},
		"CronJob.batch":         {`{"spec":{"jobTemplate":` + template("") + `}}`, "spec.jobTemplate.spec.template.spec.containers[0]", 1, true},
		"Deployment.apps":       {template(`"replicas":2,`), "spec.template.spec.containers[0]", 2, false},
		"StatefulSet.apps":      {template(`"replicas":0,`), "spec.template.spec.containers[0]", 0, false},
		"DaemonSet.apps":        {template(""), "spec.template.spec.containers[0]", 1, false},
		"ReplicaSet.apps":       {template(""), "spec.template.spec.containers[0]", 1, false},
		"ReplicationController": {template(`"replicas":4,`), "spec.template.spec.containers[0]", 4, false},
	}
}

func TestEveryKindIsRead(t *testing.T) {
	var kinds []string
	for _, k := range workload.Kinds() {
		kinds = append(kinds, k.String())
	}
	var want []string
	for k := range samples() {
		want = append(want, k)
	}
	slices.Sort(kinds)
	slices.Sort(want)
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Fatalf("kinds without a sample (+), samples without a kind (-):\n%s", diff)
	}
	for name, tc := range samples() {
		t.Run(name, func(t *testing.T) {
			w, err := workload.Of(schema.ParseGroupKind(name), []byte(tc.object))
			if err != nil {
				t.Fatal(err)
			}
			containers := w.Template.Containers()
			if len(containers) != 1 || containers[0].Path != tc.path {
				t.Errorf("containers %+v, want one at %s", containers, tc.path)
			}
			if w.Wanted != tc.wanted || w.RunsToCompletion != tc.once {
				t.Errorf("wants %d, runs to completion %v; want %d, %v", w.Wanted, w.RunsToCompletion, tc.wanted, tc.once)
			}
		})
	}
}

func TestSuspendedWantsNothing(t *testing.T) {
	for _, kind := range []string{"Job.batch", "CronJob.batch"} {
		object := strings.Replace(samples()[kind].object, `"spec":{`, `"spec":{"suspend":true,`, 1)
		w, err := workload.Of(schema.ParseGroupKind(kind), []byte(object))
		if err != nil || w.Wanted != 0 {
			t.Errorf("%s: %+v %v, want it to want no Pod", kind, w, err)
		}
	}
}

// Field names match exactly, as in the API server: "IMAGE" is not an image.
func TestFieldNamesMatchExactly(t *testing.T) {
	w, err := workload.Of(schema.GroupKind{Kind: "Pod"}, []byte(`{"spec":{"containers":[{"name":"a","IMAGE":"b"}]}}`))
	if err != nil || w.Template.Spec.Containers[0].Image != "" {
		t.Errorf("%+v %v", w, err)
	}
}

func TestWhatIsNoSuchObjectIsAnError(t *testing.T) {
	for _, raw := range []string{`[]`, `{"spec":7}`, `{"spec":{"containers":"x"}}`, `{`} {
		if w, err := workload.Of(schema.GroupKind{Kind: "Pod"}, []byte(raw)); err == nil {
			t.Errorf("%s: %+v, want an error", raw, w)
		}
	}
	if w, err := workload.Of(schema.GroupKind{Kind: "ConfigMap"}, []byte(`{}`)); w != nil || err != nil {
		t.Errorf("a kind without Pods: %+v %v", w, err)
	}
}

func FuzzOf(f *testing.F) {
	for _, s := range samples() {
		f.Add([]byte(s.object))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, k := range workload.Kinds() {
			w, err := workload.Of(k.GroupKind, raw)
			if err != nil || w == nil {
				continue
			}
			for _, c := range w.Template.Containers() {
				for _, cmd := range c.Commands() {
					for range workload.Calls(cmd.Words, func(string) (string, bool) { return "", false }, budget.New()) {
					}
				}
			}
			if _, err := json.Marshal(w.Template.Spec); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
	})
}
