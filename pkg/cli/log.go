package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

type logOptions struct {
	since, until, output, home string
	all                        bool
}

func (e *env) log() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Say what changed in production, under which windows, and who approved it",
		Long: `Says who changed production under which window, and who did what about the permission to: requested, approved, rejected and withdrew
windows, froze and unfroze environments, granted exemptions, reviewed emergencies, changed the boundary, or tried to and was refused. It
covers all namespaces unless you name one, which leaves out freezes and environments, and objects that are gone. What was done is recorded
before it is admitted, so another webhook may still have refused it.`,
		Example: `  kubectl firebreak log --since 12:24
  kubectl firebreak log --since 2h -n payments -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runLog(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.since, "since", "24h", "from when: a time of day (the last such), a duration back, or RFC 3339")
	f.StringVar(&o.until, "until", "", "up to when, in the same forms; default: now")
	f.BoolVarP(&o.all, "all-namespaces", "A", false, "objects of all namespaces, which is the default")
	f.StringVarP(&o.output, "output", "o", "text", oneOf(forPeople()))
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	return cmd
}

func (e *env) runLog(ctx context.Context, o *logOptions) error {
	if err := checkOutput(o.output, forPeople()...); err != nil {
		return err
	}
	from, err := e.moment(o.since)
	if err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	to := e.clock()
	if o.until != "" {
		if to, err = e.moment(o.until); err != nil {
			return fmt.Errorf("--until: %w", err)
		}
	}
	c, _, err := e.client()
	if err != nil {
		return err
	}
	ns := e.config.overrides.Context.Namespace
	if o.all {
		ns = ""
	}
	entries, err := overview.Trail(ctx, c, o.home, ns, from, to)
	if err != nil {
		return err
	}
	told, err := overview.Records(ctx, c, o.home, ns, from, to)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		fmt.Fprintf(e.ErrOut, "Warning: what was done about windows, freezes and the boundary is not shown: %v\n", err)
	case err != nil:
		return err
	}
	entries = append(entries, told...)
	overview.Sort(entries)
	if o.output != "text" {
		return printAs(e.Out, o.output, entries)
	}
	scope := "all namespaces"
	if ns != "" {
		scope = fmt.Sprintf("namespace %q", ns)
	}
	return e.printLog(fmt.Sprintf("In %s, from %s to %s", scope, change.Instant(from), change.Instant(to)), entries)
}

func (e *env) printLog(scope string, entries []overview.Entry) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintf(e.Out, "%s, nothing was changed under a window, and nothing was done about one.\n", scope)
		return err
	}
	fmt.Fprintf(e.Out, "%s:\n", scope)
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHEN\tWHO\tWHAT\tOBJECT\tWINDOW\tAPPROVED BY\tSTATE\tRESULT\tREASON")
	for _, n := range entries {
		approvers := strings.Join(n.Approvers, ", ")
		if approvers == "" && n.Execution != "" {
			approvers = "nobody"
		}
		object := n.Object
		if n.Namespace != "" {
			object = n.Namespace + "/" + n.Object
		}
		if len(n.Made) > 0 {
			object += ", which made " + strings.Join(n.Made, ", ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.At.UTC().Format("2006-01-02 15:04:05"), plain(n.Who), n.Operation, plain(object), plain(n.Window), plain(approvers), n.State, plain(n.Result), plain(n.Reason))
	}
	return w.Flush()
}

// moment reads a time of day, a duration back, or an instant.
func (e *env) moment(text string) (time.Time, error) { return overview.Moment(text, e.clock()) }
