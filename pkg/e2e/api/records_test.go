package api

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const (
	onlyFirebreakWrites  = "only Firebreak writes the status of its kinds"
	onlyFirebreakRecords = "ChangeExecutions and ChangeRecords are the record of what was done in production; only Firebreak writes and deletes them"
)

// lie is a status that an attacker would like an object of a kind to have.
type lie struct {
	resource string
	// field is a field of the status, value a value that Firebreak never writes there. written is a field that Firebreak writes
	// itself, or empty if it writes none.
	field   string
	value   any
	written string
}

func lies() map[string]lie {
	counts := []any{map[string]any{"type": "Active", "status": "Unknown", "reason": "Forged", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}}
	return map[string]lie{
		v1alpha1.KindEnvironment:     {"environments", "namespaces", int64(99), "conditions"},
		v1alpha1.KindDataStore:       {"datastores", "tier", "Shared", "conditions"},
		v1alpha1.KindChangeWindow:    {"changewindows", "approvals", "9/1", "phase"},
		v1alpha1.KindChangeApproval:  {"changeapprovals", "conditions", counts, ""},
		v1alpha1.KindChangeFreeze:    {"changefreezes", "conditions", counts, "conditions"},
		v1alpha1.KindExemption:       {"exemptions", "conditions", counts, "conditions"},
		v1alpha1.KindChangeExecution: {"changeexecutions", "releasedBy", "ceo", "state"},
	}
}

func writerOf(kind string) string {
	if k, ok := immutables()[kind]; ok {
		return k.user
	}
	return sam
}

func (l lie) told(o *unstructured.Unstructured) bool {
	got, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status", l.field)
	return cmp.Equal(got, l.value)
}

// Only Firebreak writes a status, whatever RBAC says.
func TestStatusesAreFirebreaks(t *testing.T) {
	for kind, l := range lies() {
		t.Run(kind, func(t *testing.T) {
			o := create(t, writerOf(kind), manifestOf(t, kind))
			for name, w := range statusWrites() {
				t.Run(name, func(t *testing.T) {
					before := stored(t, o)
					err := w.write(t.Context(), as(t, sam), before, edited(t, before, edits{"status": map[string]any{l.field: l.value}}))
					wantRefused(t, err, byPolicy(l.resource, o.GetName(), "status", onlyFirebreakWrites))
					if l.told(stored(t, o)) {
						t.Error("the forged status is stored")
					}
				})
			}
		})
	}
}

// A status that comes with the object itself is dropped: the kinds have status subresources.
func TestStatusesAreDroppedFromObjects(t *testing.T) {
	for kind, l := range lies() {
		t.Run(kind, func(t *testing.T) {
			forged := edits{"status": map[string]any{l.field: l.value}}
			o := create(t, writerOf(kind), manifestOf(t, kind, forged))
			if l.told(stored(t, o)) {
				t.Error("the forged status is stored at the creation")
			}
			before := stored(t, o)
			if err := updates()["update"].write(t.Context(), as(t, writerOf(kind)), before, edited(t, before, forged)); err != nil {
				t.Errorf("an update that differs in the status only is refused: %v", err)
			}
			if l.told(stored(t, o)) {
				t.Error("the forged status is stored by an update")
			}
		})
	}
}

// Firebreak's own account writes statuses, but only with a token of its own, since a user that may edit its namespace may
// impersonate it.
func TestStatusesAreTheGenuineFirebreaks(t *testing.T) {
	o := create(t, firebreak, object(t, v1alpha1.KindChangeExecution))
	await.True(t, "the execution is settled", func() bool { _, ok := stored(t, o).Object["status"]; return ok })
	w := statusWrites()["merge patch of the status"]
	before := stored(t, o)
	after := func() *unstructured.Unstructured { return edited(t, before, edits{"status.result": "Complete"}) }
	err := w.write(t.Context(), impersonating(t, sam, firebreak), before, after())
	wantRefused(t, err, byPolicy("changeexecutions", o.GetName(), "status", onlyFirebreakWrites))
	if err := w.write(t.Context(), as(t, firebreak), before, after()); err != nil {
		t.Errorf("Firebreak itself is refused: %v", err)
	}
}

