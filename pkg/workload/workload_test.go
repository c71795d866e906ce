package workload_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

func gk(kind string) schema.GroupKind {
	group, name, ok := strings.Cut(kind, "/")
	if !ok {
		return schema.GroupKind{Kind: kind}
	}
	return schema.GroupKind{Group: group, Kind: name}
}

func decode(t testing.TB, kind, manifest string) *workload.Workload {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	w, err := workload.Of(gk(kind), raw)
	if err != nil || w == nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return w
}

// paths returns the design's list: the built-in kinds that run Pods, and the paths of their templates.
func paths() map[string]string {
	return map[string]string{
		"Pod":                   "",
		"ReplicationController": "spec.template",
		"apps/Deployment":       "spec.template",
		"apps/StatefulSet":      "spec.template",
		"apps/DaemonSet":        "spec.template",
		"apps/ReplicaSet":       "spec.template",
		"batch/Job":             "spec.template",
		"batch/CronJob":         "spec.jobTemplate.spec.template",
	}
}

// under puts the body of a pod template (metadata and spec) at the path of its kind.
func under(path, body string) string {
	if path == "" {
		return body
	}
	out := body
	fields := strings.Split(path, ".")
	for i := len(fields) - 1; i >= 0; i-- {
		out = fmt.Sprintf("{%s: %s}", fields[i], out)
	}
	return out
}

func TestKinds(t *testing.T) {
	var got []string
	for _, k := range workload.Kinds() {
		name := k.Kind
		if k.Group != "" {
			name = k.Group + "/" + k.Kind
		}
		got = append(got, name)
		if !workload.HasTemplate(k.GroupKind) {
			t.Errorf("%s is listed and has no template", name)
		}
	}
	slices.Sort(got)
	var want []string
	for k := range paths() {
		want = append(want, k)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Kinds() is not the list of the design (-want +got):\n%s", diff)
	}
	for _, k := range []string{"Service", "ConfigMap", "PodTemplate", "batch/Pod", "apps/Job", "batch.volcano.sh/Job"} {
		if workload.HasTemplate(gk(k)) {
			t.Errorf("%s has no template that is read here", k)
		}
	}
}

func TestEveryKindDecodes(t *testing.T) {
	const body = `{metadata: {labels: {app: a}, annotations: {note: text}}, spec: {serviceAccountName: sa,
  initContainers: [{name: i, image: i}], containers: [{name: c, image: c}, {name: d, image: d}], ephemeralContainers: [{name: e, image: e}]}}`
	for kind, path := range paths() {
		t.Run(kind, func(t *testing.T) {
			w := decode(t, kind, under(path, body))
			tmpl := &w.Template
			if tmpl.Path != path || tmpl.Labels["app"] != "a" || tmpl.Annotations["note"] != "text" || tmpl.ServiceAccount() != "sa" {
				t.Errorf("the template is read: %+v", tmpl)
			}
			spec := strings.TrimPrefix(path+".spec", ".")
			if tmpl.SpecPath() != spec {
				t.Errorf("its spec stands at %s, want %s", tmpl.SpecPath(), spec)
			}
			var got []string
			for _, c := range tmpl.Containers() {
				got = append(got, c.Path+" "+c.Image)
			}
			want := []string{spec + ".initContainers[0] i", spec + ".containers[0] c", spec + ".containers[1] d", spec + ".ephemeralContainers[0] e"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("all sorts of containers, with their paths (-want +got):\n%s", diff)
			}
			if once := kind == "Pod" || strings.HasPrefix(kind, "batch/"); w.RunsToCompletion != once {
				t.Errorf("runs to completion: %t", w.RunsToCompletion)
			}
		})
	}
}

