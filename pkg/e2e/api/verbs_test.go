package api

import (
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

func mayNotApprove(user, namespace string) string {
	return user + " may not approve change windows in namespace " + namespace + ": that needs the RBAC verb approve on changewindows.firebreak.dev, or a delegation by somebody who holds it"
}

func isAServiceAccount(user string) string {
	return "change windows are approved by persons, and " + user + " is a service account"
}

// RBAC says who may approve, and decisions of persons are for persons only.
func TestWhoMayApprove(t *testing.T) {
	rebuild := create(t, sam, object(t, v1alpha1.KindChangeWindow))
	restart := create(t, sam, object(t, v1alpha1.KindChangeWindow, edits{"metadata.name": "restart"}))
	cases := map[string]struct {
		reason string
		client client.Client
		window *unstructured.Unstructured
		word   string
		want   *refusal
	}{
		"a person with the verb": {
			reason: "the sound case of the others", client: as(t, robin), window: rebuild, word: "Approve",
		},
		"a person with the verb on this one window": {
			reason: "resourceNames limit the verb as any other", client: as(t, pat), window: rebuild, word: "Approve",
		},
		"a person with the verb on another window only": {
			reason: "the verb is asked for the window that the word is about", client: as(t, pat), window: restart, word: "Approve",
			want: of(byPolicy("changeapprovals", "word", "approver", mayNotApprove(pat, "payments"))),
		},
		"a person who may write approvals, but without the verb": {
			reason: "create on changeapprovals is not enough", client: as(t, dana), window: rebuild, word: "Approve",
			want: of(byPolicy("changeapprovals", "word", "approver", mayNotApprove(dana, "payments"))),
		},
		"a person without the verb who rejects": {
			reason: "a rejection blocks a window, so it takes the same right", client: as(t, dana), window: rebuild, word: "Reject",
			want: of(byPolicy("changeapprovals", "word", "approver", mayNotApprove(dana, "payments"))),
		},
		"a service account with every right": {
			reason: "wildcards include the verb, but a machine is no person", client: as(t, bot), window: rebuild, word: "Approve",
			want: of(byPolicy("changeapprovals", "word", "approver", isAServiceAccount(bot))),
		},
		"an impersonated service account": {
			reason: "the built-in edit role may impersonate the accounts of its namespace", client: impersonating(t, sam, bot), window: rebuild, word: "Approve",
			want: of(byPolicy("changeapprovals", "word", "approver", isAServiceAccount(bot))),
		},
		"Firebreak's own service account": {
			reason: "it may not even write approvals", client: as(t, firebreak), window: rebuild, word: "Approve",
			want: &refusal{
				Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
				Message: `changeapprovals.firebreak.dev is forbidden: User "` + firebreak + `" cannot create resource "changeapprovals" in API group "firebreak.dev" in the namespace "payments"`,
			},
		},
		"a person who impersonates an approver without the right to": {
			reason: "impersonating a person is invisible to admission; RBAC is what stands before it", client: impersonating(t, dana, robin), window: rebuild, word: "Approve",
			want: &refusal{
				Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
				Message: `changeapprovals.firebreak.dev is forbidden: User "dana" cannot impersonate-on:user-info:create resource "changeapprovals" in API group "firebreak.dev" in the namespace "payments"`,
			},
		},
		"the requester": {
			reason: "nobody approves what they requested, whatever RBAC says", client: as(t, sam), window: rebuild, word: "Approve",
			want: of(byWebhook("changeapprovals", "word", forbidden("spec.approver",
				`user "sam" requested change window "rebuild", and nobody approves what they requested; ask another person who holds the verb approve on changewindows`))),
		},
		"the requester who rejects": {
			reason: "anybody with the verb may withdraw", client: as(t, sam), window: restart, word: "Reject",
		},
		"somebody who is no member": {
			reason: "system:masters have the verb and are no members", client: as(t, admin), window: rebuild, word: "Approve",
			want: of(outsider("changeapprovals", "word", admin, "spec.approver", `user "kubernetes-admin" is not a member of environment "production"`)),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := tc.client.Create(t.Context(), object(t, v1alpha1.KindChangeApproval, about(t, tc.window, tc.word)), client.DryRunAll)
			switch {
			case tc.want != nil:
				wantRefused(t, err, *tc.want)
			case err != nil:
				t.Errorf("refused: %v", err)
			}
			if t.Failed() {
				t.Logf("reason of the case: %s", tc.reason)
			}
		})
	}
}

// outsider returns a refusal by IdentityOutsideEnvironment, with the other objections to the object.
func outsider(resource, name, user, field, also string) refusal {
	says := `user "` + user + `" is not a member of "production", to which namespace "payments" belongs`
	return refusal{
		Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Message: `admission webhook "core.firebreak.dev" denied the request: ` + resource + `.firebreak.dev "` + name +
			`" is forbidden: ask a member to do it, or have the identity listed in spec.identities (IdentityOutsideEnvironment: ` + says + "); " + field + ": Forbidden: " + also,
		Causes: []metav1.StatusCause{
			{Type: "IdentityOutsideEnvironment", Message: says},
			forbidden(field, also),
		},
	}
}

