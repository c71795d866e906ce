package api

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// stampedKinds returns the kinds that carry a stamp, and the field that holds it.
func stampedKinds() map[string]string {
	return map[string]string{
		v1alpha1.KindChangeWindow:   "requestedBy",
		v1alpha1.KindChangeFreeze:   "requestedBy",
		v1alpha1.KindExemption:      "requestedBy",
		v1alpha1.KindChangeApproval: "approver",
	}
}

// truth is what the API server knows about the token users, including the group that it adds.
func truth(user string) map[string]any {
	return map[string]map[string]any{
		sam:   {"username": sam, "uid": "u-sam", "groups": []any{"sre", "system:authenticated"}},
		robin: {"username": robin, "uid": "u-robin", "groups": []any{"sre", "approvers", "system:authenticated"}},
		pat:   {"username": pat, "groups": []any{"sre", "system:authenticated"}},
	}[user]
}

// forgeries are stamps that an attacker may send.
func forgeries() map[string]any {
	return map[string]any{
		"another person's name":               map[string]any{"username": "ceo"},
		"another person's name, UID and more": map[string]any{"username": robin, "uid": "u-robin", "groups": []string{"sre", "approvers", "system:masters"}},
		"their own name with another UID":     map[string]any{"username": sam, "uid": "u-other", "groups": []string{"sre", "system:authenticated"}},
		"their own name with more groups":     map[string]any{"username": sam, "uid": "u-sam", "groups": []string{"system:masters", "sre", "system:authenticated"}},
		"an empty stamp":                      map[string]any{},
		"nothing":                             nil,
		"null":                                json.RawMessage("null"),
		"no stamp but a text":                 "robin",
	}
}

func stampOf(t *testing.T, o *unstructured.Unstructured) any {
	t.Helper()
	stamp, _, err := unstructured.NestedFieldNoCopy(o.Object, "spec", stampedKinds()[o.GetKind()])
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

// Whatever stamp a new object is sent with, the stored stamp is the truth.
func TestStampsAreOverwritten(t *testing.T) {
	for kind, field := range stampedKinds() {
		t.Run(kind, func(t *testing.T) {
			user := sam
			if kind == v1alpha1.KindChangeApproval {
				user = robin
			}
			manifest := manifestOf(t, kind)
			try := func(name, reason string, w way, forgery any) {
				t.Run(name, func(t *testing.T) {
					o := edited(t, manifest, edits{"spec." + field: forgery})
					if err := w.write(t.Context(), as(t, user), nil, o); err != nil {
						t.Fatalf("refused: %v", err)
					}
					got := stored(t, o)
					if diff := cmp.Diff(truth(user), stampOf(t, got)); diff != "" {
						t.Errorf("%s: the stored stamp (-want +got):\n%s", reason, diff)
					}
					if err := as(t, user).Delete(t.Context(), got); err != nil {
						t.Errorf("clean up: %v", err)
					}
				})
			}
			for name, w := range creations() {
				try("another person's name by "+name, w.reason, w, map[string]any{"username": "ceo", "uid": "u-ceo", "groups": []string{"board"}})
			}
			for name, forgery := range forgeries() {
				try(name+" by create", "what is sent does not matter", creations()["create"], forgery)
			}
		})
	}
}

// A stamp never changes afterwards: neither its name nor any part of it.
func TestStampsAreImmutable(t *testing.T) {
	says := immutables()
	for kind, field := range stampedKinds() {
		t.Run(kind, func(t *testing.T) {
			o := create(t, says[kind].user, manifestOf(t, kind))
			for change, e := range map[string]edits{
				"another name":  {"spec." + field + ".username": "ceo"},
				"another UID":   {"spec." + field + ".uid": "u-ceo"},
				"another group": {"spec." + field + ".groups.0": "board"},
				"no stamp":      {"spec." + field: nil},
			} {
				for name, w := range updates() {
					if name == "server-side apply" && e["spec."+field] == nil && len(e) == 1 && change == "no stamp" {
						continue // an apply that does not name the stamp leaves it where it is
					}
					t.Run(change+" by "+name, func(t *testing.T) {
						before := stored(t, o)
						err := w.write(t.Context(), as(t, sam), before, edited(t, before, e))
						wantInvalid(t, err, "", kind, o.GetName(), forbidden("spec", says[kind].says))
					})
				}
			}
			if diff := cmp.Diff(truth(says[kind].user), stampOf(t, stored(t, o))); diff != "" {
				t.Errorf("the stored stamp (-want +got):\n%s", diff)
			}
		})
	}
}

// The stamp names the user that the API server authenticated.
func TestStampsTellWhatTheAPIServerKnows(t *testing.T) {
	cases := map[string]struct {
		reason string
		client client.Client
		want   map[string]any
	}{
		"a user without UID gets none": {
			reason: "a client certificate has no UID", client: as(t, pat), want: truth(pat),
		},
		"an impersonated person is stamped as who they act as": {
			reason: "impersonating a person is invisible to admission; that the UID is missing is all that shows",
			client: impersonating(t, sam, robin),
			want:   map[string]any{"username": robin, "groups": []any{"system:authenticated"}},
		},
		"a service account is stamped with its UID": {
			reason: "one that has none is impersonated", client: as(t, bot),
			want: map[string]any{"username": bot, "uid": uidOf(t, "ci", "bot"),
				"groups": []any{"system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"}},
		},
		"an impersonated service account is stamped without UID": {
			reason: "so that it can be told from the genuine one", client: impersonating(t, sam, bot),
			want: map[string]any{"username": bot,
				"groups": []any{"system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := object(t, v1alpha1.KindChangeFreeze, edits{"spec.requestedBy": map[string]any{"username": "ceo", "uid": "u-ceo"}})
			if err := tc.client.Create(t.Context(), o); err != nil {
				t.Fatalf("refused: %v", err)
			}
			removeLater(t, o)
			if diff := cmp.Diff(tc.want, stampOf(t, stored(t, o))); diff != "" {
				t.Errorf("%s: the stored stamp (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
