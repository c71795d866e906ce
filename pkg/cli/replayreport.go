package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/change"
)

// ReplayReport is what replay prints as JSON. Its form is stable.
type ReplayReport struct {
	// From and To are the instants of the first and the last write.
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
	// Events is how many lines were read, Writes how many of them are writes, and RefusedAnyway how many of these the API server refused for other
	// reasons, so that nothing was judged.
	Events        int `json:"events"`
	Writes        int `json:"writes"`
	RefusedAnyway int `json:"refusedAnyway"`
	// Judged is how many writes were judged; Denied, Warned and Allowed say with what result.
	Judged  int `json:"judged"`
	Denied  int `json:"denied"`
	Warned  int `json:"warned"`
	Allowed int `json:"allowed"`
	// NoContent were judged without what they hold, and NoBefore as if their object were made anew.
	NoContent int `json:"noContent"`
	NoBefore  int `json:"noBefore"`
	// Unjudged are those that could not be judged, by reason.
	Unjudged map[string]int `json:"unjudged"`
	// Unreadable is how many lines are not events; FirstUnreadable tells of the first.
	Unreadable      int    `json:"unreadable"`
	FirstUnreadable string `json:"firstUnreadable,omitempty"`
	// Rows are the findings that deny or warn, those that were made most often first. OtherRows is how many findings have none.
	Rows      []ReplayRow `json:"rows"`
	OtherRows int         `json:"otherRows,omitempty"`
	// Identities are those that write into production and that no environment lists.
	Identities []ReplayIdentity `json:"identities"`
}

// ReplayRow counts the findings of one rule about what one user did to one kind of object in a namespace.
type ReplayRow struct {
	Team        string `json:"team"`
	User        string `json:"user"`
	Namespace   string `json:"namespace"`
	Environment string `json:"environment"`
	Rule        string `json:"rule"`
	Action      string `json:"action"`
	Resource    string `json:"resource"`
	Count       int    `json:"count"`
	// Example is the first of them, and Line where the log has it.
	Example string `json:"example"`
	Line    int    `json:"line"`
}

// ReplayIdentity counts the writes of an identity that is not listed.
type ReplayIdentity struct {
	Name        string `json:"name"`
	Namespace   string `json:"namespace"`
	Environment string `json:"environment,omitempty"`
	Count       int    `json:"count"`
}

func (p *player) report() *ReplayReport {
	r := p.totals
	r.Rows, r.Identities = []ReplayRow{}, []ReplayIdentity{}
	for _, row := range p.rows {
		r.Rows = append(r.Rows, *row)
	}
	slices.SortFunc(r.Rows, func(a, b ReplayRow) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(b.Count, a.Count), cmp.Compare(a.User, b.User), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Resource, b.Resource))
	})
	for _, i := range p.listed {
		r.Identities = append(r.Identities, *i)
	}
	slices.SortFunc(r.Identities, func(a, b ReplayIdentity) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace))
	})
	return &r
}

// mostPrinted is how many rows the text has; JSON has all.
const mostPrinted = 50

func (r *ReplayReport) print(out io.Writer) error {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	if r.From != nil {
		say("From %s to %s.", change.Instant(*r.From), change.Instant(*r.To))
	}
	say("%d events, %d of them writes; %d were judged: %d would be denied, %d warned of, %d admitted.", r.Events, r.Writes, r.Judged, r.Denied, r.Warned, r.Allowed)
	if r.RefusedAnyway > 0 {
		say("%d writes were refused for other reasons, and are not judged.", r.RefusedAnyway)
	}
	if r.NoContent > 0 {
		say("%d were judged by who did what where, and not by what they hold, which the log does not say (level Metadata, or a patch that was refused).", r.NoContent)
	}
	if r.NoBefore > 0 {
		say("%d updates were judged as if their object were made anew: the log does not say how it was before.", r.NoBefore)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Unjudged)) {
		say("%d could not be judged: %s.", r.Unjudged[why], plain(why))
	}
	if r.Unreadable > 0 {
		say("%d lines are not events of audit.k8s.io/v1; the first is %s.", r.Unreadable, plain(r.FirstUnreadable))
	}
	if err := r.printRows(out); err != nil {
		return err
	}
	return r.printIdentities(out)
}

// printRows prints the findings by team.
func (r *ReplayReport) printRows(out io.Writer) error {
	if len(r.Rows) == 0 {
		return nil
	}
	teams := map[string]int{}
	for _, row := range r.Rows {
		if row.Action == "deny" {
			teams[row.Team] += row.Count
		}
	}
	names := slices.SortedFunc(maps.Keys(teams), func(a, b string) int { return cmp.Or(cmp.Compare(teams[b], teams[a]), cmp.Compare(a, b)) })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(names) > 0 {
		fmt.Fprintln(w, "\nTEAM\tFINDINGS THAT DENY")
	}
	for _, t := range names[:min(len(names), mostPrinted)] {
		fmt.Fprintf(w, "%s\t%d\n", plain(t), teams[t])
	}
	fmt.Fprintln(w, "\nACTION\tTIMES\tUSER\tNAMESPACE\tRESOURCE\tRULE\tFIRST")
	for _, row := range r.Rows[:min(len(r.Rows), mostPrinted)] {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\tline %d: %s\n", row.Action, row.Count, plain(row.User), plain(row.Namespace), row.Resource, row.Rule, row.Line, plain(row.Example))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if more := len(r.Rows) - mostPrinted; more > 0 || r.OtherRows > 0 {
		fmt.Fprintf(out, "and %d more rows; -o json prints %d, and counts what is beyond\n", max(more, 0)+r.OtherRows, len(r.Rows))
	}
	return nil
}

func (r *ReplayReport) printIdentities(out io.Writer) error {
	if len(r.Identities) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nNOT LISTED, BUT WRITES INTO PRODUCTION\tNAMESPACE\tTIMES")
	for _, i := range r.Identities[:min(len(r.Identities), mostPrinted)] {
		fmt.Fprintf(w, "%s\t%s\t%d\n", plain(i.Name), i.Namespace, i.Count)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
