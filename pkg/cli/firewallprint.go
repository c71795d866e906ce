package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// printFirewall prints the policies of a plan, and what they do for each environment.
func (e *env) printFirewall(o *firewallOptions, plan *firewall.Plan) error {
	if o.output == "summary" {
		return printSummaries(e.Out, plan)
	}
	if err := printSummaries(e.ErrOut, plan); err != nil {
		return err
	}
	var all []client.Object
	for _, ns := range plan.Namespaces() {
		for _, p := range plan.Policies(ns) {
			all = append(all, p)
		}
		if names := plan.Names(ns); names != nil {
			all = append(all, names.Object)
		}
	}
	if o.output == "json" {
		return printJSON(e.Out, map[string]any{"apiVersion": "v1", "kind": "List", "items": all})
	}
	for _, p := range all {
		raw, err := yaml.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode %s %s/%s: %w", p.GetObjectKind().GroupVersionKind().Kind, p.GetNamespace(), p.GetName(), err)
		}
		fmt.Fprintf(e.Out, "---\n%s", raw)
	}
	return nil
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return nil
}

func printSummaries(out io.Writer, plan *firewall.Plan) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENVIRONMENT\tTIER\tNAMESPACES\tMAY TALK TO\tPOLICIES\tOWN RANGES\tDENIED RANGES\tGATEWAYS")
	policies, names := 0, 0
	for _, s := range plan.Summaries() {
		name := s.Environment
		if name == "" {
			name = "(none)"
		}
		gateways := strings.Join(s.Gateways, ",")
		if gateways == "" {
			gateways = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", plain(name), s.Tier, len(s.Namespaces), s.Peers, s.Policies, len(s.Own), len(s.Denied), plain(gateways))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, ns := range plan.Namespaces() {
		policies += len(plan.Policies(ns))
		if plan.Names(ns) != nil {
			names++
		}
	}
	if names > 0 {
		fmt.Fprintf(out, "Cilium's policies in %d namespaces open names whose addresses may lie in denied ranges\n", names)
	}
	_, err := fmt.Fprintf(out, "%d policies in %d namespaces, %d KiB; the addresses of Pods lie in %s\n", policies, len(plan.Namespaces()), plan.Bytes()>>10, joinText(plan.PodRanges()))
	return err
}

func joinText[T fmt.Stringer](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return strings.Join(out, ", ")
}
