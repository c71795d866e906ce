package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// oneOf returns a list of the values of a flag, for people.
func oneOf(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}

// checkOutput returns an error that lists the values of --output unless the given one is among them.
func checkOutput(given string, values ...string) error {
	if !slices.Contains(values, given) {
		return fmt.Errorf("--output is %s, not %q", oneOf(values), given)
	}
	return nil
}

// printAs prints a value as JSON, or as YAML where that is the form.
func printAs(out io.Writer, form string, v any) error {
	if form != "yaml" {
		return printJSON(out, v)
	}
	raw, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, err = out.Write(raw)
	return err
}

// forPeople are the forms of what a person reads first.
func forPeople() []string { return []string{"text", "json", "yaml"} }

// forLists are the forms of a list of objects.
func forLists() []string { return []string{"text", "wide", "json", "yaml"} }

// isEncoded reports whether a form is one for programs.
func isEncoded(form string) bool { return form == "json" || form == "yaml" }

// ifWide returns further columns of a table, after a tab, if they are wanted.
func ifWide(wide bool, columns string) string {
	if !wide {
		return ""
	}
	return "\t" + columns
}
