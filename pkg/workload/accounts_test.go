package workload_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// customResource reads a custom resource.
func customResource(t testing.TB, manifest string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(manifest), &out); err != nil {
		t.Fatalf("%v in:\n%s", err, manifest)
	}
	return out
}

func TestAccounts(t *testing.T) {
	for name, test := range map[string]struct{ reason, manifest, want string }{
		"a name":                     {"it is of the namespace of the object", "{spec: {serviceAccountName: a}}", "home/a"},
		"in snakes":                  {"spellings are alike", "{spec: {service_account_name: a}}", "home/a"},
		"in kebabs":                  {"spellings are alike", "{spec: {service-account: a}}", "home/a"},
		"in capitals":                {"spellings are alike", "{spec: {SERVICEACCOUNT: a}}", "home/a"},
		"of a part":                  {"the field also says which part", "{spec: {driverServiceAccount: a}}", "home/a"},
		"in short":                   {"some call it so", "{spec: {saName: a}}", "home/a"},
		"several":                    {"sorted, each once", "{spec: {serviceAccounts: [b, a, b]}}", "home/a home/b"},
		"deep":                       {"wherever it stands", "{spec: {steps: [{pod: {serviceAccount: a}}]}}", "home/a"},
		"a reference":                {"it says the namespace", "{spec: {serviceAccountRef: {name: a, namespace: other}}}", "other/a"},
		"a reference without one":    {"then it is of that of the object", "{spec: {serviceAccountRef: {name: a}}}", "home/a"},
		"several references":         {"each has its own", "{spec: {serviceAccountRefs: [{name: a, namespace: b}, {name: a, namespace: a}]}}", "a/a b/a"},
		"a template":                 {"its metadata names it", "{spec: {serviceAccountTemplate: {metadata: {name: a, namespace: other}}}}", "other/a"},
		"a user":                     {"the name of a user holds both", `{spec: {serviceAccount: "system:serviceaccount:other:a"}}`, "other/a"},
		"a namespace before it":      {"a colon divides them", `{spec: {serviceAccount: "other:a"}}`, "other/a"},
		"where it will run":          {"it acts there", "{spec: {targetNamespace: other, serviceAccountName: a}}", "other/a"},
		"beside a namespace":         {"it is of that one", "{spec: {namespace: other, serviceAccountName: a}}", "other/a"},
		"in a text":                  {"a text may hold objects", `{spec: {values: "pod:\n  serviceAccountName: a\n"}}`, "home/a"},
		"an empty name":              {"that is none", `{spec: {serviceAccountName: "", serviceAccount: {name: ""}}}`, ""},
		"a number":                   {"that is none", "{spec: {serviceAccountName: 7}}", ""},
		"another name":               {"a name is not an account", "{spec: {name: a, account: b, serviceAccountNameSuffix: c}}", ""},
		"in the metadata":            {"nothing there runs", "{metadata: {annotations: {serviceAccountName: a}}}", ""},
		"in the status":              {"nothing there runs", "{status: {serviceAccountName: a}}", ""},
		"at the top":                 {"some kinds have no spec", "{serviceAccountName: a}", "home/a"},
		"under a key without an end": {"no key of a field is as long", "{spec: {" + strings.Repeat("x", 129) + "ServiceAccountName: a}}", ""},
		"under the longest key":      {"128 characters are a key", "{spec: {" + strings.Repeat("x", 110) + "ServiceAccountName: a}}", "home/a"},
		"as deep as is looked for":   {"128 values within each other", "{spec: " + strings.Repeat("[", 126) + "{serviceAccountName: a}" + strings.Repeat("]", 126) + "}", "home/a"},
		"deeper in lists":            {"the object is refused for it", "{spec: " + strings.Repeat("[", 127) + "{serviceAccountName: a}" + strings.Repeat("]", 127) + "}", ""},
		"deeper in maps":             {"the object is refused for it", "{spec: " + strings.Repeat("{x: ", 127) + "{serviceAccountName: a}" + strings.Repeat("}", 127) + "}", ""},
		"deeper than is looked for":  {"the object is refused for it", "{spec: " + strings.Repeat("[", 130) + "{serviceAccountName: a}" + strings.Repeat("]", 130) + "}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tree := customResource(t, test.manifest)
			workload.Unfold(tree, budget.New())
			var got []string
			for _, a := range workload.Accounts(tree, "home") {
				got = append(got, a.String())
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("%s: accounts %q, want %q", test.reason, got, test.want)
			}
		})
	}
}

