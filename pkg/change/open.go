package change

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// Instant prints an instant as messages do.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func contains(start, end, at time.Time) bool { return schedule.Interval(start, end).IsOpen(at) }

func closed(v *Verdict, q *Query, _ *State) string {
	if !v.over || v.wayBackIsOpen(q) {
		return ""
	}
	return "it closed at " + Instant(v.Closes)
}

// wayBackIsOpen reports whether a query is for the way back of a window, which stays open for longer than the window.
func (v *Verdict) wayBackIsOpen(q *Query) bool {
	within := v.Window.Spec.RollbackWithin
	return v.Occurrence == 0 && v.wayBack(q) && contains(v.Opens, v.Closes.Add(duration(within)), q.At)
}

func duration(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration
}

func opened(v *Verdict, q *Query, _ *State) string {
	if v.wayBackIsOpen(q) {
		return ""
	}
	if !contains(v.Opens, v.Closes, q.At) {
		return "it opens at " + v.OpensAt()
	}
	if q.Scheduled != nil && !contains(v.Opens, v.Closes, *q.Scheduled) {
		return fmt.Sprintf("this run was due at %s, outside the window", Instant(*q.Scheduled))
	}
	if sb := v.Window.Spec.StartBefore; sb != nil && v.Window.Spec.Type != v1alpha1.WindowEmergency && !q.At.Before(v.Opens.Add(sb.Duration)) {
		return "executions had to start before " + Instant(v.Opens.Add(sb.Duration))
	}
	if v.Window.Spec.Overrun == v1alpha1.OverrunDeadline && q.Kind == "Job" {
		return overrun(v, q)
	}
	return ""
}

func overrun(v *Verdict, q *Query) string {
	switch {
	case q.Deadline == 0:
		return "it must be over by " + Instant(v.Closes) + ": set spec.activeDeadlineSeconds"
	case q.At.Add(q.Deadline).After(v.Closes):
		return fmt.Sprintf("with %s to run it would outlast the window, which closes at %s", Short(q.Deadline), Instant(v.Closes))
	}
	return ""
}

// planned compares the plan that would run with the approved plan.
func planned(v *Verdict, q *Query, _ *State) string {
	if why := deletesAnother(v, q); why != "" {
		return why
	}
	if q.Pin != "" {
		return pinned(v, q)
	}
	if v.Window.Spec.Plan == nil || q.Plan == nil {
		return ""
	}
	entry := v.entry(q)
	if entry == nil && q.Custom && !q.Controls.RequirePlan && !v.countsApart() {
		return ""
	}
	if len(q.Plan.Unpinned) > 0 {
		return "an image by tag alone never matches a plan: " + strings.Join(q.Plan.Unpinned, ", ")
	}
	if q.Plan.TooMany {
		return fmt.Sprintf("it uses more than %d ConfigMaps, which no plan can pin", MaxConfigMaps)
	}
	if entry == nil {
		return "its plan has no entry for this object"
	}
	v.Differences = Differences(entry, q.Plan)
	if len(v.Differences) == 0 {
		return ""
	}
	return differing(v.Differences)
}

// deletesAnother says that a deletion is approved for another object of the same name.
func deletesAnother(v *Verdict, q *Query) string {
	if !slices.Contains(q.Operations, v1alpha1.OperationDelete) {
		return ""
	}
	var approved []string
	for _, r := range v.Window.Spec.Scope.Resources {
		if r.Group != q.Group || r.Kind != q.Kind || !matchName(r.Names, q.Name) {
			continue
		}
		if len(r.UIDs) == 0 || slices.Contains(r.UIDs, string(q.UID)) {
			return ""
		}
		approved = append(approved, r.UIDs...)
	}
	if len(approved) == 0 {
		return ""
	}
	return fmt.Sprintf("it is for the deletion of an object with UID %s, and this one has UID %s: it was made again", strings.Join(approved, " or "), q.UID)
}

// Pinned says of a window that does not permit a query yet whether it pins what the query would run: why it is for something else; empty: it
// pins exactly this. It returns false if the window pins nothing of the object.
func (v *Verdict) Pinned(q *Query) (differs string, pins bool) {
	if v.Stage != Unapproved && v.Stage != NotYetOpen || v.Window.Spec.Plan == nil || v.entry(q) == nil || q.Plan == nil && q.Spec == nil {
		return "", false
	}
	of := &Verdict{Window: v.Window}
	return planned(of, q, nil), true
}

// differing joins differences into a clause.
func differing(list []Difference) string {
	texts := make([]string, 0, maxShownDifferences+1)
	for i, d := range list {
		if i == maxShownDifferences {
			texts = append(texts, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		texts = append(texts, d.String())
	}
	return strings.Join(texts, "; ")
}

// pinned compares what an object is to say with the approved digest.
func pinned(v *Verdict, q *Query) string {
	first := ""
	for _, e := range v.entries(q) {
		why := specDiffers(v, e, q)
		if why == "" {
			v.Differences = nil
			return ""
		}
		first = cmp.Or(first, why)
	}
	switch {
	case first != "":
		return first
	case q.MustPin:
		return fmt.Sprintf("it does not say for which spec, and this one has digest %s", q.Pin)
	case v.names(q):
		return "its plan has no entry for this"
	}
	return ""
}

// SpecDigest returns the digest of a spec of one of Firebreak's own kinds.
func SpecDigest(spec any) string {
	raw, err := json.Marshal(spec)
	if err != nil {
		return digest(nil) // cannot happen: the spec came from JSON
	}
	return digest(raw)
}

const maxShownDifferences = 8

// PlanDigest returns the digest of the plan that runs, by the algorithm of the window that covers it; empty: nothing is planned.
func (v *Verdict) PlanDigest(q *Query) string {
	if e := v.entry(q); e != nil && e.Digest != "" && (q.Plan != nil || q.Spec != nil && e.Digest == q.Spec.Digest) {
		if p := q.Plan; p != nil && p.By(e.Digest) != nil {
			return p.By(e.Digest).Digest // of several listed images, the one that runs
		}
		return e.Digest
	}
	if q.Plan == nil {
		return q.Pin
	}
	return q.Plan.Digest
}
