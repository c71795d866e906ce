package cli

import (
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// segment is one step of a finding's path: a field, a quoted key, or an index.
var segment = regexp.MustCompile(`^\.?(?:\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[]+))`)

// lines finds the lines of a document. It parses the document once, and looks each key up once.
type lines struct {
	root *yaml.Node
	keys map[*yaml.Node]map[string]int
}

func linesOf(raw []byte) *lines {
	var root yaml.Node
	if yaml.Unmarshal(raw, &root) != nil || len(root.Content) == 0 {
		return &lines{}
	}
	return &lines{root: root.Content[0], keys: map[*yaml.Node]map[string]int{}}
}

// of returns the line, from 1, on which what a path leads to begins: that of the last step that is there. It returns 1 for a path that leads nowhere.
func (l *lines) of(path string) int {
	node, line := l.root, 1
	for node != nil && path != "" {
		m := segment.FindStringSubmatch(path)
		if m == nil {
			return line
		}
		path = path[len(m[0]):]
		next, at := l.step(node, m)
		if next == nil {
			return line
		}
		node, line = next, at
	}
	return line
}

// step follows one segment, and returns where it leads, and on which line.
func (l *lines) step(node *yaml.Node, m []string) (*yaml.Node, int) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if m[2] != "" {
		i, err := strconv.Atoi(m[2])
		if node.Kind != yaml.SequenceNode || err != nil || i >= len(node.Content) {
			return nil, 0
		}
		return node.Content[i], node.Content[i].Line
	}
	key := m[3]
	if m[1] != "" {
		key = m[1]
		if plain, err := strconv.Unquote(`"` + m[1] + `"`); err == nil {
			key = plain
		}
	}
	if i, ok := l.index(node)[key]; ok {
		return node.Content[i+1], node.Content[i].Line
	}
	return nil, 0
}

// index returns the positions of a mapping's keys; it is empty for other nodes.
func (l *lines) index(node *yaml.Node) map[string]int {
	if known, ok := l.keys[node]; ok || node.Kind != yaml.MappingNode {
		return known
	}
	out := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		out[node.Content[i].Value] = i
	}
	l.keys[node] = out
	return out
}
