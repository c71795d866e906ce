package policy_test

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

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
	})
}

// Requests of nodes and the control plane are believed; a requester with only their name, or with a further group, is judged.
func TestBypassByTheControlPlanesNames(t *testing.T) {
	s := newStage(t)
	for name, test := range map[string]struct {
		reason, username string
		groups           []string
		believed         bool
	}{
		"a kubelet":                         {"its name, and its group alone", "system:node:n1", []string{"system:nodes"}, true},
		"a kubelet of a managed cluster":    {"some give nodes groups of their own", "system:node:n1", []string{"system:nodes", "system:bootstrappers", "system:node-proxier"}, true},
		"a person in the group of nodes":    {"a certificate may say so", "oidc:dev-dora", []string{"developers", "system:nodes"}, false},
		"a node in the group of people":     {"it would have their rights", "system:node:dora", []string{"developers", "system:nodes"}, false},
		"a name like a node's":              {"it is in no group", "system:node:bob", nil, false},
		"the controller manager":            {"it has its name, and no group", "system:kube-controller-manager", nil, true},
		"an administrator who acts as it":   {"impersonation may add any group", "system:kube-controller-manager", []string{"system:masters"}, false},
		"an administrator as the scheduler": {"the same", "system:kube-scheduler", []string{"system:masters"}, false},
		"the API server":                    {"it is of the administrators' group itself", "system:apiserver", []string{"system:masters"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, s, header{Requester: "dora", Operation: "delete"}, documents(t, []byte(calmPod)), now())
			req.User = authenticationv1.UserInfo{Username: test.username, Groups: append(test.groups, "system:authenticated")}
			d, err := policy.Evaluate(*req, s.cluster, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d.Allowed != test.believed {
				t.Errorf("%s: admitted: %t, want %t", test.reason, d.Allowed, test.believed)
			}
		})
	}
}
