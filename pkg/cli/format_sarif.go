package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/version"
)

// homepage is where those who read a report find what it is about.
const homepage = "https://github.com/firebreak-dev/firebreak"

// printSARIF prints what a report objects to in the Static Analysis Results Interchange Format, version 2.1.0.
func printSARIF(w io.Writer, r *Report) error {
	run := sarif.NewRunWithInformationURI("Firebreak", homepage)
	run.Tool.Driver.WithVersion(version.Read().Version)
	for _, name := range v1alpha1.RuleNames() {
		run.AddRule(string(name)).WithHelpURI(homepage + "/blob/main/pkg/policy/README.md")
	}
	run.Results = []*sarif.Result{}
	for _, i := range r.issues() {
		result := run.CreateResultForRule(i.rule).WithLevel(i.level).WithMessage(sarif.NewTextMessage(i.text))
		if i.file == "" {
			continue
		}
		where := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewSimpleArtifactLocation(filepath.ToSlash(i.file)))
		if i.line > 0 {
			where.WithRegion(sarif.NewSimpleRegion(i.line, i.line))
		}
		result.AddLocation(sarif.NewLocationWithPhysicalLocation(where))
	}
	report := sarif.NewReport().AddRun(run)
	if err := report.PrettyWrite(w); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err := fmt.Fprintln(w)
	return err
}
