package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// policyChange is a policy that differs, as --diff -o json prints it.
type policyChange struct {
	// What names the step: add, change or remove; foreign stands for none, since the policy of that name is not Firebreak's.
	What      string `json:"what"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`

	object client.Object
}

// policyKey tells a policy from all others, of whichever kind.
func policyKey(kind string, o client.Object) string {
	return kind + "|" + client.ObjectKeyFromObject(o).String()
}

// changesOf puts the differences of both kinds of policies one after the other.
func changesOf(plan *firewall.Plan, known *surroundings) []policyChange {
	changes := []policyChange{}
	d, names := plan.Compare(known.policies), firewall.NamesDifference{}
	if known.cilium {
		names = plan.CompareNames(known.names)
	}
	for _, c := range []struct {
		what  string
		list  []*networkingv1.NetworkPolicy
		names []*unstructured.Unstructured
	}{{"add", d.Add, names.Add}, {"change", d.Change, names.Change}, {"remove", d.Remove, names.Remove}, {"foreign", d.Foreign, names.Foreign}} {
		for _, p := range c.list {
			changes = append(changes, policyChange{c.what, networkPolicies().Kind, p.Namespace, p.Name, p})
		}
		for _, p := range c.names {
			changes = append(changes, policyChange{c.what, firewall.CiliumPolicy().Kind, p.GetNamespace(), p.GetName(), p})
		}
	}
	return changes
}

// printDifference prints what would change where the policies are made those of a plan. Its error is exit status 1 if anything would.
func (e *env) printDifference(o *firewallOptions, plan *firewall.Plan, known *surroundings) error {
	have := map[string]client.Object{}
	for _, s := range known.policies {
		have[policyKey(networkPolicies().Kind, s)] = s
	}
	for _, s := range known.names {
		have[policyKey(firewall.CiliumPolicy().Kind, s)] = s
	}
	changes := changesOf(plan, known)
	counts := map[string]int{}
	var texts strings.Builder
	for _, c := range changes {
		counts[c.What]++
		before, after := have[policyKey(c.Kind, c.object)], c.object
		switch c.What {
		case "remove":
			after = nil
		case "foreign":
			fmt.Fprintf(e.ErrOut, "Warning: %s %s/%s is another's and has a name that Firebreak needs, so it is left alone, and the namespace is not kept apart; delete or rename it.\n", c.Kind, c.Namespace, plain(c.Name))
			continue
		}
		text, err := difference(c, before, after)
		if err != nil {
			return err
		}
		texts.WriteString(text)
	}
	switch o.output {
	case "json":
		if err := printJSON(e.Out, map[string]any{"changes": changes}); err != nil {
			return err
		}
	case "summary":
		for _, c := range changes {
			fmt.Fprintf(e.Out, "%s\t%s\t%s/%s\n", c.What, c.Kind, c.Namespace, plain(c.Name))
		}
	default:
		fmt.Fprint(e.Out, texts.String())
	}
	fmt.Fprintf(e.ErrOut, "%d to add, %d to change, %d to remove, %d in the way\n", counts["add"], counts["change"], counts["remove"], counts["foreign"])
	if len(changes) == 0 {
		return nil
	}
	return ExitError{1}
}

// difference returns what differs between two states of a policy, of which one may be nil, as a patch. It leaves out what the API server adds.
func difference(c policyChange, before, after client.Object) (string, error) {
	text := func(p client.Object) (string, error) {
		if p == nil {
			return "", nil
		}
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
		if err != nil {
			return "", fmt.Errorf("encode %s %s/%s: %w", c.Kind, c.Namespace, c.Name, err)
		}
		shown := map[string]any{"metadata": map[string]any{"namespace": c.Namespace, "name": c.Name, "labels": p.GetLabels()}}
		for _, field := range []string{"spec", "specs"} {
			if v, ok := fields[field]; ok {
				shown[field] = v
			}
		}
		raw, err := yaml.Marshal(shown)
		if err != nil {
			return "", fmt.Errorf("encode %s %s/%s: %w", c.Kind, c.Namespace, c.Name, err)
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
	return udiff.Unified("stored/"+c.Namespace+"/"+c.Name, "planned/"+c.Namespace+"/"+c.Name, a, b), nil
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
	owned := 0
	for _, gvk := range []struct {
		list     *unstructured.UnstructuredList
		optional bool
	}{{listOf(networkPolicies()), false}, {listOf(firewall.CiliumPolicy()), true}} {
		l := gvk.list
		err := c.List(ctx, l, client.MatchingLabels{firewall.LabelManagedBy: firewall.ManagedBy}, client.HasLabels{firewall.LabelFirewall})
		if meta.IsNoMatchError(err) && gvk.optional {
			continue
		}
		if apierrors.IsForbidden(err) && gvk.optional {
			fmt.Fprintln(e.ErrOut, "Warning: You may not list objects of kind CiliumNetworkPolicy, so those that Firebreak has made are not listed.")
			continue
		}
		if err != nil {
			return fmt.Errorf("list network policies: %w", err)
		}
		n, err := e.removeOwned(ctx, c, l, o.yes)
		if owned += n; err != nil {
			return err
		}
	}
	switch {
	case owned == 0:
		fmt.Fprintln(e.ErrOut, "There are no policies that Firebreak has made.")
	case !o.yes:
		fmt.Fprintln(e.ErrOut, "Nothing is deleted; --yes deletes the listed policies. A server with firewall.reconcile would write it again, so switch that off first.")
	}
	return nil
}

// removeOwned lists the policies of a list that Firebreak has made, and deletes them if that is meant. It returns how many there are.
func (e *env) removeOwned(ctx context.Context, c client.Client, l *unstructured.UnstructuredList, meant bool) (owned int, err error) {
	for i := range l.Items {
		p := &l.Items[i]
		if !firewall.Owned(p) {
			continue
		}
		owned++
		done := ""
		if meant {
			uid := p.GetUID()
			if err := c.Delete(ctx, p, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
				return owned, fmt.Errorf("delete network policy %s/%s: %w", p.GetNamespace(), p.GetName(), err)
			}
			done = " deleted"
		}
		gvk := p.GroupVersionKind()
		fmt.Fprintf(e.Out, "%s.%s/%s -n %s%s\n", strings.ToLower(gvk.Kind), gvk.Group, p.GetName(), p.GetNamespace(), done)
	}
	return owned, nil
}

func listOf(gvk schema.GroupVersionKind) *unstructured.UnstructuredList {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(gvk)
	return l
}
