package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/boundary"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// boundaryDemand returns a demand for weakening the boundary, whoever the requester is.
func boundaryDemand(c *PreparedRequest) *Demand {
	why := c.weakening()
	if why == "" {
		return nil
	}
	return &Demand{Why: why, Boundary: true, Environments: c.boundaryEnvironments(), Operation: c.operation()}
}

// boundaryTampering objects to weakening the boundary, whoever the requester is, without an approved window in Firebreak's namespace.
func boundaryTampering(c *PreparedRequest, j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RuleBoundaryTampering)
	if d == nil || j.spoken(d) {
		return nil
	}
	return []Finding{c.demandFinding(d, j, "this weakens the boundary: "+d.Why)}
}

// weakening says what the request would weaken; it is empty if that is nothing, or if the boundary may still be edited freely.
func (c *PreparedRequest) weakening() string {
	if c.est.BoundaryFree(c.req.Now) || c.req.Operation == Connect && c.req.Namespace != c.est.FirebreakNamespace {
		return ""
	}
	return strings.Join(c.weakenings(), "; ")
}

func (c *PreparedRequest) weakenings() []string {
	if c.req.Kind.Group == v1alpha1.GroupName {
		return c.ownWeakenings()
	}
	for _, why := range []string{c.takesAccount(), c.impersonatesServer()} {
		if why != "" {
			return []string{why}
		}
	}
	switch c.req.Kind.GroupKind() {
	case schema.GroupKind{Kind: "Namespace"}:
		return c.namespaceWeakenings()
	case schema.GroupKind{Kind: "Node"}:
		return c.nodeWeakenings()
	case schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		if strings.HasSuffix(c.req.Name, "."+v1alpha1.GroupName) && c.changesSpec() && !c.definitionGrows() {
			return []string{fmt.Sprintf("it changes %s, on which every decision rests", Describe(*c.req))}
		}
	case schema.GroupKind{Group: "apiregistration.k8s.io", Kind: "APIService"}:
		if strings.HasSuffix(c.req.Name, "."+v1alpha1.GroupName) && c.changesSpec() {
			return []string{fmt.Sprintf("it changes %s, which serves Firebreak's own kinds", Describe(*c.req))}
		}
	}
	return nil
}

// takesAccount says how the request takes an account on which the boundary rests, by a token that is asked for, kept in a Secret or
// mounted into a Pod; it is empty if it takes none. The holder of a token of Firebreak's own account, or of one of Kubernetes' own
// controllers, is that account.
func (c *PreparedRequest) takesAccount() string {
	for _, account := range c.accounts {
		if why := c.takes(account, c.taken); why != "" {
			return why
		}
	}
	return ""
}

func (c *PreparedRequest) takes(account types.NamespacedName, how string) string {
	switch {
	case account.Name == "" || how == runsAs && c.requester.Controller || c.req.Username() == userControllerManager || c.req.Operation == Delete:
	case c.systemAccount(account.Namespace, account.Name) != "":
		return "it " + how + " " + c.systemAccount(account.Namespace, account.Name)
	case c.trusted(account) && !c.isSelf(account) && (how != runsAs || (c.requester.Person || c.requester.impersonated())):
		return fmt.Sprintf("it %s %q, an automation whose work in production is routine", how, account)
	}
	return ""
}

// systemAccount describes a service account on which the boundary rests: Firebreak's own, or that of one of Kubernetes' controllers. It
// is empty for any other account.
func (c *PreparedRequest) systemAccount(namespace, account string) string {
	switch {
	case namespace == c.est.FirebreakNamespace && account == c.est.FirebreakAccount:
		return "Firebreak's own service account"
	case namespace == controllerNamespace && slices.Contains(Controllers(), account):
		return fmt.Sprintf("%q, one of Kubernetes' own controllers", account)
	}
	return ""
}

const runsAs = "runs as"

// accountsTaken returns the service accounts that a request takes, and how. A workload that runs the same as before takes nothing.
func (c *PreparedRequest) accountsTaken() (accounts []types.NamespacedName, how string) {
	switch {
	case c.req.SubResource == "token":
		return c.ofNamespace(c.req.Name), "takes a token of"
	case c.req.SubResource != "" || c.new == nil || c.req.Operation == Delete:
	case c.isKind(secretKind()):
		return c.accountKept(), "keeps a token of"
	default:
		return c.accountsRun(), runsAs
	}
	return nil, ""
}

