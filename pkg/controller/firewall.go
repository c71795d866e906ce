package controller

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// Firewall writes the network policies of the estate, in the leading replica. Each namespace is reconciled by itself.
//
// Its writes pass the webhook like those of any requester. It touches no policy that it has not made; one that has the name of a planned one
// is reported. Every policy belongs to the ClusterRole that gives the right to write it: where the chart no longer has that role, Kubernetes'
// garbage collector deletes the policies, when nobody with the right is left.
type Firewall struct {
	memory *Cache
	client client.Client
	known  client.Reader
	events record.EventRecorder
	log    logr.Logger
	// role is the ClusterRole that the policies belong to.
	role string
	// pods are the ranges of Pods; if there are none, those of the nodes count.
	pods  []netip.Prefix
	state *FirewallState
	// plans limits how often a plan is made, writes how many bytes a second are written.
	plans, writes *rate.Limiter
	healed        prometheus.Counter

	mu   sync.Mutex
	plan *firewall.Plan
	// from is what the plan was made from.
	from firewall.Input
	// owner is the reference to the role.
	owner metav1.OwnerReference
	// timer causes the next plan, if nothing else does.
	timer *time.Timer
	// cilium are the firewall's policies of Cilium, as they were last seen, by namespace and name; nil: the kind is not served.
	cilium map[string]map[string]seenNames
	// written are the digests of the policies as they were written, by namespace/name: another digest is somebody else's doing.
	written map[string]string
}

// firewalled names a namespace whose policies are looked at.
type firewalled struct{ namespace string }

const (
	// firewaller is the field manager of the policies.
	firewaller = "firebreak-firewall"
	// replan is how often the addresses of the API server are looked at, and whether gateways have expired.
	replan = 30 * time.Second
	// firewallBytes is how many bytes of policies are written a second: what is replaced stays in the store for five minutes, and all that is
	// written in this time is far less than the 2 GiB that a store holds.
	firewallBytes = 1 << 20
	// refusedAgain is after what time a write is tried again that admission has refused: a person must do something first.
	refusedAgain = 5 * time.Minute
)

// NewFirewall returns the reconciler. c must not read from a cache. role is the ClusterRole that the policies belong to; pods may be empty.
func NewFirewall(m *Cache, c client.Client, role string, pods []netip.Prefix, events record.EventRecorder, r prometheus.Registerer, log logr.Logger) *Firewall {
	f := &Firewall{
		memory: m, client: c, events: events, log: log, role: role, pods: pods, state: newFirewallState(r), written: map[string]string{},
		plans: rate.NewLimiter(rate.Every(time.Second), 1), writes: rate.NewLimiter(firewallBytes, 4*firewallBytes),
		healed: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "firebreak", Name: "firewall_healed_total",
			Help: "Network policies of the firewall that were put back because somebody had deleted or changed them. The leading replica reports it.",
		}),
	}
	r.MustRegister(f.healed)
	return f
}

// State returns what is known of the firewall, for statuses.
func (f *Firewall) State() *FirewallState { return f.state }

// SetupWithManager adds the reconciler.
func (f *Firewall) SetupWithManager(mgr manager.Manager) error {
	f.known = mgr.GetCache()
	t := &trigger[firewalled]{}
	t.everything = func(ctx context.Context) ([]firewalled, error) { return f.everything(ctx, t.all) }
	f.memory.OnEstate(func(*estate.Estate, []string) { t.all() })
	return addReconciler(mgr, "firewall", f, t, source.TypedKind(mgr.GetCache(), &networkingv1.NetworkPolicy{},
		handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, p *networkingv1.NetworkPolicy) []firewalled {
			return []firewalled{{p.Namespace}}
		})))
}

// everything makes a new plan, and returns all namespaces that have a policy or are to have one. again is called when the next plan is due.
func (f *Firewall) everything(ctx context.Context, again func()) ([]firewalled, error) {
	if err := f.plans.Wait(ctx); err != nil {
		return nil, fmt.Errorf("wait to plan the firewall: %w", err)
	}
	est := f.memory.Estate()
	if est == nil || !f.memory.Synced() {
		return nil, fmt.Errorf("the cluster is not known yet")
	}
	var slicesOfServer discoveryv1.EndpointSliceList
	if err := f.client.List(ctx, &slicesOfServer, client.InNamespace(firewall.APIServerNamespace), client.MatchingLabels{discoveryv1.LabelServiceName: firewall.APIServerService}); err != nil {
		return nil, fmt.Errorf("list the endpoints of the API server: %w", err)
	}
	obstacles, err := f.findOwner(ctx)
	if err != nil {
		return nil, err
	}
	now := f.memory.clock()
	cilium, err := f.lookAtCilium(ctx)
	if err != nil {
		return nil, err
	}
	plan, same := f.compile(firewall.Input{Estate: est, At: now, APIServers: firewall.APIServers(est, slicesOfServer.Items), Pods: f.pods, Cilium: cilium})
	f.wake(until(now, replan, plan.Expires()), again)
	var notes []string
	if n, pod, address := f.memory.view.StrayPod(plan.Stray); n > 0 {
		notes = append(notes, plan.StrayPods(n, pod, address))
	}
	if f.state.planned(plan, slices.Concat(plan.Obstacles(), obstacles), notes) {
		f.log.Info("the firewall is planned", "obstacles", f.state.obstacles(), "notes", append(plan.Notes(), notes...), "bytes", plan.Bytes())
	}
	if len(f.state.obstacles()) > 0 {
		return nil, nil
	}
	if !same {
		f.forget(plan)
	}
	all, err := f.concerned(ctx, plan)
	if same { // what was refused is refused again, until a person has done something
		all = slices.DeleteFunc(all, func(w firewalled) bool { return f.state.refused(w.namespace) })
	}
	return all, err
}

