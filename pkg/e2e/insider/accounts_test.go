package insider

import (
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

const bot = "system:serviceaccount:payments:release-bot"

// A machine has every right in its namespace, and sam can act as it with its tokens. As such a machine, sam may neither request nor
// approve a window, nor use one that was opened for sam.
func TestSamCannotActAsAServiceAccount(t *testing.T) {
	const (
		notAPerson = `service account "payments/release-bot" is not a person, and windows are requested by persons, or by service accounts that spec.changeControl.automatedRequesters names; let a person request it`
		borrowed   = `service account "payments/release-bot" is impersonated or shows a long-lived token, and windows are requested by persons; request it as yourself`
		noWindow   = bot + " is an impersonated service account or one with a long-lived token, which no window serves"
	)
	mine := requested(t, sam, window(t, "bot-own"))
	approvedBy(t, robin, requested(t, sam, window(t, "bot-open")))
	for name, tc := range map[string]struct {
		reason           string
		c                client.Client
		asks, who, since string
		whom             []string
	}{
		"with a token that he has asked for": {
			"the role admin lets him mint one", minted(t, sam, "payments", "release-bot"),
			notAPerson, "", "only its requester, sam, may use it", []string{"--for-service-account payments/release-bot"},
		},
		"with a long-lived token from a Secret": {
			"it shows the account's UID, but not which token it is", bearing(t, longLived(t)), borrowed, "", noWindow, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, tc.c.Create(t.Context(), window(t, "bot-asks")),
				byWebhook(`changewindows.firebreak.dev "bot-asks"`, "spec.requestedBy: Forbidden: "+tc.asks))
			refused(t, tc.c.Create(t.Context(), word(mine, "bot-says", v1alpha1.DecisionApprove)),
				byPolicy(`changeapprovals.firebreak.dev "bot-says"`, "approver", "change windows are approved by persons, and "+bot+" is a service account"))
			refused(t, tc.c.Create(t.Context(), fixture.Job("bot-open-run")), maintenance("bot-open-run", tc.who, notCovered("bot-open", tc.since, tc.whom...)))
			notThere(t, "bot-open-run")
			cannotRun(t, as(t, sam), "bot-own-run", unapproved(mine, 0, 1, ""))
		})
	}
}

// A user that impersonates an account of production is not a member of production, whatever that account may do.
func TestSamCannotImpersonateAServiceAccount(t *testing.T) {
	c := impersonating(t, sam, rest.ImpersonationConfig{UserName: bot})
	outsider := borrowedAccount + ` (IdentityOutsideEnvironment: service account "payments/release-bot" is not a member of "production", to which namespace "payments" belongs)`
	refused(t, c.Create(t.Context(), window(t, "acted-asks")), byWebhook(`changewindows.firebreak.dev "acted-asks"`, outsider+
		`; spec.requestedBy: Forbidden: service account "payments/release-bot" is impersonated or shows a long-lived token, and windows are requested by persons; request it as yourself`))
	refused(t, c.Create(t.Context(), fixture.Job("acted-run")), byWebhook(`jobs.batch "acted-run"`, outsider))
	notThere(t, "acted-run")
}

// borrowedAccount is the remedy for a user that acts as an account.
const borrowedAccount = "act as yourself, for whoever acts as a member's account is not a member; or have the account listed in spec.identities.impersonated, which gives its power to everybody who may impersonate it"

// longLived returns the token in a Secret that sam created for the account.
func longLived(t *testing.T) string {
	t.Helper()
	c := as(t, sam)
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bot-token", Namespace: fixture.Production, Annotations: map[string]string{corev1.ServiceAccountNameKey: "release-bot"}},
		Type:       corev1.SecretTypeServiceAccountToken,
	}
	if err := c.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	await.True(t, "the token is written", func() bool {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			t.Fatal(err)
		}
		return len(s.Data[corev1.ServiceAccountTokenKey]) > 0
	})
	return string(s.Data[corev1.ServiceAccountTokenKey])
}

