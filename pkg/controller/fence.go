package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/fence"
)

// FenceBuilder keeps the fence as the estate has it: policies inside the API server that hold the boundary while no replica answers. A ConfigMap of
// names is written before a binding names it, and deleted after.
type FenceBuilder struct {
	memory *Cache
	client client.Client
	// windows reads windows and approvals from caches.
	windows client.Reader
	mode    fence.Mode
	log     logr.Logger
	every   time.Duration
	left    prometheus.Gauge

	// applied is what was written last, by kind and name; checked is when all of it was last looked at, and origin what it was made of. gone is what
	// was taken away: nobody but this replica writes it.
	applied map[string]written
	origin  origin
	gone    map[string]bool
	checked time.Time
	// owner is what all of it belongs to.
	owner metav1.OwnerReference
	// aliveUntil is what the ConfigMaps say.
	aliveUntil time.Time
}

// written is an object as it was written: the digest of what was sent, and the version that was stored.
type written struct{ digest, version string }

const (
	// fenceOwner owns the fields of the fence.
	fenceOwner = "firebreak-fence"
	// aliveFor is how long the fence leaves requests to Firebreak after it last said that it is there, and renewEvery how often it says so.
	aliveFor, renewEvery = 5 * time.Minute, 2 * time.Minute
	// recheck is how often it is looked whether somebody has changed the fence.
	recheck = 10 * time.Second
)

// NewFenceBuilder returns the builder for the leading replica, and registers its metric. c must not read from a cache; windows reads from one.
func NewFenceBuilder(m *Cache, c client.Client, windows client.Reader, mode fence.Mode, r prometheus.Registerer, log logr.Logger) *FenceBuilder {
	b := &FenceBuilder{
		memory: m, client: c, windows: windows, mode: mode, log: log, every: 2 * time.Second, applied: map[string]written{}, gone: map[string]bool{},
		left: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "firebreak", Name: "fence_names_left_out", Help: "Names of production's data stores that do not fit into the fence. The leading replica reports it.",
		}),
	}
	r.MustRegister(b.left)
	return b
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*FenceBuilder) NeedLeaderElection() bool { return true }

// Start builds until the context ends.
func (b *FenceBuilder) Start(ctx context.Context) error {
	b.memory.onceSynced(ctx, b.every, b.once, func(err error) { b.log.Error(err, "could not build the fence") })
	return nil
}

func (b *FenceBuilder) once(ctx context.Context) error {
	if b.mode == fence.Off {
		return b.remove(ctx, nil)
	}
	now := b.memory.clock()
	if b.aliveUntil.Sub(now) < aliveFor-renewEvery {
		b.aliveUntil = now.Add(aliveFor).Truncate(time.Second)
	}
	in, err := b.input(ctx)
	if err != nil {
		return err
	}
	looks := now.Sub(b.checked) >= recheck
	if looks {
		if err := b.look(ctx); err != nil {
			return err
		}
	}
	// To gather 100,000 names costs tenths of a second, and most of the time nothing has changed.
	if from := originOf(&in); looks || !from.same(&b.origin) {
		if err := b.build(ctx, in); err != nil {
			b.origin = origin{} // it is tried again
			return err
		}
		b.origin, b.checked = from, now
	}
	return nil
}

// look forgets what was written of policies and bindings, which others may change, and of ConfigMaps that are not as they were written.
func (b *FenceBuilder) look(ctx context.Context) error {
	var err error
	if b.owner, err = serverOwner(ctx, b.client); err != nil {
		return err
	}
	for key, w := range b.applied {
		name, isMap := strings.CutPrefix(key, "ConfigMap/")
		if !isMap {
			delete(b.applied, key)
			continue
		}
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
		err := b.client.Get(ctx, client.ObjectKey{Namespace: b.memory.settings.Namespace, Name: name}, o)
		switch {
		case apierrors.IsNotFound(err) || err == nil && o.ResourceVersion != w.version:
			delete(b.applied, key)
		case err != nil:
			return fmt.Errorf("look at what the fence knows: %w", err)
		}
	}
	return nil
}

// build makes the fence of what is known, and writes what is not as it was written last.
func (b *FenceBuilder) build(ctx context.Context, in fence.Input) error {
	in.Stores = b.memory.view.Stores.Values()
	slices.SortFunc(in.Stores, func(x, y v1alpha1.DataStore) int { return strings.Compare(x.Name, y.Name) }) // the last of two that list a name counts
	configMaps, left := fence.ConfigMaps(in)
	b.left.Set(float64(left))
	policies, err := fence.Policies(in)
	if err != nil {
		return err
	}
	return b.write(ctx, policies, configMaps, in.Estate.FirebreakNamespace)
}

// origin identifies what the fence was made of.
type origin struct {
	estate *estate.Estate
	alive  time.Time
	// windows are those that are open or will be, with when.
	windows []string
}

func originOf(in *fence.Input) origin {
	out := origin{estate: in.Estate, alive: in.AliveUntil}
	for i := range in.Windows {
		w := &in.Windows[i]
		out.windows = append(out.windows, fmt.Sprint(w.UID, w.Status.OpensAt, w.Status.ClosesAt))
	}
	slices.Sort(out.windows)
	return out
}

func (s origin) same(o *origin) bool {
	return s.estate == o.estate && s.alive.Equal(o.alive) && slices.Equal(s.windows, o.windows)
}

