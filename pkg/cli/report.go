package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Report is what check prints as JSON. Its form is stable.
type Report struct {
	Results []Result `json:"results"`
	Summary Summary  `json:"summary"`
	// Notes say why the report as a whole proves nothing.
	Notes []string `json:"notes,omitempty"`
	// Standing is for audit only.
	Standing []StandingResult `json:"standing,omitempty"`
}

// StandingResult is a permission that holds for a time, or did.
type StandingResult struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Counts is true if the permission holds at the instant of the audit.
	Counts bool   `json:"counts"`
	Why    string `json:"why"`
}

// Summary counts the results by decision.
type Summary struct {
	Total     int `json:"total"`
	Allowed   int `json:"allow"`
	Warned    int `json:"warn"`
	Denied    int `json:"deny"`
	Undecided int `json:"undecided"`
}

// Result is the result for one document.
type Result struct {
	File     string `json:"file"`
	Document int    `json:"document"`
	// Line is where the document begins in its file, from 1; it is 0 for what was rendered.
	Line      int    `json:"line,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Allowed   bool   `json:"allowed"`
	// Decision is allow, warn, deny or undecided.
	Decision string          `json:"decision"`
	Findings []ResultFinding `json:"findings"`
	// Message is the whole sentence of a denial, or the reason why nothing could be decided.
	Message  string   `json:"message,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// ResultFinding is one finding of a result.
type ResultFinding struct {
	Rule   string `json:"rule"`
	Action string `json:"action"`
	// Exempted is true if an Exemption has the rule only observe.
	Exempted bool   `json:"exempted,omitempty"`
	Path     string `json:"path"`
	// Line is that of the path in the file, from 1; it is 0 for what was rendered.
	Line int `json:"line,omitempty"`
	// Value is the host or name that matched, never the field's text.
	Value       string `json:"value"`
	Target      string `json:"target"`
	Environment string `json:"environment"`
	// Message is the objection and its reason, Remedy what to do next.
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

func (r Result) undecided(err error) Result {
	r.Decision, r.Message, r.Findings = "undecided", err.Error(), []ResultFinding{}
	return r
}

func (r Result) decided(req *policy.Request, d *policy.Decision) Result {
	r.Allowed, r.Warnings, r.Findings = d.Allowed, d.Warnings, []ResultFinding{}
	for _, f := range d.Findings {
		r.Findings = append(r.Findings, ResultFinding{
			Rule: string(f.Rule), Action: strings.ToLower(string(f.Action)), Exempted: f.Exempted, Path: f.Path, Value: f.Value,
			Target: f.Target, Environment: f.Environment, Message: f.Message, Remedy: f.Remedy,
		})
	}
	for _, e := range d.Invalid {
		r.Findings = append(r.Findings, ResultFinding{Rule: string(e.Type), Action: "deny", Path: e.Field, Message: e.ErrorBody()})
	}
	switch {
	case !d.Allowed:
		r.Decision = "deny"
		if denied := d.Denied(); len(denied) > 0 {
			r.Message = policy.DenialMessage(*req, denied)
		}
	case len(d.Warned())+len(d.Warnings) > 0:
		r.Decision = "warn"
	default:
		r.Decision = "allow"
	}
	return r
}

func (r *Report) add(x Result) {
	r.Results = append(r.Results, x)
	r.Summary.Total++
	switch x.Decision {
	case "allow":
		r.Summary.Allowed++
	case "warn":
		r.Summary.Warned++
	case "deny":
		r.Summary.Denied++
	default:
		r.Summary.Undecided++
	}
}

// objected reports whether there is a finding that no Exemption answers.
func (r *Result) objected() bool {
	return slices.ContainsFunc(r.Findings, func(f ResultFinding) bool { return !f.Exempted })
}

// worstFirst sorts the results: what would be denied, what would be warned of, what cannot be judged, what is only observed, and the rest.
func (r *Report) worstFirst() {
	rank := func(x *Result) int {
		switch {
		case x.Decision == "allow" && x.objected():
			return 3
		case x.Decision == "allow":
			return 4
		}
		return slices.Index([]string{"deny", "warn", "undecided"}, x.Decision)
	}
	slices.SortStableFunc(r.Results, func(a, b Result) int { return rank(&a) - rank(&b) })
}

// exit returns exit status 2 if something could not be judged, else 1 if a request is denied, or warned of where that counts as much, else nil. failOn is
// deny, warn, or any for whatever has a finding.
func (r *Report) exit(failOn string) error {
	switch {
	case r.Summary.Undecided+len(r.Notes) > 0:
		return ExitError{2}
	case r.Summary.Denied > 0, failOn != "deny" && r.Summary.Warned > 0, failOn == "any" && slices.ContainsFunc(r.Results, func(x Result) bool { return x.objected() }):
		return ExitError{1}
	}
	return nil
}

// stored stands in for the file of an object that does not come from a manifest.
const stored = "stored"

// declaredFile stands in for the file of a declaration of the estate.
const declaredFile = "estate"

func (s *StandingResult) print(w io.Writer) {
	name := fmt.Sprintf("%s %q", s.Kind, s.Name)
	if s.Namespace != "" {
		name += fmt.Sprintf(" in namespace %q", s.Namespace)
	}
	mark := "counts"
	if !s.Counts {
		mark = "counts not"
	}
	fmt.Fprintf(w, "%s: %s: %s\n", name, mark, s.Why)
}

// called names the object of a result, or its document.
func (r *Result) called() string {
	switch {
	case r.Kind == "":
		return fmt.Sprintf("document %d", r.Document)
	case r.Namespace != "" && r.Kind != "Namespace":
		return fmt.Sprintf("%s %q in namespace %q", r.Kind, r.Name, r.Namespace)
	}
	return fmt.Sprintf("%s %q", r.Kind, r.Name)
}

// print prints a result as text; paint colours its decision and its actions.
func (r *Result) print(w io.Writer, paint func(string) string) {
	where := r.File
	if r.Line > 0 {
		where = fmt.Sprintf("%s:%d", r.File, r.Line)
	}
	fmt.Fprintf(w, "%s: %s: %s\n", where, r.called(), paint(r.Decision))
	if r.Decision == "undecided" {
		fmt.Fprintf(w, "  %s\n", r.Message)
	}
	for _, f := range r.Findings {
		detail := f.Message
		if f.Path != "" {
			detail = f.Path + " " + detail
		}
		fmt.Fprintf(w, "  %s %s: %s\n", paint(fmt.Sprintf("%-5s", f.Action)), f.Rule, detail)
		if f.Remedy != "" {
			fmt.Fprintf(w, "        %s\n", f.Remedy)
		}
	}
	for _, m := range r.Warnings {
		fmt.Fprintf(w, "  warn  %s\n", m)
	}
}
