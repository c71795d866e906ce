package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Report is what check prints as JSON. Its form is stable.
type Report struct {
	Results []Result `json:"results"`
	Summary Summary  `json:"summary"`
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
	File      string `json:"file"`
	Document  int    `json:"document"`
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
	Path   string `json:"path"`
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
			Rule: string(f.Rule), Action: strings.ToLower(string(f.Action)), Path: f.Path, Value: f.Value,
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

// exit returns exit status 2 if an object could not be judged, else 1 if a request is denied, else nil.
func (r *Report) exit() error {
	switch {
	case r.Summary.Undecided > 0:
		return ExitError{2}
	case r.Summary.Denied > 0:
		return ExitError{1}
	}
	return nil
}

func (r *Report) print(w io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	for _, x := range r.Results {
		if x.File != stored || x.Decision != "allow" {
			x.print(w)
		}
	}
	for _, s := range r.Standing {
		s.print(w)
	}
	s := r.Summary
	_, err := fmt.Fprintf(w, "%d judged: %d admitted, %d admitted with warnings, %d denied, %d undecided\n",
		s.Total, s.Allowed, s.Warned, s.Denied, s.Undecided)
	return err
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

func (r *Result) print(w io.Writer) {
	name := fmt.Sprintf("%s %q", r.Kind, r.Name)
	if r.Namespace != "" && r.Kind != "Namespace" {
		name += fmt.Sprintf(" in namespace %q", r.Namespace)
	}
	if r.Kind == "" {
		name = fmt.Sprintf("document %d", r.Document)
	}
	fmt.Fprintf(w, "%s: %s: %s\n", r.File, name, r.Decision)
	if r.Decision == "undecided" {
		fmt.Fprintf(w, "  %s\n", r.Message)
	}
	for _, f := range r.Findings {
		detail := f.Message
		if f.Path != "" {
			detail = f.Path + " " + detail
		}
		fmt.Fprintf(w, "  %-5s %s: %s\n", f.Action, f.Rule, detail)
		if f.Remedy != "" {
			fmt.Fprintf(w, "        %s\n", f.Remedy)
		}
	}
	for _, m := range r.Warnings {
		fmt.Fprintf(w, "  warn  %s\n", m)
	}
}
