package bell

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/hide"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// When notices are due before or after what they are about.
const (
	// OpensSoon is how long before a window opens people are told.
	OpensSoon = 15 * time.Minute
	// ClosesSoon is how long before a window closes that was not used people are told.
	ClosesSoon = 10 * time.Minute
	// ReviewWithin is how long an emergency may wait for its review.
	ReviewWithin = time.Hour
	// ExpiresSoon is how long before an exemption or gateway expires people are told.
	ExpiresSoon = 24 * time.Hour
	// Horizon is how old a notice may be that has not been delivered yet.
	Horizon = 24 * time.Hour
)

// Sources are what notices are made of.
type Sources struct {
	Windows      []v1alpha1.ChangeWindow
	Approvals    []v1alpha1.ChangeApproval
	Freezes      []v1alpha1.ChangeFreeze
	Executions   []v1alpha1.ChangeExecution
	Exemptions   []v1alpha1.Exemption
	Environments []v1alpha1.Environment
	// Holding are the IDs of the freezes that hold, which Due finds out.
	Holding map[string]bool
	// uses are when each window was used.
	uses map[types.UID][]time.Time
	// Frozen are the notices of freezes that were told, for those that have ended since.
	Frozen []Notice
}

// Due returns the notices that are due at an instant and no older than Horizon, the oldest first, and besides those of all freezes that hold.
func Due(s *Sources, now time.Time) []Notice {
	out := s.gone()
	for i := range s.Windows {
		out = append(out, s.window(&s.Windows[i], now)...)
	}
	out = append(out, s.freezes(now)...)
	for i := range s.Exemptions {
		x := &s.Exemptions[i]
		n := Notice{Kind: Expiring, ObjectKind: v1alpha1.KindExemption, Object: x.Name, UID: string(x.UID), Reason: x.Spec.Reason, Says: "the exemption " + x.Name}
		out = append(out, expiring(n, x.Spec.ExpiresAt.Time))
	}
	for i := range s.Environments {
		e := &s.Environments[i]
		for _, g := range e.Spec.Gateways {
			n := Notice{Kind: Expiring, ObjectKind: v1alpha1.KindEnvironment, Object: e.Name, UID: string(e.UID), Environments: []string{e.Name}, Reason: g.Reason, Says: "the gateway through " + g.Host}
			out = append(out, expiring(n, g.ExpiresAt.Time))
		}
	}
	out = slices.DeleteFunc(out, func(n Notice) bool {
		return n.At.IsZero() || n.At.After(now) || n.At.Before(now.Add(-Horizon)) && !s.Holding[n.ID] // one that holds is known, so that its end is told
	})
	for i := range out {
		for _, text := range []*string{&out[i].Reason, &out[i].Ticket, &out[i].Says, &out[i].Who} {
			*text = hide.Text("reason", *text)
		}
	}
	slices.SortStableFunc(out, func(a, b Notice) int { return a.At.Compare(b.At) })
	return out
}

func expiring(n Notice, at time.Time) Notice {
	n.At, n.Closes = at.Add(-ExpiresSoon), &at
	n.ID = fmt.Sprintf("expiring/%s/%s/%d", n.UID, n.Says, at.Unix())
	return n
}

// gone indexes when each window was used, and returns the notices of emergencies that were used and have been deleted since: they are reviewed all the same.
func (s *Sources) gone() []Notice {
	s.uses = map[types.UID][]time.Time{}
	here := map[types.UID]bool{}
	for i := range s.Windows {
		here[s.Windows[i].UID] = true
	}
	var out []Notice
	told := map[types.UID]bool{}
	for i := range s.Executions {
		x := &s.Executions[i]
		w := &x.Spec.Window
		if x.Released() {
			continue
		}
		s.uses[w.UID] = append(s.uses[w.UID], x.CreationTimestamp.Time)
		if w.Type != v1alpha1.WindowEmergency || here[w.UID] || told[w.UID] {
			continue
		}
		told[w.UID] = true
		n := Notice{Kind: Emergency, At: x.CreationTimestamp.Time, ID: fmt.Sprintf("%s/%s/", Emergency, w.UID), ObjectKind: v1alpha1.KindChangeWindow, Object: w.Name, UID: string(w.UID), Namespace: w.Namespace,
			Environments: []string{w.Environment}, Reason: w.Reason, Ticket: w.Ticket, Says: "it was closed since"}
		if w.RequestedBy != nil {
			n.Who = w.RequestedBy.Username
		}
		late := n
		late.Kind, late.At, late.ID = Unreviewed, n.At.Add(ReviewWithin), fmt.Sprintf("%s/%s/", Unreviewed, w.UID)
		out = append(out, n)
		if !slices.ContainsFunc(s.Approvals, func(a v1alpha1.ChangeApproval) bool {
			return a.Spec.Window != nil && a.Spec.Window.UID == string(w.UID)
		}) {
			out = append(out, late)
		}
	}
	return out
}

