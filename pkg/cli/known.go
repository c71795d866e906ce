package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// snapshot is what check knows about a cluster, from files or from the cluster itself.
type snapshot struct {
	view  *policy.ClusterView
	state *change.State
	// built is what the view is made from, at its instant. anyController is true if every controller's account is taken for the genuine one.
	built         *view.View
	at            time.Time
	anyController bool
	// objects are the objects by kind, namespace and name, as JSON.
	objects map[string][]byte
	// stored are all objects that were read.
	stored []*unstructured.Unstructured
	// unreadable is told of objects that cannot be read, which are then left out; nil: none may be.
	unreadable func(*unstructured.Unstructured, error)
	// unread are the kinds that the user of the command may not list.
	unread []string
	// roles are the roles among the objects to check, by namespace and name.
	roles map[string]policy.Role
	// labels are those of the namespaces among the objects to check.
	labels map[string]map[string]string
	// accounts are the service accounts that are bound to a role.
	accounts map[types.NamespacedName]bool
	// defined are the custom kinds whose definitions are among the objects read.
	defined map[schema.GroupKind]defined
	// self is the user that runs the command. It is nil offline.
	self *authenticationv1.UserInfo
	// namespace is the namespace of objects that name none.
	namespace string
	// large reads again the ConfigMaps and Secrets that are too large to be remembered.
	large map[large]func(known func(reference.Target) bool) reference.Contents
	// cluster returns the objects before an update. It is nil offline.
	cluster client.Client
	ctx     context.Context
}

// large names a ConfigMap or Secret of a namespace.
type large struct {
	reference.Via
	namespace string
}

func newSnapshot(ctx context.Context) *snapshot {
	return &snapshot{objects: map[string][]byte{}, labels: map[string]map[string]string{}, defined: map[schema.GroupKind]defined{}, accounts: map[types.NamespacedName]bool{}, large: map[large]func(func(reference.Target) bool) reference.Contents{}, namespace: metav1.NamespaceDefault, ctx: ctx}
}

func (e *env) snapshot(ctx context.Context, o *checkOptions, at time.Time) (*snapshot, error) {
	k := newSnapshot(ctx)
	var objects []*unstructured.Unstructured
	if len(o.with) > 0 {
		var err error
		if objects, err = e.given(o.with); err != nil {
			return nil, err
		}
	} else {
		var err error
		if objects, err = e.fetch(ctx, k, o); err != nil {
			return nil, err
		}
	}
	if len(o.asIf) > 0 {
		declared, err := e.given(o.asIf)
		if err != nil {
			return nil, err
		}
		objects = instead(objects, declared)
	}
	return k, k.compile(objects, o, at)
}

// instead returns objects with those that are declared in place of what has their kinds and names.
func instead(objects, declared []*unstructured.Unstructured) []*unstructured.Unstructured {
	key := func(u *unstructured.Unstructured) string {
		return objectKey(u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName())
	}
	replaced := map[string]bool{}
	for _, u := range declared {
		replaced[key(u)] = true
	}
	return append(slices.DeleteFunc(objects, func(u *unstructured.Unstructured) bool { return replaced[key(u)] }), declared...)
}

// given reads the estate and the change state from files: manifests, what the chart renders, and its values.
func (e *env) given(with []string) ([]*unstructured.Unstructured, error) {
	docs, err := readAll(with, e.In)
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	var values map[string]any
	for _, d := range docs {
		switch {
		case d.Values != nil:
			values = over(values, d.Values)
			continue
		case d.Err != nil:
			// An estate that is read in part would admit what the whole estate denies.
			return nil, fmt.Errorf("--with %s, document %d: %w; give manifests, or values of the chart that declare environments", d.File, d.Index, d.Err)
		}
		if err := strictly(d.Object); err != nil {
			return nil, fmt.Errorf("--with %s, document %d: %w", d.File, d.Index, err)
		}
		more, err := declaredIn(d.Object)
		if err != nil {
			return nil, fmt.Errorf("--with %s, document %d: %w", d.File, d.Index, err)
		}
		out = append(append(out, d.Object), more...)
	}
	if values != nil {
		more, err := declaredBy(values)
		for i := 0; i < len(more) && err == nil; i++ {
			err = strictly(more[i]) // a misspelt field would declare less than it seems to
		}
		if err != nil {
			return nil, fmt.Errorf("--with: %w", err)
		}
		out = append(out, more...)
	}
	if !slices.ContainsFunc(out, func(u *unstructured.Unstructured) bool {
		return u.GroupVersionKind() == v1alpha1.GVK(v1alpha1.KindEnvironment)
	}) {
		fmt.Fprintln(e.ErrOut, "Warning: --with names no Environment, so there is no production, and nothing that could be denied")
	}
	return out, nil
}

// fetch reads the estate and the change state from the cluster.
func (e *env) fetch(ctx context.Context, k *snapshot, o *checkOptions) ([]*unstructured.Unstructured, error) {
	c, ns, err := e.client()
	if err != nil {
		return nil, err
	}
	k.namespace, k.cluster = ns, c
	if k.self, err = whoAmI(ctx, c); err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, kind := range kindsToRead(o) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := c.List(ctx, list, client.InNamespace(kind.namespace))
		switch {
		case apierrors.IsForbidden(err) && !needed(kind.GroupVersionKind):
			k.unread = append(k.unread, kind.Kind)
			continue
		case o.proposes() && kind.Group == v1alpha1.GroupName && (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)):
			continue // nothing is declared where Firebreak is not installed yet
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w; %sor give the estate with --with", strings.ToLower(kind.Kind), err, rightsFor(err, o.audit))
		}
		for i := range list.Items {
			out = append(out, &list.Items[i])
		}
	}
	if len(k.unread) > 0 && !o.audit {
		fmt.Fprintf(e.ErrOut, "Warning: you may not list objects of these kinds, so what rests on them is not judged as the cluster judges it: %s\n", strings.Join(k.unread, ", "))
	}
	return out, nil
}