// accountKept returns the account whose token a Secret is to hold.
func (c *PreparedRequest) accountKept() []types.NamespacedName {
	account := c.new.meta.Annotations[corev1.ServiceAccountNameKey]
	if account == "" || c.old != nil && c.old.meta.Annotations[corev1.ServiceAccountNameKey] == account {
		return nil // it was there, and its type cannot change
	}
	return c.ofNamespace(account)
}

// accountsRun returns the accounts that a workload runs as, or as which a custom resource has something run.
func (c *PreparedRequest) accountsRun() []types.NamespacedName {
	switch {
	case c.new.work != nil:
		if c.old != nil && sameTemplate(c.new.work, c.old.work) {
			return nil
		}
		return c.ofNamespace(c.new.work.Template.ServiceAccount())
	case c.new.tree == nil || builtIn(c.req.Kind.Group), c.old != nil && sameTree(c.new.tree, c.old.tree):
		return nil
	}
	accounts := workload.Accounts(c.new.tree, c.req.Namespace)
	if c.runsTemplates() && !workload.NamesAccount(c.new.tree) {
		accounts = append(accounts, c.ofNamespace("default")...)
	}
	return accounts
}

// ofNamespace returns an account of the object's own namespace.
func (c *PreparedRequest) ofNamespace(name string) []types.NamespacedName {
	return []types.NamespacedName{{Namespace: c.req.Namespace, Name: name}}
}

// sameTree reports whether two custom resources are the same apart from their metadata, and the status that their controllers write.
func sameTree(a, b map[string]any) bool {
	for _, pair := range [][2]map[string]any{{a, b}, {b, a}} {
		for key, v := range pair[0] {
			if key != "metadata" && key != "status" && !reflect.DeepEqual(v, pair[1][key]) {
				return false
			}
		}
	}
	return true
}

// isSelf reports whether the requester is the account itself, by a token of its own.
func (c *PreparedRequest) isSelf(account types.NamespacedName) bool {
	return !c.requester.Borrowed && c.requester.AccountNamespace == account.Namespace && c.requester.Account == account.Name
}

// trusted reports whether some Production environment lists an account as operator or launcher of Jobs: its work is not maintenance, so
// the holder of its token needs no window.
func (c *PreparedRequest) trusted(account types.NamespacedName) bool {
	id := c.est.Identity(estate.AccountUser(account.Namespace, account.Name), nil)
	return anyListed(id.Operator, c.est.Production()) || anyListed(id.JobLauncher, c.est.Production())
}

// impersonatesServer says how the request could act in Firebreak's stead. A session in one of its Pods has its account, and a requester
// that redirects its Service or writes its certificate can answer for it. Helm's records of its releases lie there too and may be written,
// and machines that install Firebreak may write everything there, but not open sessions.
func (c *PreparedRequest) impersonatesServer() string {
	if c.req.Namespace != c.est.FirebreakNamespace || c.requester.Controller {
		return ""
	}
	person := c.requester.Person || c.requester.impersonated() || c.unlistedOutsider()
	switch {
	case slices.Contains([]string{"exec", "attach", ephemeralContainers}, c.req.SubResource):
		return fmt.Sprintf("it opens a session in %s, where Firebreak's own service account is", Describe(*c.req))
	case c.req.SubResource != "" || c.new == nil || !person:
	case c.keepsSecret():
		return "it writes a Secret of Firebreak's own namespace, where its certificate lies"
	case c.joinsService():
		return fmt.Sprintf("%s has the label by which Firebreak's Service finds its replicas, and would answer in their stead", Describe(*c.req))
	case c.leadsElsewhere():
		return fmt.Sprintf("it redirects %s, through which the API server reaches Firebreak", Describe(*c.req))
	}
	return ""
}

