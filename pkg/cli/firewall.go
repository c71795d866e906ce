package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

type firewallOptions struct {
	with              []string
	at, output        string
	podCIDRs          []string
	defaultEnv, home  string
	diff, remove, yes bool
	cilium            bool
}

func (e *env) firewall() *cobra.Command {
	var o firewallOptions
	cmd := &cobra.Command{
		Use:   "firewall",
		Short: "Show the network policies that keep the tiers apart on the wire",
		Long: `Shows the network policies that the server writes where firewall.reconcile of the chart is true, for the estate as it is now.
It changes nothing. The policies go to standard output, and what they do for each environment to standard error.

The estate comes from --with, or from the cluster of the current kubeconfig. With --diff, the difference to what is there is shown
instead. Exit status: 0, there are policies, or nothing differs; 1, something differs; 2, they cannot be made, and the reason is said.

With --remove, the policies that Firebreak has made are listed and, with --yes, deleted. A server that still writes them would write
them again: switch firewall.reconcile off instead, which removes them, too.`,
		Example: `  kubectl firebreak firewall --diff
  kubectl firebreak firewall --with values.yaml,cluster/ --pod-cidr 10.244.0.0/16 -o summary`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.remove {
				return e.removeFirewall(cmd.Context(), &o)
			}
			return e.runFirewall(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.with, "with", nil, "file or folder with the estate, namespaces and Services (repeatable)")
	f.StringVar(&o.at, "at", "", "instant by which gateways count or have expired, in RFC 3339; default: now")
	f.StringVarP(&o.output, "output", "o", "yaml", "yaml, json or summary")
	f.StringSliceVar(&o.podCIDRs, "pod-cidr", nil, "ranges from which Pods have their addresses, as firewall.podCIDRs of the chart; default: what nodes state")
	f.StringVar(&o.defaultEnv, "default-environment", "", "environment of namespaces that none claims")
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	f.BoolVar(&o.cilium, "cilium", false, "with --with: show Cilium's policies, too, which open names; a cluster is asked whether it serves them")
	f.BoolVar(&o.diff, "diff", false, "show what differs from the policies that are there")
	f.BoolVar(&o.remove, "remove", false, "list the policies that Firebreak has made, to be deleted")
	f.BoolVar(&o.yes, "yes", false, "with --remove: delete them")
	return cmd
}

// check returns an error for options that do not go together, and the instant to go by.
func (o *firewallOptions) check(now time.Time) (time.Time, []netip.Prefix, error) {
	if err := checkOutput(o.output, "yaml", "json", "summary"); err != nil {
		return now, nil, err
	}
	if o.yes {
		return now, nil, errors.New("--yes deletes policies, and goes with --remove only")
	}
	if o.at != "" {
		at, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			return now, nil, fmt.Errorf("--at: %w", err)
		}
		now = at
	}
	var pods []netip.Prefix
	for _, text := range o.podCIDRs {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return now, nil, fmt.Errorf("--pod-cidr: %q is not an address range such as 10.244.0.0/16", text)
		}
		pods = append(pods, p.Masked())
	}
	return now, pods, nil
}

func (e *env) runFirewall(ctx context.Context, o *firewallOptions) error {
	at, pods, err := o.check(e.clock())
	if err != nil {
		return err
	}
	known, err := e.surroundings(ctx, o, at)
	if err != nil {
		return err
	}
	est := known.view.Compile()
	for _, p := range est.Problems() {
		fmt.Fprintf(e.ErrOut, "Warning: %s %q, %s: %s, so what it declares cannot be found.\n", p.Kind, p.Name, p.Path, p.Message)
	}
	plan := firewall.Compile(firewall.Input{Estate: est, At: at, APIServers: firewall.APIServers(est, known.slices), Pods: pods, Cilium: known.cilium})
	for _, note := range plan.Notes() {
		fmt.Fprintln(e.ErrOut, "Warning:", note)
	}
	if err := known.strays(ctx, e, plan); err != nil {
		return err
	}
	if obstacles := plan.Obstacles(); len(obstacles) > 0 {
		return fmt.Errorf("the policies cannot be made: %s", strings.Join(obstacles, " "))
	}
	if o.diff {
		return e.printDifference(o, plan, known)
	}
	return e.printFirewall(o, plan)
}

// surroundings are what a firewall is planned from.
type surroundings struct {
	view     *view.View
	slices   []discoveryv1.EndpointSlice
	policies []*networkingv1.NetworkPolicy
	// cilium is true if Cilium's policies are served, and names are those that are stored.
	cilium bool
	names  []*unstructured.Unstructured
	// cluster is nil offline.
	cluster client.Client
}

