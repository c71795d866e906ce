package workload_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// TestEmbedded: Embedded finds templates and containers in a custom resource of any kind, by their shape.
func TestEmbedded(t *testing.T) {
	for name, test := range map[string]struct {
		reason, manifest string
		want             []string
	}{
		"a template": {
			"labels and annotations of the Pods stand beside their spec", "{spec: {template: {metadata: {labels: {a: b}, annotations: {c: d}}, spec: {containers: [{name: x, image: i, command: [psql]}]}}}}",
			[]string{"spec.template map[a:b] map[c:d]", "spec.template.spec.containers[0] i psql"},
		},
		"a template without metadata": {
			"nothing is known of its Pods", "{spec: {template: {spec: {containers: [{name: x, image: i}]}}}}",
			[]string{"spec.template map[] map[]", "spec.template.spec.containers[0] i"},
		},
		"containers by their names":   {"some write a list as a map", "{spec: {containers: {x: {image: i}}}}", []string{"spec map[] map[]", "spec.containers[0] i"}},
		"a container alone":           {"its command runs", "{spec: {steps: [{image: i, command: [psql, -h, db]}]}}", []string{"spec.steps[0] map[] map[]", "spec.steps[0] i psql -h db"}},
		"a command without an image":  {"a hook runs in somebody else's container", "{spec: {hook: {command: [psql]}}}", []string{"spec.hook map[] map[]", "spec.hook  psql"}},
		"a command without words":     {"it runs nothing", "{spec: {hook: {command: []}}}", nil},
		"numbers among the words":     {"they are words", "{spec: {hook: {command: [psql, 7]}}}", []string{"spec.hook map[] map[]", "spec.hook  psql 7"}},
		"an image of two parts":       {"a repository and its tag are one image", "{spec: {container: {image: {repository: i, tag: v1}}}}", []string{"spec.container map[] map[]", "spec.container i:v1"}},
		"an image without a tag":      {"a repository is one", "{spec: {container: {image: {repository: i}}}}", []string{"spec.container map[] map[]", "spec.container i"}},
		"an image that runs nothing":  {"it may be a picture", "{spec: {logo: {image: i}}}", nil},
		"an image with arguments":     {"it runs with them", "{spec: {job: {image: i, args: [x]}}}", []string{"spec.job map[] map[]", "spec.job i x"}},
		"variables alone":             {"operators put them into Pods of their own", "{spec: {pod: {env: [{name: A, value: b}]}}}", []string{"spec.pod map[] map[]", "spec.pod "}},
		"variables by their names":    {"some write a list as a map", "{spec: {pod: {env: {A: b}}}}", []string{"spec.pod map[] map[]", "spec.pod "}},
		"a script with an image":      {"a shell reads it", "{spec: {task: {image: i, script: psql}}}", []string{"spec.task map[] map[]", "spec.task i  sh -c psql"}},
		"a script with a name":        {"a step may have its image from elsewhere", "{spec: {task: {name: s, script: psql}}}", []string{"spec.task map[] map[]", "spec.task   sh -c psql"}},
		"a script with neither":       {"a text may be called so", "{spec: {task: {script: psql -h db}}}", nil},
		"a line with a name":          {"a word alone may be anything", "{spec: {task: {name: s, run: psql}}}", nil},
		"a line of several words":     {"that is a command", "{spec: {task: {run: psql -h db}}}", []string{"spec.task map[] map[]", "spec.task   sh -c psql -h db"}},
		"a command as a line":         {"some write it so", "{spec: {task: {image: i, command: psql -h db}}}", []string{"spec.task map[] map[]", "spec.task i  sh -c psql -h db"}},
		"an empty script":             {"it runs nothing", `{spec: {task: {name: s, script: ""}}}`, nil},
		"volumes alone":               {"operators put them into Pods of their own", "{spec: {pod: {volumes: [{name: v, nfs: {server: s, path: /}}]}}}", []string{"spec.pod map[] map[]"}},
		"volumes of another shape":    {"they are something else's", "{spec: {pod: {volumes: [a, b]}}}", nil},
		"labels of a node":            {"they place Pods", "{spec: {pod: {nodeSelector: {a: b}}}}", []string{"spec.pod map[] map[]"}},
		"labels of numbers":           {"they are something else's", "{spec: {pod: {nodeSelector: {a: 1}}}}", nil},
		"an account alone":            {"without containers it is no Pod's", "{spec: {serviceAccountName: a, hostNetwork: true}}", nil},
		"a template within a text":    {"values of a chart hold them", `{spec: {values: "pod:\n  containers:\n  - {name: x, image: i}\n"}}`, []string{"spec.values.pod map[] map[]", "spec.values.pod.containers[0] i"}},
		"a container in the metadata": {"nothing there runs", "{metadata: {x: {image: i, command: [psql]}}}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			tree := customResource(t, test.manifest)
			workload.Unfold(tree, budget.New())
			var got []string
			for _, template := range workload.Embedded(tree, budget.New()) {
				got = append(got, fmt.Sprint(template.Path, " ", template.Labels, " ", template.Annotations))
				for _, c := range template.Containers() {
					line := c.Path + " " + c.Image
					for _, command := range c.Commands() {
						if line += " " + strings.Join(command.Words, " "); len(command.Words) == 0 && len(c.Commands()) == 1 {
							line = strings.TrimSuffix(line, " ")
						}
					}
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestPathsOfEmbedded: a path shows no more than 128 characters of a key, and marks what it leaves out.
func TestPathsOfEmbedded(t *testing.T) {
	k := strings.Repeat("k", 128)
	for key, want := range map[string]string{"a": "spec.a", "a.b/c": `spec["a.b/c"]`, k: "spec." + k, k + "k": "spec." + k + "…"} {
		got := workload.Embedded(map[string]any{"spec": map[string]any{key: map[string]any{"containers": []any{map[string]any{"name": "a", "image": "b"}}}}}, budget.New())
		if len(got) != 1 || got[0].Path != want {
			t.Errorf("under %s: %+v, want one template at %s", key, got, want)
		}
	}
}

// TestHowDeepTemplatesAreLookedFor: the budget says so where a value lies deeper than the search goes.
func TestHowDeepTemplatesAreLookedFor(t *testing.T) {
	lists := func(n int) any {
		var v any = map[string]any{}
		for range n {
			v = []any{v}
		}
		return v
	}
	// mistaken are values that look like volumes and are none, within each other.
	mistaken := func(n int) any {
		var v any = map[string]any{}
		for range n {
			v = map[string]any{"volumes": []any{map[string]any{"name": v}}}
		}
		return v
	}
	// fields are values within each other in a field of a container, which is decoded as a whole.
	fields := func(n int) any {
		var v any = map[string]any{}
		for range (n - 1) / 2 {
			v = map[string]any{"x": []any{v}}
		}
		if n%2 == 0 {
			v = map[string]any{"x": v}
		}
		return map[string]any{"image": "i", "securityContext": v}
	}
	for name, test := range map[string]struct {
		spec  any
		want  budget.Limit
		found int
	}{
		"as many lists as are read":           {lists(128), "", 0},
		"one list more":                       {lists(129), budget.Depth, 0},
		"as many mistaken values as are read": {mistaken(4), "", 0},
		"one mistaken value more":             {mistaken(5), budget.Depth, 0},
		"as deep a field as is decoded":       {map[string]any{"container": fields(128)}, "", 1},
		"a deeper field":                      {map[string]any{"container": fields(129)}, budget.Depth, 1},
	} {
		b := budget.New()
		if got := workload.Embedded(map[string]any{"spec": test.spec}, b); len(got) != test.found || b.Exceeded() != test.want {
			t.Errorf("%s: %d templates; too much is %q, want %q", name, len(got), b.Exceeded(), test.want)
		}
	}
}
