package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// format is one form of a report.
type format struct {
	name  string
	print func(w io.Writer, r *Report) error
}

// formats are the forms of a report, in the order in which help lists them.
func formats() []format {
	return []format{
		{"text", printText}, {"json", func(w io.Writer, r *Report) error { return printAs(w, "json", r) }},
		{"yaml", func(w io.Writer, r *Report) error { return printAs(w, "yaml", r) }}, {"sarif", printSARIF}, {"junit", printJUnit}, {"github", printGitHub},
	}
}

// formatNames returns the names of all formats.
func formatNames() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

func (r *Report) print(w io.Writer, name string) error {
	i := slices.IndexFunc(formats(), func(f format) bool { return f.name == name })
	if i < 0 {
		return checkOutput(name, formatNames()...)
	}
	return formats()[i].print(w, r)
}

func printText(w io.Writer, r *Report) error {
	paint := painter(w)
	for i := range r.Results {
		if x := &r.Results[i]; x.File != stored || x.Decision != "allow" || x.objected() {
			x.print(w, paint)
		}
	}
	for _, s := range r.Standing {
		s.print(w)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	s := r.Summary
	_, err := fmt.Fprintf(w, "%d judged: %d admitted, %d admitted with warnings, %d denied, %d undecided\n",
		s.Total, s.Allowed, s.Warned, s.Denied, s.Undecided)
	return err
}

// painter returns what colours a decision or an action on a terminal, unless NO_COLOR is set.
func painter(w io.Writer) func(string) string {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || !term.IsTerminal(int(f.Fd())) {
		return func(s string) string { return s }
	}
	colours := map[string]string{"deny": "31", "undecided": "35", "warn": "33", "allow": "32"}
	return func(s string) string {
		if c := colours[strings.TrimSpace(s)]; c != "" {
			return "\x1b[" + c + "m" + s + "\x1b[0m"
		}
		return s
	}
}

// issue is one thing that a report objects to: a finding, or that something could not be judged.
type issue struct {
	rule, level, text string
	file              string
	// line is 0 where it is not known.
	line int
}

// issues returns what a report objects to, for the formats that know no objects.
func (r *Report) issues() []issue {
	var out []issue
	for i := range r.Results {
		x := &r.Results[i]
		if x.Decision == "undecided" {
			out = append(out, issue{"Undecided", "error", x.called() + ": " + x.Message, x.File, x.Line})
		}
		for _, f := range x.Findings {
			level := map[string]string{"deny": "error", "warn": "warning"}[f.Action]
			if level == "" {
				level = "note"
			}
			text := f.Message
			if f.Path != "" {
				text = f.Path + " " + text
			}
			if f.Remedy != "" {
				text += "; " + f.Remedy
			}
			out = append(out, issue{f.Rule, level, x.called() + ": " + text, x.File, f.Line})
		}
		for _, m := range x.Warnings {
			out = append(out, issue{"Warning", "warning", x.called() + ": " + m, x.File, x.Line})
		}
	}
	for _, n := range r.Notes {
		out = append(out, issue{"Undecided", "error", n, "", 0})
	}
	return out
}
