// Command chartdoc writes the table of a chart's values into its README, and the schema of what CRDs define into its
// values.schema.json, so that they cannot disagree:
//
//	chartdoc charts/firebreak
//
// The table replaces the text between the two marker lines. A value's description is the comment above it, and its default is the
// one in values.yaml.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	begin = "<!-- values: begin (made from values.yaml by make generate) -->\n"
	end   = "<!-- values: end -->\n"
	// longList is the length from which on the table shows a list by its length.
	longList = 4
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: chartdoc CHART")
		os.Exit(2)
	}
	if err := errors.Join(run(os.Args[1]), schema(os.Args[1])); err != nil {
		fmt.Fprintln(os.Stderr, "chartdoc:", err)
		os.Exit(1)
	}
}

func run(chart string) error {
	source, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return err
	}
	t, err := table(source)
	if err != nil {
		return fmt.Errorf("values.yaml: %w", err)
	}
	path := filepath.Join(chart, "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, found := strings.Cut(string(readme), begin)
	_, tail, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return fmt.Errorf("%s lacks the lines that the table of values stands between:\n%s%s", path, begin, end)
	}
	out := []byte(head + begin + "\n" + t + "\n" + end + tail)
	if bytes.Equal(out, readme) {
		return nil
	}
	return os.WriteFile(path, out, 0o644)
}

// table returns the rows of all values, in the order of the file.
func table(source []byte) (string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(source, &doc); err != nil {
		return "", err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return "", errors.New("not one mapping")
	}
	var b strings.Builder
	b.WriteString("| value | default | what it is |\n| --- | --- | --- |\n")
	if err := rows(&b, "", doc.Content[0]); err != nil {
		return "", err
	}
	return b.String(), nil
}

func rows(b *strings.Builder, prefix string, m *yaml.Node) error {
	for i := 0; i < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		path := prefix + key.Value
		// A mapping in block style has values of its own; one in braces is a value, such as resources.requests.
		if value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 {
			if err := rows(b, path+".", value); err != nil {
				return err
			}
			continue
		}
		standard, err := show(value)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", path, standard, describe(key))
	}
	return nil
}

// show writes a default as JSON, which is YAML too.
func show(value *yaml.Node) (string, error) {
	if value.Kind == yaml.SequenceNode && len(value.Content) >= longList {
		return fmt.Sprintf("%d entries, see [values.yaml](values.yaml)", len(value.Content)), nil
	}
	var v any
	if err := value.Decode(&v); err != nil {
		return "", err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return "`" + strings.ReplaceAll(string(text), "|", `\|`) + "`", nil
}

// describe returns the comment above a key, or after it, in one line.
func describe(key *yaml.Node) string {
	var words []string
	for _, line := range strings.Split(key.HeadComment+"\n"+key.LineComment, "\n") {
		words = append(words, strings.Fields(strings.TrimLeft(line, "# "))...)
	}
	return strings.ReplaceAll(strings.Join(words, " "), "|", `\|`)
}