// rightsFor says which roles let a user read what a command reads, if that is what they lack.
func rightsFor(err error, audit bool) string {
	switch {
	case !apierrors.IsForbidden(err):
		return ""
	case audit:
		return "the ClusterRole firebreak-doctor lets you, "
	}
	return "the ClusterRoles firebreak-estate-view and view let you, "
}

// readKind is a kind of objects to read, and the namespace to read it in.
type readKind struct {
	schema.GroupVersionKind
	namespace string
}

// kindsToRead returns the kinds that the server's view consists of, windows and approvals and, for an audit, the other kinds that
// it judges again.
func kindsToRead(o *checkOptions) []readKind {
	var out []readKind
	for _, kind := range viewOf(o, time.Now).Kinds() {
		namespace := kind.Namespace
		if o.audit && namespace == metav1.NamespaceSystem {
			namespace = metav1.NamespaceAll
		}
		out = append(out, readKind{kind.GroupVersionKind, namespace})
	}
	more := []schema.GroupVersionKind{v1alpha1.GVK(v1alpha1.KindChangeWindow), v1alpha1.GVK(v1alpha1.KindChangeApproval), v1alpha1.GVK(v1alpha1.KindChangeDelegation)}
	if o.audit {
		more = append(more, auditedKinds()...)
	}
	for _, gvk := range more {
		out = append(out, readKind{gvk, metav1.NamespaceAll})
	}
	return out
}

// whoAmI asks the cluster which user it sees.
func whoAmI(ctx context.Context, c client.Client) (*authenticationv1.UserInfo, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return nil, fmt.Errorf("ask the cluster who you are: %w", err)
	}
	return &review.Status.UserInfo, nil
}

// auditedKinds returns the kinds that an audit judges again and that the view does not need.
func auditedKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Version: "v1", Kind: "Endpoints"}, {Group: "batch", Version: "v1", Kind: "Job"}, {Group: "batch", Version: "v1", Kind: "CronJob"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, {Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	}
}

// needed reports whether check can judge nothing without objects of a kind. A user that may not list one of the other kinds still
// gets the rest of the answers.
func needed(gvk schema.GroupVersionKind) bool {
	return gvk.Group == v1alpha1.GroupName || gvk.Group == "" && slices.Contains([]string{"Namespace", "Service", "ConfigMap"}, gvk.Kind)
}

func rbac(kind string) schema.GroupVersionKind { return rbacv1.SchemeGroupVersion.WithKind(kind) }

func objectKey(gk schema.GroupKind, ns, name string) string {
	return gk.String() + "|" + ns + "|" + name
}

func (k *snapshot) keep(u *unstructured.Unstructured) error {
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return fmt.Errorf("encode %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	ns := u.GetNamespace()
	if u.GetKind() == "Namespace" {
		ns = u.GetName()
	}
	k.objects[objectKey(u.GroupVersionKind().GroupKind(), ns, u.GetName())] = raw
	return nil
}

func (k *snapshot) addOld(paths []string) error {
	docs, err := readAll(paths, nil)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if d.Err != nil {
			return fmt.Errorf("--old %s, document %d: %w", d.File, d.Index, d.Err)
		}
		if err := k.keep(d.Object); err != nil {
			return err
		}
	}
	return nil
}

// addRoles takes in the roles among the objects to check, since their bindings are mostly among these objects too.
func (k *snapshot) addRoles(docs []document, namespace string) {
	k.roles = map[string]policy.Role{}
	for _, d := range docs {
		if d.Object == nil || d.Object.GroupVersionKind().Group != rbacv1.GroupName || !strings.HasSuffix(d.Object.GetKind(), "Role") {
			continue
		}
		var r rbacv1.ClusterRole // a Role has the same rules
		if runtime.DefaultUnstructuredConverter.FromUnstructured(d.Object.Object, &r) == nil {
			if d.Object.GetKind() == "Role" {
				r.Namespace = cmp.Or(r.Namespace, namespace, k.namespace)
			}
			k.roles[view.Qualified(r.Namespace, r.Name)] = policy.RoleOf(&r)
		}
	}
}

// addNamespaces takes in the labels of namespaces among the objects to check, since what is in them is mostly among these objects too.
func (k *snapshot) addNamespaces(docs []document) {
	k.labels = map[string]map[string]string{}
	for _, d := range docs {
		if d.Object != nil && d.Object.GetAPIVersion() == "v1" && d.Object.GetKind() == "Namespace" {
			k.labels[d.Object.GetName()] = d.Object.GetLabels()
		}
	}
}

// old returns the object before an update. It is nil if there is none.
func (k *snapshot) old(gvk schema.GroupVersionKind, ns, name string) ([]byte, error) {
	if raw, ok := k.objects[objectKey(gvk.GroupKind(), ns, name)]; ok || k.cluster == nil || name == "" {
		return raw, nil
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	key := client.ObjectKey{Namespace: ns, Name: name}
	if _, everywhere := k.resource(gvk); everywhere {
		key.Namespace = ""
	}
	err := k.cluster.Get(k.ctx, key, u)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for the object before the request: %w", err)
	}
	return json.Marshal(u.Object)
}
