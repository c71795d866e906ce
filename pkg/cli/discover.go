package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/discover"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

type discoverOptions struct {
	checkOptions
	inventories []string
	diff        bool
}

func (e *env) discover() *cobra.Command {
	o := discoverOptions{checkOptions: checkOptions{audit: true}}
	cmd := &cobra.Command{
		Use:   "discover",
		Short: "Propose environments and data stores from what runs, as values of the chart",
		Long: `Proposes an estate, as values of the chart with the evidence as comments: groups namespaces by their labels and names; finds hosts, Services, cloud
resources and paths in secret stores that workloads name as data stores; says which groups and accounts may write there by their bindings, and which programs
have. An unclear entry is a question, and is commented out. It works before Firebreak is installed, reads no Secrets, and sends nothing anywhere. --inventory takes files that
terraform show -json, aws rds describe-db-instances, aws rds describe-db-clusters, gcloud sql instances list --format json and az … list print; of each entry it takes
names, addresses and tags, and no credentials. Custom resources of Crossplane, ACK and Config Connector count as well.

It ends with what would be denied if the proposal were installed as it stands. With --diff it compares what is found with what is declared instead: exit status 1 if
something is found that nobody declares, or something declared that nobody names.

The objects come from --with, or from the cluster of the current kubeconfig; the ClusterRole firebreak-doctor gives the right to read them.`,
		Example: `  kubectl firebreak discover --inventory rds.json > values.yaml
  kubectl firebreak discover --diff`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runDiscover(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.with, "with", nil, "file or folder with the objects of a cluster (repeatable)")
	f.StringSliceVar(&o.inventories, "inventory", nil, "file with a cloud's inventory, as JSON (repeatable)")
	f.BoolVar(&o.diff, "diff", false, "compare what is found with what is declared")
	e.worldFlags(f, &o.checkOptions)
	f.Lookup("output").Usage, f.Lookup("output").DefValue = "yaml or json", "yaml"
	o.output = "yaml"
	return cmd
}

// mostInventory is how large the file of an inventory may be, in bytes.
const mostInventory = 256 << 20

func (e *env) runDiscover(ctx context.Context, o *discoverOptions) error {
	if o.output == "text" {
		o.output = "yaml"
	}
	if err := checkOutput(o.output, "yaml", "json"); err != nil {
		return err
	}
	objects, err := e.toDiscover(ctx, o)
	if err != nil {
		return err
	}
	in := discover.Input{Objects: objects, Home: o.home}
	for _, file := range o.inventories {
		info, err := os.Stat(file)
		if err != nil {
			return fmt.Errorf("read the inventory: %w", err)
		}
		if info.Size() > mostInventory {
			return fmt.Errorf("%s is larger than %d MiB", file, mostInventory>>20)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the inventory: %w", err)
		}
		stores, err := discover.Inventory(file, raw)
		if err != nil {
			return err
		}
		in.Stores = append(in.Stores, stores...)
	}
	p := discover.Discover(in)
	if o.diff {
		return e.printDrift(o, p, objects)
	}
	if o.output == "json" {
		return printJSON(e.Out, p)
	}
	var text bytes.Buffer
	if err := p.WriteValues(&text); err != nil {
		return fmt.Errorf("write the proposal: %w", err)
	}
	if _, err := e.Out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("write the proposal: %w", err)
	}
	return e.printConsequences(ctx, o, text.Bytes(), objects)
}

// toDiscover reads the objects of files or of the cluster, those of clouds' operators among them.
func (e *env) toDiscover(ctx context.Context, o *discoverOptions) ([]*unstructured.Unstructured, error) {
	if len(o.with) > 0 {
		docs, err := readAll(o.with, e.In)
		if err != nil {
			return nil, err
		}
		var out []*unstructured.Unstructured
		for _, d := range docs {
			switch {
			case d.Err != nil && d.Values == nil:
				fmt.Fprintf(e.ErrOut, "Warning: %s, document %d: %v\n", d.File, d.Index, d.Err)
			case d.Object != nil:
				out = append(out, d.Object)
			}
		}
		return out, nil
	}
	k := &snapshot{ctx: ctx}
	o.proposal = true
	objects, err := e.fetch(ctx, k, &o.checkOptions)
	if err != nil {
		return nil, err
	}
	if len(k.unread) > 0 {
		fmt.Fprintf(e.ErrOut, "Warning: you may not list objects of these kinds, so nothing was found in them: %s\n", strings.Join(k.unread, ", "))
	}
	kinds, err := e.cloudKinds()
	if err != nil {
		return nil, err
	}
	for _, gvk := range kinds {
		l := listOf(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := k.cluster.List(ctx, l); err != nil {
			fmt.Fprintf(e.ErrOut, "Warning: objects of kind %s are not looked at: %v\n", gvk.Kind, err)
			continue
		}
		for i := range l.Items {
			objects = append(objects, &l.Items[i])
		}
	}
	return objects, nil
}

// cloudKinds returns the kinds of clouds' operators that the cluster serves.
func (e *env) cloudKinds() ([]schema.GroupVersionKind, error) {
	cfg, err := e.config.loader().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	lists, err := d.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("ask which kinds there are: %w", err)
	}
	var out []schema.GroupVersionKind
	for _, l := range lists {
		gv, err := schema.ParseGroupVersion(l.GroupVersion)
		if err != nil || !discover.IsCloud(gv.Group) {
			continue
		}
		for _, r := range l.APIResources {
			if slices.Contains(r.Verbs, "list") && !strings.Contains(r.Name, "/") {
				out = append(out, gv.WithKind(r.Kind))
			}
		}
	}
	return out, nil
}