// Admission does not see that a person is impersonated: only RBAC can refuse it, and no role of the story grants it.
func TestSamCannotImpersonateAPerson(t *testing.T) {
	const narrow = `User "sam" cannot impersonate-on:user-info:create resource "changeapprovals" in API group "firebreak.dev" in the namespace "payments"`
	w := requested(t, sam, window(t, "mask"))
	c := as(t, sam)
	for name, tc := range map[string]struct {
		reason string
		whom   rest.ImpersonationConfig
		want   string
	}{
		"robin": {
			"who may approve", rest.ImpersonationConfig{UserName: robin},
			`users "robin" is forbidden: User "sam" cannot impersonate resource "users" in API group "" at the cluster scope`,
		},
		"himself in another group": {
			"a group is what RBAC grants to", rest.ImpersonationConfig{UserName: sam, Groups: []string{"approvers"}},
			`users "sam" is forbidden: User "sam" cannot impersonate resource "users" in API group "" at the cluster scope`,
		},
		"a service account with a UID": {
			"a UID would make it less a borrowed one", rest.ImpersonationConfig{UserName: bot, UID: "1"},
			`uids.authentication.k8s.io "1" is forbidden: User "sam" cannot impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope`,
		},
		"a service account with a credential": {
			"the credential's id would make it a genuine one",
			rest.ImpersonationConfig{UserName: bot, Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=1"}}},
			`userextras.authentication.k8s.io "JTI=1" is forbidden: User "sam" cannot impersonate resource "userextras/authentication.kubernetes.io/credential-id" in API group "authentication.k8s.io" at the cluster scope`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			err := impersonating(t, sam, tc.whom).Create(t.Context(), word(w, "mask", v1alpha1.DecisionApprove))
			if err == nil || !strings.Contains(err.Error(), narrow) { // the API server names the check that it made last
				refused(t, err, tc.want)
			}
			cannotRun(t, c, "mask-run", unapproved(w, 0, 1, ""))
		})
	}
}

// A certificate of sam has the name and no UID; the token of the request has both. Both are one person.
func TestSamIsOnePersonWhateverHeShows(t *testing.T) {
	shown := clientOf(t, cluster.UserConfig(sam, "sre"))
	w := requested(t, sam, window(t, "shown"))
	refused(t, shown.Create(t.Context(), word(w, "shown", "")), own("shown", "shown"))
	cannotRun(t, as(t, sam), "shown-run", unapproved(w, 0, 1, ""))
}

// Requests of nodes are not judged, since they keep the cluster alive. A person in the group of nodes is not a node.
func TestSamIsNoNode(t *testing.T) {
	node := clientOf(t, cluster.UserConfig(sam, "sre", "system:nodes"))
	w := requested(t, sam, window(t, "node"))
	refused(t, node.Create(t.Context(), word(w, "node", "")), own("node", "node"))
	cannotRun(t, node, "node-run", unapproved(w, 0, 1, ""))
}

// A launcher of Jobs runs routine Jobs. A user that acts as one is not a launcher.
func TestSamIsNoLauncherOfJobs(t *testing.T) {
	listed(t)
	for name, tc := range map[string]struct {
		reason string
		send   func(t *testing.T) error
		want   string
	}{
		"by impersonation": {
			"admission sees that it is no token of its own", func(t *testing.T) error {
				c := impersonating(t, sam, rest.ImpersonationConfig{UserName: "system:serviceaccount:ci:launcher"})
				return c.Create(t.Context(), fixture.Job("launched"))
			},
			byWebhook(`jobs.batch "launched"`, borrowedAccount+` (IdentityOutsideEnvironment: service account "ci/launcher" is not a member of "production", to which namespace "payments" belongs)`),
		},
		"with a token that he asks for": {
			"admission sees who asks for it", func(t *testing.T) error {
				account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "launcher", Namespace: "ci"}}
				return as(t, sam).SubResource("token").Create(t.Context(), account, &authenticationv1.TokenRequest{})
			},
			weakens(`serviceaccounts/token "launcher"`, "", `it takes a token of "ci/launcher", an automation whose work in production is routine`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, tc.send(t), tc.want)
			notThere(t, "launched")
		})
	}
}
