package controller

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Recorder records what must be accountable: a log line for every denial, every use of a window and every admission with
// findings, and an Event on the owner, or on the object itself if it has no owner. Equal Events are counted, not repeated:
// one refused CronJob run causes a dozen reviews. Dry runs make no Event.
type Recorder struct {
	Log    logr.Logger
	Events record.EventRecorder
}

var _ admission.Recorder = (*Recorder)(nil)

// Record implements the webhook's recorder.
func (w *Recorder) Record(_ context.Context, o admission.Outcome) {
	d, r := o.Decision, o.Request
	log := w.Log.WithValues("operation", r.Operation, "resource", r.Resource.GroupResource().String(), "subresource", r.SubResource,
		"namespace", r.Namespace, "name", r.Name, "user", r.User.Username, "dryRun", r.DryRun, "rules", strings.Join(rules(d), ","))
	switch {
	case o.Message != "":
		log.Info("denied", "message", o.Message)
	case o.Execution != "":
		w := d.Use.Verdict.Window
		log.Info("admitted under a change window", "window", w.Namespace+"/"+w.Name, "execution", o.Execution,
			"approvals", d.Use.Verdict.Approvals.By)
	default:
		log.Info("admitted with findings", "findings", told(d))
	}
	if r.DryRun {
		return
	}
	about := regarding(o)
	switch {
	case o.Message != "":
		w.Events.AnnotatedEventf(about, annotations(o), corev1.EventTypeWarning, reasonOf(d), "%s", clipDenial(o.Message, o.ID))
	case o.Execution != "":
		v := d.Use.Verdict
		w.Events.Eventf(about, corev1.EventTypeNormal, "ChangeWindowUsed", "%s admitted under change window %q, approved by %s",
			policy.Describe(*r), v.Window.Name, strings.Join(v.Approvals.By, " and "))
	default:
		w.observed(about, o)
	}
}

// annotations are those of the Event of an outcome.
func annotations(o admission.Outcome) map[string]string {
	out := map[string]string{v1alpha1.AnnotationUser: o.Request.User.Username}
	if o.ID != "" {
		out[v1alpha1.AnnotationDenial] = o.ID
	}
	return out
}

// observed makes an Event for each rule that objects and is not enforced, so that people see what will be denied before it is. What an Exemption
// answers makes none.
func (w *Recorder) observed(about *corev1.ObjectReference, o admission.Outcome) {
	by := map[v1alpha1.RuleName][]policy.Finding{}
	for _, f := range o.Decision.Findings {
		if !f.Exempted {
			by[f.Rule] = append(by[f.Rule], f)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(by)) {
		w.Events.AnnotatedEventf(about, annotations(o), corev1.EventTypeWarning, string(rule), "%s", clip(policy.ObservedMessage(*o.Request, by[rule]), maxEvent))
	}
}

// mostTold is how many findings of a request a line of the log holds.
const mostTold = 20

// toldFinding is what the log says of a finding: the rule, the action, the field, and the value and target that matched.
type toldFinding struct {
	Rule        v1alpha1.RuleName `json:"rule"`
	Action      v1alpha1.Action   `json:"action"`
	Path        string            `json:"path"`
	Value       string            `json:"value"`
	Target      string            `json:"target"`
	Environment string            `json:"environment"`
}

func told(d *policy.Decision) []toldFinding {
	var out []toldFinding
	for _, f := range d.Findings[:min(len(d.Findings), mostTold)] {
		out = append(out, toldFinding{f.Rule, f.Action, f.Path, f.Value, f.Target, f.Environment})
	}
	return out
}

// clipDenial cuts the message of a denial to what an Event holds, and keeps its id.
func clipDenial(message, id string) string {
	if id == "" || len(message) <= maxEvent {
		return clip(message, maxEvent)
	}
	return policy.WithDenialID(clip(message, maxEvent-len(policy.WithDenialID("", id))), id)
}

// maxEvent is the longest message of an Event that the API server accepts, in bytes.
const maxEvent = 1000

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n-3], "") + "..." // the cut may fall within a letter
	}
	return s
}

func rules(d *policy.Decision) []string {
	var out []string
	for _, f := range d.Findings {
		out = append(out, string(f.Rule)+"="+string(f.Action))
	}
	return out
}

// reasonOf returns the first rule that denies, by which Events are grouped.
func reasonOf(d *policy.Decision) string {
	if denied := d.Denied(); len(denied) > 0 {
		return string(denied[0].Rule)
	}
	return "Invalid"
}

func regarding(o admission.Outcome) *corev1.ObjectReference {
	r := o.Request
	if o.Owner != nil {
		return &corev1.ObjectReference{
			APIVersion: o.OwnerKind.GroupVersion().String(), Kind: o.OwnerKind.Kind,
			Namespace: o.Owner.Namespace, Name: o.Owner.Name, UID: o.OwnerUID,
		}
	}
	return &corev1.ObjectReference{
		APIVersion: r.Kind.GroupVersion().String(), Kind: r.Kind.Kind, Namespace: r.Namespace, Name: r.Name,
	}
}