func TestOddObjects(t *testing.T) { //nolint:gocyclo // one check for each oddity
	for name, test := range map[string]struct{ reason, json, err string }{
		"empty":          {"every field may be missing", `{}`, ""},
		"null":           {"every field may be null", `{"metadata":null,"spec":null}`, ""},
		"inner nulls":    {"every field may be null", `{"spec":{"template":null,"jobTemplate":null,"containers":null}}`, ""},
		"unknown fields": {"a newer API server may have more", `{"spec":{"template":{"spec":{"teleport":true}},"teleport":1}}`, ""},
		"wrong case":     {"the API server drops what is not spelled exactly", `{"Spec":{"Containers":[{"Name":"c"}]}}`, ""},
		"no JSON":        {"it cannot be decided", `{"spec":`, "unexpected end of JSON input"},
		"a list":         {"it cannot be decided", `[]`, "an object cannot be a list"},
		"a wrong type":   {"it cannot be decided", `{"metadata":{"labels":[]}}`, "metadata.labels cannot be a list"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range workload.Kinds() {
				w, err := workload.Of(k.GroupKind, []byte(test.json))
				switch {
				case test.err == "" && (err != nil || w == nil):
					t.Errorf("%s: %s: %v", test.reason, k.Kind, err)
				case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err) || !strings.HasPrefix(err.Error(), "decode "+k.Kind+": ")):
					t.Errorf("%s: %s: got %v", test.reason, k.Kind, err)
				case test.err == "" && len(w.Template.Containers()) > 0:
					t.Errorf("%s: %s has containers", test.reason, k.Kind)
				}
			}
		})
	}
	if w, err := workload.Of(gk("Pod"), nil); w != nil || err != nil {
		t.Errorf("no object is no workload: %v, %v", w, err)
	}
	if w, err := workload.Of(gk("ConfigMap"), []byte(`{}`)); w != nil || err != nil {
		t.Errorf("a kind without a template is no workload: %v, %v", w, err)
	}
}

func TestWanted(t *testing.T) {
	for name, test := range map[string]struct {
		reason, kind, manifest string
		want                   int64
	}{
		"a Pod":                           {"it runs", "Pod", "{}", 1},
		"a DaemonSet":                     {"it runs wherever it may", "apps/DaemonSet", "{}", 1},
		"a Deployment":                    {"one by default", "apps/Deployment", "{}", 1},
		"a Deployment of three":           {"as many as it says", "apps/Deployment", "{spec: {replicas: 3}}", 3},
		"a Deployment of none":            {"it is staged", "apps/Deployment", "{spec: {replicas: 0}}", 0},
		"a paused Deployment":             {"its Pods run all the same", "apps/Deployment", "{spec: {replicas: 2, paused: true}}", 2},
		"a StatefulSet of none":           {"it is staged", "apps/StatefulSet", "{spec: {replicas: 0}}", 0},
		"a ReplicaSet of two":             {"as many as it says", "apps/ReplicaSet", "{spec: {replicas: 2}}", 2},
		"a ReplicationController":         {"one by default", "ReplicationController", "{spec: {}}", 1},
		"a ReplicationController of none": {"it is staged", "ReplicationController", "{spec: {replicas: 0}}", 0},
		"a Job":                           {"one by default", "batch/Job", "{}", 1},
		"a Job of five at once":           {"as many as may run at once", "batch/Job", "{spec: {parallelism: 5, completions: 100}}", 5},
		"a Job of none at once":           {"it is staged", "batch/Job", "{spec: {parallelism: 0}}", 0},
		"a suspended Job":                 {"it is staged", "batch/Job", "{spec: {suspend: true, parallelism: 5}}", 0},
		"a Job that is not suspended":     {"it runs", "batch/Job", "{spec: {suspend: false}}", 1},
		"a CronJob":                       {"one by default", "batch/CronJob", "{}", 1},
		"a CronJob of four at once":       {"as its Jobs", "batch/CronJob", "{spec: {jobTemplate: {spec: {parallelism: 4}}}}", 4},
		"a suspended CronJob":             {"it is staged", "batch/CronJob", "{spec: {suspend: true}}", 0},
		"a CronJob of suspended Jobs":     {"each Job is judged when it is released", "batch/CronJob", "{spec: {jobTemplate: {spec: {suspend: true}}}}", 1},
		"replicas of null":                {"what is null is omitted", "apps/Deployment", "{spec: {replicas: null}}", 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decode(t, test.kind, test.manifest).Wanted; got != test.want {
				t.Errorf("%s: got %d, want %d", test.reason, got, test.want)
			}
		})
	}
}

// TestJobs: a plan pins how often a Job runs its Pods, and whether each has a number.
func TestJobs(t *testing.T) {
	number := func(n *int32) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprint(*n)
	}
	for name, test := range map[string]struct{ reason, kind, manifest, want string }{
		"a Job":                {"nothing is said", "batch/Job", "{spec: {}}", "- - false"},
		"a Job in full":        {"as it says", "batch/Job", "{spec: {completions: 5, backoffLimit: 0, completionMode: Indexed}}", "5 0 true"},
		"one that counts none": {"it says so", "batch/Job", "{spec: {completionMode: NonIndexed}}", "- - false"},
		"a CronJob":            {"as its Jobs", "batch/CronJob", "{spec: {jobTemplate: {spec: {completions: 2, completionMode: Indexed}}}}", "2 - true"},
	} {
		t.Run(name, func(t *testing.T) {
			w := decode(t, test.kind, test.manifest)
			if got := fmt.Sprint(number(w.Completions), " ", number(w.BackoffLimit), " ", w.Indexed); got != test.want {
				t.Errorf("%s: completions, retries and numbers %s, want %s", test.reason, got, test.want)
			}
		})
	}
	if w := decode(t, "batch/Job", "{spec: {activeDeadlineSeconds: 60}}"); w.Deadline == nil || *w.Deadline != 60 {
		t.Errorf("its deadline is %v, want 60 seconds", w.Deadline)
	}
}

