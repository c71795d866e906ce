package api

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// A rejection holds as long as its window exists: it cannot be deleted, nor be left to the garbage collector to delete.
func TestRejectionsStay(t *testing.T) {
	const stays = `a rejection cannot be taken back while change window "rebuild" exists; delete the window and request another`
	window := create(t, sam, object(t, v1alpha1.KindChangeWindow))
	word := create(t, robin, object(t, v1alpha1.KindChangeApproval, about(t, window, "Reject")))
	for _, user := range []string{robin, sam} {
		t.Run("deleted by "+user, func(t *testing.T) {
			err := as(t, user).Delete(t.Context(), word.DeepCopy())
			wantRefused(t, err, byWebhook("changeapprovals", "word", forbidden("spec.decision", stays)))
		})
	}
	t.Run("deleted with all others", func(t *testing.T) {
		err := as(t, robin).DeleteAllOf(t.Context(), word.DeepCopy(), client.InNamespace("payments"))
		wantRefused(t, err, byWebhook("changeapprovals", "word", forbidden("spec.decision", stays)))
	})
	t.Run("given away", func(t *testing.T) {
		tryOwners(t, word, "changeapprovals", "approval-owners",
			"metadata.ownerReferences may name the window that the approval is about and nothing else: the garbage collector would delete it with its owner",
			map[string]any{"apiVersion": "firebreak.dev/v1alpha1", "kind": "ChangeWindow", "name": "gone", "uid": window.GetUID()},
			map[string]any{"apiVersion": "firebreak.dev/v1alpha1", "kind": "ChangeWindow", "name": "rebuild", "uid": "00000000-0000-0000-0000-000000000001"},
			map[string]any{"apiVersion": "v1", "kind": "ChangeWindow", "name": "rebuild", "uid": window.GetUID()})
	})
	t.Run("owned by its window", func(t *testing.T) {
		before := stored(t, word)
		own := map[string]any{"apiVersion": "firebreak.dev/v1alpha1", "kind": "ChangeWindow", "name": "rebuild", "uid": window.GetUID()}
		after := edited(t, before, edits{"metadata.ownerReferences": []any{own}})
		if err := as(t, sam).Patch(t.Context(), after, client.MergeFrom(before)); err != nil {
			t.Errorf("the window that it is about is refused as its owner: %v", err)
		}
	})
}

// Deleting a freeze lifts it, and deleting an Environment or a DataStore removes the boundary. All these deletions are judged, but
// those by the garbage collector are not, so no owner may be set.
func TestWhatBoundsProductionHasNoOwner(t *testing.T) {
	for kind, resource := range map[string]string{
		v1alpha1.KindEnvironment: "environments", v1alpha1.KindDataStore: "datastores", v1alpha1.KindChangeFreeze: "changefreezes",
	} {
		t.Run(kind, func(t *testing.T) {
			tryOwners(t, create(t, sam, object(t, kind)), resource, "owners",
				"metadata.ownerReferences must be empty: the garbage collector would delete this with its owner, and nobody would judge it")
		})
	}
}

// tryOwners sets owners on an object: at its creation, and in each way in which it can be written afterwards.
func tryOwners(t *testing.T, o *unstructured.Unstructured, resource, policy, says string, others ...map[string]any) {
	t.Helper()
	owned := func(owner map[string]any) edits { return edits{"metadata.ownerReferences": []any{owner}} }
	for _, owner := range append(others, gone()) {
		before := stored(t, o)
		err := as(t, sam).Patch(t.Context(), edited(t, before, owned(owner)), client.MergeFrom(before))
		wantRefused(t, err, byPolicy(resource, o.GetName(), policy, says))
	}
	before := stored(t, o)
	after := edited(t, before, owned(gone()))
	wantRefused(t, again(t.Context(), as(t, sam), after, func() error { return as(t, sam).Update(t.Context(), after) }),
		byPolicy(resource, o.GetName(), policy, says))
	wantRefused(t, applyAs(t.Context(), as(t, sam), edited(t, bare(before), owned(gone())), "forger", client.ForceOwnership),
		byPolicy(resource, o.GetName(), policy, says))
	created := edited(t, bare(before), owned(gone()))
	created.SetName("owned")
	user := sam
	if o.GetKind() == v1alpha1.KindChangeApproval {
		user = robin
	}
	wantRefused(t, as(t, user).Create(t.Context(), created, client.DryRunAll), byPolicy(resource, "owned", policy, says))
}

// An approval that was withdrawn, and a window that was deleted, do not count while a finalizer keeps them.
func TestDeletedIsGone(t *testing.T) {
	for name, take := range map[string]func(window, word *unstructured.Unstructured) *unstructured.Unstructured{
		"an approval": func(_, word *unstructured.Unstructured) *unstructured.Unstructured { return word },
		"a window":    func(window, _ *unstructured.Unstructured) *unstructured.Unstructured { return window },
	} {
		t.Run(name, func(t *testing.T) {
			window := create(t, sam, object(t, v1alpha1.KindChangeWindow, runs(t, "reindex-*", 5)))
			word := create(t, robin, object(t, v1alpha1.KindChangeApproval, about(t, window, "Approve")))
			start(t, "reindex-before")
			o := take(window, word)
			keep(t, o)
			if err := as(t, sam).Delete(t.Context(), o.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			if err := as(t, sam).Create(t.Context(), job(t, "reindex-after")); err == nil {
				removeLater(t, job(t, "reindex-after"))
				t.Error("the run is admitted")
			}
		})
	}
}

// keep puts a finalizer on an object for the length of a test.
func keep(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	set := func(ctx context.Context, finalizers []string) error {
		before := o.DeepCopy()
		if err := as(t, admin).Get(ctx, client.ObjectKeyFromObject(o), before); err != nil {
			return err
		}
		after := before.DeepCopy()
		after.SetFinalizers(finalizers)
		return as(t, sam).Patch(ctx, after, client.MergeFrom(before))
	}
	if err := set(t.Context(), []string{"example.com/keep"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := set(ctx, nil); err != nil {
			t.Errorf("take the finalizer off: %v", err)
		}
	})
}
