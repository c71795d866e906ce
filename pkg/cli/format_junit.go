package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
)

// printJUnit prints each object as a test case of its file: one that is denied has failed, one that could not be judged is an error.
func printJUnit(w io.Writer, r *Report) error {
	all := junit.Testsuites{Name: "firebreak check"}
	suites, order := map[string]*junit.Testsuite{}, []string{}
	for i := range r.Results {
		x := &r.Results[i]
		suite := suites[x.File]
		if suite == nil {
			suite = &junit.Testsuite{Name: x.File, File: x.File, Time: "0", ID: len(order)}
			suites[x.File], order = suite, append(order, x.File)
		}
		suite.AddTestcase(x.testcase())
	}
	if len(r.Notes) > 0 {
		suite := &junit.Testsuite{Name: "firebreak", Time: "0", ID: len(order)}
		for _, n := range r.Notes {
			suite.AddTestcase(junit.Testcase{Name: "something is judged", Classname: "firebreak", Error: &junit.Result{Message: n}})
		}
		suites[""], order = suite, append(order, "")
	}
	for _, name := range order {
		all.AddSuite(*suites[name])
	}
	if _, err := io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"); err != nil {
		return err
	}
	if err := all.WriteXML(w); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err := fmt.Fprintln(w)
	return err
}

func (r *Result) testcase() junit.Testcase {
	c := junit.Testcase{Name: r.called(), Classname: r.File}
	var text strings.Builder
	r.print(&text, func(s string) string { return s })
	switch r.Decision {
	case "deny":
		c.Failure = &junit.Result{Message: r.Message, Data: text.String()}
	case "undecided":
		c.Error = &junit.Result{Message: r.Message, Data: text.String()}
	case "warn":
		c.SystemOut = &junit.Output{Data: text.String()}
	}
	return c
}
