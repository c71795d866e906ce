package view_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// reviewer answers who may approve, and notes what it was asked.
type reviewer struct {
	mu    sync.Mutex
	may   map[string]bool
	asked []string
	err   error
}

func (r *reviewer) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	review, ok := o.(*authorizationv1.SubjectAccessReview)
	if !ok {
		return fmt.Errorf("%T is not a review", o)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := review.Spec.ResourceAttributes
	r.asked = append(r.asked, fmt.Sprintf("%s %s of %v: %s %s.%s %s in %s", review.Spec.User, review.Spec.UID, review.Spec.Groups, at.Verb, at.Resource, at.Group, at.Name, at.Namespace))
	review.Status.Allowed = r.may[review.Spec.User]
	return r.err
}

func word(name, by string) *v1alpha1.ChangeApproval {
	return &v1alpha1.ChangeApproval{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Namespace: "payments"},
		Spec: v1alpha1.ChangeApprovalSpec{
			Decision: v1alpha1.DecisionApprove, Window: &v1alpha1.LocalReference{Name: "w", UID: "w-1"}, Approver: &v1alpha1.Stamp{Username: by, UID: by + "-1", Groups: []string{"sre"}},
		},
	}
}

func TestUnauthorised(t *testing.T) {
	r := &reviewer{may: map[string]bool{"alice": true}}
	got, err := view.Unauthorised(t.Context(), r, []*v1alpha1.ChangeApproval{word("a", "alice"), word("b", "bob"), word("c", "bob")}, nil)
	if err != nil || len(got) != 2 || got["b"] != "bob no longer holds the verb approve" || got["c"] != got["b"] {
		t.Errorf("%v %v", got, err)
	}
	if len(r.asked) != 2 {
		t.Errorf("it was asked %d times, want once for each person: %v", len(r.asked), r.asked)
	}
	want := "alice alice-1 of [sre]: approve changewindows.firebreak.dev w in payments"
	if r.asked[0] != want && r.asked[1] != want {
		t.Errorf("asked %v, want %s", r.asked, want)
	}
}

// What cannot be answered is an error, and no more than a bounded number of persons is asked about.
func TestUnauthorisedIsNeverGuessed(t *testing.T) {
	down := errors.New("the API server is away")
	if _, err := view.Unauthorised(t.Context(), &reviewer{err: down}, []*v1alpha1.ChangeApproval{word("a", "alice")}, nil); !errors.Is(err, down) {
		t.Errorf("%v, want that nobody knows", err)
	}
	r := &reviewer{may: map[string]bool{}}
	var many []*v1alpha1.ChangeApproval
	for i := range 100 {
		many = append(many, word(fmt.Sprint(i), fmt.Sprintf("user-%d", i)))
		r.may[fmt.Sprintf("user-%d", i)] = true
	}
	old := word("old", "user-1")
	old.Spec.Window = &v1alpha1.LocalReference{Name: "another", UID: "w-0"} // each window has its own limit
	got, err := view.Unauthorised(t.Context(), r, append(many, old), nil)
	if err != nil || len(r.asked) != 33 || len(got) != 68 {
		t.Errorf("%d asked, %d do not count, %v", len(r.asked), len(got), err)
	}
	if why := got["99"]; why != "user-99 is one of more than 32 approvers, of whom only the first are looked at" {
		t.Error(why)
	}
}

// The right to approve is that of the person in whose stead somebody approves.
func TestTheRightIsTheDelegators(t *testing.T) {
	d := v1alpha1.ChangeDelegation{
		ObjectMeta: metav1.ObjectMeta{Name: "d", UID: "d", Namespace: "payments", CreationTimestamp: metav1.Unix(1e9, 0)},
		Spec:       v1alpha1.ChangeDelegationSpec{To: "bob", Until: metav1.Unix(1e9+3600, 0), Delegator: &v1alpha1.Stamp{Username: "alice", UID: "alice-1"}},
	}
	a := word("a", "bob")
	a.CreationTimestamp = metav1.Unix(1e9+60, 0)
	a.Spec.OnBehalfOf = &v1alpha1.LocalReference{Name: "d", UID: "d"}
	for _, may := range []bool{true, false} {
		got, err := view.Unauthorised(t.Context(), &reviewer{may: map[string]bool{"alice": may}}, []*v1alpha1.ChangeApproval{a}, []v1alpha1.ChangeDelegation{d})
		if err != nil || (len(got) == 0) != may {
			t.Errorf("alice may %t: %v %v", may, got, err)
		}
	}
}
