package cli

import (
	"fmt"
	"io"
	"strings"
)

// printGitHub prints what a report objects to as commands of a GitHub workflow, which GitHub shows beside the lines of a change.
func printGitHub(w io.Writer, r *Report) error {
	for _, i := range r.issues() {
		command := i.level
		if command == "note" {
			command = "notice"
		}
		var properties []string
		if i.file != "" && i.file != "-" {
			properties = append(properties, "file="+githubProperty(i.file))
		}
		if i.line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", i.line))
		}
		properties = append(properties, "title="+githubProperty(i.rule))
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", command, strings.Join(properties, ","), githubData(i.text)); err != nil {
			return err
		}
	}
	return nil
}

// githubData escapes a text so that it cannot end its command and begin another one.
func githubData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func githubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