func TestNamesAccount(t *testing.T) {
	for manifest, want := range map[string]bool{
		"{spec: {serviceAccountName: a}}": true, "{spec: {template: {spec: {serviceAccountName: a}}}}": true, "{spec: {workflowSpec: {serviceAccountName: a}}}": true,
		"{spec: {taskRunTemplate: {serviceAccountName: a}}}": true, "{spec: {serviceAccountName: \"\"}}": false, "{spec: {serviceAccountName: 7}}": false,
		"{spec: {name: a}}": false, "{spec: {steps: {serviceAccountName: a}}}": false, "{serviceAccountName: a}": false, "{}": false,
	} {
		if got := workload.NamesAccount(customResource(t, manifest)); got != want {
			t.Errorf("%s says for all as whom it runs: %t, want %t", manifest, got, want)
		}
	}
}

// TestFill puts the values of parameters in the place of their names.
func TestFill(t *testing.T) {
	many := "a, b, c, d, e, f, g, h, i, j"
	for name, test := range map[string]struct{ reason, parameters, text, want string }{
		"of Argo Workflows":        {"by name", "arguments: {parameters: [{name: host, value: db}]}", "psql -h {{inputs.parameters.host}} -c x", "psql -h db -c x"},
		"of Tekton":                {"by name", "params: [{name: host, value: db}]", "psql -h $(params.host) -c x", "psql -h db -c x"},
		"in quotes":                {"Tekton writes names with dots so", "params: [{name: host, value: db}]", "$(params['host'])", "db"},
		"of an expression":         {"blanks and an equals sign are no part of it", "params: [{name: host, value: db}]", "{{= inputs.parameters.host }}", "db"},
		"in a map":                 {"some kinds write them so", "params: {host: db}", "$(params.host)", "db"},
		"a default":                {"either may hold", "params: [{name: host, default: a, value: b}]", "x $(params.host)", "x b\nx a"},
		"two that vary":            {"the first of each, then the second of each; one that has no second stays", "params: [{name: a, value: a1, default: a2}, {name: b, value: b1}]", "$(params.a) $(params.b)", "a1 b1\na2 b1"},
		"the same twice":           {"one value is one value", "params: [{name: a, value: x, default: x}]", "$(params.a)", "x"},
		"a list":                   {"each of it", "params: [{name: a, value: [x, z]}]", "$(params.a)", "x\nz"},
		"a list of lists":          {"a list within a list is no value", "params: [{name: a, value: [x, [y]]}]", "$(params.a)", "x"},
		"a number":                 {"as it is written", "params: [{name: a, value: 7}]", "$(params.a)", "7"},
		"a truth value":            {"as it is written", "params: [{name: a, value: true}]", "$(params.a)", "true"},
		"items":                    {"each of them runs", "withItems: [x, z]", "psql -h {{item}}", "psql -h x\npsql -h z"},
		"more than are put in":     {"eight", "params: [{name: a, value: [" + many + "]}]", "$(params.a)", strings.Join(strings.Split(many, ", ")[:8], "\n")},
		"one that nobody sets":     {"it stays", "params: [{name: a, value: x}]", "$(params.b) {{inputs.parameters.c}}", "$(params.b) {{inputs.parameters.c}}"},
		"one without a name":       {"it stands for nothing", "params: [{value: x}]", "$(params.)", "$(params.)"},
		"something else's":         {"it is no parameter", "params: [{name: name, value: x}]", "$(context.taskRun.name) {{workflow.name}}", "$(context.taskRun.name) {{workflow.name}}"},
		"a command of the shell":   {"it is no parameter", "params: [{name: a, value: x}]", "$(cat a) $(params.a)", "$(cat a) x"},
		"one that is not closed":   {"it stays", "params: [{name: a, value: x}]", "$(params.a {{inputs.parameters.a", "$(params.a {{inputs.parameters.a"},
		"a list of something else": {"no such list is of parameters", "names: [{name: a, value: x}]", "$(params.a)", "$(params.a)"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := customResource(t, "metadata: {name: '$(params.a)'}\nspec:\n  "+test.parameters+"\n  steps: [{command: []}]")
			step := tree["spec"].(map[string]any)["steps"].([]any)[0].(map[string]any)
			step["command"] = []any{test.text}
			workload.Fill(tree, budget.New())
			if got := step["command"].([]any)[0]; got != test.want {
				t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
			}
			if tree["metadata"].(map[string]any)["name"] != "$(params.a)" {
				t.Error("Fill changed the metadata, and nothing of that runs")
			}
		})
	}
}

