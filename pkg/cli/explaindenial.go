package cli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// denial is what is known of a denial, as -o json prints it.
type denial struct {
	ID string `json:"id,omitempty"`
	// User was refused, at About, in Namespace. They are empty if nothing tells them.
	User      string `json:"user,omitempty"`
	About     string `json:"about,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Times is how often it was told of, First and Last when.
	Times int32      `json:"times,omitempty"`
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
	// Message is the whole sentence, without its id, or as much of it as an Event holds.
	Message string `json:"message"`
	// Rules are those that object, Ways the remedies that the sentence names.
	Rules []deniedRule `json:"rules"`
	Ways  []string     `json:"ways"`
	// Source says where it was found.
	Source string `json:"source"`
}

// deniedRule is a rule that objects, what it is for, and what it objects to.
type deniedRule struct {
	Rule    string `json:"rule"`
	Summary string `json:"summary"`
	Why     string `json:"why"`
}

// explainDenial explains a denial by its id, its text, or both.
func (e *env) explainDenial(ctx context.Context, o *explainOptions, id, text string) error {
	d := &denial{ID: id, Message: sentenceIn(text), Source: "what you gave"}
	if id != "" {
		found, err := e.findDenial(ctx, o, id)
		if err != nil && text == "" {
			return err
		}
		if err != nil {
			fmt.Fprintf(e.ErrOut, "Warning: %v\n", err)
		}
		if found != nil {
			if strings.HasSuffix(found.Message, "...") && d.Message != "" {
				found.Message = d.Message // an Event holds less than what was pasted
			}
			d = found
		}
	}
	d.read()
	if o.output != "text" {
		return printAs(e.Out, o.output, d)
	}
	d.print(e)
	return nil
}

// findDenial looks for a denial among Events and in audit logs.
func (e *env) findDenial(ctx context.Context, o *explainOptions, id string) (*denial, error) {
	for _, file := range o.auditLogs {
		d, err := denialInAuditLog(ctx, file, id)
		if d != nil || err != nil {
			return d, err
		}
	}
	c, own, err := e.client()
	if err != nil {
		return nil, err
	}
	where := "all namespaces"
	if o.namespace != "" {
		where = fmt.Sprintf("namespace %q", o.namespace)
	}
	events, err := listEvents(ctx, c, o.namespace)
	if apierrors.IsForbidden(err) && o.namespace == "" {
		where = fmt.Sprintf("namespace %q (you may not list those of all namespaces; name another with -n)", own)
		events, err = listEvents(ctx, c, own)
	}
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	for i := range events {
		ev := &events[i]
		if ev.Annotations[v1alpha1.AnnotationDenial] == id || policy.DenialIDIn(ev.Message) == id {
			return denialOf(ev, id), nil
		}
	}
	return nil, fmt.Errorf("no Event in %s tells of denial %s; API servers keep Events for an hour, unless they are told otherwise. The audit log has it under the annotation denial (--audit-log FILE), and the text that was printed can be explained: paste it in the place of the id", where, id)
}

// listEvents returns the Events of a namespace, or of all, page by page.
func listEvents(ctx context.Context, c client.Client, namespace string, more ...client.ListOption) ([]corev1.Event, error) {
	var out []corev1.Event
	for next := ""; ; {
		var l corev1.EventList
		if err := c.List(ctx, &l, append([]client.ListOption{client.InNamespace(namespace), client.Limit(500), client.Continue(next)}, more...)...); err != nil {
			return nil, err
		}
		for i := range l.Items {
			if l.Items[i].Source.Component == "firebreak" {
				out = append(out, l.Items[i])
			}
		}
		if next = l.Continue; next == "" {
			return out, nil
		}
	}
}

func denialOf(ev *corev1.Event, id string) *denial {
	about := ev.InvolvedObject
	d := &denial{
		ID: id, User: ev.Annotations[v1alpha1.AnnotationUser], About: about.Kind + " " + about.Name, Namespace: about.Namespace,
		Times: max(ev.Count, 1), Message: sentenceIn(ev.Message), Source: fmt.Sprintf("Event %s/%s", ev.Namespace, ev.Name),
	}
	first, last := ev.FirstTimestamp.Time, cmp.Or(ev.LastTimestamp.Time, ev.FirstTimestamp.Time)
	if !first.IsZero() {
		d.First, d.Last = &first, &last
	}
	return d
}

// printed is what kubectl and helm print before a denial's own sentence.
var printed = regexp.MustCompile(`(?s)^.*admission webhook "[^"]+" denied the request: `)

// sentenceIn returns a denial's own sentence out of what somebody pastes.
func sentenceIn(text string) string {
	return strings.TrimSpace(policy.WithoutDenialID(printed.ReplaceAllString(text, "")))
}

// read finds rules and remedies in the sentence: what is refused, is forbidden: remedies (Rule: reason; Rule: reason).
func (d *denial) read() {
	d.Rules, d.Ways = []deniedRule{}, []string{}
	_, rest, found := strings.Cut(d.Message, " is forbidden: ")
	if !found {
		return
	}
	type mark struct {
		at   int
		rule v1alpha1.RuleName
	}
	var marks []mark
	for _, r := range v1alpha1.RuleNames() {
		for from := 0; ; {
			i := strings.Index(rest[from:], string(r)+": ")
			if i < 0 {
				break
			}
			marks = append(marks, mark{from + i, r})
			from += i + len(r)
		}
	}
	slices.SortFunc(marks, func(a, b mark) int { return cmp.Compare(a.at, b.at) })
	for i, m := range marks {
		end := len(rest)
		if i+1 < len(marks) {
			end = marks[i+1].at
		}
		why := strings.TrimRight(strings.TrimSpace(rest[m.at+len(m.rule)+2:end]), ";")
		if i == len(marks)-1 && strings.Contains(rest[:marks[0].at], "(") {
			why = strings.TrimSuffix(why, ")")
		}
		d.Rules = append(d.Rules, deniedRule{string(m.rule), policy.RuleSummary(m.rule), why})
	}
	if len(marks) > 0 {
		for _, way := range strings.Split(strings.TrimSuffix(strings.TrimSpace(rest[:marks[0].at]), "("), "; ") {
			if way = strings.TrimSpace(way); way != "" {
				d.Ways = append(d.Ways, way)
			}
		}
	}
}

func (d *denial) print(e *env) {
	say := func(format string, args ...any) { fmt.Fprintf(e.Out, format+"\n", args...) }
	if d.ID != "" {
		say("Denial %s, from %s.", d.ID, plain(d.Source))
	}
	if d.About != "" {
		where := ""
		if d.Namespace != "" {
			where = fmt.Sprintf(" in namespace %q", d.Namespace)
		}
		say("What: %s%s.", plain(d.About), where)
	}
	if d.User != "" {
		say("Who: %s.", plain(d.User))
	}
	switch {
	case d.Last != nil && d.Times > 1:
		say("When: %d times, first at %s, last at %s.", d.Times, change.Instant(*d.First), change.Instant(*d.Last))
	case d.Last != nil:
		say("When: %s.", change.Instant(*d.Last))
	}
	say("It says: %s", plain(d.Message))
	if len(d.Rules) > 0 {
		say("Why:")
	}
	for _, r := range d.Rules {
		say("  %s: %s\n    %s", r.Rule, r.Summary, plain(r.Why))
	}
	if len(d.Ways) > 0 {
		say("Ways that would pass:")
	}
	for _, way := range d.Ways {
		say("  - %s", plain(way))
	}
	say("With the manifest, kubectl firebreak explain -f MANIFEST says what it is judged by now, window by window.")
}
