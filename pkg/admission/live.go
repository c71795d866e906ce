package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Client reads from the API server, and asks it who may do what. It must not read from a cache.
type Client interface {
	view.Client
	view.Creator
}

// Reader reads change state from the API server itself, never from a cache: the first request that is sent after an
// approval's answer has arrived must find it, through every replica.
type Reader struct {
	client Client
	// namespace is Firebreak's own.
	namespace string
	// remember puts the UID of a controller's account into memory.
	remember func(name, uid string)

	windows    shared[[]v1alpha1.ChangeWindow]
	approvals  shared[[]v1alpha1.ChangeApproval]
	delegated  shared[[]v1alpha1.ChangeDelegation]
	executions shared[[]v1alpha1.ChangeExecution]
	freezes    shared[[]v1alpha1.ChangeFreeze]
	configMaps shared[map[string][]byte]
}

var _ Live = (*Reader)(nil)

// NewReader returns a reader. c must not read from a cache.
func NewReader(c Client, namespace string, remember func(name, uid string)) *Reader {
	return &Reader{client: c, namespace: namespace, remember: remember}
}

// readTimeout bounds a read that several requests share; it is below the deadline of each.
const readTimeout = 5 * time.Second

// State implements Live: first windows and freezes, then what the windows in scope need.
func (r *Reader) State(ctx context.Context, c *policy.PreparedRequest, namespace string) (*change.State, error) {
	needs := c.LiveReads()
	s := &change.State{}
	var mu sync.Mutex
	var first []func() error
	if needs.Freezes {
		first = append(first, func() (err error) { s.Freezes, err = r.listFreezes(ctx); return err })
	}
	if needs.Delegations {
		first = append(first, func() (err error) {
			s.Delegations, err = r.listDelegations(ctx, needs.WindowNamespace)
			return err
		})
	}
	first = append(first, r.windowReads(ctx, s, &mu, needs, namespace)...)
	if err := together(first); err != nil {
		return nil, err
	}
	if !needs.Windows && c.Frozen(s) {
		// An emergency may override the freeze.
		needs.Windows = true
		if err := together(r.windowReads(ctx, s, &mu, needs, namespace)); err != nil {
			return nil, err
		}
	}
	windows := change.Candidates(c.Questions(s), s)
	if err := r.second(ctx, c, s, windows, needs, namespace); err != nil {
		return nil, err
	}
	return s, r.authorise(ctx, s, stillOpen(windows, c.At()), nil)
}

// stillOpen leaves out the windows that are over, whose approvers nobody asks about.
func stillOpen(windows []*v1alpha1.ChangeWindow, at time.Time) []*v1alpha1.ChangeWindow {
	return slices.DeleteFunc(slices.Clone(windows), func(w *v1alpha1.ChangeWindow) bool { return change.Over(w, at) })
}