// strangers are users other than Firebreak, each with every right that RBAC can give.
func strangers(t *testing.T) map[string]client.Client {
	t.Helper()
	return map[string]client.Client{
		"a person with every right":                       as(t, sam),
		"the cluster's administrator":                     as(t, admin),
		"a service account with every right":              as(t, bot),
		"somebody who impersonates Firebreak":             impersonating(t, sam, firebreak),
		"somebody who impersonates the garbage collector": impersonating(t, sam, "system:serviceaccount:kube-system:generic-garbage-collector"),
	}
}

// A forged record would use a window up, and a deleted record would free it again.
func TestExecutionsAreFirebreaks(t *testing.T) {
	o := create(t, firebreak, object(t, v1alpha1.KindChangeExecution))
	another := edits{"metadata.name": "2c9a2b0e-0-1", "spec.slot": "1"}
	type attempt func(context.Context, client.Client) error
	attempts := map[string]struct {
		reason string
		name   string
		send   attempt
	}{
		"creating one": {"it would use a slot up", "2c9a2b0e-0-1", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, object(t, v1alpha1.KindChangeExecution, another))
		}},
		"applying one": {"a PATCH creates, too", "2c9a2b0e-0-1", func(ctx context.Context, c client.Client) error {
			return applyAs(ctx, c, object(t, v1alpha1.KindChangeExecution, another), "forger")
		}},
		"labelling one": {"the label says which window it used", o.GetName(), func(ctx context.Context, c client.Client) error {
			before := stored(t, o)
			after := edited(t, before, edits{"metadata.labels": map[string]string{v1alpha1.LabelWindowUID: "another"}})
			return c.Patch(ctx, after, client.MergeFrom(before))
		}},
		"updating one": {"the same by PUT", o.GetName(), func(ctx context.Context, c client.Client) error {
			after := edited(t, stored(t, o), edits{"metadata.annotations": map[string]string{"a": "b"}})
			return again(ctx, c, after, func() error { return c.Update(ctx, after) })
		}},
		"deleting one": {"it would free the slot", o.GetName(), func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, o.DeepCopy())
		}},
		"deleting all of them": {"one review for each, without its name", "Unknown", func(ctx context.Context, c client.Client) error {
			return c.DeleteAllOf(ctx, o.DeepCopy(), client.InNamespace(stage.Namespace))
		}},
	}
	for who, c := range strangers(t) {
		for what, a := range attempts {
			t.Run(who+": "+what, func(t *testing.T) {
				err := a.send(t.Context(), c)
				if byRBAC(err) {
					return // an impersonated user has fewer rights than the user that impersonates
				}
				wantRefused(t, err, byPolicy("changeexecutions", a.name, "executions", onlyFirebreakRecords))
				if t.Failed() {
					t.Logf("reason of the case: %s", a.reason)
				}
			})
		}
	}
	if got := stored(t, o).GetLabels()[v1alpha1.LabelWindowUID]; got != "" {
		t.Errorf("the record has label %q", got)
	}
}

// byRBAC reports whether the authorizer refused the request, before admission.
func byRBAC(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsForbidden(err) && asStatus(err, &status) && len(status.Status().Details.Causes) == 0
}

// The garbage collector may delete records, as may the namespace controller: refusing them would wedge a namespace.
func TestExecutionsAreCollected(t *testing.T) {
	o := create(t, firebreak, object(t, v1alpha1.KindChangeExecution, edits{"metadata.ownerReferences": []map[string]any{gone()}}))
	await.True(t, "the garbage collector deletes the execution", func() bool {
		err := as(t, admin).Get(t.Context(), client.ObjectKeyFromObject(o), o.DeepCopy())
		return apierrors.IsNotFound(err)
	})
}

// gone is an owner that does not exist; the garbage collector deletes an object that names it.
func gone() map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000001"}
}