func TestServiceAccount(t *testing.T) {
	for name, test := range map[string]struct{ reason, spec, want string }{
		"named":        {"as it says", "{serviceAccountName: a}", "a"},
		"old spelling": {"the deprecated field is the same", "{serviceAccount: b}", "b"},
		"both":         {"the new one wins", "{serviceAccountName: a, serviceAccount: b}", "a"},
		"neither":      {"every namespace has one", "{}", "default"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decode(t, "Pod", "{spec: "+test.spec+"}").Template.ServiceAccount(); got != test.want {
				t.Errorf("%s: got %s, want %s", test.reason, got, test.want)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	w := decode(t, "apps/Deployment", `{spec: {template: {spec: {containers: [
  {name: c, command: [a, b], args: [c, d], livenessProbe: {exec: {command: [live]}}, readinessProbe: {exec: {command: [ready]}}, startupProbe: {exec: {command: [start]}},
   lifecycle: {postStart: {exec: {command: [post]}}, preStop: {exec: {command: [pre, x]}}}},
  {name: d, args: [only], livenessProbe: {httpGet: {port: 1}}, lifecycle: {preStop: {sleep: {seconds: 1}}}},
  {name: e}]}}}}`)
	var got []string
	for _, c := range w.Template.Containers() {
		for _, cmd := range c.Commands() {
			line := fmt.Sprint(cmd.Path, " program:", cmd.HasProgram())
			for i, word := range cmd.Words {
				line += " " + strings.TrimPrefix(cmd.WordPath(i), cmd.Path) + "=" + word
			}
			got = append(got, strings.TrimPrefix(line, "spec.template.spec."))
		}
	}
	want := []string{
		"containers[0] program:true .command[0]=a .command[1]=b .args[0]=c .args[1]=d",
		"containers[0].livenessProbe.exec program:true .command[0]=live",
		"containers[0].readinessProbe.exec program:true .command[0]=ready",
		"containers[0].startupProbe.exec program:true .command[0]=start",
		"containers[0].lifecycle.postStart.exec program:true .command[0]=post",
		"containers[0].lifecycle.preStop.exec program:true .command[0]=pre .command[1]=x",
		"containers[1] program:false .args[0]=only",
		"containers[2] program:false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("every command line, with the path of every word (-want +got):\n%s", diff)
	}
}

// TestCommandsShareNothing checks that appending to the words of a command does not write into the object.
func TestCommandsShareNothing(t *testing.T) {
	w := decode(t, "Pod", `{spec: {containers: [{name: c, command: [a, b], args: [c]}]}}`)
	c := w.Template.Containers()[0]
	words := c.Commands()[0].Words
	words[0], words[2] = "changed", "changed"
	if c.Command[0] != "a" || c.Args[0] != "c" {
		t.Errorf("the object was changed: %v %v", c.Command, c.Args)
	}
}

// TestDebuggers: Debuggers returns the ephemeral containers that the Pod did not have before.
func TestDebuggers(t *testing.T) {
	of := func(containers string) *workload.Workload {
		return decode(t, "Pod", "{spec: {containers: [{name: c, image: c}], ephemeralContainers: ["+containers+"]}}")
	}
	for name, test := range map[string]struct {
		reason        string
		before, after *workload.Workload
		want          string
	}{
		"the first":      {"it is new", of(""), of("{name: a, image: x}"), "spec.ephemeralContainers[0] a x"},
		"a second":       {"the first was there", of("{name: a, image: x}"), of("{name: a, image: x}, {name: b, image: z}"), "spec.ephemeralContainers[0] b z"},
		"none":           {"all were there", of("{name: a, image: x}"), of("{name: a, image: x}"), ""},
		"one changed":    {"another image is another container", of("{name: a, image: x}"), of("{name: a, image: z}"), "spec.ephemeralContainers[0] a z"},
		"nothing before": {"every one counts as new", nil, of("{name: a, image: x}"), "spec.ephemeralContainers[0] a x"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			out := workload.Debuggers(test.after, test.before)
			for _, c := range out.Template.Containers() {
				got = append(got, c.Path+" "+c.Name+" "+c.Image)
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
			}
		})
	}
}
