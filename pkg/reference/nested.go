package reference

import (
	"iter"
	"strings"

	"sigs.k8s.io/yaml"
)

// nested reads texts that hold an object of their own: values of a chart, manifests, templates.
func (w *walker) nested(v string, p trail, key string) {
	if w.inner || !strings.Contains(v, ":") || !strings.Contains(strings.TrimSpace(v), "\n") || isScript(key, v) {
		return
	}
	if !w.spend(v) || !w.budget.Node(countNodes(v)) {
		return
	}
	inside := walker{reader: w.reader, use: w.use, kind: w.kind, inner: true}
	for document := range documents(v) {
		var tree any
		if yaml.Unmarshal([]byte(document), &tree) == nil {
			inside.structure(tree, key)
		}
	}
	var targets []Target
	for _, r := range inside.out {
		targets = append(targets, r.Target)
	}
	w.found(p, v, targets)
}

// structure reads what a text holds besides texts.
func (w *walker) structure(tree any, key string) {
	switch tree.(type) {
	case map[string]any, []any:
		w.value(tree, trail{nil, "", 0}, key, "", 1)
	}
}

// documents yields the documents of a text in YAML.
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

// countNodes returns how many values a text in YAML can hold at most.
func countNodes(text string) int {
	n := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n', ',', '[', '{', '*', '-', ':', '?':
			n++
		}
	}
	return n
}
