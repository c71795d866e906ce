package apistore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Fault says which requests fail from the moment it is set.
type Fault string

// The faults.
const (
	None Fault = ""
	// Reads fails every read.
	Reads Fault = "reads fail"
	// Unwritten fails the creation and stores nothing.
	Unwritten Fault = "creation fails"
	// Unanswered stores the new object and loses the answer.
	Unanswered Fault = "creation's answer is lost"
	// Stuck is Unanswered, and the new object cannot be looked for either.
	Stuck Fault = "creation's answer is lost, and it cannot be looked for"
	// Blind fails the second read of the approvals.
	Blind Fault = "approvals cannot be read again"
)

// Store keeps objects in memory.
type Store struct {
	mu      sync.Mutex
	clock   func() time.Time
	objects map[string]client.Object
	created int
	fault   Fault
	// looks is how often approvals were read since the fault was set.
	looks int
	// revoked are the users that may not approve any more.
	revoked []string
}

// Revoke takes the right to approve from a user.
func (s *Store) Revoke(username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = append(s.revoked, username)
}

// review answers whether a user may approve.
func (s *Store) review(r *authorizationv1.SubjectAccessReview) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Status.Allowed = r.Spec.ResourceAttributes != nil && r.Spec.ResourceAttributes.Verb == "approve" && !slices.Contains(s.revoked, r.Spec.User)
}

// New returns an empty store that takes the time from a clock.
func New(clock func() time.Time) *Store {
	return &Store{clock: clock, objects: map[string]client.Object{}}
}

var errDown = errors.New("connection reset by peer")

// Set makes requests fail from now on.
func (s *Store) Set(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.looks = f, 0
}

// keyOf returns the key of an object: its type, namespace and name.
func keyOf(o client.Object) string {
	name := fmt.Sprintf("%T", o)
	return keyBy(name[strings.LastIndexByte(name, '.')+1:], o)
}

func keyBy(kind string, o client.Object) string {
	return fmt.Sprintf("%s/%s/%s", kind, o.GetNamespace(), o.GetName())
}

func (s *Store) uid() types.UID {
	s.created++
	return types.UID(fmt.Sprintf("uid-%06d", s.created))
}

// Born sets the fields of an object that the API server sets before admission.
func (s *Store) Born(o client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.SetUID(s.uid())
	o.SetCreationTimestamp(metav1.NewTime(s.clock().Truncate(time.Second)))
	o.SetGeneration(1)
	if o.GetName() == "" {
		o.SetName(fmt.Sprintf("%s%05d", o.GetGenerateName(), s.created))
	}
}

// Create implements the ledger's client, for objects that are not judged.
func (s *Store) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	if r, ok := o.(*authorizationv1.SubjectAccessReview); ok {
		if s.fails(Reads) {
			return errDown
		}
		s.review(r)
		return nil
	}
	if s.fails(Unwritten) {
		return errDown
	}
	given, ok := o.DeepCopyObject().(client.Object)
	if !ok {
		return errDown
	}
	s.Born(given)
	if err := s.Put(given); err != nil {
		return err
	}
	if s.fails(Unanswered, Stuck) {
		return errDown
	}
	o.SetUID(given.GetUID())
	o.SetCreationTimestamp(given.GetCreationTimestamp())
	return nil
}

func (s *Store) fails(by ...Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(by, s.fault)
}

// Put stores an object that was judged. It returns an error if the name is taken.
func (s *Store) Put(o client.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.objects[keyOf(o)]; there {
		return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "objects"}, o.GetName())
	}
	s.objects[keyOf(o)] = o
	return nil
}

// Drop removes an object.
func (s *Store) Drop(o client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, keyOf(o))
}

