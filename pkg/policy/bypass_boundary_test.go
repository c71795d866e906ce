package policy_test

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// TestBypassAccounts tries ways to a token of a controller's account, or of Firebreak's own: its holder is that account.
func TestBypassAccounts(t *testing.T) {
	token := func(requester, namespace, account string) header {
		return header{Requester: requester, Resource: "serviceaccounts", SubResource: "token", Namespace: namespace, Name: account}
	}
	const ask = `{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, metadata: {name: x}}`
	secret := func(namespace, account string) string {
		return `{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: t, namespace: ` + namespace + `, annotations: {kubernetes.io/service-account.name: ` + account + `}}}`
	}
	pod := func(namespace, account string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ` + namespace + `}, spec: {serviceAccountName: ` + account + `, containers: [{name: c, image: x}]}}`
	}
	runRequests(t, map[string]request{
		"a token of Firebreak's own":          {reason: "it may write what nobody else may", header: token("bob", "firebreak-system", "firebreak"), objects: ask, want: "BoundaryTampering"},
		"a token of another of its namespace": {reason: "that account may write nothing", header: token("bob", "firebreak-system", "default"), objects: ask, want: "admitted"},
		"a token of a controller":             {reason: "requests of controllers are judged on the workload alone", header: token("bob", "kube-system", "job-controller"), objects: ask, want: "BoundaryTampering"},
		"a token of another of kube-system":   {reason: "it is no controller", header: token("bob", "kube-system", "coredns"), objects: ask, want: "admitted"},
		"a token of a namesake":               {reason: "only kube-system has Kubernetes' own", header: token("dora", "dev", "job-controller"), objects: ask, want: "admitted"},
		"a Secret that keeps a controller's":  {reason: "the token controller fills it in", header: by("bob"), objects: secret("kube-system", "job-controller"), want: "BoundaryTampering"},
		"a Secret that keeps Firebreak's":     {reason: "the token controller fills it in", header: by("bob"), objects: secret("firebreak-system", "firebreak"), want: "BoundaryTampering"},
		"a Secret that keeps another's":       {reason: "it is no controller", header: by("bob"), objects: secret("kube-system", "coredns"), want: "admitted"},
		"a Pod that runs as a controller":     {reason: "the token is mounted into it", header: by("bob"), objects: pod("kube-system", "job-controller"), want: "BoundaryTampering"},
		"a Pod that runs as Firebreak":        {reason: "the token is mounted into it", header: by("bob"), objects: pod("firebreak-system", "firebreak"), want: "BoundaryTampering"},
		"a Pod that runs as somebody":         {reason: "it is no controller", header: by("bob"), objects: pod("kube-system", "coredns"), want: "admitted"},
		"a Pod of Firebreak's own Deployment": {reason: "its Deployment was judged; its Pods must be replaced", header: by("replicaset-controller"), objects: pod("firebreak-system", "firebreak"), want: "admitted"},
		"a token, asked for by the manager": {
			reason: "failing it means that no controller can work", header: token("bob", "kube-system", "job-controller"), objects: ask,
			edit: func(r *policy.Request) {
				r.User = authenticationv1.UserInfo{Username: "system:kube-controller-manager"}
			}, want: "admitted",
		},
	})
}

func TestBypassBoundary(t *testing.T) {
	crd := func(extra string) string {
		return `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: datastores.firebreak.dev` + extra + `}, spec: {group: firebreak.dev}}`
	}
	service := func(body string) string {
		return `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1alpha1.firebreak.dev}, spec: ` + body + `}`
	}
	freeze := `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: f}, spec: {environments: [production, pci], reason: r}}`
	runRequests(t, map[string]request{
		"a CRD changes":                                {reason: "every decision rests on it", header: updating("bob"), objects: then(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: datastores.firebreak.dev}, spec: {group: other}}`, crd("")), want: "BoundaryTampering"},
		"a CRD gets an owner":                          {reason: "the garbage collector deletes what names an owner that is not there", header: updating("bob"), objects: then(crd(", ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: x, uid: x}]"), crd("")), want: "BoundaryTampering"},
		"a CRD gets a label":                           {reason: "it decides nothing", header: updating("bob"), objects: then(crd(", labels: {a: b}"), crd("")), want: "admitted"},
		"a CRD of somebody else":                       {reason: "it is none of Firebreak's", header: header{Requester: "bob", Operation: "delete"}, objects: `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: things.example.com}, spec: {}}`, want: "admitted"},
		"a CRD of a longer group":                      {reason: "groups are compared whole", header: header{Requester: "bob", Operation: "delete"}, objects: `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: things.notfirebreak.dev}, spec: {}}`, want: "admitted"},
		"a CRD is created":                             {reason: "creation takes nothing away", header: by("bob"), objects: crd(""), want: "admitted"},
		"the APIService is replaced":                   {reason: "somebody else would serve the kinds", header: updating("bob"), objects: then(service("{service: {name: mine, namespace: dev}}"), service("{}")), want: "BoundaryTampering"},
		"the APIService is deleted":                    {reason: "nobody would serve the kinds", header: header{Requester: "bob", Operation: "delete"}, objects: service("{}"), want: "BoundaryTampering"},
		"a node gets the pool's taint":                 {reason: "it would take production's Pods", header: updating("bob"), objects: then(`{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {taints: [{key: dedicated, value: prod, effect: NoSchedule}]}}`, `{apiVersion: v1, kind: Node, metadata: {name: n1}}`), want: "BoundaryTampering"},
		"a node joins the pool":                        {reason: "it would take production's Pods", header: by("dora"), objects: `{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {pool: prod}}}`, want: "BoundaryTampering"},
		"a node gets another taint":                    {reason: "it is none of the pool's", header: updating("bob"), objects: then(`{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {taints: [{key: disk, effect: NoSchedule}]}}`, `{apiVersion: v1, kind: Node, metadata: {name: n1}}`), want: "admitted"},
		"a node's status":                              {reason: "nodes write it all the time", header: header{Requester: "bob", Operation: "update", SubResource: "status"}, objects: then(`{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {pool: prod}}}`, `{apiVersion: v1, kind: Node, metadata: {name: n1}}`), want: "admitted"},
		"a freeze of two is lifted by a member of one": {reason: "whoever lifts it lifts it for both", header: header{Requester: "bob", Operation: "delete"}, objects: freeze, want: "IdentityOutsideEnvironment"},
		"a window is closed by anybody":                {reason: "refusing it wedges namespaces", header: header{Requester: "stranger", Operation: "delete"}, objects: plainWindow, want: "admitted"},
		"a person whom a hook makes harmless":          {reason: "where everything is maintenance, a hook is too", header: by("pia"), objects: `{apiVersion: batch/v1, kind: Job, metadata: {name: h, namespace: cards, annotations: {helm.sh/hook: test}}, spec: {template: {spec: {containers: [{name: c, image: x}]}}}}`, want: "ChangeWindowRequired"},
	})
}

