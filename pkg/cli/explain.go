package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

type explainOptions struct {
	checkOptions
	auditLogs []string
}

func (e *env) explain() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain ID | DENIAL | KIND/NAME | -f MANIFEST",
		Short: "Say why something is denied or admitted, and which ways there are",
		Long: `Says why. Of a denial it takes the id in brackets at its end, or the text as it was printed (- reads it from standard input), and finds it among
the Events that you may list and in the audit logs that you give: what was asked and by whom, which rules object to what, and the ways that would pass. Of a
manifest or a stored object it says what a request to create it is judged by now: who you are and of which environments a member, what the object names and whose
that is, and every window, freeze and exemption with why it counts or does not.

For a denial you need the right to list events in its namespace; for the rest, what kubectl firebreak check needs: the ClusterRole firebreak-estate-view
and view. Exit status: 0, it was explained; 2, it could not be.`,
		Example: `  kubectl firebreak explain 3f9a2c1d
  kubectl apply -f job.yaml 2>&1 | kubectl firebreak explain -
  kubectl firebreak explain -f job.yaml -n payments
  kubectl firebreak explain deployment/web -n payments`,
		RunE: func(cmd *cobra.Command, args []string) error { return e.runExplain(cmd.Context(), &o, args) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "manifest or folder of manifests to explain (repeatable)")
	f.StringArrayVar(&o.auditLogs, "audit-log", nil, "audit log of the API server to look for the denial in (repeatable)")
	f.StringArrayVar(&o.with, "with", nil, "file or folder with the estate and the change state (repeatable)")
	f.StringVar(&o.as, "as", "", "user who sends the request; offline default: a person who is member of nothing")
	f.StringArrayVar(&o.groups, "as-group", nil, "group of that user (repeatable)")
	f.StringVarP(&o.namespace, "namespace", "n", "", "namespace of objects that name none, or to look for Events in")
	f.StringVar(&o.operation, "operation", "", "create, update or delete; default: update for objects that are known already, else create")
	f.StringVar(&o.at, "at", "", "instant to judge by, in RFC 3339; default: now")
	e.worldFlags(f, &o.checkOptions)
	return cmd
}

// idAlone is a denial's id as somebody types it.
var idAlone = regexp.MustCompile(`^[0-9a-f]{8}$`)

// mostPasted is how much of standard input is read as a denial, in bytes.
const mostPasted = 1 << 20

func (e *env) runExplain(ctx context.Context, o *explainOptions, args []string) error {
	if err := checkOutput(o.output, forPeople()...); err != nil {
		return err
	}
	text := strings.Join(args, " ")
	switch {
	case len(o.files) > 0 && len(args) > 0:
		return errors.New("give -f, or a denial or an object, not both")
	case len(o.files) > 0:
		docs, err := readAll(o.files, e.In)
		if err != nil {
			return err
		}
		return e.explainDocuments(ctx, o, docs)
	case len(args) == 0:
		return errors.New("give what to explain: the id of a denial, its text, KIND/NAME, or -f MANIFEST")
	case text == "-":
		raw, err := io.ReadAll(io.LimitReader(e.In, mostPasted))
		if err != nil {
			return fmt.Errorf("read the denial: %w", err)
		}
		return e.explainText(ctx, o, string(raw))
	case idAlone.MatchString(text):
		return e.explainDenial(ctx, o, text, "")
	case len(args) == 1 && objectNamed.MatchString(text):
		u, err := e.stored(ctx, o, text)
		if err != nil {
			return err
		}
		o.operation = "create"
		return e.explainDocuments(ctx, o, []document{{File: stored, Object: u}})
	}
	return e.explainText(ctx, o, text)
}

// objectNamed is an object as kubectl names it, such as deployment/web.
var objectNamed = regexp.MustCompile(`^[^/ "]+/[^/ "]+$`)

// explainText explains a denial that somebody pastes.
func (e *env) explainText(ctx context.Context, o *explainOptions, text string) error {
	id := policy.DenialIDIn(text)
	if id == "" && !strings.Contains(text, " is forbidden: ") {
		return errors.New("this is not a denial of Firebreak's: one says that something is forbidden, and ends with its id, such as [denial 3f9a2c1d]")
	}
	return e.explainDenial(ctx, o, id, text)
}

// stored reads an object that is named as kubectl names it, such as deployment/web or jobs.batch/reindex.
func (e *env) stored(ctx context.Context, o *explainOptions, named string) (*unstructured.Unstructured, error) {
	c, ns, err := e.client()
	if err != nil {
		return nil, err
	}
	if o.namespace != "" {
		ns = o.namespace
	}
	kind, name, _ := strings.Cut(named, "/")
	gvk, err := kindOf(c, kind)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	if m, err := c.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); err == nil && m.Scope.Name() == meta.RESTScopeNameRoot {
		ns = ""
	}
	if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, u); err != nil {
		return nil, fmt.Errorf("read %s: %w", named, err)
	}
	return u, nil
}