// Get implements the ledger's client.
func (s *Store) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, execution := into.(*v1alpha1.ChangeExecution)
	if s.fault == Reads || s.fault == Stuck && execution {
		return errDown
	}
	into.SetNamespace(key.Namespace)
	into.SetName(key.Name)
	found, ok := s.objects[keyOf(into)]
	m, metadata := into.(*metav1.PartialObjectMetadata)
	if metadata && !ok {
		found, ok = s.objects[keyBy(m.Kind, m)]
	}
	switch {
	case !ok:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "objects"}, key.Name)
	case metadata:
		m.SetUID(found.GetUID())
		m.SetLabels(found.GetLabels())
		return nil
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(found.DeepCopyObject()).Elem())
	return nil
}

// Delete implements the ledger's client.
func (s *Store) Delete(_ context.Context, o client.Object, opts ...client.DeleteOption) error {
	var with client.DeleteOptions
	with.ApplyOptions(opts)
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.objects[keyOf(o)]
	switch {
	case !ok:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "objects"}, o.GetName())
	case with.Preconditions != nil && with.Preconditions.UID != nil && *with.Preconditions.UID != found.GetUID():
		return apierrors.NewConflict(schema.GroupResource{Resource: "objects"}, o.GetName(), errDown)
	}
	delete(s.objects, keyOf(o))
	return nil
}

// List implements client.Reader.
func (s *Store) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var with client.ListOptions
	with.ApplyOptions(opts)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, words := list.(*v1alpha1.ChangeApprovalList); words {
		s.looks++
	}
	if s.fault == Reads || s.fault == Blind && s.looks == 2 {
		return errDown
	}
	switch l := list.(type) {
	case *v1alpha1.ChangeWindowList:
		l.Items = all[v1alpha1.ChangeWindow](s, &with)
	case *v1alpha1.ChangeApprovalList:
		l.Items = all[v1alpha1.ChangeApproval](s, &with)
	case *v1alpha1.ChangeDelegationList:
		l.Items = all[v1alpha1.ChangeDelegation](s, &with)
	case *v1alpha1.ChangeExecutionList:
		l.Items = all[v1alpha1.ChangeExecution](s, &with)
	case *v1alpha1.ChangeFreezeList:
		l.Items = all[v1alpha1.ChangeFreeze](s, &with)
	default:
		return fmt.Errorf("nothing keeps a %T", list)
	}
	return nil
}

// All returns the objects of a type in a namespace, sorted by name. If the namespace is empty, it returns those of all namespaces.
func All[T any, P interface {
	*T
	client.Object
}](s *Store, namespace string) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return all[T, P](s, &client.ListOptions{Namespace: namespace})
}

// Find returns the object of a type and name, and whether there is one.
func Find[T client.Object](s *Store, name string) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if t, ok := o.(T); ok && t.GetName() == name {
			return t, true
		}
	}
	var none T
	return none, false
}

// Has reports whether the store holds an object of that type, namespace and name.
func (s *Store) Has(o client.Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.objects[keyOf(o)]
	return there
}

func all[T any, P interface {
	*T
	client.Object
}](s *Store, with *client.ListOptions) []T {
	var out []T
	for _, o := range s.objects {
		p, ok := o.(P)
		if !ok || with.Namespace != "" && p.GetNamespace() != with.Namespace || !selects(with, p) {
			continue
		}
		if dup, ok := p.DeepCopyObject().(P); ok {
			out = append(out, *dup)
		}
	}
	slices.SortFunc(out, func(a, b T) int { return strings.Compare(P(&a).GetName(), P(&b).GetName()) })
	return out
}

func selects(with *client.ListOptions, o client.Object) bool {
	return with.LabelSelector == nil || with.LabelSelector.Matches(labels.Set(o.GetLabels()))
}

// SubResource implements the reader of the webhook. No object in the store has a subresource to read.
func (s *Store) SubResource(name string) client.SubResourceClient { return noSubResource{name: name} }

type noSubResource struct {
	client.SubResourceClient // nil, so a test that writes a subresource of this store panics
	name                     string
}

// Get finds nothing.
func (n noSubResource) Get(_ context.Context, o, _ client.Object, _ ...client.SubResourceGetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: n.name}, o.GetName())
}
