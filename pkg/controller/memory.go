package controller

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/go-logr/logr"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Settings are what a cluster's Firebreak is told when it starts.
type Settings struct {
	// Cluster is the cluster's own name.
	Cluster string
	// DefaultEnvironment of namespaces that none claims; empty: they are unassigned.
	DefaultEnvironment string
	// Namespace and ServiceAccount that Firebreak itself runs in and as.
	Namespace, ServiceAccount string
	// ReadSecrets: Secrets are read like ConfigMaps, so that what they name is known of the workloads that use them.
	ReadSecrets bool
	// Remembered is how many bytes may be remembered of all ConfigMaps, and as many of all Secrets. What goes beyond is read by the
	// request that uses it. 0: without a bound, for tests.
	Remembered int64
}

// Memory is what the webhook knows without asking. It is ready once everything has been read once.
type Memory struct {
	settings Settings
	log      logr.Logger
	clock    func() time.Time

	environments *mirror[v1alpha1.Environment]
	stores       *mirror[v1alpha1.DataStore]
	exemptions   *mirror[v1alpha1.Exemption]
	freezes      *mirror[v1alpha1.ChangeFreeze]
	namespaces   *mirror[map[string]string]
	services     *mirror[estate.Service]
	volumes      *mirror[estate.Volume]
	nodes        *mirror[estate.Node]
	priorities   *mirror[estate.PriorityClass]
	autoscalers  *mirror[view.Workload]
	pods         *mirror[tenant]
	configMaps   *mirror[reference.Contents]
	// secrets is nil unless Firebreak was told to read them.
	secrets    *mirror[reference.Contents]
	roles      []*mirror[policy.Role] // Roles, then ClusterRoles
	bindings   []*mirror[binding]
	accounts   *mirror[string]
	owners     []*mirror[owner]
	executions *mirror[v1alpha1.ChangeExecution]
	// held are claims, then stateful sets.
	held []*mirror[held]

	peaks view.Peaks
	dirty chan struct{}
	est   atomic.Pointer[estate.Estate]
	// seen tells the marker of objects that exist; it never blocks a request. awaited are the UIDs that it waits for:
	// almost no review is about one.
	seen     chan types.UID
	awaited  atomic.Pointer[map[types.UID]struct{}]
	watchers struct {
		sync.Mutex
		f []func(*estate.Estate)
	}
}

// owner is what is kept of an object that may own Pods: who it is, and what matters of its template.
type owner struct {
	uid  types.UID
	kind string
	policy.Parent
}

// World implements the webhook's memory.
func (m *Memory) World() (*policy.World, bool) {
	e := m.est.Load()
	if e == nil || !m.Synced() {
		return nil, false
	}
	w := &policy.World{
		Estate:        e,
		ConfigMaps:    m.configMap,
		Roles:         m.role,
		ClusterRoles:  m.roles[1].all,
		Bindings:      m.bound,
		BindingsOf:    m.bindingsOf,
		Tenants:       m.tenants,
		PodAt:         m.podAt,
		Owners:        m.owner,
		Parents:       m.parent,
		Peaks:         m.peak,
		Running:       m.running,
		ControllerUID: m.controllerUID,
		Freezes:       func() []v1alpha1.ChangeFreeze { return values(m.freezes) },
		Owned:         m.owned,
		Claim:         m.claim,
	}
	if m.secrets != nil {
		w.Secrets = m.secret
	}
	return w, true
}

// Estate returns the present estate; nil before it was compiled for the first time.
func (m *Memory) Estate() *estate.Estate { return m.est.Load() }

func (m *Memory) configMap(namespace, name string) (reference.Contents, bool) {
	return m.configMaps.get(namespace + "/" + name)
}

func (m *Memory) owner(namespace string, ref metav1.OwnerReference) (policy.Parent, bool) {
	for _, o := range m.owners {
		if v, ok := o.get(namespace + "/" + ref.Name); ok && v.uid == ref.UID && v.kind == ref.Kind {
			return v.Parent, true
		}
	}
	return policy.Parent{}, false
}

func (m *Memory) controllerUID(name string) (string, bool) {
	return m.accounts.get(metav1.NamespaceSystem + "/" + name)
}

func (m *Memory) parent(namespace, kind, name string) (policy.Parent, bool) {
	for _, o := range m.owners {
		if v, ok := o.get(namespace + "/" + name); ok && v.kind == kind {
			return v.Parent, true
		}
	}
	return policy.Parent{}, false
}

func (m *Memory) peak(namespace, kind, name string) int64 {
	return m.peaks.Of(view.Workload{namespace, kind, name}, m.clock())
}

