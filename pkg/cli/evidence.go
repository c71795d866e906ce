package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/overview"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

type evidenceOptions struct{ from, to, output, home string }

func (e *env) evidence() *cobra.Command {
	var o evidenceOptions
	cmd := &cobra.Command{
		Use:   "evidence",
		Short: "Print what an auditor asks for: separation in force, changes with their approvals, emergencies, exemptions and approvers",
		Long: `Gathers, from the cluster alone, the environments and the separation in force, the changes of a period with request, approval, plan and outcome, emergencies and
their reviews, exemptions and gateways with their expiry, the people who could approve, the refusals on record, and the requests that were not judged; and says to which
controls of ISO 27001:2022, SOC 2, PCI DSS 4.0 and NIST SP 800-53 that speaks, and what it does not show. -o html is one page that needs no other file, and prints.

Executions and records are read from the namespace of Firebreak; the ClusterRole firebreak-doctor gives the right to see all of it. What you may not see is said
in the evidence itself.`,
		Example: `  kubectl firebreak evidence --from 2026-10-01T00:00:00Z --to 2027-01-01T00:00:00Z -o html > q4.html`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.runEvidence(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "2160h", "from when: a duration back, a time of day, or RFC 3339")
	f.StringVar(&o.to, "to", "", "up to when, in the same forms; default: now")
	f.StringVarP(&o.output, "output", "o", "json", "json, yaml or html")
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	return cmd
}

// Evidence is what evidence prints as JSON. Its form is stable.
type Evidence struct {
	// From and To bound the period; At is when the evidence was gathered, By the user that did.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	// Cluster is where the API server is reached.
	Cluster string `json:"cluster"`
	// Environments say what is kept apart, as it is now.
	Environments []EvidencedEnvironment `json:"environments"`
	// Changes are the uses of windows in the period, Acts what was done about the permission to change production, refused attempts among them.
	Changes []overview.Entry `json:"changes"`
	Acts    []overview.Entry `json:"acts"`
	// Emergencies are the emergency windows that were requested in the period.
	Emergencies []EvidencedEmergency `json:"emergencies"`
	// Permissions are exemptions and gateways, with their expiry.
	Permissions []StandingResult `json:"permissions"`
	// Approvers and BreakGlass hold these rights now.
	Approvers  []Holder `json:"approvers"`
	BreakGlass []Holder `json:"breakGlass"`
	// NotJudged says what Firebreak was not asked about, in whole sentences.
	NotJudged []string `json:"notJudged"`
	// Missing says what could not be read, in whole sentences.
	Missing []string `json:"missing"`
	// Controls say what this speaks to.
	Controls []Control `json:"controls"`
}

// EvidencedChange is a use of a window, or an act about the permission to change production, as log prints it.
type EvidencedChange = overview.Entry

// EvidencedEnvironment is an environment and what is enforced there.
type EvidencedEnvironment struct {
	Name       string   `json:"name"`
	Tier       string   `json:"tier"`
	Namespaces []string `json:"namespaces"`
	// Sealed is true if its boundary can be weakened only under a window.
	Sealed bool `json:"sealed"`
	// Denies, Warns and Observes are the rules by what happens when they object.
	Denies   []string `json:"denies"`
	Warns    []string `json:"warns"`
	Observes []string `json:"observes"`
	// RequiredApprovals is how many persons approve a window; it is nil outside of Production.
	RequiredApprovals *int32 `json:"requiredApprovals,omitempty"`
}

// EvidencedEmergency is an emergency and its review.
type EvidencedEmergency struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Requester string    `json:"requester"`
	Reason    string    `json:"reason"`
	Ticket    string    `json:"ticket,omitempty"`
	At        time.Time `json:"at"`
	// ReviewedBy is empty if nobody else has reviewed it.
	ReviewedBy string `json:"reviewedBy"`
}