// Freezes and executions have no namespace in which an approval could lie beside them.
func TestWhereWordsLie(t *testing.T) {
	const place = "approvals of freezes and executions lie in namespace " + stage.Namespace
	lift := edits{"spec.window": nil, "spec.freeze": map[string]any{"name": "christmas", "uid": "2c9a"}, "spec.decision": "Lift"}
	release := edits{"spec.window": nil, "spec.execution": map[string]any{"name": "2c9a-0-0", "uid": "2c9a"}, "spec.decision": "Release"}
	home := edits{"metadata.namespace": stage.Namespace}
	cases := map[string]struct {
		reason string
		edits  []edits
		want   func(error)
	}{
		"a Lift beside the windows": {"the policy", []edits{lift}, func(err error) {
			wantRefused(t, err, byPolicy("changeapprovals", "word", "approver", place))
		}},
		"a Release beside the windows": {"the policy", []edits{release}, func(err error) {
			wantRefused(t, err, byPolicy("changeapprovals", "word", "approver", place))
		}},
		"a Lift where it belongs":    {"whether it counts is told when it is heeded", []edits{lift, home}, func(err error) { wantNoError(t, err) }},
		"a Release where it belongs": {"whether it counts is told when it is heeded", []edits{release, home}, func(err error) { wantNoError(t, err) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.want(as(t, robin).Create(t.Context(), object(t, v1alpha1.KindChangeApproval, tc.edits...), client.DryRunAll))
		})
	}
}

// webhook is the beginning of each message of the validating webhook.
const webhook = `admission webhook "core.firebreak.dev" denied the request: `

// The namespace of a window decides what the window may open.
func TestWhereWindowsLie(t *testing.T) {
	const (
		elsewhere = "spec.scope.namespaces is for windows in namespace " + stage.Namespace + "; any other window opens its own namespace"
		clusters  = "a window in namespace " + stage.Namespace + " must name its clusters in spec.scope.clusters"
	)
	home := edits{"metadata.namespace": stage.Namespace}
	cases := map[string]struct {
		reason string
		edits  []edits
		want   *refusal
	}{
		"a window that lists another namespace": {
			"whoever may request here may not open there", []edits{{"spec.scope.namespaces": []string{"ledger"}}},
			of(byPolicy("changewindows", "rebuild", "window-place", elsewhere)),
		},
		"a window that lists its own namespace": {
			"it opens that anyway; one way to say it", []edits{{"spec.scope.namespaces": []string{"payments"}}},
			of(byPolicy("changewindows", "rebuild", "window-place", elsewhere)),
		},
		"a window with an empty list": {"it lists nothing", []edits{{"spec.scope.namespaces": []string{}}}, nil},
		"a window in Firebreak's namespace without clusters": {
			"it may be copied to every cluster by GitOps", []edits{home}, of(unprocessable(byPolicy("changewindows", "rebuild", "window-place", clusters))),
		},
		"a window in Firebreak's namespace with no cluster in its list": {
			"empty is not all, there", []edits{home, {"spec.scope.clusters": []string{}}},
			of(unprocessable(byPolicy("changewindows", "rebuild", "window-place", clusters))),
		},
		"a window in Firebreak's namespace with a cluster": {
			"a boundary window", []edits{home, {"spec.scope.clusters": []string{stage.Cluster}}}, nil,
		},
		"a window in Firebreak's namespace that lists namespaces": {
			"the one place from which others open", []edits{home, {"spec.scope.clusters": []string{stage.Cluster}, "spec.scope.namespaces": []string{"payments"}}}, nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := as(t, sam).Create(t.Context(), object(t, v1alpha1.KindChangeWindow, tc.edits...), client.DryRunAll)
			switch {
			case tc.want != nil:
				wantRefused(t, err, *tc.want)
			case err != nil:
				t.Errorf("refused: %v", err)
			}
			if t.Failed() {
				t.Logf("reason of the case: %s", tc.reason)
			}
		})
	}
}

// unprocessable is the refusal of a policy that calls the object invalid.
func unprocessable(r refusal) refusal {
	r.Code, r.Reason = http.StatusUnprocessableEntity, metav1.StatusReasonInvalid
	return r
}

// An Emergency window opens without approval, so writing one needs a right of its own.
func TestWhoMayBreakGlass(t *testing.T) {
	emergency := func() *unstructured.Unstructured {
		return object(t, v1alpha1.KindChangeWindow, edits{"spec.type": "Emergency"})
	}
	t.Run("a person without the verb breakglass", func(t *testing.T) {
		wantRefused(t, as(t, dana).Create(t.Context(), emergency(), client.DryRunAll), byPolicy("changewindows", "rebuild", "emergency",
			"dana may not open Emergency windows in namespace payments: that needs the RBAC verb breakglass on changewindows.firebreak.dev"))
	})
	t.Run("a person with every verb", func(t *testing.T) {
		if err := as(t, sam).Create(t.Context(), emergency(), client.DryRunAll); err != nil {
			t.Error(err)
		}
	})
}

func wantNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