// printConsequences says what would be denied of what is stored if the proposal were installed as it stands.
func (e *env) printConsequences(ctx context.Context, o *discoverOptions, values []byte, objects []*unstructured.Unstructured) error {
	var tree map[string]any
	if err := yaml.Unmarshal(values, &tree); err != nil {
		return fmt.Errorf("read the proposal: %w", err)
	}
	declared, err := declaredBy(tree)
	if err != nil {
		return fmt.Errorf("read the proposal: %w", err)
	}
	at := e.clock()
	k := newSnapshot(ctx)
	k.unreadable = e.tellUnread
	if err := k.compile(instead(objects, declared), &o.checkOptions, at); err != nil {
		return err
	}
	denied := k.deniedAt(at)
	fmt.Fprintf(e.Out, "# At standard these %d objects would be denied, if they were created as they are:\n", len(denied))
	for _, r := range denied[:min(len(denied), mostPrinted)] {
		fmt.Fprintf(e.Out, "#   %s: %s\n", r.called(), plain(r.Findings[0].Message))
	}
	if more := len(denied) - mostPrinted; more > 0 {
		fmt.Fprintf(e.Out, "#   and %d more; kubectl firebreak audit --as-if FILE lists them\n", more)
	}
	return nil
}

// tellUnread says that an object is left out, since it cannot be read.
func (e *env) tellUnread(u *unstructured.Unstructured, err error) {
	fmt.Fprintf(e.ErrOut, "Warning: %s %s/%s is not judged: %v\n", u.GetKind(), u.GetNamespace(), u.GetName(), err)
}

// deniedAt judges the stored objects again, and returns those that would be denied.
func (k *snapshot) deniedAt(at time.Time) []Result {
	var out []Result
	for i, u := range k.stored {
		if u.GroupVersionKind().Group == v1alpha1.GroupName || len(u.GetOwnerReferences()) > 0 {
			continue
		}
		if r := k.auditOne(i, u, at); r.Decision == "deny" && len(r.Findings) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// printDrift compares what is found with what is declared.
func (e *env) printDrift(o *discoverOptions, p *discover.Proposal, objects []*unstructured.Unstructured) error {
	k := newSnapshot(context.Background())
	k.unreadable = e.tellUnread
	if err := k.compile(objects, &o.checkOptions, e.clock()); err != nil {
		return err
	}
	lines := drift(k.view.Estate, p, o.home)
	if o.output == "json" {
		if err := printJSON(e.Out, map[string]any{"drift": append([]string{}, lines...)}); err != nil {
			return err
		}
	} else {
		for _, l := range lines {
			fmt.Fprintln(e.Out, plain(l))
		}
		if len(lines) == 0 {
			fmt.Fprintln(e.Out, "Everything that was found is declared, and every declared host was found.")
		}
	}
	if len(lines) > 0 {
		return ExitError{1}
	}
	return nil
}

// drift says what is found and not declared, and what is declared and not found.
func drift(est *estate.Estate, p *discover.Proposal, home string) []string {
	lines, found := undeclared(est, p)
	for _, h := range est.Hosts() {
		if !found[h.Name] && !strings.HasPrefix(h.Name, "*.") {
			lines = append(lines, fmt.Sprintf("- host %s of data store %q: nothing that was read names it", h.Name, h.Owners[0].Store))
		}
	}
	for _, ns := range est.NamespaceNames() {
		if m, _ := est.Namespace(ns); m.Unassigned() && !strings.HasPrefix(ns, "kube-") && ns != metav1.NamespaceDefault && ns != home {
			lines = append(lines, fmt.Sprintf("+ namespace %s: no environment claims it", ns))
		}
	}
	return lines
}

// undeclared returns the hosts that are found, with a line for each that no data store declares.
func undeclared(est *estate.Estate, p *discover.Proposal) (lines []string, found map[string]bool) {
	found = map[string]bool{}
	for _, s := range p.Stores {
		for _, h := range s.Hosts {
			found[h] = true
			target, ok := reference.NormaliseHost(h, true)
			if target.Unambiguous = true; ok && len(est.Resolve(target, "").Owners) == 0 {
				lines = append(lines, fmt.Sprintf("+ host %s, as a data store of %s: no DataStore declares it (%s)", h, orUnknown(s.Environment), strings.Join(s.Evidence[:min(1, len(s.Evidence))], "")))
			}
		}
	}
	return lines, found
}

func orUnknown(environment string) string {
	if environment == "" {
		return "nobody knows which environment"
	}
	return environment
}