// running counts what the workloads of a namespace ask for whose Pods a selector matches; what a Deployment makes is counted
// with it. It looks at every workload: it is asked when a disruption budget is written.
func (m *Memory) running(namespace string, sel labels.Selector) int64 {
	var n int64
	for _, o := range m.owners {
		o.eachKey(func(key string, v owner) {
			if strings.HasPrefix(key, namespace+"/") && v.kind != "ReplicaSet" && sel.Matches(labels.Set(v.Labels)) {
				n += v.Replicas
			}
		})
	}
	return n
}

// Remember keeps the UID of a service account of kube-system that was read live.
func (m *Memory) Remember(name, uid string) { m.accounts.set(metav1.NamespaceSystem+"/"+name, uid) }

// Synced reports whether everything has been read once.
func (m *Memory) Synced() bool {
	for _, s := range m.mirrors() {
		if !slices.Contains(m.later(), s) && !s.synced() {
			return false
		}
	}
	return m.est.Load() != nil
}

// later are the mirrors without which requests are judged all the same: a chart from before gives no right to read these. Pods are
// then judged by the priority that they carry, and autoscalers by what runs now.
func (m *Memory) later() []syncer { return []syncer{m.priorities, m.autoscalers} }

type syncer interface {
	synced() bool
	Start(context.Context) error
	NeedLeaderElection() bool
}

func (m *Memory) mirrors() []syncer {
	out := []syncer{m.environments, m.stores, m.exemptions, m.freezes, m.namespaces, m.services, m.volumes, m.nodes, m.priorities, m.autoscalers, m.pods, m.configMaps, m.accounts, m.executions}
	if m.secrets != nil {
		out = append(out, m.secrets)
	}
	for _, r := range m.roles {
		out = append(out, r)
	}
	for _, b := range m.bindings {
		out = append(out, b)
	}
	for _, o := range m.owners {
		out = append(out, o)
	}
	for _, h := range m.held {
		out = append(out, h)
	}
	return out
}

// OnEstate calls f after every change of the estate.
func (m *Memory) OnEstate(f func(*estate.Estate)) {
	m.watchers.Lock()
	defer m.watchers.Unlock()
	m.watchers.f = append(m.watchers.f, f)
}

func (m *Memory) touch() {
	select {
	case m.dirty <- struct{}{}:
	default: // a rebuild is due already
	}
}

// await gathers the UIDs of pending reservations, whenever an execution has changed.
func (m *Memory) await() {
	uids := map[types.UID]struct{}{}
	m.executions.each(func(x v1alpha1.ChangeExecution) {
		if pending(&x) {
			uids[x.Spec.Object.UID] = struct{}{}
		}
	})
	m.awaited.Store(&uids)
}

// settle is how long changes are gathered before the estate is compiled again.
const settle = 25 * time.Millisecond

// Start compiles the estate whenever something in it changed, off the request path.
func (m *Memory) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.dirty:
		}
		if !m.readable() {
			continue
		}
		m.compile()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica needs the estate.
func (m *Memory) NeedLeaderElection() bool { return false }

// readable: an estate compiled before everything in it was read would forget production.
func (m *Memory) readable() bool {
	for _, s := range []syncer{m.environments, m.stores, m.exemptions, m.namespaces, m.services, m.volumes, m.nodes} {
		if !s.synced() {
			return false
		}
	}
	return true
}

func (m *Memory) compile() {
	e := estate.Compile(estate.Input{
		Environments:       values(m.environments),
		DataStores:         values(m.stores),
		Exemptions:         values(m.exemptions),
		Namespaces:         m.namespaces.all(),
		Services:           m.services.all(),
		Volumes:            m.volumes.all(),
		Nodes:              m.nodes.all(),
		Priorities:         m.priorities.all(),
		Cluster:            m.settings.Cluster,
		DefaultEnvironment: m.settings.DefaultEnvironment,
		FirebreakNamespace: m.settings.Namespace,
		FirebreakAccount:   m.settings.ServiceAccount,
	})
	m.est.Store(e)
	m.watchers.Lock()
	defer m.watchers.Unlock()
	for _, f := range m.watchers.f {
		f(e)
	}
}

func values[T any](m *mirror[T]) []T {
	all := m.all()
	out := make([]T, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[k])
	}
	return out
}

// Seen notes that an object exists. It never blocks: what is not noted now is noted by the watch.
func (m *Memory) Seen(uid types.UID) {
	awaited := m.awaited.Load()
	if awaited == nil {
		return
	}
	if _, ok := (*awaited)[uid]; !ok {
		return
	}
	select {
	case m.seen <- uid:
	default:
	}
}

// Runnables returns what must run for the memory to stay true.
func (m *Memory) Runnables() []manager.Runnable {
	out := []manager.Runnable{m}
	for _, s := range m.mirrors() {
		out = append(out, s)
	}
	return out
}