// TestHowDeepParametersAreFilled: Fill finds parameters, and the places of their names, up to 128 values within each other.
func TestHowDeepParametersAreFilled(t *testing.T) {
	maps := func(n int, v any) any {
		for range n {
			v = map[string]any{"x": v}
		}
		return v
	}
	lists := func(n int, v any) any {
		for range n {
			v = []any{v}
		}
		return v
	}
	for name, nest := range map[string]func(int, any) any{"maps": maps, "lists": lists} {
		for n, want := range map[int]bool{125: true, 126: false} {
			spec := map[string]any{"deep": nest(n, map[string]any{"params": map[string]any{"a": "x"}}), "text": "$(params.a)"}
			workload.Fill(map[string]any{"spec": spec}, budget.New())
			if got := spec["text"] == "x"; got != want {
				t.Errorf("a parameter in %d %s is found: %t, want %t", n, name, got, want)
			}
		}
		for n, want := range map[int]bool{126: true, 127: false} {
			spec := map[string]any{"params": map[string]any{"a": "x"}, "deep": nest(n, "$(params.a)")}
			workload.Fill(map[string]any{"spec": spec}, budget.New())
			if got := !strings.Contains(fmt.Sprint(spec["deep"]), "$(params.a)"); got != want {
				t.Errorf("a text in %d %s is filled: %t, want %t", n, name, got, want)
			}
		}
	}
}