// window returns the notices about a window, due or not.
func (s *Sources) window(w *v1alpha1.ChangeWindow, now time.Time) []Notice {
	base := about(w)
	made := func(kind Kind, at time.Time, unique string) Notice {
		n := base
		n.Kind, n.At, n.ID = kind, at, fmt.Sprintf("%s/%s/%s", kind, w.UID, unique)
		return n
	}
	if w.Spec.Type == v1alpha1.WindowEmergency {
		return s.emergency(w, made)
	}
	var out []Notice
	needsApproval := w.Status.Approvals != "" && !strings.HasSuffix(w.Status.Approvals, "/0")
	if w.Spec.RequestedBy != nil && needsApproval {
		n := made(Requested, w.CreationTimestamp.Time, "")
		n.Command = fmt.Sprintf("kubectl firebreak approve %s -n %s", w.Name, w.Namespace)
		out = append(out, n)
	}
	approved := meta.FindStatusCondition(w.Status.Conditions, "Approved")
	if approved == nil {
		return out
	}
	switch {
	case approved.Reason == "Rejected":
		return append(out, s.rejections(w, approved.Message, made)...)
	case approved.Status != metav1.ConditionTrue:
		return out
	}
	if ready := meta.FindStatusCondition(w.Status.Conditions, "Ready"); ready != nil && ready.Reason == "OtherCluster" {
		return out // it opens elsewhere, and people are told there
	}
	if needsApproval {
		n := made(Approved, approved.LastTransitionTime.Time, approved.LastTransitionTime.UTC().Format(time.RFC3339))
		n.Says = approved.Message
		out = append(out, n)
	}
	all := change.Occurrences(w, now.Add(-Horizon), now.Add(OpensSoon+time.Minute), mostOccurrences)
	for _, o := range all[max(0, len(all)-mostTold):] {
		out = append(out, s.occurrence(w, o.Start, o.End, now, made)...)
	}
	return out
}

// mostOccurrences is how many occurrences of a window within a day are looked at, and mostTold how many of them are told of, the latest.
const mostOccurrences, mostTold = 1_500, 50

// rejections returns a notice for each rejection of a window. The condition does not tell when: it only says that the window is not approved.
func (s *Sources) rejections(w *v1alpha1.ChangeWindow, says string, made func(Kind, time.Time, string) Notice) []Notice {
	var out []Notice
	for i := range s.Approvals {
		a := &s.Approvals[i]
		if a.Spec.Decision == v1alpha1.DecisionReject && a.Namespace == w.Namespace && a.Spec.Window != nil && a.Spec.Window.UID == string(w.UID) {
			n := made(Rejected, a.CreationTimestamp.Time, string(a.UID))
			n.Says = says
			out = append(out, n)
		}
	}
	return out
}

// occurrence returns the notices about one opening of an approved window. Whoever asks for a window that opens at once needs not be told.
func (s *Sources) occurrence(w *v1alpha1.ChangeWindow, opens, closes, now time.Time, made func(Kind, time.Time, string) Notice) []Notice {
	if end := w.Status.ClosesAt; end != nil && w.Spec.Schedule.Recurrence == nil && end.Time.Before(closes) {
		closes = end.Time // somebody has closed it early
	}
	var out []Notice
	add := func(kind Kind, at time.Time) {
		n := made(kind, at, fmt.Sprint(opens.Unix()))
		n.Opens, n.Closes = &opens, &closes
		out = append(out, n)
	}
	if over := change.FreezesOver(w, s.Freezes, opens, closes); len(over) > 0 && !w.Spec.OverridesFreeze {
		if _, usable := change.FirstUnfrozen(over, opens, closes); !usable {
			return nil // people were told of the freeze
		}
	}
	if w.CreationTimestamp.Time.Before(opens.Add(-OpensSoon)) && now.Before(closes) {
		add(Opening, opens.Add(-OpensSoon))
	}
	used := slices.ContainsFunc(s.uses[w.UID], func(at time.Time) bool { return !at.Before(opens) && !at.After(closes) })
	if !used {
		if closes.Sub(opens) > 2*ClosesSoon {
			add(Closing, closes.Add(-ClosesSoon))
		}
		add(Unused, closes)
	}
	return out
}

