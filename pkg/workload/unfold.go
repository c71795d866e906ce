package workload

import (
	"encoding/json"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Text is a text in an object that holds objects of its own: values of a chart, manifests, patches of a template.
type Text struct {
	// Raw is the text itself.
	Raw string
	// Trees are the objects and lists in it, one for each document.
	Trees []any
}

// MarshalJSON implements json.Marshaler. It encodes only the text.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.Raw) }

// maxFolds is how deeply texts may be nested.
const maxFolds = 4

// Unfold replaces each text of an object that holds objects by a Text, except in its metadata and status. The cost is charged
// to the budget.
func Unfold(tree map[string]any, b *budget.Budget) {
	u := unfolder{b}
	for key, v := range tree {
		if key != "metadata" && key != "status" {
			tree[key] = u.value(v, key, 1, 0)
		}
	}
}

type unfolder struct{ budget *budget.Budget }

func (u unfolder) value(v any, key string, depth, folds int) any {
	if depth > maxEmbedded {
		u.budget.TooDeep()
		return v
	}
	if !u.budget.Spend(nodeCost) {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if item = u.value(item, k, depth+1, folds); isUnfolded(item) {
				v[k] = item
			}
		}
	case []any:
		for i, item := range v {
			if item = u.value(item, key, depth+1, folds); isUnfolded(item) {
				v[i] = item
			}
		}
	case string:
		if trees := u.trees(v, key, depth, folds); len(trees) > 0 {
			return Text{v, trees}
		}
	}
	return v
}

func isUnfolded(v any) bool { _, is := v.(Text); return is }

func (u unfolder) trees(text, key string, depth, folds int) []any {
	if !folded(text) || IsScript(key, text) && !looksLikeObject(text) {
		return nil
	}
	if folds >= maxFolds {
		u.budget.TooDeep()
		return nil
	}
	if !u.budget.Spend(len(text)) {
		return nil
	}
	var out []any
	for _, tree := range readTrees(text, u.budget) {
		switch tree.(type) {
		case map[string]any, []any:
			out = append(out, u.value(tree, key, depth+1, folds+1))
		}
	}
	return out
}

// folded reports whether a text can hold an object: it has several lines or a field or an item, or begins like JSON.
func folded(text string) bool {
	text = strings.TrimSpace(text)
	switch {
	case !strings.Contains(text, ":") && !strings.HasPrefix(text, "["):
		return false
	case strings.HasPrefix(text, "{"):
		return strings.Contains(text, "}")
	case strings.HasPrefix(text, "["):
		return strings.Contains(text, "]")
	case strings.HasPrefix(text, "- "):
		return true
	}
	return strings.Contains(text, "\n") || strings.Contains(text, ": ")
}

// looksLikeObject reports whether the first line of a text begins a field or a document, which no command of a script does.
func looksLikeObject(text string) bool {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(line)
	field, _, found := strings.Cut(line, ":")
	return line == "---" || strings.HasPrefix(line, "{") && strings.Contains(line, ":") ||
		found && field != "" && !strings.ContainsAny(field, " ;|&$(){}<>=") && (strings.HasSuffix(line, ":") || strings.Contains(line, ": "))
}

// IsScript reports whether the text under a key is a shell script.
func IsScript(key, text string) bool {
	if strings.HasPrefix(text, "#!") {
		line, _, _ := strings.Cut(text, "\n")
		line = strings.TrimPrefix(strings.TrimPrefix(line, "#!/usr/bin/env"), " -S")
		return strings.HasSuffix(strings.TrimSpace(strings.SplitN(line, " -", 2)[0]), "sh")
	}
	switch strings.ToLower(key) {
	case "script", "source", "run", "cmd", "command", "inline":
		return true
	}
	return strings.HasSuffix(key, ".sh") || strings.HasSuffix(key, ".bash")
}
