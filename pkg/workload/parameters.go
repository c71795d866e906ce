package workload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Fill replaces parameters by their values, which the custom resource itself gives: {{inputs.parameters.x}} of Argo Workflows
// and $(params.x) of Tekton. If a parameter has several values, a text gets a line for each.
func Fill(tree map[string]any, b *budget.Budget) {
	f := filler{budget: b, values: map[string][]string{}}
	for key, v := range tree {
		if key != "metadata" && key != "status" {
			f.collect(v, key, 1)
		}
	}
	if len(f.values) == 0 {
		return
	}
	for key, v := range tree {
		if key != "metadata" && key != "status" {
			tree[key] = f.put(v, 1)
		}
	}
}

// maxValues is how many values of one parameter are used.
const maxValues = 8

type filler struct {
	budget *budget.Budget
	values map[string][]string
}

// collect collects the values of parameters, and their defaults.
func (f *filler) collect(v any, key string, depth int) {
	if depth > maxEmbedded || !f.budget.Spend(nodeCost) {
		return // values this deep are refused elsewhere
	}
	switch v := v.(type) {
	case Text:
		for _, tree := range v.Trees {
			f.collect(tree, key, depth+1)
		}
	case []any:
		for _, item := range v {
			switch m, object := item.(map[string]any); {
			case key == "withItems":
				f.add("item", item)
			case object && parameterList(key):
				name, _ := m["name"].(string)
				f.add(name, m["value"])
				f.add(name, m["default"])
			}
			f.collect(item, key, depth+1)
		}
	case map[string]any:
		for k, item := range v {
			if parameterList(key) {
				f.add(k, item)
			}
			f.collect(item, k, depth+1)
		}
	}
}

func parameterList(key string) bool { return key == "parameters" || key == "params" }

func (f *filler) add(name string, value any) {
	switch value := value.(type) {
	case Text:
		f.add(name, value.Raw)
	case string:
		if all := f.values[name]; name != "" && len(all) < maxValues && !slices.Contains(all, value) {
			f.values[name] = append(all, value)
		}
	case bool, float64:
		f.add(name, fmt.Sprint(value))
	case []any:
		for _, item := range value {
			if _, list := item.([]any); !list {
				f.add(name, item)
			}
		}
	}
}

func (f *filler) put(v any, depth int) any {
	if depth > maxEmbedded || !f.budget.Spend(nodeCost) {
		return v
	}
	switch v := v.(type) {
	case Text:
		v.Raw = f.text(v.Raw)
		for i := range v.Trees {
			v.Trees[i] = f.put(v.Trees[i], depth+1)
		}
		return v
	case []any:
		for i := range v {
			v[i] = f.put(v[i], depth+1)
		}
	case map[string]any:
		for k := range v {
			v[k] = f.put(v[k], depth+1)
		}
	case string:
		return f.text(v)
	}
	return v
}

// text fills in the first value of each parameter, then the second value of those that have one, and so on.
func (f *filler) text(text string) string {
	if !strings.Contains(text, "{{") && !strings.Contains(text, "$(") || !f.budget.Spend(len(text)) {
		return text
	}
	out, more := f.with(text, 0)
	for i := 1; i < more; i++ {
		line, _ := f.with(text, i)
		if !f.budget.Grow(len(line)) {
			return text
		}
		out += "\n" + line
	}
	return out
}

// with fills in the value of one turn for each parameter, and returns how many turns there are.
func (f *filler) with(text string, turn int) (string, int) {
	var out strings.Builder
	turns := 1
	for rest := text; ; {
		before, inside, after, found := CutParameter(rest)
		out.WriteString(before)
		if !found {
			return out.String(), turns
		}
		values := f.values[parameterName(inside)]
		if len(values) == 0 {
			out.WriteString(rest[len(before) : len(rest)-len(after)])
		} else {
			value := values[min(turn, len(values)-1)]
			if turns = max(turns, len(values)); !f.budget.Grow(len(value)) {
				return text, 1
			}
			out.WriteString(value)
		}
		rest = after
	}
}

// parameterName returns the last name between the marks of a parameter. It is empty if the text is not a parameter.
func parameterName(inside string) string {
	inside = strings.Trim(inside, " =.")
	if inside != "item" && !strings.Contains(inside, "param") {
		return ""
	}
	names := strings.FieldsFunc(inside, func(r rune) bool { return strings.ContainsRune(".[]'\" ", r) })
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

// CutParameter cuts a text around its first {{parameter}} or $(parameter). inside is the text between the marks.
func CutParameter(text string) (before, inside, after string, found bool) {
	for i := 0; i+1 < len(text); i++ {
		var end string
		switch text[i : i+2] {
		case "{{":
			end = "}}"
		case "$(":
			end = ")"
		default:
			continue
		}
		n := strings.Index(text[i+2:], end)
		if n < 0 {
			return text, "", "", false
		}
		return text[:i], text[i+2 : i+2+n], text[i+2+n+len(end):], true
	}
	return text, "", "", false
}