// kindOf resolves a kind or a resource, with or without its group: Job, job, jobs, jobs.batch. Of a few, the short names of kubectl.
func kindOf(c client.Client, text string) (schema.GroupVersionKind, error) {
	word, group, _ := strings.Cut(strings.ToLower(text), ".")
	if full := map[string]string{"deploy": "deployments", "sts": "statefulsets", "ds": "daemonsets", "po": "pods", "svc": "services", "cm": "configmaps", "cj": "cronjobs", "ing": "ingresses", "rs": "replicasets"}[word]; full != "" {
		word = full
	}
	for _, resource := range []string{word, word + "s", word + "es", strings.TrimSuffix(word, "y") + "ies"} {
		if gvk, err := c.RESTMapper().KindFor(schema.GroupVersionResource{Group: group, Resource: resource}); err == nil {
			return gvk, nil
		}
	}
	return schema.GroupVersionKind{}, fmt.Errorf("the cluster serves no kind that is called %q", text)
}

// explained is a manifest with what it is judged by, as -o json prints it.
type explained struct {
	Result
	Explanation *policy.Explanation `json:"explanation,omitempty"`
}

// explainDocuments explains manifests.
func (e *env) explainDocuments(ctx context.Context, o *explainOptions, docs []document) error {
	at, err := o.instant(e.clock())
	if err != nil {
		return err
	}
	known, err := e.snapshot(ctx, &o.checkOptions, at)
	if err != nil {
		return err
	}
	known.addRoles(docs, o.namespace)
	known.addNamespaces(docs)
	all := []explained{}
	undecided := len(docs) == 0
	for _, d := range docs {
		if err := known.define(d.Object); err != nil {
			return err
		}
		r, c := known.judged(d, &o.checkOptions, at)
		x := explained{Result: r}
		if undecided = undecided || r.Decision == "undecided"; c != nil {
			x.Explanation = c.Explain(known.stateOf(c))
		}
		all = append(all, x)
	}
	if o.output != "text" {
		err = printAs(e.Out, o.output, map[string]any{"explained": all})
	} else {
		for i := range all {
			all[i].print(e.Out)
		}
	}
	if err == nil && undecided {
		return ExitError{2}
	}
	return err
}

// print prints what a manifest is judged by.
func (x *explained) print(w io.Writer) {
	x.Result.print(w, func(s string) string { return s })
	if x.Explanation == nil {
		return
	}
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	members := "a member of no environment"
	if len(x.Explanation.MemberOf) > 0 {
		members = "a member of " + strings.Join(x.Explanation.MemberOf, ", ")
	}
	say("\nWho: %s, %s.", plain(x.Explanation.Requester), members)
	if x.Explanation.Place != "" {
		say("Where: %s.", x.Explanation.Place)
	}
	say("What it names:")
	for _, r := range x.Explanation.References {
		verdict := "stays within its tier"
		if r.Crosses != "" {
			verdict = "crosses tiers: " + r.Crosses
		}
		if r.Value != "" {
			r.Path += fmt.Sprintf(" names %q,", r.Value)
		}
		say("  %s %s; %s", r.Path, r.Target, verdict)
	}
	if len(x.Explanation.References) == 0 {
		say("  nothing that is declared")
	}
	if x.Explanation.Maintenance != "" {
		say("It is maintenance: %s.", x.Explanation.Maintenance)
	}
	for _, d := range x.Explanation.Demands {
		say("It needs a window: %s.", d)
	}
	printEntries(w, "Windows", "permits", x.Explanation.Windows)
	printEntries(w, "Freezes", "binds", x.Explanation.Freezes)
	printEntries(w, "Exemptions", "applies", x.Explanation.Exemptions)
	if ways := x.ways(); len(ways) > 0 {
		say("Ways that would pass:")
		for _, way := range ways {
			say("  - %s", way)
		}
	}
	say("")
}

// ways returns the remedies of what denies, each once.
func (x *explained) ways() []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range x.Findings {
		if f.Remedy != "" && !seen[f.Remedy] && !f.Exempted {
			seen[f.Remedy] = true
			out = append(out, f.Remedy)
		}
	}
	return out
}

func printEntries(w io.Writer, title, verb string, entries []policy.ExplainedEntry) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(w, "%s:\n", title)
	for _, e := range entries {
		name := e.Name
		if e.Namespace != "" {
			name = e.Namespace + "/" + e.Name
		}
		mark := verb
		if !e.Counts {
			mark = "no"
		}
		fmt.Fprintf(w, "  %s: %s: %s\n", plain(name), mark, plain(e.Why))
	}
}
