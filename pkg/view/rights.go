package view

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Creator asks the API server questions that it answers to a creation, such as who may do what.
type Creator interface {
	Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error
}

const (
	// maxApprovers is for how many persons of one window one request asks whether they may still approve. An approval of one more does not count: an
	// environment requires far fewer.
	maxApprovers = 32
	// maxQuestions is how many questions one request asks in all, and maxAtOnce how many of them at the same time.
	maxQuestions, maxAtOnce = 256, 16
)

// right is a person's right to approve: one window, or freezes and executions where the name is empty.
type right struct{ user, uid, groups, namespace, window string }

// Unauthorised asks the API server whether those on whose right approvals rest still hold it, and returns, by the UID of the approval, why it
// counts no more. The groups are those that the person was in when they approved: only the API server's authenticator knows their present ones.
func Unauthorised(ctx context.Context, c Creator, asked []*v1alpha1.ChangeApproval, delegations []v1alpha1.ChangeDelegation) (map[types.UID]string, error) {
	out := map[types.UID]string{}
	rights := map[right][]*v1alpha1.ChangeApproval{}
	holders := map[right]*v1alpha1.Stamp{}
	persons := map[right]int{}
	for _, a := range asked {
		by := change.Holder(a, delegations)
		if by == nil || by.Username == "" {
			out[a.UID] = fmt.Sprintf("approval %q rests on nobody's right", a.Name)
			continue
		}
		r := rightOf(a, by)
		if _, known := rights[r]; !known {
			window := right{namespace: r.namespace, window: r.window}
			if persons[window] == maxApprovers || len(rights) == maxQuestions {
				out[a.UID] = fmt.Sprintf("%s is one of more than %d approvers, of whom only the first are looked at", by.Username, maxApprovers)
				continue
			}
			persons[window]++
		}
		rights[r] = append(rights[r], a)
		holders[r] = by
	}
	var mu sync.Mutex
	var first error
	var done sync.WaitGroup
	turns := make(chan struct{}, maxAtOnce)
	for r, approvals := range rights {
		done.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			allowed, err := mayApprove(ctx, c, r, holders[r])
			mu.Lock()
			defer mu.Unlock()
			if err != nil && first == nil {
				first = fmt.Errorf("ask whether %s may still approve: %w", r.user, err)
			}
			for _, a := range approvals {
				if !allowed {
					out[a.UID] = fmt.Sprintf("%s no longer holds the verb approve", r.user)
				}
			}
		})
	}
	done.Wait()
	return out, first
}

func rightOf(a *v1alpha1.ChangeApproval, by *v1alpha1.Stamp) right {
	groups := slices.Clone(by.Groups)
	slices.Sort(groups)
	r := right{user: by.Username, uid: by.UID, groups: strings.Join(groups, "\x00"), namespace: a.Namespace}
	if a.Spec.Window != nil {
		r.window = a.Spec.Window.Name
	}
	return r
}

func mayApprove(ctx context.Context, c Creator, r right, by *v1alpha1.Stamp) (bool, error) {
	ask := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: by.Username, UID: by.UID, Groups: by.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: r.namespace, Verb: "approve", Group: v1alpha1.GroupName, Resource: "changewindows", Name: r.window,
		},
	}}
	if err := c.Create(ctx, ask); err != nil {
		return false, fmt.Errorf("review the access: %w", err)
	}
	return ask.Status.Allowed, nil
}