// surroundings reads the estate, namespaces, Services, nodes and the API server's endpoints and, to compare, the policies.
func (e *env) surroundings(ctx context.Context, o *firewallOptions, at time.Time) (*surroundings, error) {
	k := &surroundings{view: view.New(view.Settings{DefaultEnvironment: o.defaultEnv, Namespace: o.home, ServiceAccount: "firebreak"}, func() time.Time { return at })}
	var objects []*unstructured.Unstructured
	var err error
	if len(o.with) > 0 {
		objects, err = e.given(o.with)
		k.cilium = o.cilium
	} else {
		objects, err = k.fetch(ctx, e, o)
	}
	if err != nil {
		return nil, err
	}
	for _, u := range inOrder(k.view, objects) {
		switch u.GroupVersionKind() {
		case endpointSlices():
			var s discoveryv1.EndpointSlice
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &s); err != nil {
				return nil, fmt.Errorf("read EndpointSlice %q: %w", u.GetName(), err)
			}
			k.slices = append(k.slices, s)
		case networkPolicies():
			p := &networkingv1.NetworkPolicy{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, p); err != nil {
				return nil, fmt.Errorf("read NetworkPolicy %s/%s: %w", u.GetNamespace(), u.GetName(), err)
			}
			k.policies = append(k.policies, p)
		case firewall.CiliumPolicy():
			k.names = append(k.names, u)
		default:
			if err := k.view.Add(u); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(k.names, func(a, b *unstructured.Unstructured) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	slices.SortFunc(k.policies, func(a, b *networkingv1.NetworkPolicy) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return k, nil
}

func endpointSlices() schema.GroupVersionKind {
	return discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice")
}
func networkPolicies() schema.GroupVersionKind {
	return networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy")
}

// fetch reads from the cluster what its user may list. Without some of it there is no plan; of the rest it is said what its lack means.
func (k *surroundings) fetch(ctx context.Context, e *env, o *firewallOptions) ([]*unstructured.Unstructured, error) {
	c, _, err := e.client()
	if err != nil {
		return nil, err
	}
	k.cluster = c
	type read struct {
		gvk       schema.GroupVersionKind
		namespace string
		// without says what it means if the user may not list them; if it is empty, nothing can be planned.
		without string
	}
	var reads []read
	for _, kind := range k.view.Kinds() {
		if kind.Estate && needed(kind.GroupVersionKind) {
			reads = append(reads, read{gvk: kind.GroupVersionKind})
		}
	}
	reads = append(reads, read{endpointSlices(), firewall.APIServerNamespace, "only the address of the API server's Service is opened, and not those of its endpoints, which the server opens"})
	if len(o.podCIDRs) == 0 {
		reads = append(reads, read{gvk: corev1.SchemeGroupVersion.WithKind("Node"), without: "the ranges of Pods are known by --pod-cidr only"})
	}
	gvk := firewall.CiliumPolicy()
	switch _, err := c.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); {
	case err == nil:
		k.cilium = true
	case !meta.IsNoMatchError(err):
		return nil, fmt.Errorf("ask whether Cilium's policies are served: %w", err)
	}
	if o.diff {
		reads = append(reads, read{gvk: networkPolicies()})
		if k.cilium {
			reads = append(reads, read{gvk: gvk, without: "each that is planned is told as missing"})
		}
	}
	var out []*unstructured.Unstructured
	for _, r := range reads {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(r.gvk.GroupVersion().WithKind(r.gvk.Kind + "List"))
		err := c.List(ctx, list, client.InNamespace(r.namespace))
		if apierrors.IsForbidden(err) && r.without != "" {
			fmt.Fprintf(e.ErrOut, "Warning: You may not list objects of kind %s, so %s.\n", r.gvk.Kind, r.without)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w; or give the estate with --with", strings.ToLower(r.gvk.Kind), err)
		}
		for i := range list.Items {
			out = append(out, &list.Items[i])
		}
	}
	return out, nil
}

// strays warns of Pods whose addresses lie in none of the ranges that are taken for those of Pods.
func (k *surroundings) strays(ctx context.Context, e *env, plan *firewall.Plan) error {
	if k.cluster == nil || len(plan.PodRanges()) == 0 {
		return nil
	}
	var strays int
	var first string
	var address netip.Addr
	for next := ""; ; {
		var l corev1.PodList
		err := k.cluster.List(ctx, &l, client.Limit(500), client.Continue(next))
		if apierrors.IsForbidden(err) {
			fmt.Fprintln(e.ErrOut, "Warning: You may not list Pods, so nobody has looked whether their addresses lie in the ranges that are taken for theirs.")
			return nil
		}
		if err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		for i := range l.Items {
			for _, a := range view.PodAddresses(&l.Items[i]) {
				if plan.Stray(a) {
					if strays++; first == "" {
						first, address = l.Items[i].Namespace+"/"+l.Items[i].Name, a
					}
				}
			}
		}
		if next = l.Continue; next == "" {
			break
		}
	}
	if strays > 0 {
		fmt.Fprintln(e.ErrOut, "Warning:", plan.StrayPods(strays, first, address))
	}
	return nil
}