// redirectsServer reports whether the object is a Service, or says where one leads.
func (c *PreparedRequest) redirectsServer() bool {
	return c.isKind(serviceKind(), schema.GroupKind{Kind: "Endpoints"}, schema.GroupKind{Group: "discovery.k8s.io", Kind: "EndpointSlice"})
}

// keepsSecret reports whether the request writes a Secret that is not one of Helm's records of its releases.
func (c *PreparedRequest) keepsSecret() bool {
	return c.isKind(secretKind()) && !helmRelease(c.new) && !sameBody(c.new, c.old)
}

// leadsElsewhere reports whether the request creates or changes a Service, or an object that says where one leads.
func (c *PreparedRequest) leadsElsewhere() bool {
	return c.redirectsServer() && !c.leadsToOthers() && (!sameBody(c.new, c.old) || !maps.Equal(leading(c.new), leading(c.old)))
}

// leadsToOthers reports whether the object is a Service of another name that takes nobody's address, such as that of the page of the chart: the API server does not
// reach Firebreak through it.
func (c *PreparedRequest) leadsToOthers() bool {
	const name = "firebreak"
	var s corev1.Service
	return c.isKind(serviceKind()) && c.req.Name != name && c.new.meta.Name != name &&
		kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &s) == nil && len(s.Spec.ExternalIPs) == 0
}

// unlistedOutsider reports whether the requester is a service account that no environment lists, of a namespace that is neither Production
// nor Shared.
func (c *PreparedRequest) unlistedOutsider() bool {
	if c.requester.Account == "" || c.requester.Listed() {
		return false
	}
	home := c.est.NamespaceOrName(c.requester.AccountNamespace)
	return home.Unassigned() || home.Tier == v1alpha1.TierNonProduction
}

// joinsService reports whether Firebreak's Service would send to the workload, which lies in Firebreak's namespace, and did not before.
// Firebreak's own Deployment is never judged.
func (c *PreparedRequest) joinsService() bool {
	const label, name = "app.kubernetes.io/name", "firebreak"
	stands := func(o *object) bool { return o != nil && o.work != nil && o.work.Template.Labels[label] == name }
	return stands(c.new) && !stands(c.old)
}

// leading returns the labels that may say where an object leads: all but those that say by which chart it was installed.
func leading(o *object) map[string]string {
	out := maps.Clone(o.labels())
	for _, l := range []string{"app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
		delete(out, l)
	}
	return out
}

func serviceKind() schema.GroupKind { return schema.GroupKind{Kind: "Service"} }

func helmRelease(o *object) bool {
	var s corev1.Secret
	return kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &s) == nil && reference.HelmRelease(&s)
}

// changesSpec reports whether the object is deleted, or its spec or its owners change. A creation adds a kind and takes nothing away.
func (c *PreparedRequest) changesSpec() bool {
	if c.req.Operation != Update {
		return c.req.Operation == Delete
	}
	// The garbage collector deletes an object that names an owner which does not exist.
	return !sameBody(c.new, c.old) || !reflect.DeepEqual(c.new.meta.OwnerReferences, c.old.meta.OwnerReferences)
}

// definitionGrows reports whether an upgrade of a CRD brings only further fields or other descriptions, which takes nothing away.
func (c *PreparedRequest) definitionGrows() bool {
	return c.req.Operation == Update && boundary.OnlyGrows(c.old.generic(), c.new.generic()) &&
		reflect.DeepEqual(c.new.meta.OwnerReferences, c.old.meta.OwnerReferences)
}

func (c *PreparedRequest) ownWeakenings() []string {
	o := &c.own
	switch {
	case o.environment != nil || o.oldEnvironment != nil:
		return boundary.WeakensEnvironment(standing(c, o.oldEnvironment, c.view.Environments), o.environment, c.est, c.req.Now)
	case o.store != nil || o.oldStore != nil:
		return boundary.WeakensDataStore(standing(c, o.oldStore, c.view.Stores), o.store, c.est)
	}
	return o.standingWeakenings()
}

// standing returns what a declaration is compared with: what is stored or, where that is gone and Firebreak holds to what it knew of it, that. Whoever
// declares it again changes nothing, and whoever declares less under its name weakens the boundary.
func standing[T any](c *PreparedRequest, stored *T, known func(name string) (T, bool)) *T {
	if stored != nil || c.req.Operation != Create {
		return stored
	}
	if held, ok := known(c.req.Name); ok {
		return &held
	}
	return nil
}