func (e *env) runEvidence(ctx context.Context, o *evidenceOptions) error {
	if err := checkOutput(o.output, "json", "yaml", "html"); err != nil {
		return err
	}
	from, err := e.moment(o.from)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	to := e.clock()
	if o.to != "" {
		if to, err = e.moment(o.to); err != nil {
			return fmt.Errorf("--to: %w", err)
		}
	}
	if !from.Before(to) {
		return errors.New("--from is not before --to")
	}
	c, _, err := e.client()
	if err != nil {
		return err
	}
	self, err := whoAmI(ctx, c)
	if err != nil {
		return err
	}
	cfg, err := e.config.loader().ClientConfig()
	if err != nil {
		return fmt.Errorf("load the kubeconfig: %w", err)
	}
	x := &Evidence{
		From: from, To: to, At: e.clock(), By: self.Username, Cluster: cfg.Host, Environments: []EvidencedEnvironment{}, Changes: []overview.Entry{}, Acts: []overview.Entry{}, Emergencies: []EvidencedEmergency{},
		Permissions: []StandingResult{}, Approvers: []Holder{}, BreakGlass: []Holder{}, NotJudged: []string{}, Missing: []string{}, Controls: controls(),
	}
	x.gather(ctx, &patient{Client: c, env: e, home: o.home})
	if o.output == "html" {
		return x.writeHTML(e.Out)
	}
	return printAs(e.Out, o.output, x)
}

// gather reads everything that there is to read. What cannot be read is said.
func (x *Evidence) gather(ctx context.Context, p *patient) {
	for _, part := range []struct {
		what string
		read func(context.Context, *patient) error
	}{
		{"environments, exemptions and gateways", x.separation}, {"changes", x.changes}, {"what was done about the permission to change production", x.acts}, {"emergencies", x.emergencies},
		{"who could approve", x.holders}, {"what is not sent to Firebreak", x.unjudged},
	} {
		if err := part.read(ctx, p); err != nil {
			x.Missing = append(x.Missing, fmt.Sprintf("This lacks %s: %v.", part.what, err))
		}
	}
}

func (x *Evidence) separation(ctx context.Context, p *patient) error {
	est, _, err := p.compiled(ctx)
	if err != nil {
		return err
	}
	var stored v1alpha1.EnvironmentList
	var exemptions v1alpha1.ExemptionList
	if err := p.List(ctx, &stored); err != nil {
		return fmt.Errorf("list environments: %w", err)
	}
	if err := p.List(ctx, &exemptions); err != nil {
		return fmt.Errorf("list exemptions: %w", err)
	}
	for i := range stored.Items {
		x.Environments = append(x.Environments, evidenced(est, &stored.Items[i]))
	}
	for _, t := range policy.TimedPermissionsAt(estate.Compile(estate.Input{Environments: stored.Items, Exemptions: exemptions.Items}), &change.State{}, x.At) {
		x.Permissions = append(x.Permissions, StandingResult(t))
	}
	return nil
}

func evidenced(est *estate.Estate, env *v1alpha1.Environment) EvidencedEnvironment {
	out := EvidencedEnvironment{Name: env.Name, Tier: string(env.Spec.Tier), Sealed: env.Annotations[v1alpha1.AnnotationSealed] == "true", Namespaces: []string{}, Denies: []string{}, Warns: []string{}, Observes: []string{}}
	for _, ns := range est.NamespaceNames() {
		if m, _ := est.Namespace(ns); m.In(env.Name) {
			out.Namespaces = append(out.Namespaces, ns)
		}
	}
	compiled, ok := est.Environment(env.Name)
	if !ok {
		return out
	}
	for _, r := range v1alpha1.RuleNames() {
		switch compiled.ActionFor(r) {
		case v1alpha1.ActionDeny:
			out.Denies = append(out.Denies, string(r))
		case v1alpha1.ActionWarn:
			out.Warns = append(out.Warns, string(r))
		default:
			out.Observes = append(out.Observes, string(r))
		}
	}
	if compiled.Controls != nil {
		out.RequiredApprovals = &compiled.Controls.RequiredApprovals
	}
	return out
}

