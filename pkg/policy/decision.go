package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Finding is one rule's objection.
type Finding struct {
	Rule v1alpha1.RuleName
	// Class is the class of the rule.
	Class  Class
	Action v1alpha1.Action
	// Exempted is true if an Exemption has the rule only observe.
	Exempted bool
	// Path is the field's path; it is empty if the rule objects to the request as a whole.
	Path string
	// Value is the host or name that matched, never the field's text; it is empty if it came out of a Secret.
	Value string
	// Target is what the value leads to: a data store, a namespace, a window.
	Target string
	// Environment is the name of the environment concerned.
	Environment string
	// Message is the objection and its reason as one clause, without the rule's name.
	Message string
	// Remedy says, as an instruction, what to do next; it is empty if nothing helps.
	Remedy string
	// place is the path in the words of the manifest's author; it is empty if that is the path itself.
	place string
	// line is the number of the line in a text of several; 0: it is not known, or the text has one.
	line int
}

// WindowUse is the window under which a request is admitted, and what is needed to reserve an execution.
type WindowUse struct {
	Verdict   change.Verdict
	Key       string
	Operation v1alpha1.Operation
	// Digest is that of the plan that runs, or else of the declared spec; it is empty if there is neither.
	Digest string
	// ConfigMaps are those whose content the plan pins.
	ConfigMaps []string
}

// Decision is the result of judging a request.
type Decision struct {
	Allowed bool
	// Findings are those of every action, sorted by rule, then path.
	Findings []Finding
	// Invalid lists what is malformed in an object of Firebreak's own kinds; the request is then refused as malformed.
	Invalid field.ErrorList
	// Warnings are those to the requester, besides the findings that warn.
	Warnings []string
	// Use is set if the request is admitted under a window.
	Use *WindowUse
	// Missing is what must be read before the request can be decided; it is nil if nothing is missing. Until then the request is not
	// allowed.
	Missing *Missing
	// Maintenance says why the request counts as maintenance; it is empty if it does not.
	Maintenance string
	// Unlisted is the requester, as namespace/name, if it is a service account that acts in production and that no Environment lists
	// yet; otherwise it is empty.
	Unlisted string
}

// Denied returns the findings that deny.
func (d *Decision) Denied() []Finding { return d.with(v1alpha1.ActionDeny) }

// Warned returns the findings that warn.
func (d *Decision) Warned() []Finding { return d.with(v1alpha1.ActionWarn) }

func (d *Decision) with(a v1alpha1.Action) []Finding {
	var out []Finding
	for _, f := range d.Findings {
		if f.Action == a {
			out = append(out, f)
		}
	}
	return out
}

func sortFindings(f []Finding) {
	slices.SortStableFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
}

// Class groups rules as messages do.
type Class int

const (
	// Segregation keeps the tiers apart.
	Segregation Class = iota
	// ChangeControl bounds change in production.
	ChangeControl
)

func (c Class) String() string {
	if c == ChangeControl {
		return "change control"
	}
	return "environment segregation"
}

// DenialMessage returns the sentence that the requester of a denied request reads: what is refused, what to do next, and in brackets which
// rules object to what, and why.
func DenialMessage(req Request, findings []Finding) string {
	return fmt.Sprintf("%s is forbidden: %s", Describe(req), sentence(findings))
}

// ObservedMessage returns the sentence for a request that is admitted, although findings object, since their rule is not enforced.
func ObservedMessage(req Request, findings []Finding) string {
	return fmt.Sprintf("%s was admitted, and would be forbidden if this were enforced: %s", Describe(req), sentence(findings))
}

// WarningMessages returns the sentences that the requester of an admitted request reads: one for each finding, for as many findings as a
// terminal can show.
func WarningMessages(findings []Finding) []string {
	shown := findings[:min(len(findings), maxSpelledOut)]
	out := make([]string, 0, len(shown)+1)
	for _, f := range shown {
		out = append(out, "this would be forbidden: "+sentence([]Finding{f}))
	}
	if more := len(findings) - len(shown); more > 0 {
		out = append(out, fmt.Sprintf("and %d more findings of this kind", more))
	}
	return out
}

// sentence says what to do about findings, and then what they are. A remedy that several share is said once. Findings beyond those that a
// terminal can show are only counted: the API server cuts long messages anywhere.
func sentence(findings []Finding) string {
	shown := findings[:min(len(findings), maxSpelledOut)]
	var remedies, reasons []string
	for _, f := range shown {
		if f.Remedy != "" && !slices.Contains(remedies, f.Remedy) {
			remedies = append(remedies, f.Remedy)
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s", f.Rule, f.detail()))
	}
	if more := len(findings) - len(shown); more > 0 {
		reasons = append(reasons, fmt.Sprintf("and %d more", more))
	}
	if len(remedies) == 0 {
		return strings.Join(reasons, "; ")
	}
	return fmt.Sprintf("%s (%s)", strings.Join(remedies, "; "), strings.Join(reasons, "; "))
}

const maxSpelledOut = 10

func (f Finding) detail() string {
	if f.Path == "" {
		return f.Message
	}
	place := cmp.Or(f.place, f.Path)
	if f.line > 0 {
		place = fmt.Sprintf("%s, line %d", place, f.line)
	}
	return place + " " + f.Message
}

// Describe names the object of a request as kubectl does: jobs.batch "reindex".
func Describe(req Request) string {
	r := req.Resource.GroupResource().String()
	if req.SubResource != "" {
		r += "/" + req.SubResource
	}
	return fmt.Sprintf("%s %q", r, req.Name)
}

// Causes returns findings as causes of a Status, for machines to read.
func Causes(findings []Finding) []metav1.StatusCause {
	out := make([]metav1.StatusCause, 0, len(findings))
	for _, f := range findings {
		out = append(out, metav1.StatusCause{Type: metav1.CauseType(f.Rule), Field: f.Path, Message: f.Message})
	}
	return out
}
