package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// plain makes text from another person safe to print.
func plain(s string) string { return overview.Plain(s) }

// word is a word of a command that a shell takes as it stands.
var word = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./$(){}\[\]-]+$`)

// commandLine returns words as a shell would take them.
func commandLine(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = plain(w); !word.MatchString(w) {
			out[i] = "'" + strings.ReplaceAll(out[i], "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// said returns the lines in which a field of a plan is read, from its JSON: a text as it is, words as a command line, anything else as JSON.
func said(text string) []string {
	var s string
	if json.Unmarshal([]byte(text), &s) == nil {
		return block(s)
	}
	var words []string
	if json.Unmarshal([]byte(text), &words) == nil {
		if !strings.Contains(strings.Join(words, ""), "\n") {
			return []string{commandLine(words)}
		}
		var out []string
		for i, w := range words {
			lines := block(w)
			if len(lines) == 1 {
				lines[0] = commandLine([]string{w})
			}
			out = append(out, fmt.Sprintf("word %d:", i+1))
			for _, l := range lines {
				out = append(out, "  "+l)
			}
		}
		return out
	}
	return []string{plain(text)}
}

// block returns the lines of a text.
func block(s string) []string {
	if s == "" {
		return []string{`""`}
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = plain(strings.TrimSuffix(lines[i], "\r"))
	}
	if n := len(lines); n > 1 && lines[n-1] == "" {
		lines = lines[:n-1]
	}
	return lines
}