// TestHowDeepTextsAreRead: the budget says so where values, or texts that hold objects, lie deeper than Unfold reads.
func TestHowDeepTextsAreRead(t *testing.T) {
	texts := func(n int) any {
		text := `{"a": 1}`
		for range n - 1 {
			raw, _ := json.Marshal(map[string]string{"a": text})
			text = string(raw)
		}
		return text
	}
	read := func(open, end string) func(int) any {
		return func(n int) any {
			var v any
			if err := yaml.Unmarshal([]byte(strings.Repeat(open, n)+strings.Repeat(end, n)), &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	for name, test := range map[string]struct {
		most int
		of   func(int) any
	}{"texts": {4, texts}, "lists": {128, read("[", "]")}, "maps": {127, read(`{"x": `, "}")}} { // the last map holds a value, too
		for n, want := range map[int]budget.Limit{test.most: "", test.most + 1: budget.Depth} {
			b := budget.New()
			workload.Unfold(map[string]any{"spec": test.of(n)}, b)
			if got := b.Exceeded(); got != want {
				t.Errorf("%d %s within each other: too much is %q, want %q", n, name, got, want)
			}
		}
	}
}

func TestCutParameter(t *testing.T) {
	for text, want := range map[string]string{
		"a {{b}} c": "a |b| c", "a $(b) c": "a |b| c", "{{b}}{{c}}": "|b|{{c}}", "$(b)": "|b|", "{{}}": "||", "a": "", "": "", "{": "", "a {{b": "", "a {b} $c": "", "$(b": "", "a $(b {{c}}": "",
	} {
		got := ""
		before, inside, after, found := workload.CutParameter(text)
		if found {
			got = before + "|" + inside + "|" + after
		} else if before != text {
			t.Errorf("%q: where no parameter is found, all of it stands before one, not %q", text, before)
		}
		if got != want {
			t.Errorf("%q is cut into %q, want %q", text, got, want)
		}
	}
}

// TestUnfold: a text that holds objects is read, a script is not.
func TestUnfold(t *testing.T) {
	for name, test := range map[string]struct {
		reason, key, text string
		want              int
	}{
		"values":                        {"fields are an object", "values", "image: a\nreplicas: 2\n", 1},
		"one field":                     {"an object all the same", "values", "image: a", 1},
		"JSON":                          {"an object", "values", `{"image":"a"}`, 1},
		"JSON, twice":                   {"one after the other", "values", `{"image":"a"} {"image":"b"}`, 2},
		"a list in JSON":                {"a list", "patch", `["a"]`, 1},
		"a list":                        {"items are a list", "patch", "- op: add\n  path: /x\n", 1},
		"documents":                     {"each is one", "manifests", "a: 1\n---\nb: 2\n--- \nc: 3", 3},
		"a mark at the beginning":       {"it may open the text", "manifests", "\ufeffa: 1", 1},
		"one that is broken":            {"the others are read", "manifests", "a: 1\n---\na: [\n---\nb: 2\n", 2},
		"a template of Helm's":          {"a parameter stands for a word, and a line of its own for nothing", "manifests", "{{ if .x }}\nimage: {{ .image }}:{{ .tag }}\n{{ end }}\n", 1},
		"a word":                        {"that is no object", "values", "a", 0},
		"an address":                    {"a colon alone makes no field", "values", "db:5432", 0},
		"lines of words":                {"they have no field", "values", "a\nb", 0},
		"a sentence":                    {"a text in YAML is a text", "values", "see\nhttps://example.com/a b", 0},
		"a script":                      {"a shell reads it", "script", "#!/bin/sh\necho a: b\n", 0},
		"a script by its first line":    {"a shell reads it, whichever name the field has", "values", "#!/usr/bin/env -S bash -e\na: b\n", 0},
		"a program in Python":           {"no shell reads it", "values", "#!/usr/bin/env python3\na: b\n", 1},
		"an object in a script's place": {"its first line begins a field, as no command does", "script", "spec:\n  image: a\n", 1},
		"a document there":              {"no command begins so", "run", "---\na: 1\n", 1},
		"a command there":               {"a shell reads it", "run", "echo a: b; x\nc: d\n", 0},
		"a file of a script":            {"a shell reads it", "run.sh", "a b: c\nd", 0},
		"more brackets than are read":   {"the parser keeps much of each", "values", "a: " + strings.Repeat("[", 513), 0},
	} {
		t.Run(name, func(t *testing.T) {
			tree := map[string]any{"spec": map[string]any{test.key: test.text}, "metadata": map[string]any{"x": "a: b"}, "status": map[string]any{"x": "a: b"}}
			b := budget.New()
			workload.Unfold(tree, b)
			got := 0
			text, unfolded := tree["spec"].(map[string]any)[test.key].(workload.Text)
			if unfolded {
				got = len(text.Trees)
			}
			if got != test.want || unfolded && text.Raw != test.text {
				t.Errorf("%s: %d objects, want %d: %v", test.reason, got, test.want, text.Trees)
			}
			for _, key := range []string{"metadata", "status"} {
				if _, text := tree[key].(map[string]any)["x"].(string); !text {
					t.Errorf("Unfold read the %s, and nothing of that runs", key)
				}
			}
			if tooMany := strings.HasPrefix(name, "more brackets"); (b.Exceeded() != "") != tooMany {
				t.Errorf("the budget says %q", b.Exceeded())
			}
		})
	}
}

func TestPlain(t *testing.T) {
	for line, want := range map[string]string{
		"get pods -n prod": "get pods", "-n prod get": "get", "--namespace=prod get": "get", "--namespace prod get": "get", "get -nprod pods": "get pods", "-v get": "get", "-n": "", "": "",
	} {
		if got := workload.Plain(strings.Fields(line), "-n --namespace"); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("the plain words of %q are %q, want %q", line, got, want)
		}
	}
}