func (x *Evidence) changes(ctx context.Context, p *patient) error {
	all, err := overview.Trail(ctx, p, p.home, "", x.From, x.To)
	if err != nil {
		return err
	}
	x.Changes = all
	overview.Sort(x.Changes)
	return nil
}

func (x *Evidence) acts(ctx context.Context, p *patient) error {
	all, err := overview.Records(ctx, p, p.home, "", x.From, x.To)
	if err != nil {
		return err
	}
	x.Acts = append(x.Acts, all...)
	overview.Sort(x.Acts)
	return nil
}

func (x *Evidence) emergencies(ctx context.Context, p *patient) error {
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	var executions v1alpha1.ChangeExecutionList
	for _, l := range []client.ObjectList{&windows, &approvals, &executions} {
		if err := p.List(ctx, l); err != nil {
			return fmt.Errorf("list windows, approvals and executions: %w", err)
		}
	}
	for i := range windows.Items {
		w := &windows.Items[i]
		if at := w.CreationTimestamp.Time; w.Spec.Type != v1alpha1.WindowEmergency || at.Before(x.From) || !at.Before(x.To) {
			continue
		}
		x.Emergencies = append(x.Emergencies, EvidencedEmergency{w.Namespace, w.Name, w.Spec.RequestedBy.Username, w.Spec.Reason, w.Spec.Ticket, w.CreationTimestamp.Time, change.ReviewedBy(w, approvals.Items)})
	}
	used := slices.DeleteFunc(executions.Items, func(e v1alpha1.ChangeExecution) bool {
		return e.CreationTimestamp.Time.Before(x.From) || !e.CreationTimestamp.Time.Before(x.To)
	})
	for _, w := range change.GoneUnreviewed(&change.State{Windows: windows.Items, Executions: used}) {
		x.Emergencies = append(x.Emergencies, EvidencedEmergency{Namespace: w.Namespace, Name: w.Name, Reason: w.Reason, Ticket: w.Ticket})
	}
	return nil
}

func (x *Evidence) holders(ctx context.Context, p *patient) error {
	a, err := p.access(ctx)
	if err != nil {
		return err
	}
	x.Approvers = append(x.Approvers, a.holders(approving(), "")...)
	x.BreakGlass = append(x.BreakGlass, a.holders(breaking(), "")...)
	return nil
}

// unjudged says what the registrations leave out.
func (x *Evidence) unjudged(ctx context.Context, p *patient) error {
	say := func(format string, args ...any) { x.NotJudged = append(x.NotJudged, fmt.Sprintf(format, args...)) }
	say("Admission sees no reads, and nothing that reaches etcd, a kubelet or a data store by other ways than the API server.")
	say("Heartbeats, Events and questions of who may do what are not sent to Firebreak, and neither is how the API server shares out its attention.")
	say("Events of refusals are kept for an hour; refusals beyond that are in the API server's audit log, if it keeps one. Refused attempts to weaken the boundary are among the acts.")
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	if err := p.Get(ctx, client.ObjectKey{Name: registrations.Name}, &v); err != nil {
		return fmt.Errorf("read the registration: %w", err)
	}
	for i := range v.Webhooks {
		w := &v.Webhooks[i]
		if w.FailurePolicy != nil && *w.FailurePolicy == admissionregistrationv1.Ignore {
			say("While no replica answers, requests to %s are admitted unjudged.", w.Name)
		}
		if w.NamespaceSelector == nil {
			continue
		}
		for _, m := range w.NamespaceSelector.MatchExpressions {
			say("Of namespaces, those are left out of %s that do not have %s %s (%s).", w.Name, m.Key, strings.ToLower(string(m.Operator)), strings.Join(m.Values, ", "))
		}
	}
	return nil
}
