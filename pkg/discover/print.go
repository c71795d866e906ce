package discover

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteValues writes a proposal as values of the chart, with what it rests on as comments. An unclear entry is a question, and is
// commented out, so that the file can be installed as it stands.
func (p *Proposal) WriteValues(w io.Writer) error {
	out := &writer{w: w}
	out.line("# Proposed from what runs. Read every comment: whoever reads this knows more than what could be found.")
	for _, q := range p.Questions {
		out.line("# QUESTION: %s", q)
	}
	for _, u := range p.Unread {
		out.line("# NOT READ: %s", u)
	}
	out.line("environments:")
	if len(p.Environments) == 0 {
		out.line("  {}")
	}
	for _, e := range p.Environments {
		out.environment(&e)
	}
	out.line("dataStores:")
	declared := 0
	for _, s := range p.Stores {
		if out.store(&s, p.declares(s.Environment)); p.declares(s.Environment) {
			declared++
		}
	}
	if declared == 0 {
		out.line("  {}")
	}
	return out.err
}

func (p *Proposal) declares(environment string) bool {
	return slices.ContainsFunc(p.Environments, func(e Environment) bool { return e.Name == environment })
}

type writer struct {
	w   io.Writer
	err error
}

// line writes a line. What comes from elsewhere never ends one.
func (o *writer) line(format string, args ...any) {
	if o.err != nil {
		return
	}
	text := strings.NewReplacer("\n", " ", "\r", " ").Replace(fmt.Sprintf(format, args...))
	_, o.err = fmt.Fprintln(o.w, text)
}

func (o *writer) environment(e *Environment) {
	for _, why := range e.Evidence[:min(len(e.Evidence), mostEvidence)] {
		o.line("  # %s", why)
	}
	if more := len(e.Evidence) - mostEvidence; more > 0 {
		o.line("  # and %d more", more)
	}
	if len(e.Managers) > 0 {
		o.line("  # these programs have written there: %s", strings.Join(e.Managers, ", "))
	}
	o.line("  %s:", e.Name)
	o.line("    tier: %s", e.Tier)
	o.line("    namespaces: {names: %s}", flow(e.Namespaces))
	var ids []string
	for _, x := range []struct {
		field string
		list  []string
	}{{"groups", e.Groups}, {"users", e.Users}, {"serviceAccounts", e.ServiceAccounts}} {
		if len(x.list) > 0 {
			ids = append(ids, x.field+": "+flow(x.list))
		}
	}
	if len(ids) > 0 && e.Tier != "Shared" {
		o.line("    # their bindings let these write there")
		o.line("    identities: {%s}", strings.Join(ids, ", "))
	}
}

func (o *writer) store(s *Store, declared bool) {
	mark := "  "
	if !declared {
		mark = "  # "
	}
	if s.Question != "" {
		o.line("  # QUESTION: %s: %s", s.Name, s.Question)
	}
	if s.Uses > 0 {
		o.line("  # named %d times, such as by", s.Uses)
	}
	for _, why := range s.Evidence[:min(len(s.Evidence), mostEvidence)] {
		o.line("  #   %s", why)
	}
	o.line("%s%s:", mark, s.Name)
	environment := s.Environment
	if environment == "" {
		environment = "WHOSE"
	}
	o.line("%s  environment: %s", mark, environment)
	for _, x := range []struct {
		field string
		list  []string
	}{{"hosts", s.Hosts}, {"resourceNames", s.Resources}} {
		if len(x.list) > 0 {
			o.line("%s  %s: %s", mark, x.field, flow(x.list))
		}
	}
	if len(s.Paths) > 0 {
		o.line("%s  credentials: {vaultPaths: %s}", mark, flow(s.Paths))
	}
	if len(s.Services) > 0 {
		var list []string
		for _, x := range s.Services {
			ns, name, _ := strings.Cut(x, "/")
			list = append(list, fmt.Sprintf("{namespace: %q, name: %q}", ns, name))
		}
		o.line("%s  services: [%s]", mark, strings.Join(list, ", "))
	}
}

// flow writes a list as YAML does in one line.
func flow(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
