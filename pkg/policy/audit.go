package policy

import (
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// Audit judges a stored object by the rules of segregation, as of an instant, and warns of a CronJob whose runs no window in the state covers. It
// goes by what the object would run as, since the writer is not known any more. The error means that the object could not be judged.
func Audit(gvk schema.GroupVersionKind, resource schema.GroupVersionResource, namespace, name string, raw []byte, w *ClusterView, s *change.State, at time.Time) (*Decision, error) {
	req := Request{
		Operation: Create, Kind: gvk, Resource: resource, Namespace: namespace, Name: name, Object: raw, Now: at, Stored: true,
		User: authenticationv1.UserInfo{Username: userControllerManager}, Facts: Facts{NamespaceRead: true, RoleRead: true},
	}
	c, err := Prepare(req, w)
	if err != nil {
		return nil, err
	}
	d := c.Decide(nil)
	if d.Missing != nil {
		return nil, UndecidedError{Why: d.Missing.String()}
	}
	d.Findings = slices.DeleteFunc(d.Findings, func(f Finding) bool {
		return f.Class != Segregation || f.Rule == v1alpha1.RuleBoundaryTampering
	})
	d.Findings = append(d.Findings, c.uncoveredRuns(&Judgement{state: s})...)
	d.Allowed, d.Invalid, d.Warnings, d.Use = len(d.Denied()) == 0, nil, nil, nil
	return d, nil
}

// TimedPermission is a permission in force: for a limited time an Exemption, a gateway or a window, and without a limit the power in
// production of a service account that no Environment lists.
type TimedPermission struct {
	Kind, Namespace, Name string
	// Counts is true if the permission is in force at the instant that was asked about.
	Counts bool
	// Why says, as a clause, why it counts or no longer does.
	Why string
}

// TimedPermissionsAt returns every permission that is in force at an instant, and those that no longer are but still exist. Emergency
// windows that were used and then deleted without a review are among them.
func TimedPermissionsAt(e *estate.Estate, s *change.State, at time.Time) []TimedPermission {
	var out []TimedPermission
	for _, x := range e.Exemptions() {
		counts, why := until(x.Spec.ExpiresAt.Time, at)
		out = append(out, TimedPermission{Kind: v1alpha1.KindExemption, Name: x.Name, Counts: counts, Why: why})
	}
	for _, env := range e.Environments() {
		for _, g := range env.Spec().Gateways {
			counts, why := until(g.ExpiresAt.Time, at)
			out = append(out, TimedPermission{Kind: v1alpha1.KindEnvironment, Name: env.Name, Counts: counts, Why: fmt.Sprintf("its gateway through %q %s", g.Host, why)})
		}
	}
	for i := range s.Windows {
		out = append(out, windowAt(&s.Windows[i], e, s, at))
	}
	for _, w := range change.GoneUnreviewed(s) {
		out = append(out, TimedPermission{
			Kind: v1alpha1.KindChangeWindow, Namespace: w.Namespace, Name: w.Name,
			Why: "it was used as an emergency and deleted before anybody else had reviewed it",
		})
	}
	return out
}

// UnlistedAt returns the service accounts of Shared and unassigned namespaces that the bindings of the cluster give power over
// production, and that no Environment lists. enforcement.unlistedAutomation is about these accounts.
func UnlistedAt(w *ClusterView, accounts []types.NamespacedName) []TimedPermission {
	var out []TimedPermission
	for _, a := range accounts {
		r, err := w.requester(authenticationv1.UserInfo{Username: estate.AccountUser(a.Namespace, a.Name), UID: "any"})
		own := a.Namespace == controllerNamespace && slices.Contains(Controllers(), a.Name)
		if err != nil || own || !w.unlisted(r) {
			continue
		}
		for _, e := range w.powers(a.Namespace, a.Name) {
			what := "is admitted there with a warning"
			if e.UnlistedAutomation() == v1alpha1.ActionDeny {
				what = "is refused there"
			}
			out = append(out, TimedPermission{Kind: "ServiceAccount", Namespace: a.Namespace, Name: a.Name, Counts: true, Why: fmt.Sprintf(
				"its bindings give it power in environment %q, whose spec.identities do not list it: what it writes %s; list it, or take the bindings away", e.Name, what)})
		}
	}
	return out
}

func windowAt(w *v1alpha1.ChangeWindow, e *estate.Estate, s *change.State, at time.Time) TimedPermission {
	var envs []*estate.Environment
	if env, ok := e.Environment(w.Spec.Environment); ok {
		envs = append(envs, env)
	}
	own := *s
	own.Executions = slices.DeleteFunc(slices.Clone(s.Executions), func(x v1alpha1.ChangeExecution) bool {
		return !change.Counts(w, &x) || x.Released()
	})
	sum := change.Summarise(w, change.Query{At: at, Cluster: e.Cluster, FirebreakNamespace: e.FirebreakNamespace, Controls: estate.StrictestControls(envs), Unfit: ApproverCheck(e)}, &own)
	out := TimedPermission{Kind: v1alpha1.KindChangeWindow, Namespace: w.Namespace, Name: w.Name, Why: sum.Message}
	switch sum.Phase {
	case v1alpha1.WindowOpen, v1alpha1.WindowApproved, v1alpha1.WindowExhausted:
		out.Counts = true
	}
	if w.Spec.Type == v1alpha1.WindowEmergency && change.ReviewedBy(w, s.Approvals) == "" {
		out.Why += "; nobody else has reviewed this emergency"
	}
	return out
}

func until(expires, at time.Time) (bool, string) {
	if schedule.Expired(expires, at) {
		return false, fmt.Sprintf("expired at %s and counts no longer; delete it", change.Instant(expires))
	}
	return true, "counts until " + change.Instant(expires)
}