func (s *Sources) emergency(w *v1alpha1.ChangeWindow, made func(Kind, time.Time, string) Notice) []Notice {
	opened := made(Emergency, w.CreationTimestamp.Time, "")
	opened.Command = fmt.Sprintf("kubectl firebreak approve %s -n %s", w.Name, w.Namespace)
	out := []Notice{opened}
	if change.ReviewedBy(w, s.Approvals) == "" {
		late := made(Unreviewed, w.CreationTimestamp.Add(ReviewWithin), "")
		late.Command = opened.Command
		out = append(out, late)
	}
	return out
}

// about returns what every notice about a window says. It says which kinds of objects the window is for, and nothing of what it pins.
func about(w *v1alpha1.ChangeWindow) Notice {
	n := Notice{ObjectKind: v1alpha1.KindChangeWindow, Object: w.Name, UID: string(w.UID), Namespace: w.Namespace, Environments: []string{w.Spec.Environment}, Reason: w.Spec.Reason, Ticket: w.Spec.Ticket}
	if by := w.Spec.RequestedBy; by != nil {
		n.Who = by.Username
	}
	if t := w.Status.OpensAt; t != nil {
		n.Opens = &t.Time
	}
	if t := w.Status.ClosesAt; t != nil {
		n.Closes = &t.Time
	}
	return n
}

// freezes returns the notices about freezes that hold, and about those that were told and hold no more.
func (s *Sources) freezes(now time.Time) []Notice {
	var out []Notice
	holding := map[string]bool{}
	for _, h := range overview.Holdings(s.Freezes, now.Add(-Horizon), now) {
		f := h.Freeze
		n := Notice{Kind: Frozen, At: h.Start, ID: fmt.Sprintf("frozen/%s/%d", f.UID, h.Start.Unix()), ObjectKind: v1alpha1.KindChangeFreeze, Object: f.Name, UID: string(f.UID), Environments: f.Spec.Environments, Reason: f.Spec.Reason, Opens: &h.Start}
		if by := f.Spec.RequestedBy; by != nil {
			n.Who = by.Username
		}
		if len(f.Spec.Namespaces) > 0 {
			n.Says = fmt.Sprintf("in namespaces %v", f.Spec.Namespaces)
		}
		if !h.End.IsZero() {
			n.Closes = &h.End
		}
		if h.At(now) {
			holding[n.ID] = true
			n.Command = "kubectl firebreak unfreeze " + f.Name
		}
		out = append(out, n)
	}
	s.Holding = holding
	for _, told := range s.Frozen {
		if holding[told.ID] {
			continue
		}
		n := told
		n.Kind, n.ID, n.Command, n.Who, n.At = Lifted, strings.Replace(told.ID, "frozen/", "lifted/", 1), "", "", now
		if told.Closes != nil && told.Closes.Before(now) {
			n.At = *told.Closes
		}
		out = append(out, n)
	}
	return out
}

// Heard returns the notice of an Event that another part of Firebreak has sent, and false if it is about something else.
func Heard(about *corev1.ObjectReference, reason, message string, at time.Time) (Notice, bool) {
	kind := map[string]Kind{"RegistrationRestored": Restored, "PendingApproval": Weakening}[reason]
	if kind == "" {
		return Notice{}, false
	}
	// The same is said again after a while. What waits is one notice for as long as it waits; what was put back is one within an hour.
	sum := sha256.Sum256([]byte(message))
	id := fmt.Sprintf("%s/%s/%x", kind, about.UID, sum[:8])
	if kind == Restored {
		id += fmt.Sprintf("/%d", at.Unix()/3600)
	}
	n := Notice{Kind: kind, At: at, ID: id, ObjectKind: about.Kind, Object: about.Name, UID: string(about.UID), Namespace: about.Namespace, Says: hide.Text("message", message)}
	return n, true
}