// compile makes a plan, or returns the last one, and true, if nothing has changed that a plan is made from.
func (f *Firewall) compile(in firewall.Input) (plan *firewall.Plan, same bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.expires(); f.plan != nil && f.from.Estate == in.Estate && f.from.Cilium == in.Cilium && slices.Equal(f.from.APIServers, in.APIServers) && (e.IsZero() || in.At.Before(e)) {
		return f.plan, true
	}
	f.plan, f.from = firewall.Compile(in), in
	return f.plan, false
}

func (f *Firewall) expires() time.Time {
	if f.plan == nil {
		return time.Time{}
	}
	return f.plan.Expires()
}

// concerned returns the namespaces that have policies or are to have some, sorted.
func (f *Firewall) concerned(ctx context.Context, plan *firewall.Plan) ([]firewalled, error) {
	var stored networkingv1.NetworkPolicyList
	if err := f.known.List(ctx, &stored, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the policies of the firewall: %w", err)
	}
	var out []firewalled
	for i := range stored.Items {
		out = append(out, firewalled{stored.Items[i].Namespace})
	}
	for _, ns := range plan.Namespaces() {
		out = append(out, firewalled{ns})
	}
	f.mu.Lock()
	for namespace := range f.cilium {
		out = append(out, firewalled{namespace})
	}
	f.mu.Unlock()
	slices.SortFunc(out, func(a, b firewalled) int { return strings.Compare(a.namespace, b.namespace) })
	return slices.Compact(out), nil
}

// findOwner reads the ClusterRole that the policies belong to, and returns an obstacle if it is not there.
func (f *Firewall) findOwner(ctx context.Context) ([]string, error) {
	var role rbacv1.ClusterRole
	err := f.client.Get(ctx, client.ObjectKey{Name: f.role}, &role)
	switch {
	case apierrors.IsNotFound(err) || err == nil && role.DeletionTimestamp != nil:
		return []string{fmt.Sprintf("ClusterRole %q, to which the policies belong, is not there; firewall.reconcile of the chart makes it.", f.role)}, nil
	case err != nil:
		return nil, fmt.Errorf("read ClusterRole %q: %w", f.role, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owner = metav1.OwnerReference{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: role.Name, UID: role.UID}
	return nil, nil
}

// wake causes the next plan after a time.
func (f *Firewall) wake(after time.Duration, again func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
	}
	f.timer = time.AfterFunc(after, again)
}

func (f *Firewall) present() (*firewall.Plan, metav1.OwnerReference) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.plan, f.owner
}

// Reconcile implements reconcile.TypedReconciler: it makes the policies of one namespace those of the plan.
func (f *Firewall) Reconcile(ctx context.Context, what firewalled) (reconcile.Result, error) {
	plan, owner := f.present()
	if plan == nil || len(f.state.obstacles()) > 0 {
		return reconcile.Result{}, nil // the next plan causes all to be looked at again
	}
	why, err := f.settle(ctx, plan, owner, what.namespace)
	if err != nil {
		f.state.failed(what.namespace, err)
		return reconcile.Result{}, err
	}
	if f.state.looked(what.namespace, why) && why.reason != "" {
		f.tell(what.namespace, why)
	}
	if why.reason != "" {
		return reconcile.Result{RequeueAfter: refusedAgain}, nil
	}
	return reconcile.Result{}, nil
}

// settle writes what is not as planned and deletes what is not planned, and returns the last obstacle that it meets.
func (f *Firewall) settle(ctx context.Context, plan *firewall.Plan, owner metav1.OwnerReference, namespace string) (obstacle, error) {
	var stored networkingv1.NetworkPolicyList
	if err := f.known.List(ctx, &stored, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return obstacle{}, fmt.Errorf("list the policies of namespace %q: %w", namespace, err)
	}
	have := map[string]*networkingv1.NetworkPolicy{}
	for i := range stored.Items {
		have[stored.Items[i].Name] = &stored.Items[i]
	}
	var last obstacle
	for _, want := range plan.Planned(namespace) {
		s := have[want.Name]
		delete(have, want.Name)
		if s != nil && asPlanned(s, want, owner) {
			f.note(client.ObjectKeyFromObject(want.NetworkPolicy), want.Digest)
			continue
		}
		why, err := f.write(ctx, want, owner)
		if err != nil {
			return obstacle{}, err
		}
		last = cmp.Or(why, last)
	}
	for _, s := range have {
		why, err := f.remove(ctx, s)
		if err != nil {
			return obstacle{}, err
		}
		last = cmp.Or(why, last)
	}
	why, err := f.settleNames(ctx, plan, owner, namespace)
	return cmp.Or(why, last), err
}
