package api

import (
	"context"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// If somebody has deleted the stamping webhook, a forged stamp is refused, and so is a missing one. Only a user that writes the
// truth by hand gets through.
func TestStampsWithoutTheWebhook(t *testing.T) {
	says := map[string]struct{ resource, policy, sentence string }{
		v1alpha1.KindChangeWindow:   {"changewindows", "requested-by", "spec.requestedBy must be who sends the request; Firebreak writes it, so leave it out"},
		v1alpha1.KindChangeFreeze:   {"changefreezes", "requested-by", "spec.requestedBy must be who sends the request; Firebreak writes it, so leave it out"},
		v1alpha1.KindExemption:      {"exemptions", "requested-by", "spec.requestedBy must be who sends the request; Firebreak writes it, so leave it out"},
		v1alpha1.KindChangeApproval: {"changeapprovals", "approver", "spec.approver must be who sends the request; Firebreak writes it, so leave it out"},
	}
	manifests := map[string]*unstructured.Unstructured{}
	for kind := range says {
		manifests[kind] = manifestOf(t, kind, edits{"metadata.name": "unstamped"})
	}
	takeStampingAway(t)
	for kind, s := range says {
		t.Run(kind, func(t *testing.T) {
			user, field := writerOf(kind), "spec."+stampedKinds()[kind]
			send := func(stamp any) error {
				return as(t, user).Create(t.Context(), edited(t, manifests[kind], edits{field: stamp}), client.DryRunAll)
			}
			refused := byPolicy(s.resource, "unstamped", s.policy, s.sentence)
			for what, stamp := range map[string]map[string]any{
				"another name":    {"username": "ceo", "uid": truth(user)["uid"], "groups": truth(user)["groups"]},
				"another UID":     {"username": user, "uid": "u-ceo", "groups": truth(user)["groups"]},
				"no UID":          {"username": user, "groups": truth(user)["groups"]},
				"no groups":       {"username": user, "uid": truth(user)["uid"]},
				"one group less":  {"username": user, "uid": truth(user)["uid"], "groups": truth(user)["groups"].([]any)[1:]},
				"groups in order": {"username": user, "uid": truth(user)["uid"], "groups": backwards(truth(user)["groups"].([]any))},
			} {
				t.Run("a stamp with "+what, func(t *testing.T) { wantRefused(t, send(stamp), refused) })
			}
			t.Run("no stamp", func(t *testing.T) { wantRefused(t, send(nil), refused) })
			t.Run("the truth", func(t *testing.T) {
				if err := send(truth(user)); err != nil {
					t.Errorf("refused: %v", err)
				}
			})
		})
	}
}

func backwards(in []any) []any {
	out := make([]any, 0, len(in))
	for i := len(in) - 1; i >= 0; i-- {
		out = append(out, in[i])
	}
	return out
}

// takeStampingAway deletes the registration of the stamping webhook, and restores it when the test is over.
func takeStampingAway(t *testing.T) {
	t.Helper()
	c := as(t, admin)
	var hook admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.Get(t.Context(), client.ObjectKey{Name: "firebreak"}, &hook); err != nil {
		t.Fatalf("read the registration: %v", err)
	}
	stamped := func(ctx context.Context) bool {
		o := object(t, v1alpha1.KindChangeFreeze, edits{"metadata.name": "probe"})
		return as(t, sam).Create(ctx, o, client.DryRunAll) == nil
	}
	if err := c.Delete(t.Context(), hook.DeepCopy()); err != nil {
		t.Fatalf("delete the registration: %v", err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		back := hook.DeepCopy()
		back.ResourceVersion, back.UID = "", ""
		if err := c.Create(ctx, back); err != nil {
			t.Fatalf("put the registration back: %v", err)
		}
		if err := poll(ctx, func() (bool, error) { return stamped(ctx), nil }); err != nil {
			t.Errorf("the webhook does not stamp again: %v", err)
		}
	})
	await.True(t, "the API server has noticed", func() bool { return !stamped(t.Context()) })
}
