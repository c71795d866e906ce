package change

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Slots are where the executions of one kind of use of a window are recorded. The name of a slot belongs to the name of the execution, so
// whoever creates it first has it.
type Slots struct {
	// Prefix stands before the number of each slot: the entry's name and a dash where the entry is counted apart, else nothing.
	Prefix string
	// Max is how many slots there are; 0 means no limit.
	Max int
	// Held is the slot that the query's key already holds; it is empty if there is none. Taken are the slots in use.
	Held  string
	Taken []string
	// Released are the slots that were given back: their names are used up.
	Released []string
	// Entry is the entry that is used, as executions name it; it is empty if no entry is counted apart.
	Entry string
	// EntryMax limits the uses of the entry where they take slots of the whole window; 0 means no limit.
	EntryMax int
}

// InOrder reports whether slots are taken in their order: where one slot stands for two limits, two requests at once must meet in one name.
func (s *Slots) InOrder() bool { return s.EntryMax > 0 }

// Of reports whether an execution takes one of these slots.
func (s *Slots) Of(x *v1alpha1.ChangeExecution) bool {
	i := strings.LastIndexByte(x.Spec.Slot, '-')
	return x.Spec.Slot[:i+1] == s.Prefix
}

// Ledger returns the UID under which the executions of a window are recorded: its own, or that of the window that it extends.
func Ledger(w *v1alpha1.ChangeWindow) string {
	if w.Spec.Extends != nil && len(validation.IsValidLabelValue(w.Spec.Extends.UID)) == 0 { // executions are found by it, as a label
		return w.Spec.Extends.UID
	}
	return string(w.UID)
}

// Counts reports whether an execution counts for a window: it was made under it, or under one that has its executions in common with it.
func Counts(w *v1alpha1.ChangeWindow, x *v1alpha1.ChangeExecution) bool {
	return cmp.Or(x.Labels[v1alpha1.LabelWindowUID], string(x.Spec.Window.UID)) == Ledger(w)
}

// limits returns how often each occurrence of a window may be used, and all of them together; 0 means no limit. own is true for an entry that is
// counted apart.
func limits(w *v1alpha1.ChangeWindowSpec, own bool) (each, all int) {
	each = 1
	if own || w.Type == v1alpha1.WindowEmergency {
		each = 0
	}
	// The schema refuses 0, which must not mean "without limit" here.
	switch {
	case w.Type != v1alpha1.WindowStandard && w.MaxExecutions != nil:
		return max(1, int(*w.MaxExecutions)), 0
	case w.Type != v1alpha1.WindowStandard:
		return each, 0
	case w.MaxExecutions != nil:
		all = max(1, int(*w.MaxExecutions))
	}
	if w.MaxExecutionsPerOccurrence != nil {
		each = max(1, int(*w.MaxExecutionsPerOccurrence))
	}
	return each, all
}

// exhausted says that a window, or the entry that is used, was used as often as it may be.
func exhausted(v *Verdict, q *Query, s *State) string {
	if q.Session {
		v.tally(q, s)
		return ""
	}
	entry, own := v.counted(q)
	v.Slots.Entry = entry
	each, all := limits(&v.Window.Spec, own > 0)
	if own > 0 && each == 0 && all == 0 {
		v.Slots.Prefix, v.Slots.Max = v.Slots.Entry+"-", own
	} else {
		v.Slots.Max, v.Slots.EntryMax = each, own
	}
	used := v.tally(q, s)
	if v.Slots.Held != "" {
		return ""
	}
	return used.full(v, all)
}

// uses is how often a window was used.
type uses struct {
	// here counts the slots that are taken, entry those of the entry, elsewhere the executions of other occurrences.
	here, entry, elsewhere int
	// last is the latest execution that counts; nil: there is none.
	last *v1alpha1.ChangeExecution
}

// full says that a limit is reached, and adjusts how many slots there are to what all occurrences may have together.
func (u *uses) full(v *Verdict, all int) string {
	s := &v.Slots
	if all > 0 {
		left := max(0, all-u.elsewhere)
		if left == 0 || s.Max == 0 && u.here >= left {
			return "it has been used " + times(u.elsewhere+u.here, all)
		}
		if s.Max == 0 || left < s.Max {
			s.Max = left
		}
	}
	switch {
	case s.EntryMax > 0 && u.entry >= s.EntryMax:
		return "it has been used for this object " + times(u.entry, s.EntryMax)
	case s.Max == 0 || u.here < s.Max:
		return ""
	case s.Prefix != "":
		return "it has been used for this object " + times(u.here, s.Max)
	}
	return "it has been used " + times(u.here, s.Max)
}

// tally counts the executions of this occurrence and those of others, and notes the latest that counts.
func (v *Verdict) tally(q *Query, s *State) uses {
	u := v.Slots.count(s.Executions, v, q.Key, q)
	v.Last = u.last
	return u
}