// TestBypassTarget checks that the annotation is compared with the place to which a manifest goes now.
func TestBypassTarget(t *testing.T) {
	cm := func(env, data string) string {
		return `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: payments, annotations: {firebreak.dev/target-environment: ` + env + `}}, data: {a: ` + data + `}}`
	}
	runRequests(t, map[string]request{
		"an old wrong address":        {reason: "an environment may be renamed, and then nothing may stop", header: updating("bob"), objects: then(cm("staging", "b"), cm("staging", "a")), want: "admitted"},
		"a new wrong address":         {reason: "the manifest that was meant for another", header: updating("bob"), objects: then(cm("staging", "b"), cm("production", "a")), want: "TargetNotConfirmed"},
		"another wrong address":       {reason: "the old one excuses no other", header: updating("bob"), objects: then(cm("staging", "b"), cm("development", "a")), want: "TargetNotConfirmed"},
		"a cluster-scoped object":     {reason: "it has no environment to miss", header: by("bob"), objects: `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r, annotations: {firebreak.dev/target-environment: production}}}`, want: "admitted"},
		"a Pod of a controller":       {reason: "its template was judged", header: by("replicaset-controller"), objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, annotations: {firebreak.dev/target-environment: staging}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true}]}, spec: {containers: [{name: c, image: x}]}}`, want: "admitted"},
		"a person who names an owner": {reason: "from anybody else an owner reference is not believed", header: by("dora"), objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev, annotations: {firebreak.dev/target-environment: production}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true}]}, spec: {containers: [{name: c, image: x}]}}`, want: "TargetNotConfirmed"},
		"an empty address":            {reason: "it names nothing", header: by("bob"), objects: cm(`""`, "a"), want: "TargetNotConfirmed"},
	})
}
