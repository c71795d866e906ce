package change

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// Instant prints an instant as messages do.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func contains(start, end, at time.Time) bool { return schedule.Interval(start, end).IsOpen(at) }

func closed(v *Verdict, _ *Query, _ *State) string {
	if !v.over {
		return ""
	}
	return "it closed at " + Instant(v.Closes)
}

func opened(v *Verdict, q *Query, _ *State) string {
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
	if q.Pin != "" {
		return pinned(v, q)
	}
	if v.Window.Spec.Plan == nil || q.Plan == nil {
		return ""
	}
	if len(q.Plan.Unpinned) > 0 {
		return "an image by tag alone never matches a plan: " + strings.Join(q.Plan.Unpinned, ", ")
	}
	if q.Plan.TooMany {
		return fmt.Sprintf("it uses more than %d ConfigMaps, which no plan can pin", MaxConfigMaps)
	}
	entry := plannedFor(v.Window.Spec.Plan, q)
	if entry == nil {
		return "its plan has no entry for this object"
	}
	v.Differences = Differences(entry, q.Plan)
	if len(v.Differences) == 0 {
		return ""
	}
	return differing(v.Differences)
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

// pinned compares the spec of an object of Firebreak's own kinds with the approved digest.
func pinned(v *Verdict, q *Query) string {
	first := ""
	if p := v.Window.Spec.Plan; p != nil {
		for i := range p.Workloads {
			e := &p.Workloads[i]
			if e.Group != q.Group || e.Kind != q.Kind || !slices.Contains(e.Names, v1alpha1.Glob(q.Name)) && (q.MustPin || !matchName(e.Names, q.Name)) {
				continue
			}
			why := specDiffers(v, e, q)
			if why == "" {
				v.Differences = nil
				return ""
			}
			first = cmp.Or(first, why)
		}
	}
	if first != "" {
		return first
	}
	if q.MustPin {
		return fmt.Sprintf("it does not say for which spec, and this one has digest %s", q.Pin)
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

// plannedFor returns the entry that pins the object: a matching entry with its digest, else the first matching entry.
func plannedFor(p *v1alpha1.Plan, q *Query) *v1alpha1.PlannedWorkload {
	var first *v1alpha1.PlannedWorkload
	for i := range p.Workloads {
		e := &p.Workloads[i]
		if e.Group != q.Group || e.Kind != q.Kind || !matchName(e.Names, q.Name) {
			continue
		}
		if p := q.Plan.By(e.Digest); p != nil && e.Digest == p.Digest {
			return e
		}
		if first == nil {
			first = e
		}
	}
	return first
}

// PlanDigest returns the digest of the plan that runs, by the algorithm of the window that covers it; empty: nothing is planned.
func (v *Verdict) PlanDigest(q *Query) string {
	if q.Plan == nil && q.Spec != nil && v.Window.Spec.Plan != nil && slices.ContainsFunc(v.Window.Spec.Plan.Workloads, func(e v1alpha1.PlannedWorkload) bool { return e.Digest == q.Spec.Digest }) {
		return q.Spec.Digest
	}
	if q.Plan == nil {
		return q.Pin
	}
	if p := v.Window.Spec.Plan; p != nil {
		if e := plannedFor(p, q); e != nil {
			return e.Digest
		}
	}
	return q.Plan.Digest
}

func exhausted(v *Verdict, q *Query, s *State) string {
	count, elsewhere := v.tally(q.Key, s)
	if total := v.Window.Spec.MaxExecutions; total != nil && v.Occurrence != 0 {
		// Executions of other occurrences use up the total.
		left := max(0, int(*total)-elsewhere)
		if v.HeldSlot == "" && left == 0 {
			return fmt.Sprintf("it has been used %s", times(elsewhere+count, int(*total)))
		}
		v.Max = min(v.Max, max(left, 1))
	}
	if v.HeldSlot != "" || v.Max == 0 || count < v.Max {
		return ""
	}
	return fmt.Sprintf("it has been used %s", times(count, v.Max))
}

// tally counts the executions of this occurrence and those of others. It notes the slots in use, the slots that were given
// back, and the slot that a key holds.
func (v *Verdict) tally(key string, s *State) (count, elsewhere int) {
	for i := range s.Executions {
		x := &s.Executions[i]
		released, here := x.Released(), x.Spec.Occurrence == v.Occurrence
		switch {
		case x.Spec.Window.UID != v.Window.UID:
		case released && here:
			v.Released = append(v.Released, x.Spec.Slot)
		case released:
		case !here:
			elsewhere++
		default:
			count++
			v.TakenSlots = append(v.TakenSlots, x.Spec.Slot)
			if x.Spec.Key == key && (v.HeldSlot == "" || LowerSlot(x.Spec.Slot, v.HeldSlot)) {
				v.HeldSlot = x.Spec.Slot
			}
		}
	}
	slices.Sort(v.TakenSlots)
	return count, elsewhere
}

func times(used, allowed int) string {
	if allowed == 1 {
		return "once, which is all that it allows"
	}
	return fmt.Sprintf("%d times, of the %d that it allows", used, allowed)
}

// maxExecutions returns how often a window may be used; 0 means no limit.
func maxExecutions(w *v1alpha1.ChangeWindow) int {
	switch {
	case w.Spec.Type == v1alpha1.WindowStandard && w.Spec.MaxExecutionsPerOccurrence != nil:
		return max(1, int(*w.Spec.MaxExecutionsPerOccurrence))
	case w.Spec.Type == v1alpha1.WindowStandard:
		return 1
	case w.Spec.MaxExecutions != nil:
		return max(1, int(*w.Spec.MaxExecutions)) // the schema refuses 0, which must not mean "without limit" here
	case w.Spec.Type == v1alpha1.WindowNormal || w.Spec.Type == "":
		return 1
	}
	return 0
}

// LowerSlot reports whether slot a is lower than slot b. Slots are numbers of any length.
func LowerSlot(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}