// Look counts executions anew, and reports whether one more is too many, or, if the key already holds a slot, whether that one is.
func (s *Slots) Look(all []v1alpha1.ChangeExecution, v *Verdict, key string) (full bool) {
	s.Held, s.Taken, s.Released = "", nil, nil
	u := s.count(all, v, key, nil)
	more := 1
	if s.Held != "" {
		more = 0
	}
	return s.Max > 0 && u.here+more > s.Max || s.EntryMax > 0 && u.entry+more > s.EntryMax
}

// count counts the executions under a window. It notes the slots in use, the slots that were given back, and the slot that a key holds, or that
// the run holds which a query changes; q may be nil.
func (s *Slots) count(all []v1alpha1.ChangeExecution, v *Verdict, key string, q *Query) uses {
	var u uses
	for i := range all {
		x := &all[i]
		switch released, here := x.Released(), x.Spec.Occurrence == v.Occurrence; {
		case !Counts(v.Window, x):
		case !here && !released:
			u.elsewhere++
		case !here || !s.Of(x):
		case released:
			s.Released = append(s.Released, x.Spec.Slot)
		default:
			s.take(x, x.Spec.Key == key || q != nil && v.continues(x, q), &u)
		}
	}
	slices.Sort(s.Taken)
	return u
}

// take counts one execution of the present occurrence.
func (s *Slots) take(x *v1alpha1.ChangeExecution, holds bool, u *uses) {
	u.here++
	if s.EntryMax == 0 || x.Spec.Entry == s.Entry {
		u.entry++
		if u.last == nil || u.last.CreationTimestamp.Before(&x.CreationTimestamp) {
			u.last = x
		}
	}
	s.Taken = append(s.Taken, x.Spec.Slot)
	if holds && x.Spec.Entry == s.Entry && (s.Held == "" || LowerSlot(x.Spec.Slot, s.Held)) {
		s.Held = x.Spec.Slot
	}
}

// spent says that nothing of a window is left: each entry that is counted apart was used as often as it may be, or else the window was. It
// serves a status, which knows of no object.
func spent(v *Verdict, _ *Query, s *State) string {
	everywhere, here, entries := 0, 0, map[string]int{}
	for i := range s.Executions {
		x := &s.Executions[i]
		if !Counts(v.Window, x) || x.Released() {
			continue
		}
		everywhere++
		if x.Spec.Occurrence == v.Occurrence {
			here++
			entries[everywhereNamed(x.Spec.Entry)]++
		}
	}
	apart, left := apart(&v.Window.Spec, entries)
	each, all := limits(&v.Window.Spec, apart > 0)
	switch {
	case all > 0 && everywhere >= all:
		return "it has been used " + times(everywhere, all)
	case each > 0 && here >= each:
		return "it has been used " + times(here, each)
	case apart > 0 && !left:
		return "it has been used " + times(here, apart)
	}
	return ""
}

// everywhereNamed returns the name of an entry without the namespace in it.
func everywhereNamed(entry string) string {
	name, op, _ := strings.Cut(entry, "-")
	name, _, _ = strings.Cut(name, "n")
	if op == "" {
		return name
	}
	return name + "-" + op
}

// Apart returns how often what a window counts apart may be used in all, but for the way back; 0: it counts nothing apart.
func Apart(w *v1alpha1.ChangeWindowSpec) int {
	all, _ := apart(w, nil)
	return all
}

// apart returns how often what is counted apart may be used in all, but for the way back, and whether any of that is left.
func apart(w *v1alpha1.ChangeWindowSpec, uses map[string]int) (all int, left bool) {
	tell := func(name string, executions *int32) {
		if executions != nil {
			n := int(*executions) * max(1, len(w.Scope.Namespaces))
			all += n
			left = left || uses[name] < n
		}
	}
	planned := map[v1alpha1.Maker]bool{}
	if w.Plan != nil {
		for i := range w.Plan.Workloads {
			e := &w.Plan.Workloads[i]
			planned[v1alpha1.Maker{Group: e.Group, Kind: e.Kind, Name: fmt.Sprint(e.Names)}] = true
			if !e.Rollback {
				tell(fmt.Sprintf("e%d", i), e.Executions)
			}
		}
	}
	for i := range w.Scope.Resources {
		r := &w.Scope.Resources[i]
		pinned := planned[v1alpha1.Maker{Group: r.Group, Kind: r.Kind, Name: fmt.Sprint(r.Names)}]
		for _, op := range w.Scope.Operations {
			if writes := op == v1alpha1.OperationCreate || op == v1alpha1.OperationUpdate; !IsSession(op) && (!pinned || !writes) {
				tell(fmt.Sprintf("r%d-%s", i, strings.ToLower(string(op))), r.Executions)
			}
		}
	}
	return all, left
}

func times(used, allowed int) string {
	if allowed == 1 {
		return "once, which is all that it allows"
	}
	return fmt.Sprintf("%d times, of the %d that it allows", used, allowed)
}

// LowerSlot reports whether slot a is lower than slot b. Slots are numbers of any length.
func LowerSlot(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}