// authorise asks whether those who approved the windows may still do so, but for approvals that are known already.
func (r *Reader) authorise(ctx context.Context, s *change.State, windows []*v1alpha1.ChangeWindow, known map[types.UID]bool) error {
	var words, asked []*v1alpha1.ChangeApproval
	for _, w := range windows {
		words = append(words, slices.DeleteFunc(change.ApprovalsOf(w, s.Approvals), func(a *v1alpha1.ChangeApproval) bool {
			return a.Spec.Decision != v1alpha1.DecisionApprove
		})...)
	}
	if err := r.delegations(ctx, s, words); err != nil { // one may have been withdrawn
		return err
	}
	for _, a := range words {
		if !known[a.UID] {
			asked = append(asked, a)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	more, err := view.Unauthorised(ctx, r.client, asked, s.Delegations)
	maps.Copy(more, s.Unauthorised)
	s.Unauthorised = more
	return err
}

// delegations reads those of the namespaces in which somebody has approved in another's stead.
func (r *Reader) delegations(ctx context.Context, s *change.State, asked []*v1alpha1.ChangeApproval) error {
	var namespaces []string
	for _, a := range asked {
		if a.Spec.OnBehalfOf != nil && !slices.Contains(namespaces, a.Namespace) {
			namespaces = append(namespaces, a.Namespace)
		}
	}
	for _, ns := range namespaces {
		list, err := r.listDelegations(ctx, ns)
		if err != nil {
			return err
		}
		s.Delegations = append(slices.DeleteFunc(s.Delegations, func(d v1alpha1.ChangeDelegation) bool { return d.Namespace == ns }), list...)
	}
	return nil
}

// windowReads returns the reads of the windows that are needed.
func (r *Reader) windowReads(ctx context.Context, s *change.State, mu *sync.Mutex, needs policy.LiveReads, namespace string) []func() error {
	var out []func() error
	for _, ns := range r.windowNamespaces(needs, namespace) {
		out = append(out, func() error {
			w, err := r.listWindows(ctx, ns)
			mu.Lock()
			defer mu.Unlock()
			s.Windows = append(s.Windows, w...)
			return err
		})
	}
	return out
}

func (r *Reader) windowNamespaces(n policy.LiveReads, namespace string) []string {
	var out []string
	if n.WindowName != "" {
		out = append(out, n.WindowNamespace)
	}
	if n.Windows {
		out = append(out, r.namespace)
		if namespace != "" {
			out = append(out, namespace)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *Reader) second(ctx context.Context, c *policy.PreparedRequest, s *change.State, windows []*v1alpha1.ChangeWindow, needs policy.LiveReads, namespace string) error {
	if len(windows) == 0 {
		return nil
	}
	var mu sync.Mutex
	calls := []func() error{
		func() (err error) { s.Executions, err = r.listExecutions(ctx, windows); return err },
	}
	if req := c.Request(); req.Operation == policy.Create && req.SubResource == "" && !req.DryRun {
		calls = append(calls, func() (err error) { s.Exists, err = r.exists(ctx, &req); return err })
	}
	emergency := slices.ContainsFunc(windows, func(w *v1alpha1.ChangeWindow) bool { return w.Spec.Type == v1alpha1.WindowEmergency })
	if emergency {
		calls = append(calls, func() (err error) { s.OtherWindows, err = r.listWindows(ctx, everywhere); return err })
	}
	for _, ns := range approvalsOf(windows, emergency) {
		calls = append(calls, func() error {
			a, err := r.listApprovals(ctx, ns)
			mu.Lock()
			defer mu.Unlock()
			s.Approvals = append(s.Approvals, a...)
			return err
		})
	}
	if len(needs.ConfigMaps) <= change.MaxConfigMaps && slices.ContainsFunc(windows, func(w *v1alpha1.ChangeWindow) bool { return w.Spec.Plan != nil }) {
		s.ConfigMaps = map[string]map[string][]byte{}
		for _, name := range needs.ConfigMaps {
			calls = append(calls, func() error {
				data, err := r.getConfigMap(ctx, namespace, name)
				mu.Lock()
				defer mu.Unlock()
				if data != nil {
					s.ConfigMaps[namespace+"/"+name] = data
				}
				return err
			})
		}
	}
	return together(calls)
}

// everywhere stands for all namespaces.
const everywhere = metav1.NamespaceAll

// approvalsOf returns the namespaces whose approvals are read. For an emergency these are all: the windows that tell whether
// it is its requester's second may lie in any namespace.
func approvalsOf(windows []*v1alpha1.ChangeWindow, emergency bool) []string {
	if emergency {
		return []string{everywhere}
	}
	set := map[string]struct{}{}
	for _, w := range windows {
		set[w.Namespace] = struct{}{}
	}
	return slices.Sorted(maps.Keys(set))
}

// exists reports whether the object of a creation exists. What Firebreak may not read, or nobody serves, does not exist as far as it can tell.
func (r *Reader) exists(ctx context.Context, req *policy.Request) (bool, error) {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(req.Kind)
	err := r.client.Get(ctx, client.ObjectKey{Namespace: req.Namespace, Name: req.Name}, o)
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err), apierrors.IsMethodNotSupported(err), meta.IsNoMatchError(err):
		return false, nil
	}
	return false, fmt.Errorf("get %s %s/%s: %w", req.Kind.Kind, req.Namespace, req.Name, err)
}

// Again implements Live.
func (r *Reader) Again(ctx context.Context, s *change.State, at time.Time, windows, namespace string, configMaps []string) error {
	var mu sync.Mutex
	calls := []func() error{func() error { return r.approvalsAgain(ctx, s, at, windows) }}
	for _, name := range configMaps {
		calls = append(calls, func() error {
			data, err := r.getConfigMap(ctx, namespace, name)
			mu.Lock()
			defer mu.Unlock()
			if delete(s.ConfigMaps, namespace+"/"+name); data != nil {
				s.ConfigMaps[namespace+"/"+name] = data
			}
			return err
		})
	}
	return together(calls)
}

func (r *Reader) approvalsAgain(ctx context.Context, s *change.State, at time.Time, namespace string) error {
	fresh, err := r.listApprovals(ctx, namespace)
	if err != nil {
		return err
	}
	known := map[types.UID]bool{}
	for i := range s.Approvals {
		known[s.Approvals[i].UID] = true
	}
	s.Approvals = slices.DeleteFunc(s.Approvals, func(a v1alpha1.ChangeApproval) bool { return a.Namespace == namespace })
	s.Approvals = append(s.Approvals, fresh...)
	windows := make([]*v1alpha1.ChangeWindow, len(s.Windows))
	for i := range s.Windows {
		windows[i] = &s.Windows[i]
	}
	return r.authorise(ctx, s, stillOpen(windows, at), known)
}

// together runs calls in parallel and returns the first error.
func together(calls []func() error) error {
	errs := make(chan error, len(calls))
	for _, c := range calls {
		go func() {
			_, err := contained(func() (struct{}, error) { return struct{}{}, c() })
			errs <- err
		}()
	}
	var first error
	for range calls {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (r *Reader) list(what string, list client.ObjectList, opts ...client.ListOption) error {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	if err := r.client.List(ctx, list, opts...); err != nil {
		return fmt.Errorf("list %s: %w", what, err)
	}
	return nil
}

func (r *Reader) listWindows(ctx context.Context, ns string) ([]v1alpha1.ChangeWindow, error) {
	return r.windows.do(ctx, ns, func() ([]v1alpha1.ChangeWindow, error) {
		var l v1alpha1.ChangeWindowList
		err := r.list("change windows", &l, client.InNamespace(ns))
		return l.Items, err
	})
}

func (r *Reader) listApprovals(ctx context.Context, ns string) ([]v1alpha1.ChangeApproval, error) {
	return r.approvals.do(ctx, ns, func() ([]v1alpha1.ChangeApproval, error) {
		var l v1alpha1.ChangeApprovalList
		err := r.list("approvals", &l, client.InNamespace(ns))
		return l.Items, err
	})
}

func (r *Reader) listDelegations(ctx context.Context, ns string) ([]v1alpha1.ChangeDelegation, error) {
	return r.delegated.do(ctx, ns, func() ([]v1alpha1.ChangeDelegation, error) {
		var l v1alpha1.ChangeDelegationList
		err := r.list("delegations", &l, client.InNamespace(ns))
		return l.Items, err
	})
}

func (r *Reader) listFreezes(ctx context.Context) ([]v1alpha1.ChangeFreeze, error) {
	return r.freezes.do(ctx, "", func() ([]v1alpha1.ChangeFreeze, error) {
		var l v1alpha1.ChangeFreezeList
		err := r.list("freezes", &l)
		return l.Items, err
	})
}

func (r *Reader) listExecutions(ctx context.Context, windows []*v1alpha1.ChangeWindow) ([]v1alpha1.ChangeExecution, error) {
	var uids []string
	for _, w := range windows {
		uids = append(uids, change.Ledger(w))
	}
	slices.Sort(uids)
	uids = slices.Compact(uids)
	req, err := labels.NewRequirement(v1alpha1.LabelWindowUID, selection.In, uids)
	if err != nil {
		return nil, fmt.Errorf("select executions: %w", err)
	}
	return r.executions.do(ctx, strings.Join(uids, ","), func() ([]v1alpha1.ChangeExecution, error) {
		var l v1alpha1.ChangeExecutionList
		err := r.list("executions", &l, client.InNamespace(r.namespace), client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*req)})
		return l.Items, err
	})
}

// getConfigMap returns the content of a ConfigMap, or nil if the ConfigMap does not exist.
func (r *Reader) getConfigMap(ctx context.Context, ns, name string) (map[string][]byte, error) {
	return r.configMaps.do(ctx, ns+"/"+name, func() (map[string][]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		var cm corev1.ConfigMap
		err := r.client.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &cm)
		switch {
		case apierrors.IsNotFound(err):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("get ConfigMap %s/%s: %w", ns, name, err)
		}
		return change.ConfigMapContent(&cm), nil
	})
}
