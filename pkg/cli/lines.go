package cli

import (
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// segment is one step of a finding's path: a field, a quoted key, or an index.
var segment = regexp.MustCompile(`^\.?(?:\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[]+))`)

// lineOf returns the line of a document, from 1, on which what a path leads to begins: that of the last step that is there. It returns 1 for a path that
// leads nowhere.
func lineOf(raw []byte, path string) int {
	var root yaml.Node
	if yaml.Unmarshal(raw, &root) != nil || len(root.Content) == 0 {
		return 1
	}
	node, line := root.Content[0], 1
	for path != "" {
		m := segment.FindStringSubmatch(path)
		if m == nil {
			return line
		}
		path = path[len(m[0]):]
		next, at := step(node, m)
		if next == nil {
			return line
		}
		node, line = next, at
	}
	return line
}

// step follows one segment, and returns where it leads, and on which line.
func step(node *yaml.Node, m []string) (*yaml.Node, int) {
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
	if node.Kind != yaml.MappingNode {
		return nil, 0
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1], node.Content[i].Line
		}
	}
	return nil, 0
}
