package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/fence"
	"github.com/firebreak-dev/firebreak/pkg/firewall"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

// access returns the roles and bindings, which are read once.
func (p *patient) access(ctx context.Context) (*access, error) {
	if p.granted == nil {
		a, err := readAccess(ctx, p)
		if err != nil {
			return nil, err
		}
		p.granted = a
	}
	return p.granted, nil
}

// compiled returns the estate, and the labels of all namespaces.
func (p *patient) compiled(ctx context.Context) (*estate.Estate, map[string]map[string]string, error) {
	var environments v1alpha1.EnvironmentList
	var stores v1alpha1.DataStoreList
	namespaces := &metav1.PartialObjectMetadataList{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	for _, l := range []client.ObjectList{&environments, &stores, namespaces} {
		if err := p.List(ctx, l); err != nil {
			return nil, nil, fmt.Errorf("list the estate and the namespaces: %w", err)
		}
	}
	byName := map[string]map[string]string{}
	for i := range namespaces.Items {
		byName[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	return estate.Compile(estate.Input{Environments: environments.Items, DataStores: stores.Items, Namespaces: byName, FirebreakNamespace: p.home, FirebreakAccount: "firebreak"}), byName, nil
}

// exclusions looks which namespaces of production the registrations leave out.
func (p *patient) exclusions(ctx context.Context) ([]Diagnosis, error) {
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	if err := p.Get(ctx, client.ObjectKey{Name: registrations.Name}, &v); err != nil {
		return nil, fmt.Errorf("read the registration: %w", err)
	}
	est, namespaces, err := p.compiled(ctx)
	if err != nil {
		return nil, err
	}
	var out []Diagnosis
	for i := range v.Webhooks {
		w := &v.Webhooks[i]
		sel, err := metav1.LabelSelectorAsSelector(w.NamespaceSelector)
		if err != nil {
			return out, fmt.Errorf("read the namespaceSelector of %s: %w", w.Name, err)
		}
		var left []string
		for ns, l := range namespaces {
			if m, _ := est.Namespace(ns); len(m.Production()) > 0 && !sel.Matches(labels.Set(l)) {
				left = append(left, ns)
			}
		}
		slices.Sort(left)
		if len(left) > 0 {
			out = append(out, bad("take them out of webhook.excludedNamespaces of the chart", "what happens in production's namespaces %s is not sent to %s", strings.Join(left, ", "), w.Name))
		}
		if s := w.ObjectSelector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 {
			out = append(out, bad("helm upgrade of the chart takes it away", "%s has an objectSelector, by which whoever writes an object keeps it from being judged", w.Name))
		}
	}
	if len(out) == 0 {
		return well("no namespace of production is left out"), nil
	}
	return out, nil
}

// others looks for webhooks of others that change objects after Firebreak's stamp, or that refuse while they are down what Firebreak needs to come back.
func (p *patient) others(ctx context.Context) ([]Diagnosis, error) {
	var mutating admissionregistrationv1.MutatingWebhookConfigurationList
	var validating admissionregistrationv1.ValidatingWebhookConfigurationList
	for _, l := range []client.ObjectList{&mutating, &validating} {
		if err := p.List(ctx, l); err != nil {
			return nil, fmt.Errorf("list webhooks: %w", err)
		}
	}
	var home corev1.Namespace
	if err := p.Get(ctx, client.ObjectKey{Name: p.home}, &home); err != nil {
		return nil, fmt.Errorf("read namespace %q: %w", p.home, err)
	}
	var out []Diagnosis
	for i := range mutating.Items {
		c := &mutating.Items[i]
		for j := range c.Webhooks {
			w := &c.Webhooks[j]
			if c.Name == registrations.Name {
				continue
			}
			out = append(out, p.closes(&home, "MutatingWebhookConfiguration", c.Name, hook{w.Name, w.FailurePolicy, w.NamespaceSelector, w.Rules})...)
			if reaches(w.Rules, v1alpha1.GroupName, "changewindows") {
				out = append(out, warn("narrow its rules to what it is for", "webhook %s of MutatingWebhookConfiguration %q may change Firebreak's own kinds after somebody has asked for them", w.Name, c.Name))
			}
		}
	}
	for i := range validating.Items {
		c := &validating.Items[i]
		for j := range c.Webhooks {
			w := &c.Webhooks[j]
			if c.Name != registrations.Name {
				out = append(out, p.closes(&home, "ValidatingWebhookConfiguration", c.Name, hook{w.Name, w.FailurePolicy, w.NamespaceSelector, w.Rules})...)
			}
		}
	}
	if len(out) == 0 {
		return well("no webhook of others stands in its way"), nil
	}
	return out, nil
}

// hook is what validating and mutating webhooks have in common.
type hook struct {
	name     string
	fail     *admissionregistrationv1.FailurePolicyType
	selector *metav1.LabelSelector
	rules    []admissionregistrationv1.RuleWithOperations
}

// closes warns of a webhook of others that refuses Firebreak's own Pods while it is down.
func (p *patient) closes(home *corev1.Namespace, kind, name string, w hook) []Diagnosis {
	closed := w.fail == nil || *w.fail == admissionregistrationv1.Fail
	if !closed || !reaches(w.rules, "", "pods") || !selects(w.selector, home.Labels) {
		return nil
	}
	return []Diagnosis{warn(fmt.Sprintf("have its namespaceSelector leave namespace %q out", p.home),
		"webhook %s of %s %q fails closed for the Pods of namespace %q: while it is down, no replica of Firebreak can start", w.name, kind, name, p.home)}
}

// reaches reports whether rules of a webhook hold for creations of a resource.
func reaches(rules []admissionregistrationv1.RuleWithOperations, group, resource string) bool {
	return slices.ContainsFunc(rules, func(r admissionregistrationv1.RuleWithOperations) bool {
		operation := slices.Contains(r.Operations, admissionregistrationv1.Create) || slices.Contains(r.Operations, admissionregistrationv1.OperationAll)
		has := func(list []string, want string) bool {
			return slices.Contains(list, want) || slices.Contains(list, "*")
		}
		return operation && has(r.APIGroups, group) && (has(r.Resources, resource) || slices.Contains(r.Resources, "*/*"))
	})
}

// selects reports whether a selector selects labels; one that cannot be read does.
func selects(s *metav1.LabelSelector, l map[string]string) bool {
	if s == nil {
		return true
	}
	sel, err := metav1.LabelSelectorAsSelector(s)
	return err != nil || sel.Matches(labels.Set(l))
}

// rights looks whether Firebreak's account has its roles.
func (p *patient) rights(ctx context.Context) ([]Diagnosis, error) {
	a, err := p.access(ctx)
	if err != nil {
		return nil, err
	}
	account := fmt.Sprintf("service account %q", p.home+"/firebreak")
	var out []Diagnosis
	for _, r := range []right{
		{"watch", v1alpha1.GroupName, "environments"}, {"watch", "", "namespaces"}, {"watch", rbacv1.GroupName, "clusterrolebindings"}, {"patch", v1alpha1.GroupName, "changewindows/status"},
		{"create", v1alpha1.GroupName, "changeexecutions"}, {"update", "coordination.k8s.io", "leases"}, {"create", "authorization.k8s.io", "subjectaccessreviews"}, {"create", "", "events"},
	} {
		if !slices.ContainsFunc(a.holders(r, p.home), func(h Holder) bool { return h.Subject == account }) {
			out = append(out, bad("helm upgrade of the chart gives it back", "Firebreak's account may not %s %s", r.verb, r.resource))
		}
	}
	if len(out) == 0 {
		return well("Firebreak's account has its roles"), nil
	}
	return out, nil
}

// approvers says who may approve and break the glass, and through what.
func (p *patient) approvers(ctx context.Context) ([]Diagnosis, error) {
	a, err := p.access(ctx)
	if err != nil {
		return nil, err
	}
	var out []Diagnosis
	if why := a.nobodyApproves(p.home); why != "" {
		out = append(out, bad("until then no change of the boundary can be approved", "%s", why))
	}
	for _, x := range []struct {
		what string
		r    right
	}{{"approve windows", approving()}, {"break the glass", breaking()}} {
		all := a.holders(x.r, "")
		var lines []string
		for _, h := range all {
			where := "everywhere"
			if h.Namespace != "" {
				where = fmt.Sprintf("in namespace %q", h.Namespace)
			}
			lines = append(lines, fmt.Sprintf("%s %s, through %s", h.Subject, where, h.Through))
		}
		if len(lines) == 0 {
			out = append(out, warn("bind the ClusterRole firebreak-approve or firebreak-breakglass to persons", "nobody may %s", x.what))
			continue
		}
		out = append(out, well("%d may %s: %s", len(lines), x.what, strings.Join(lines, "; "))...)
	}
	return out, nil
}

// impersonators looks for users who may act as others, mint their tokens, or give themselves rights, and so come to approve.
func (p *patient) impersonators(ctx context.Context) ([]Diagnosis, error) {
	a, err := p.access(ctx)
	if err != nil {
		return nil, err
	}
	var out []Diagnosis
	for _, x := range []struct {
		what string
		r    right
	}{
		{"act as any user", right{"impersonate", "", "users"}}, {"act as any group", right{"impersonate", "", "groups"}},
		{"take tokens of service accounts", right{"create", "", "serviceaccounts/token"}},
		{"give rights that they do not have", right{"escalate", rbacv1.GroupName, "clusterroles"}}, {"bind any role", right{"bind", rbacv1.GroupName, "clusterroles"}},
	} {
		var names []string
		for _, h := range a.holders(x.r, "") {
			if h.Namespace == "" && !strings.Contains(h.Subject, "system:masters") && !strings.Contains(h.Subject, "\"system:") {
				names = append(names, fmt.Sprintf("%s through %s", h.Subject, h.Through))
			}
		}
		if names = slices.Compact(names); len(names) > 0 {
			out = append(out, warn("take the right away from whoever needs it not; persons who act as others are refused what only persons may do", "in the whole cluster may %s: %s", x.what, strings.Join(names, "; ")))
		}
	}
	if len(out) == 0 {
		return well("nobody but system:masters may act as others, or give themselves rights, in the whole cluster"), nil
	}
	return out, nil
}

// unlisted looks for service accounts with power in production that no environment lists.
func (p *patient) unlisted(ctx context.Context) ([]Diagnosis, error) {
	k := newSnapshot(ctx)
	var objects []*unstructured.Unstructured
	for _, gvk := range []schema.GroupVersionKind{
		v1alpha1.GVK(v1alpha1.KindEnvironment), corev1.SchemeGroupVersion.WithKind("Namespace"), rbac("Role"), rbac("ClusterRole"), rbac("RoleBinding"), rbac("ClusterRoleBinding"),
	} {
		l := listOf(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := p.List(ctx, l); err != nil {
			return nil, fmt.Errorf("list objects of kind %s: %w", gvk.Kind, err)
		}
		for i := range l.Items {
			objects = append(objects, &l.Items[i])
		}
	}
	if err := k.compile(objects, &checkOptions{home: p.home}, p.env.clock()); err != nil {
		return nil, err
	}
	var out []Diagnosis
	for _, t := range policy.UnlistedAt(k.view, k.boundAccounts()) {
		if t.Namespace == p.home && t.Name == "firebreak" {
			continue // what it writes of its own kinds is not sent to it, and the firewall says itself where it is refused
		}
		out = append(out, warn("list it under spec.identities of the environment, or take its bindings away", "service account %q: %s", t.Namespace+"/"+t.Name, t.Why))
	}
	if len(out) == 0 {
		return well("every service account with power in production is listed"), nil
	}
	return out, nil
}

// pendingDeclarations looks for what the chart's values declare and Firebreak could not apply, and what is not ready.
func (p *patient) pendingDeclarations(ctx context.Context) ([]Diagnosis, error) {
	var environments v1alpha1.EnvironmentList
	var stores v1alpha1.DataStoreList
	if err := p.List(ctx, &environments); err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	if err := p.List(ctx, &stores); err != nil {
		return nil, fmt.Errorf("list data stores: %w", err)
	}
	var out []Diagnosis
	look := func(kind, name string, conditions []metav1.Condition) {
		if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionPendingApproval); c != nil && c.Status == metav1.ConditionTrue {
			out = append(out, warn("request the window that it names, and have it approved", "%s %q is declared otherwise in the chart's values, which waits: %s", kind, name, c.Message))
		}
		if c := meta.FindStatusCondition(conditions, "Ready"); c != nil && c.Status == metav1.ConditionFalse {
			out = append(out, warn("correct the field that it names", "%s %q is not ready: %s", kind, name, c.Message))
		}
	}
	production := false
	for i := range environments.Items {
		production = production || environments.Items[i].Spec.Tier == v1alpha1.TierProduction
		look("Environment", environments.Items[i].Name, environments.Items[i].Status.Conditions)
	}
	for i := range stores.Items {
		look("DataStore", stores.Items[i].Name, stores.Items[i].Status.Conditions)
	}
	if !production {
		out = append(out, warn("kubectl firebreak init --profile observe prints values to begin with", "no environment of tier Production is declared, so nothing is kept apart"))
	}
	if len(out) == 0 {
		return well("%d environments and %d data stores are as they are declared", len(environments.Items), len(stores.Items)), nil
	}
	return out, nil
}

// emergencies looks for those that nobody else has reviewed.
func (p *patient) emergencies(ctx context.Context) ([]Diagnosis, error) {
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	if err := p.List(ctx, &windows); err != nil {
		return nil, fmt.Errorf("list change windows: %w", err)
	}
	if err := p.List(ctx, &approvals); err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	var out []Diagnosis
	for i := range windows.Items {
		w := &windows.Items[i]
		if w.Spec.Type == v1alpha1.WindowEmergency && change.ReviewedBy(w, approvals.Items) == "" {
			out = append(out, warn(fmt.Sprintf("kubectl firebreak approve %s -n %s, by somebody else, reviews it", w.Name, w.Namespace), "nobody has reviewed emergency %q of %s in namespace %q", w.Name, w.Spec.RequestedBy.Username, w.Namespace))
		}
	}
	if len(out) == 0 {
		return well("no emergency waits for a review"), nil
	}
	return out, nil
}

// remnants looks for what earlier installations have left behind.
func (p *patient) remnants(ctx context.Context) ([]Diagnosis, error) {
	walls, err := p.oldWalls(ctx)
	if err != nil {
		return nil, err
	}
	fences, err := p.oldFences(ctx)
	if err != nil {
		return walls, err
	}
	if out := slices.Concat(walls, fences); len(out) > 0 {
		return out, nil
	}
	return well("nothing is left of earlier installations"), nil
}

// oldWalls looks for network policies of a firewall that no longer runs.
func (p *patient) oldWalls(ctx context.Context) ([]Diagnosis, error) {
	l := listOf(networkPolicies())
	if err := p.List(ctx, l, client.MatchingLabels{firewall.LabelManagedBy: firewall.ManagedBy}, client.HasLabels{firewall.LabelFirewall}); err != nil {
		return nil, fmt.Errorf("list network policies: %w", err)
	}
	var walls []string
	for i := range l.Items {
		if firewall.Owned(&l.Items[i]) {
			walls = append(walls, l.Items[i].GetNamespace()+"/"+l.Items[i].GetName())
		}
	}
	var role rbacv1.ClusterRole
	switch err := p.Get(ctx, client.ObjectKey{Name: "firebreak-firewall"}, &role); {
	case apierrors.IsNotFound(err) && len(walls) > 0:
		return []Diagnosis{warn("kubectl firebreak firewall --remove --yes deletes them", "%d network policies of a firewall that no longer runs are left, such as %s", len(walls), walls[0])}, nil
	case err != nil && !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("read the role of the firewall: %w", err)
	}
	return nil, nil
}

// oldFences looks for bindings of the fence without their ConfigMap.
func (p *patient) oldFences(ctx context.Context) ([]Diagnosis, error) {
	var cms corev1.ConfigMapList
	if err := p.List(ctx, &cms, client.InNamespace(p.home)); err != nil {
		return nil, fmt.Errorf("list ConfigMaps of namespace %q: %w", p.home, err)
	}
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	if err := p.List(ctx, &bindings); err != nil {
		return nil, fmt.Errorf("list policy bindings: %w", err)
	}
	held := map[string]bool{}
	for i := range cms.Items {
		held[cms.Items[i].Name] = true
	}
	var out []Diagnosis
	for i := range bindings.Items {
		b := &bindings.Items[i]
		if r := b.Spec.ParamRef; strings.HasPrefix(b.Name, fence.Hosts) && r != nil && r.Namespace == p.home && r.Name != "" && !held[r.Name] {
			out = append(out, bad("a replica that runs puts it back; without Firebreak, delete the binding", "binding %q of the fence names ConfigMap %q, which is gone, and refuses what it is for", b.Name, r.Name))
		}
	}
	return out, nil
}