// ownBoundary names the environment that a change of the boundary is about; it is empty if there is none in particular.
func (c *PreparedRequest) ownBoundary() string {
	switch {
	case c.req.Kind == v1alpha1.GVK(v1alpha1.KindEnvironment):
		return c.req.Name
	case c.own.oldStore != nil:
		return c.own.oldStore.Spec.Environment
	case c.own.store != nil:
		return c.own.store.Spec.Environment
	}
	return ""
}

// namespaceWeakenings says how a write of a Namespace weakens the boundary: by labels that change membership where Production is on either
// side, also through the status and finalize subresources, or by creating a namespace that a pattern makes Production.
func (c *PreparedRequest) namespaceWeakenings() []string {
	if c.req.Operation == Delete {
		return nil
	}
	after := c.est.NamespaceWith(c.req.Name, c.new.labels())
	if c.old == nil {
		if len(after.Production()) > 0 {
			return []string{fmt.Sprintf("it creates a namespace of %s", named(after.Production()))}
		}
		return nil
	}
	before := c.est.NamespaceWith(c.req.Name, c.old.labels())
	if slices.Equal(names(before.Environments), names(after.Environments)) || len(before.Production())+len(after.Production()) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("it moves namespace %q from %s to %s", c.req.Name, before, after)}
}

// nodeWeakenings says how a write of a Node weakens the boundary: by labels and taints that move the node into or out of the scheduling
// pool of a Production environment.
func (c *PreparedRequest) nodeWeakenings() []string {
	if c.req.SubResource != "" || c.req.Operation == Delete {
		return nil
	}
	before, after := nodeOf(c.old), nodeOf(c.new)
	var out []string
	for _, e := range c.est.Production() {
		if pool(e, before) != pool(e, after) && !c.bringsUp(e, before, after) {
			out = append(out, fmt.Sprintf("it moves node %q into or out of the pool of %q", c.req.Name, e.Name))
		}
	}
	return out
}

// bringsUp reports whether a node joins a pool as it is brought up: by a user that the environment lists for that, or by one of its
// operators as long as the node is not in service yet.
func (c *PreparedRequest) bringsUp(e *estate.Environment, before, after *corev1.Node) bool {
	if c.requester.impersonated() || pool(e, before) != pool(e, &corev1.Node{}) || pool(e, after) == pool(e, &corev1.Node{}) {
		return false
	}
	return e.Provisions(c.requester.Username) || c.requester.Operator[e.Name] && (c.old == nil || startsUp(before))
}

// startsUp reports whether a taint says that the node is not registered or initialised yet, so that nothing runs there.
func startsUp(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
		switch t.Key {
		case "karpenter.sh/unregistered", "node.cloudprovider.kubernetes.io/uninitialized", "node.cluster.x-k8s.io/uninitialized", "node.kubernetes.io/not-ready":
			return t.Effect != corev1.TaintEffectPreferNoSchedule
		}
		return false
	})
}

func nodeOf(o *object) *corev1.Node {
	n := &corev1.Node{}
	if o != nil {
		_ = kjson.UnmarshalCaseSensitivePreserveInts(o.raw, n) // a node that cannot be read has no labels
	}
	return n
}

// pool describes a node's place in an environment's pool: whether its labels match, and which of the taints it has.
func pool(e *estate.Environment, n *corev1.Node) string {
	spec := e.Spec().Nodes
	in := false
	if s := spec.Selector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 {
		if sel, err := metav1.LabelSelectorAsSelector(s); err == nil {
			in = sel.Matches(labels.Set(n.Labels))
		}
	}
	var taints []string
	for _, t := range n.Spec.Taints {
		if estate.MatchAny(spec.Taints, t.Key) || estate.MatchAny(spec.Taints, t.Key+"="+t.Value) {
			taints = append(taints, t.Key+"="+t.Value+":"+string(t.Effect))
		}
	}
	slices.Sort(taints)
	return fmt.Sprint(in, taints)
}
