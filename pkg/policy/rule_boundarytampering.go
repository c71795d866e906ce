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

// boundaryDemand: weakening the boundary needs a window, whoever asks.
func boundaryDemand(c *PreparedRequest) *Demand {
	why := c.weakening()
	if why == "" {
		return nil
	}
	return &Demand{Why: why, Boundary: true, Environments: c.boundaryEnvironments(), Operation: c.operation()}
}

// boundaryTampering objects to weakening the boundary, whoever asks, without an approved window in Firebreak's
// namespace.
func boundaryTampering(c *PreparedRequest, j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RuleBoundaryTampering)
	if d == nil || j.spoken(d) {
		return nil
	}
	return []Finding{c.demandFinding(d, j, "this weakens the boundary: "+d.Why)}
}

// weakening says what the request would weaken; empty: nothing, or the boundary may still be edited freely.
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

// takesAccount: a token of Firebreak's own account or of one of Kubernetes' own controllers, asked for, kept in a Secret
// or mounted into a Pod, makes whoever has it that account.
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

// systemAccount describes a service account on which the boundary rests: Firebreak's own, and those of Kubernetes' controllers;
// empty: it is none.
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

// accountsTaken returns the service accounts that a request takes, and how. What runs as before, and the same, takes nothing.
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

// accountsRun returns the accounts that a workload runs as, or that a custom resource has something run as.
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

// ofNamespace is an account of the object's own namespace.
func (c *PreparedRequest) ofNamespace(name string) []types.NamespacedName {
	return []types.NamespacedName{{Namespace: c.req.Namespace, Name: name}}
}

// sameTree compares two custom resources but for what every write changes, and what their controllers say.
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

// isSelf: the account itself, by a token of its own, asks.
func (c *PreparedRequest) isSelf(account types.NamespacedName) bool {
	return !c.requester.Borrowed && c.requester.AccountNamespace == account.Namespace && c.requester.Account == account.Name
}

// trusted: an account that some Production environment lists as operator or launcher of Jobs: what
// it does is no maintenance, so who has a token of it needs no window.
func (c *PreparedRequest) trusted(account types.NamespacedName) bool {
	id := c.est.Identity(estate.AccountUser(account.Namespace, account.Name), nil)
	return anyListed(id.Operator, c.est.Production()) || anyListed(id.JobLauncher, c.est.Production())
}

// impersonatesServer: who reaches into Firebreak's own Pods has its account, and who leads its Service elsewhere or writes its
// certificate answers in its stead. Helm's records of its releases lie there too, and machines that install it write all but
// its sessions.
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

// redirectsServer: a Service, or what says where one leads.
func (c *PreparedRequest) redirectsServer() bool {
	return c.isKind(serviceKind(), schema.GroupKind{Kind: "Endpoints"}, schema.GroupKind{Group: "discovery.k8s.io", Kind: "EndpointSlice"})
}

// keepsSecret: a Secret that is not one of Helm's records of its releases is written.
func (c *PreparedRequest) keepsSecret() bool {
	return c.isKind(secretKind()) && !helmRelease(c.new) && !sameBody(c.new, c.old)
}

// leadsElsewhere: a Service, or what says where one leads, is made or changed.
func (c *PreparedRequest) leadsElsewhere() bool {
	return c.redirectsServer() && (!sameBody(c.new, c.old) || !maps.Equal(leading(c.new), leading(c.old)))
}

// unlistedOutsider: a machine of a namespace that is neither production nor shared, and that nobody has listed.
func (c *PreparedRequest) unlistedOutsider() bool {
	if c.requester.Account == "" || c.requester.Listed() {
		return false
	}
	home := c.est.NamespaceOrName(c.requester.AccountNamespace)
	return home.Unassigned() || home.Tier == v1alpha1.TierNonProduction
}

// joinsService: a workload of Firebreak's own namespace that its Service would send to, and did not before. Firebreak's own
// Deployment is never judged.
func (c *PreparedRequest) joinsService() bool {
	const label, name = "app.kubernetes.io/name", "firebreak"
	stands := func(o *object) bool { return o != nil && o.work != nil && o.work.Template.Labels[label] == name }
	return stands(c.new) && !stands(c.old)
}

// leading are the labels that may say where something leads: all but those that say by which chart it was installed.
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

// changesSpec: creation adds a kind and takes nothing away.
func (c *PreparedRequest) changesSpec() bool {
	if c.req.Operation != Update {
		return c.req.Operation == Delete
	}
	// The garbage collector deletes what names an owner that is not there.
	return !sameBody(c.new, c.old) || !reflect.DeepEqual(c.new.meta.OwnerReferences, c.old.meta.OwnerReferences)
}

// definitionGrows: an upgrade that brings further fields or other words takes nothing away.
func (c *PreparedRequest) definitionGrows() bool {
	return c.req.Operation == Update && boundary.OnlyGrows(c.old.generic(), c.new.generic()) &&
		reflect.DeepEqual(c.new.meta.OwnerReferences, c.old.meta.OwnerReferences)
}

func (c *PreparedRequest) ownWeakenings() []string {
	o := &c.own
	switch {
	case o.environment != nil || o.oldEnvironment != nil:
		return boundary.WeakensEnvironment(o.oldEnvironment, o.environment, c.est)
	case o.store != nil || o.oldStore != nil:
		return boundary.WeakensDataStore(o.oldStore, o.store, c.est)
	}
	return o.standingWeakenings()
}

// ownBoundary names the Production environment that a change of the boundary is about; empty: none in particular.
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

// namespaceWeakenings: labels that change membership where Production is on either side, also through the status and
// finalize subresources, and the creation of a namespace that a pattern makes Production.
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

// nodeWeakenings: labels and taints by which a node is in the scheduling pool of a Production environment.
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

// bringsUp reports whether a node joins a pool by what brings nodes up: whom the environment lists for that, or one of its
// operators as long as the node is not in service yet.
func (c *PreparedRequest) bringsUp(e *estate.Environment, before, after *corev1.Node) bool {
	if c.requester.impersonated() || pool(e, before) != pool(e, &corev1.Node{}) || pool(e, after) == pool(e, &corev1.Node{}) {
		return false
	}
	return e.Provisions(c.requester.Username) || c.requester.Operator[e.Name] && (c.old == nil || startsUp(before))
}

// startsUp: a taint says that the node is not registered or initialised yet, so nothing runs there.
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
		_ = kjson.UnmarshalCaseSensitivePreserveInts(o.raw, n) // what cannot be read has no labels
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
