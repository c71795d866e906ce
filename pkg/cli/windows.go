package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

type windowsOptions struct {
	calendar, ics bool
	month, zone   string
	all           bool
	output        string
	from, until   time.Time
	location      *time.Location
}

// horizon is how far ahead windows that recur are looked at.
const horizon = 92 * 24 * time.Hour

func (e *env) windows() *cobra.Command {
	var o windowsOptions
	cmd := &cobra.Command{
		Use:   "windows",
		Short: "List when production is open: change windows, what they wait for, and the freezes over them",
		Long: `Lists the change windows of all namespaces, or of the one that you name, that are open or will be within three months, by when they open. A window that
recurs is listed with its present or next opening. --calendar shows a month, with every opening and freeze; --ics prints them for a calendar program.`,
		Example: `  kubectl firebreak windows -n payments
  kubectl firebreak windows --calendar --month 2026-12 --zone Europe/Berlin
  kubectl firebreak windows --ics > windows.ics`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runWindows(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.calendar, "calendar", false, "show a month")
	f.BoolVar(&o.ics, "ics", false, "print iCalendar")
	f.StringVar(&o.month, "month", "", "month to show, as 2026-12; default: the present one")
	f.StringVar(&o.zone, "zone", "UTC", "time zone to show times in, such as Europe/Berlin")
	f.BoolVar(&o.all, "all", false, "list windows that are over or rejected, too")
	f.StringVarP(&o.output, "output", "o", "text", oneOf(forLists()))
	return cmd
}

// resolve sets the interval and the zone that the flags ask for.
func (o *windowsOptions) resolve(now time.Time) (err error) {
	if o.location, err = time.LoadLocation(o.zone); err != nil {
		return fmt.Errorf("--zone: %w", err)
	}
	if err := checkOutput(o.output, forLists()...); err != nil {
		return err
	}
	if o.calendar && o.ics || o.output != "text" && (o.calendar || o.ics) {
		return fmt.Errorf("give one of --calendar, --ics and --output, not several")
	}
	o.from, o.until = now, now.Add(horizon)
	if o.month == "" && !o.calendar {
		return nil
	}
	first := time.Date(now.In(o.location).Year(), now.In(o.location).Month(), 1, 0, 0, 0, 0, o.location)
	if o.month != "" {
		if first, err = time.ParseInLocation("2006-01", o.month, o.location); err != nil {
			return fmt.Errorf("--month is a year and a month, such as 2026-12, not %q", o.month)
		}
	}
	o.from, o.until = first, first.AddDate(0, 1, 0)
	return nil
}

func (e *env) runWindows(ctx context.Context, o *windowsOptions) error {
	if err := o.resolve(e.clock()); err != nil {
		return err
	}
	c, _, err := e.client()
	if err != nil {
		return err
	}
	windows, _, err := e.windowsToSee(ctx, c)
	if err != nil {
		return err
	}
	freezes, err := e.freezesToSee(ctx, c)
	if err != nil {
		return err
	}
	all := overview.Openings(windows, freezes, o.from, o.until, o.all)
	switch {
	case o.ics:
		return printICS(e.Out, all, freezes, o)
	case o.calendar:
		return printMonth(e.Out, all, freezes, o)
	case isEncoded(o.output):
		return printAs(e.Out, o.output, map[string]any{"windows": overview.Lines(overview.Once(all), e.clock())})
	}
	return e.printWindows(all, o)
}

// freezesToSee reads the freezes. Who may not see them is told so.
func (e *env) freezesToSee(ctx context.Context, c client.Client) ([]v1alpha1.ChangeFreeze, error) {
	var all v1alpha1.ChangeFreezeList
	err := c.List(ctx, &all)
	if apierrors.IsForbidden(err) {
		fmt.Fprintln(e.ErrOut, "You may not list freezes, so openings may be frozen that look open; the ClusterRole firebreak-estate-view gives the right.")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list freezes: %w", err)
	}
	return all.Items, nil
}

// printWindows lists each window once, with its present or next opening.
func (e *env) printWindows(all []overview.Opening, o *windowsOptions) error {
	if len(all) == 0 {
		_, err := fmt.Fprintf(e.Out, "No change window is open or will be in %s. Request one with: kubectl firebreak request\n", e.scopeOf())
		return err
	}
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	wide := o.output == "wide"
	fmt.Fprintln(w, "NAMESPACE\tWINDOW\tENVIRONMENT\tSTATE\tOPENS\tCLOSES\tREQUESTER\tTICKET\tREASON"+ifWide(wide, "TYPE\tAPPROVALS\tOPERATIONS\tRESOURCES"))
	for _, l := range overview.Lines(overview.Once(all), e.clock()) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s%s\n", l.Namespace, l.Name, plain(l.Environment), l.State, o.show(*l.Opens), o.show(*l.Closes),
			plain(l.Requester), plain(l.Ticket), plain(l.Reason), ifWide(wide, wideColumns(&l)))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	told := map[string]bool{}
	for i := range all {
		for _, f := range all[i].Frozen {
			if told[f.Freeze.Name] {
				continue
			}
			told[f.Freeze.Name] = true
			end := "somebody lifts it"
			if !f.End.IsZero() {
				end = o.show(f.End)
			}
			fmt.Fprintf(e.Out, "frozen: %s from %s until %s (freeze %s: %s)\n", plain(strings.Join(f.Freeze.Spec.Environments, ", ")), o.show(f.Start), end, f.Freeze.Name, plain(f.Freeze.Spec.Reason))
		}
	}
	return nil
}

func (o *windowsOptions) show(t time.Time) string {
	return t.In(o.location).Format("2006-01-02 15:04 MST")
}

// wideColumns returns the columns that -o wide adds.
func wideColumns(l *overview.WindowLine) string {
	return l.Type + "\t" + l.Approvals + "\t" + plain(strings.Join(l.Operations, ",")) + "\t" + plain(strings.Join(l.Resources, ","))
}
