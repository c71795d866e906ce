package workload

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// readTrees reads the objects and lists of a text in JSON or YAML, with any number of documents. A text that is neither holds
// none. Each value is charged before it is read, and each use of an alias by what it repeats.
func readTrees(text string, b *budget.Budget) []any {
	text = strings.TrimPrefix(text, "\ufeff")
	if brackets(text) > maxBrackets {
		b.TooDeep()
		return nil
	}
	if begin := strings.TrimSpace(text); strings.HasPrefix(begin, "{") || strings.HasPrefix(begin, "[") {
		if !b.Node(countJSON(begin)) {
			return nil
		}
		if out, err := readJSON(begin); err == nil {
			return out
		}
	}
	if !b.Node(countYAML(text)) {
		return nil
	}
	var out []any
	for document := range documents(text) {
		tree, err := readYAML(document, b)
		if err != nil && strings.Contains(document, "{{") && b.Spend(len(document)) {
			tree, err = readYAML(filled(document), b) // a template of Helm or of a workflow
		}
		switch {
		case err == nil:
			out = append(out, tree)
		case strings.Contains(err.Error(), "exceeded max depth"):
			b.TooDeep()
		}
	}
	return out
}

// maxBrackets is how many brackets may be open in a text: the parsers keep far more than a bracket for each.
const maxBrackets = 512

// brackets returns the largest number of brackets that are open at once in a text.
func brackets(text string) int {
	most, open := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{':
			open++
			most = max(most, open)
		case ']', '}':
			open = max(open-1, 0)
		}
	}
	return most
}

func readJSON(text string) ([]any, error) {
	var out []any
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var tree any
		switch err := d.Decode(&tree); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
		out = append(out, tree)
	}
}

// filled replaces each parameter of a template by a word. It removes lines that hold nothing else.
func filled(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		rest, word := line, strings.TrimSpace(line)
		if strings.HasPrefix(word, "{{") && strings.HasSuffix(word, "}}") {
			continue
		}
		for {
			before, after, open := strings.Cut(rest, "{{")
			_, behind, closed := strings.Cut(after, "}}")
			if !open || !closed {
				break
			}
			out.WriteString(before + parameterWord)
			rest = behind
		}
		out.WriteString(rest)
	}
	return out.String()
}

// parameterWord stands for a parameter of unknown value. It is a number, so that it fits wherever a word or a number does.
const parameterWord = "0"

// readYAML reads one document.
func readYAML(text string, b *budget.Budget) (any, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		return nil, err //nolint:wrapcheck // nobody is told
	}
	return expanded{budget: b}.value(&node, 0), nil
}

// expanded turns nodes into values. Within an alias, repeated values are charged once more.
type expanded struct {
	budget  *budget.Budget
	aliased bool
}

func (e expanded) value(n *yaml.Node, depth int) any {
	if depth > maxEmbedded {
		e.budget.TooDeep()
		return nil
	}
	if e.aliased && (!e.budget.Node(1) || !e.budget.Grow(len(n.Value))) {
		return nil
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) > 0 {
			return e.value(n.Content[0], depth)
		}
	case yaml.AliasNode:
		return expanded{e.budget, true}.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			out = append(out, e.value(item, depth+1))
		}
		return out
	case yaml.MappingNode:
		return e.mapping(n, depth)
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil
}

func (e expanded) mapping(n *yaml.Node, depth int) any {
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag != "!!merge" {
			out[keyOf(key)] = e.value(value, depth+1)
			continue
		}
		for _, from := range merged(value) {
			m, _ := e.value(from, depth+1).(map[string]any)
			for k, v := range m {
				if _, has := out[k]; !has {
					out[k] = v
				}
			}
		}
	}
	return out
}

// merged returns the mappings that << merges: one or several.
func merged(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

func keyOf(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n.Value
}

// scalar reads booleans, numbers and null as JSON does. Everything else is a text.
func scalar(n *yaml.Node) any {
	var v any
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		if n.Decode(&v) != nil {
			return n.Value
		}
	}
	switch v := v.(type) {
	case bool, float64:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	}
	return n.Value
}

// documents yields the documents of a YAML text.
func documents(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		begin, at := 0, 0
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "---") {
				if at > begin && !yield(text[begin:at]) {
					return
				}
				begin = at + len("---")
			}
			at += len(line)
		}
		if begin < len(text) {
			yield(text[begin:])
		}
	}
}

// countYAML returns how many values a YAML text can hold at most.
func countYAML(text string) int {
	n := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n', ',', '[', '{', '*', '-', ':', '?':
			n++
		}
	}
	return n
}

// countJSON returns how many values a JSON text can hold at most. Marks within strings do not count.
func countJSON(text string) int {
	n := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i+1)
		case ',', '[', '{', ':':
			n++
		}
	}
	return n
}
