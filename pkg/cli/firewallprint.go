package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	udiff "github.com/aymanbagabas/go-udiff"
	networkingv1 "k8s.io/api/networking/v1"
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
	var all []*networkingv1.NetworkPolicy
	for _, ns := range plan.Namespaces() {
		all = append(all, plan.Policies(ns)...)
	}
	if o.output == "json" {
		return printJSON(e.Out, map[string]any{"apiVersion": "v1", "kind": "List", "items": all})
	}
	for _, p := range all {
		raw, err := yaml.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode NetworkPolicy %s/%s: %w", p.Namespace, p.Name, err)
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
	policies := 0
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

// policyChange is a policy that differs, as --diff -o json prints it.
type policyChange struct {
	// What is to be done: add, change or remove. Foreign: nothing, since another's policy has the name.
	What      string `json:"what"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// printDifference prints what would change where the policies are made those of a plan. Its error is exit status 1 if anything would.
func (e *env) printDifference(o *firewallOptions, plan *firewall.Plan, stored []*networkingv1.NetworkPolicy) error {
	d := plan.Compare(stored)
	have := map[string]*networkingv1.NetworkPolicy{}
	for _, s := range stored {
		have[s.Namespace+"/"+s.Name] = s
	}
	changes := []policyChange{}
	var texts strings.Builder
	for _, c := range []struct {
		what string
		list []*networkingv1.NetworkPolicy
	}{{"add", d.Add}, {"change", d.Change}, {"remove", d.Remove}, {"foreign", d.Foreign}} {
		for _, p := range c.list {
			changes = append(changes, policyChange{c.what, p.Namespace, p.Name})
			before, after := have[p.Namespace+"/"+p.Name], p
			switch c.what {
			case "remove":
				after = nil
			case "foreign":
				continue
			}
			text, err := difference(before, after)
			if err != nil {
				return err
			}
			texts.WriteString(text)
		}
	}
	for _, p := range d.Foreign {
		fmt.Fprintf(e.ErrOut, "Warning: NetworkPolicy %s/%s is another's and has a name that Firebreak needs, so it is left alone, and the namespace is not kept apart; delete or rename it.\n", p.Namespace, plain(p.Name))
	}
	switch o.output {
	case "json":
		if err := printJSON(e.Out, map[string]any{"changes": changes}); err != nil {
			return err
		}
	case "summary":
		for _, c := range changes {
			fmt.Fprintf(e.Out, "%s\t%s/%s\n", c.What, c.Namespace, plain(c.Name))
		}
	default:
		fmt.Fprint(e.Out, texts.String())
	}
	fmt.Fprintf(e.ErrOut, "%d to add, %d to change, %d to remove, %d in the way\n", len(d.Add), len(d.Change), len(d.Remove), len(d.Foreign))
	if d.None() {
		return nil
	}
	return ExitError{1}
}

// difference returns what differs between two states of a policy, of which one may be nil, as a patch. It leaves out what the API server adds.
func difference(before, after *networkingv1.NetworkPolicy) (string, error) {
	text := func(p *networkingv1.NetworkPolicy) (string, error) {
		if p == nil {
			return "", nil
		}
		raw, err := yaml.Marshal(map[string]any{"metadata": map[string]any{"namespace": p.Namespace, "name": p.Name, "labels": p.Labels}, "spec": p.Spec})
		if err != nil {
			return "", fmt.Errorf("encode NetworkPolicy %s/%s: %w", p.Namespace, p.Name, err)
		}
		return string(raw), nil
	}
	a, err := text(before)
	if err != nil {
		return "", err
	}
	b, err := text(after)
	if err != nil {
		return "", err
	}
	name := after
	if name == nil {
		name = before
	}
	return udiff.Unified("stored/"+name.Namespace+"/"+name.Name, "planned/"+name.Namespace+"/"+name.Name, a, b), nil
}

// removeFirewall lists the policies that Firebreak has made, and deletes them if the user says so.
func (e *env) removeFirewall(ctx context.Context, o *firewallOptions) error {
	if o.diff || len(o.with) > 0 {
		return errors.New("--remove is about the policies of a cluster; it goes with neither --diff nor --with")
	}
	c, _, err := e.client()
	if err != nil {
		return err
	}
	var l networkingv1.NetworkPolicyList
	if err := c.List(ctx, &l, client.MatchingLabels{firewall.LabelManagedBy: firewall.ManagedBy}, client.HasLabels{firewall.LabelFirewall}); err != nil {
		return fmt.Errorf("list network policies: %w", err)
	}
	owned := 0
	for i := range l.Items {
		p := &l.Items[i]
		if !firewall.Owned(p) {
			continue
		}
		owned++
		done := ""
		if o.yes {
			if err := c.Delete(ctx, p, client.Preconditions{UID: &p.UID}); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("delete network policy %s/%s: %w", p.Namespace, p.Name, err)
			}
			done = " deleted"
		}
		fmt.Fprintf(e.Out, "networkpolicy.networking.k8s.io/%s -n %s%s\n", p.Name, p.Namespace, done)
	}
	switch {
	case owned == 0:
		fmt.Fprintln(e.ErrOut, "There are no policies that Firebreak has made.")
	case !o.yes:
		fmt.Fprintln(e.ErrOut, "Nothing is deleted; --yes deletes what is listed. A server with firewall.reconcile would write it again, so switch that off first.")
	}
	return nil
}
