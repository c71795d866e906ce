package cli

import (
	_ "embed" // the page is built in
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

//go:embed evidence.html.tmpl
var evidencePage string

// writeHTML writes the evidence as one page that needs no other file.
func (x *Evidence) writeHTML(out io.Writer) error {
	t, err := template.New("evidence").Funcs(template.FuncMap{
		"instant": func(t time.Time) string {
			if t.IsZero() {
				return "not known"
			}
			return change.Instant(t)
		},
		"day": func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
		"list": func(s []string) string {
			if len(s) == 0 {
				return "none"
			}
			return strings.Join(s, ", ")
		},
		"rules": func(s []string) string {
			if all := len(v1alpha1.RuleNames()); len(s) == all {
				return fmt.Sprintf("all %d rules", all)
			}
			return strings.Join(s, ", ")
		},
		"plain": plain,
	}).Parse(evidencePage)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	if err := t.Execute(out, x); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
