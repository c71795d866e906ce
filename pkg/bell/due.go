package bell

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	// Frozen are the notices of freezes that were told, for those that have ended since.
	Frozen []Notice
}

// Due returns the notices that are due at an instant and no older than Horizon, the oldest first.
func Due(s *Sources, now time.Time) []Notice {
	var out []Notice
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
	out = slices.DeleteFunc(out, func(n Notice) bool { return n.At.IsZero() || n.At.After(now) || n.At.Before(now.Add(-Horizon)) })
	for i := range out {
		out[i].Reason = hide.Text("reason", out[i].Reason)
	}
	slices.SortStableFunc(out, func(a, b Notice) int { return a.At.Compare(b.At) })
	return out
}

func expiring(n Notice, at time.Time) Notice {
	n.At, n.Closes = at.Add(-ExpiresSoon), &at
	n.ID = fmt.Sprintf("expiring/%s/%s/%d", n.UID, n.Says, at.Unix())
	return n
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
		n := made(Rejected, approved.LastTransitionTime.Time, "")
		n.Says = approved.Message
		return append(out, n)
	case approved.Status != metav1.ConditionTrue:
		return out
	}
	if needsApproval {
		n := made(Approved, approved.LastTransitionTime.Time, approved.LastTransitionTime.UTC().Format(time.RFC3339))
		n.Says = approved.Message
		out = append(out, n)
	}
	for _, o := range change.Occurrences(w, now.Add(-Horizon), now.Add(OpensSoon+time.Minute), mostOccurrences) {
		out = append(out, s.occurrence(w, o.Start, o.End, made)...)
	}
	return out
}

// mostOccurrences is how many occurrences of a window within a day are told of.
const mostOccurrences = 100

// occurrence returns the notices about one opening of an approved window. Whoever asks for a window that opens at once needs not be told.
func (s *Sources) occurrence(w *v1alpha1.ChangeWindow, opens, closes time.Time, made func(Kind, time.Time, string) Notice) []Notice {
	if end := w.Status.ClosesAt; end != nil && w.Spec.Schedule.Recurrence == nil && end.Time.Before(closes) {
		closes = end.Time // somebody has closed it early
	}
	var out []Notice
	add := func(kind Kind, at time.Time) {
		n := made(kind, at, fmt.Sprint(opens.Unix()))
		n.Opens, n.Closes = &opens, &closes
		out = append(out, n)
	}
	if w.CreationTimestamp.Time.Before(opens.Add(-OpensSoon)) {
		add(Opening, opens.Add(-OpensSoon))
	}
	used := slices.ContainsFunc(s.Executions, func(x v1alpha1.ChangeExecution) bool {
		at := x.CreationTimestamp.Time
		return x.Spec.Window.UID == w.UID && !at.Before(opens) && !at.After(closes)
	})
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
		if !h.End.IsZero() {
			n.Closes = &h.End
		}
		if h.At(now) {
			holding[n.ID] = true
			n.Command = "kubectl firebreak unfreeze " + f.Name
			if n.At.Before(now.Add(-Horizon)) {
				continue // it has held for long, and was told
			}
		}
		out = append(out, n)
	}
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
	// The same is said again after a while; within an hour it is one notice.
	n := Notice{Kind: kind, At: at, ID: fmt.Sprintf("%s/%s/%s/%d", kind, about.UID, message, at.Unix()/3600), ObjectKind: about.Kind, Object: about.Name, UID: string(about.UID), Namespace: about.Namespace, Says: hide.Text("message", message)}
	return n, true
}
