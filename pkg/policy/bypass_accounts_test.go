package policy_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// An account that production lists is production's, wherever its namespace belongs.
func TestBypassListedAccounts(t *testing.T) {
	pod := func(account string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: argocd}, spec: {serviceAccountName: ` + account + `, containers: [{name: c, image: x}]}}`
	}
	sub := func(name, subresource string, op policy.Operation) func(*policy.Request) {
		return func(r *policy.Request) { r.Name, r.SubResource, r.Operation = name, subresource, op }
	}
	runRequests(t, map[string]request{
		"a session in its namespace": {
			reason: "its token is mounted there", header: by("dora"), objects: pod("default"), edit: sub("p", "exec", policy.Connect), want: "IdentityOutsideEnvironment",
		},
		"its token": {
			reason: "whoever has it is the account", header: by("dora"), objects: pod("default"),
			edit: sub("argocd-application-controller", "token", policy.Create), want: "IdentityOutsideEnvironment",
		},
		"a Pod that runs as it": {
			reason: "so is whoever writes what the Pod runs", header: by("dora"), objects: pod("argocd-application-controller"), want: "IdentityOutsideEnvironment",
		},
		"a member's session": {
			reason: "members act for production anyway", header: by("bob"), objects: pod("default"), edit: sub("p", "exec", policy.Connect), want: "admitted",
		},
		"the token of another account": {
			reason: "nobody lists that one", header: by("dora"), objects: pod("default"), edit: sub("default", "token", policy.Create), want: "admitted",
		},
		"a Pod that runs as another": {
			reason: "nobody lists that one", header: by("dora"), objects: pod("default"), want: "admitted",
		},
	})
}

// An operator is believed about an owner that exists, and about owners of its own kinds, which only the API server knows.
func TestBypassOperatorsOwner(t *testing.T) {
	owned := func(version, kind, name, uid string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, ownerReferences: [{apiVersion: ` + version + `, kind: ` + kind +
			`, name: ` + name + `, uid: ` + uid + `, controller: true}]}, spec: {containers: [{name: c, image: x, command: [psql, -h, orders.prod.db.example.com]}]}}`
	}
	runRequests(t, map[string]request{
		"a ReplicaSet that there is not": {
			reason: "the Pod is as good as bare", header: by("cert-manager"), objects: owned("apps/v1", "ReplicaSet", "nope", "nope"), want: "ChangeWindowRequired",
		},
		"a Job": {
			reason: "only the job controller makes the Pods of Jobs", header: by("cert-manager"), objects: owned("batch/v1", "Job", "nope", "nope"), want: "ChangeWindowRequired",
		},
		"a Cluster of its own": {
			reason: "a database operator replaces its Pods", header: by("cert-manager"), objects: owned("postgresql.cnpg.io/v1", "Cluster", "orders", "c"), want: "admitted",
		},
	})
}