// write writes policies and ConfigMaps, then the bindings that put them in force, and takes away what is too much. ConfigMaps of higher numbers come
// first: where names move among more of them, they leave the lower ones last.
func (b *FenceBuilder) write(ctx context.Context, policies []*unstructured.Unstructured, configMaps map[string]*corev1.ConfigMap, namespace string) error {
	var errs []error
	for _, p := range policies {
		errs = append(errs, b.apply(ctx, p)) // what the ConfigMaps say, such as until when Firebreak is there, is written all the same
	}
	names := slices.Sorted(maps.Keys(configMaps))
	slices.Reverse(names)
	for _, name := range names {
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(configMaps[name])
		if err != nil {
			return fmt.Errorf("encode the fence: %w", err)
		}
		unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
		err = b.apply(ctx, &unstructured.Unstructured{Object: object})
		if err == nil {
			err = b.apply(ctx, fence.Bindings(namespace, []string{name})[0])
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return b.remove(ctx, names)
}

// input gathers what the fence is made of.
func (b *FenceBuilder) input(ctx context.Context) (fence.Input, error) {
	est := b.memory.Estate()
	in := fence.Input{Estate: est, Mode: b.mode, AliveUntil: b.aliveUntil}
	var windows v1alpha1.ChangeWindowList
	if err := b.windows.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return in, fmt.Errorf("list change windows: %w", err)
	}
	for i := range windows.Items {
		if w := &windows.Items[i]; opensSoon(w, est) {
			in.Windows = append(in.Windows, *w)
		}
	}
	slices.SortFunc(in.Windows, func(x, y v1alpha1.ChangeWindow) int {
		return strings.Compare(x.Namespace+"/"+x.Name, y.Namespace+"/"+y.Name)
	}) // a cache lists in any order
	return in, nil
}

// opensSoon reports whether a window is approved, and open now or later, by its status: the fence holds while nobody can count approvals.
func opensSoon(w *v1alpha1.ChangeWindow, e *estate.Estate) bool {
	return w.DeletionTimestamp == nil && w.Status.Digest == change.WindowDigest(&w.Spec) &&
		(w.Status.Phase == v1alpha1.WindowApproved || w.Status.Phase == v1alpha1.WindowOpen) &&
		(len(w.Spec.Scope.Clusters) == 0 || slices.Contains(w.Spec.Scope.Clusters, e.Cluster))
}

// serverRole is the ClusterRole that the chart makes for Firebreak.
const serverRole = "firebreak"

// serverOwner returns the owner of what Firebreak makes for itself, which is the ClusterRole that gives the right to write it: whoever uninstalls
// Firebreak is rid of it.
func serverOwner(ctx context.Context, c client.Reader) (metav1.OwnerReference, error) {
	return ownerOf(ctx, c, serverRole)
}

// ownerOf returns a ClusterRole as an owner.
func ownerOf(ctx context.Context, c client.Reader, name string) (metav1.OwnerReference, error) {
	var role rbacv1.ClusterRole
	if err := c.Get(ctx, client.ObjectKey{Name: name}, &role); err != nil {
		return metav1.OwnerReference{}, fmt.Errorf("look at ClusterRole %q: %w", name, err)
	}
	return metav1.OwnerReference{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: role.Name, UID: role.UID}, nil
}

// apply writes an object, unless it was written like this of late. What somebody has added to a policy or binding, such as a condition under which it
// does not hold, is taken out again.
func (b *FenceBuilder) apply(ctx context.Context, o *unstructured.Unstructured) error {
	o.SetOwnerReferences([]metav1.OwnerReference{b.owner})
	key, raw := o.GetKind()+"/"+o.GetName(), change.SpecDigest(o.Object)
	if b.applied[key].digest == raw {
		return nil
	}
	stored := o.DeepCopy()
	if err := b.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(stored), client.FieldOwner(fenceOwner), client.ForceOwnership); err != nil {
		return fmt.Errorf("write %s %q of the fence: %w", o.GetKind(), o.GetName(), err)
	}
	if fence.Altered(o, stored) {
		b.log.Info("somebody has changed the fence; it is put back", "kind", o.GetKind(), "name", o.GetName())
		spec, err := json.Marshal([]map[string]any{{"op": "replace", "path": "/spec", "value": o.Object["spec"]}})
		if err != nil {
			return fmt.Errorf("encode the fence: %w", err)
		}
		if err := b.client.Patch(ctx, stored, client.RawPatch(types.JSONPatchType, spec)); err != nil {
			return fmt.Errorf("put %s %q of the fence back: %w", o.GetKind(), o.GetName(), err)
		}
	}
	b.applied[key] = written{raw, stored.GetResourceVersion()}
	delete(b.gone, fmt.Sprintf("%s/%s", o.GetKind(), o.GetName()))
	return nil
}

// remove deletes the bindings and ConfigMaps that are not wanted, bindings first, and, if none is wanted, the policies.
func (b *FenceBuilder) remove(ctx context.Context, wanted []string) error {
	names := []string{fence.Members, fence.Jobs}
	for i := range fence.MaxShards {
		names = append(names, fence.Shard(i))
	}
	var unwanted []client.Object
	var configMaps []client.Object
	for _, name := range names {
		if slices.Contains(wanted, name) {
			continue
		}
		meta := metav1.ObjectMeta{Name: name}
		unwanted = append(unwanted, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta})
		meta.Namespace = b.memory.settings.Namespace
		configMaps = append(configMaps, &corev1.ConfigMap{ObjectMeta: meta})
	}
	if len(wanted) == 0 {
		for _, name := range []string{fence.Hosts, fence.Members, fence.Jobs} {
			unwanted = append(unwanted, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
	}
	for _, o := range append(unwanted, configMaps...) {
		kind := fmt.Sprintf("%T", o)
		key := kind[strings.LastIndexByte(kind, '.')+1:] + "/" + o.GetName()
		if b.gone[key] {
			continue
		}
		if err := b.client.Delete(ctx, o); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("take %s of the fence away: %w", o.GetName(), err)
		}
		b.gone[key] = true
	}
	return nil
}
