package policy_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func TestBypassReviews(t *testing.T) {
	const noObject = "undecided: the request carries no object"
	runRequests(t, map[string]request{
		"a name yet to be generated": {
			reason: "generateName is all there is before the object is stored", header: by("dora"),
			objects: strings.Replace(devPod, "name: p,", "generateName: p-,", 1), want: "DataStoreAcrossTiers",
		},
		"no name at all": {
			reason: "an object without a name is an object", header: by("dora"),
			objects: strings.Replace(devPod, "name: p, ", "", 1), want: "DataStoreAcrossTiers",
		},
		"deletecollection": {
			reason: "one review per object, with an empty name and the full old object", header: header{Requester: "dora", Operation: "delete"}, objects: calmPod,
			edit: func(r *policy.Request) { r.Name = "" }, want: "IdentityOutsideEnvironment",
		},
		"a deletion that carries null": {
			reason: "object is null, oldObject is not", header: header{Requester: "dora", Operation: "delete"}, objects: calmPod,
			edit: func(r *policy.Request) { r.Object = []byte("null") }, want: "IdentityOutsideEnvironment",
		},
		"a deletion without the old object": {
			reason: "what is deleted must be known", header: header{Requester: "bob", Operation: "delete"}, objects: calmPod,
			edit: func(r *policy.Request) { r.OldObject = nil }, want: noObject,
		},
		"a creation of null": {
			reason: "there is nothing to judge", header: by("bob"), objects: calmPod,
			edit: func(r *policy.Request) { r.Object = []byte("null") }, want: noObject,
		},
		"a creation of nothing": {
			reason: "there is nothing to judge", header: by("bob"), objects: calmPod,
			edit: func(r *policy.Request) { r.Object = nil }, want: noObject,
		},
		"an update without the old object": {
			reason: "it cannot be told what changes", header: by("bob"), objects: calmPod,
			edit: func(r *policy.Request) { r.Operation = policy.Update }, want: noObject,
		},
		"an update of null": {
			reason: "there is nothing to judge", header: updating("bob"), objects: then(calmPod, calmPod),
			edit: func(r *policy.Request) { r.Object = []byte("null") }, want: noObject,
		},
		"no JSON": {
			reason: "what cannot be read is not admitted", header: by("bob"), objects: calmPod,
			edit: func(r *policy.Request) { r.Object = []byte(`{"metadata":`) }, want: "undecided: decode Pod: unexpected end of JSON input",
		},
		"a list for an object": {
			reason: "what cannot be read is not admitted", header: by("bob"), objects: calmPod,
			edit: func(r *policy.Request) { r.Object = []byte(`[]`) },
			want: "undecided: decode Pod: an object cannot be a list",
		},
		"a text for a number": {
			reason: "type mismatches are not guessed at", header: by("bob"), objects: calmPod,
			edit: func(r *policy.Request) { r.Object = []byte(`{"metadata":{"name":"p"},"spec":{"containers":"none"}}`) },
			want: "undecided: decode Pod: spec.containers cannot be a text",
		},
		"a Secret that is none": {
			reason: "the decoder's words could repeat the content", header: by("bob"), objects: `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: payments}}`,
			edit: func(r *policy.Request) { r.Object = []byte(`{"metadata":{"name":"s"},"data":"hunter2"}`) },
			want: "undecided: decode Secret: it is not a valid Secret",
		},
		"fields in capitals": {
			reason: "the API server drops them, so nothing runs: encoding/json would take them", header: by("dora"),
			objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x, ENV: [{name: DB, value: orders.prod.db.example.com}]}]}}`, want: "admitted",
		},
		"an environment of null": {
			reason: "odd but real", header: by("dora"),
			objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x, env: null, command: null, args: [orders.prod.db.example.com]}]}}`, want: "DataStoreAcrossTiers",
		},
		"everything of null": {
			reason: "odd, and nothing runs", header: by("dora"),
			objects: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: p, namespace: dev, labels: null, annotations: null, ownerReferences: null}, spec: {template: {metadata: null, spec: {containers: null}}}}`, want: "admitted",
		},
		"no spec": {
			reason: "a patch of Kustomize looks so", header: by("dora"),
			objects: `{apiVersion: v1, kind: ReplicationController, metadata: {name: p, namespace: dev}}`, want: "admitted",
		},
		"a variable without a value": {
			reason: "odd but real", header: by("dora"),
			objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x, env: [{name: A}, {name: B, valueFrom: {}}, {name: DB, value: orders.prod.db.example.com}]}]}}`, want: "DataStoreAcrossTiers",
		},
		"an unknown subresource in production": {
			reason: "nobody here can tell what it does", header: header{Requester: "bob", Operation: "update", SubResource: "teleport"}, objects: then(calmPod, calmPod),
			want: `undecided: the subresource "teleport" is not known to this version of Firebreak, so it is refused in production; update Firebreak`,
		},
		"an unknown subresource elsewhere": {
			reason: "content is judged there too, whatever the subresource does", header: header{Requester: "dora", Operation: "update", SubResource: "teleport"},
			objects: then(devPod, strings.Replace(devPod, "orders.prod", "orders.dev", 1)), want: "DataStoreAcrossTiers",
		},
		"an unknown namespace": {
			reason: "it is read live, never taken for nobody's", header: by("dora"), objects: strings.Replace(devPod, "namespace: dev", "namespace: dev-new", 1),
			want: `missing: namespace "dev-new" is not known yet`,
		},
		"an unknown namespace that was read": {
			reason: "then its labels decide", header: by("dora"), objects: strings.Replace(devPod, "namespace: dev", "namespace: fresh", 1),
			edit: func(r *policy.Request) {
				r.Facts.NamespaceRead, r.Facts.NamespaceLabels = true, map[string]string{"env": "prod"}
			},
			want: "IdentityOutsideEnvironment",
		},
		"labels that the sender claims for a known namespace": {
			reason: "what the estate knows wins", header: by("dora"), objects: devPod,
			edit: func(r *policy.Request) {
				r.Facts.NamespaceRead, r.Facts.NamespaceLabels = true, map[string]string{"env": "prod"}
			},
			want: "DataStoreAcrossTiers",
		},
		"an older version of the kind": {
			reason: "kinds are compared by group and name", header: by("dora"), objects: devPod,
			edit: func(r *policy.Request) { r.Kind.Version = "v1alpha7" }, want: "DataStoreAcrossTiers",
		},
		"namespaces/finalize edits labels": {
			reason: "whatever subresource writes them", header: header{Requester: "bob", Operation: "update", SubResource: "finalize"},
			objects: then(`{apiVersion: v1, kind: Namespace, metadata: {name: transfer}}`, `{apiVersion: v1, kind: Namespace, metadata: {name: transfer, labels: {env: prod}}}`),
			want:    "BoundaryTampering",
		},
		"a session without labels": {
			reason: "CONNECT carries options only", header: header{Requester: "dora", Operation: "connect", Resource: "pods", SubResource: "attach", Namespace: "payments", Name: "p"},
			objects: `{apiVersion: v1, kind: PodAttachOptions}`, want: "IdentityOutsideEnvironment",
		},
		"a session with nothing": {
			reason: "options may be missing", header: header{Requester: "dora", Operation: "connect", Resource: "pods", SubResource: "proxy", Namespace: "payments", Name: "p"},
			objects: `{apiVersion: v1, kind: PodProxyOptions}`, edit: func(r *policy.Request) { r.Object = nil }, want: "IdentityOutsideEnvironment",
		},
	})
}

// missing says what must be read before a request can be decided. Until then the request must not be admitted.
func missing(t *testing.T, req *policy.Request, w *policy.ClusterView) string {
	t.Helper()
	d, err := policy.Evaluate(*req, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Missing == nil || d.Allowed {
		t.Fatalf("missing: %v, admitted: %t", d.Missing, d.Allowed)
	}
	return d.Missing.String()
}

// TestMissingDryRunsAreNotAdmitted checks that a dry run lacks the same as the request itself.
func TestMissingDryRunsAreNotAdmitted(t *testing.T) {
	s := newStage(t)
	req := newRequest(t, s, by("bob"), documents(t, []byte(strings.Replace(prodJob, "namespace: payments", "namespace: nobody-knows", 1))), now())
	req.DryRun = true
	if got := missing(t, req, s.cluster); got != `namespace "nobody-knows" is not known yet` {
		t.Error(got)
	}
}

// TestWhatIsMissingIsTold checks that a decision says what is missing: the webhook reads it, once, and asks again.
func TestWhatIsMissingIsTold(t *testing.T) {
	s := newStage(t)
	pod := documents(t, []byte(strings.Replace(devPod, "namespace: dev", "namespace: nobody-knows", 1)))
	if got := missing(t, newRequest(t, s, by("dora"), pod, now()), s.cluster); got != `namespace "nobody-knows" is not known yet` {
		t.Errorf("an unknown namespace is named: %s", got)
	}
	req := newRequest(t, s, by("job-controller"), documents(t, []byte(devPod)), now())
	req.User.Username = "system:serviceaccount:kube-system:node-controller"
	if got := missing(t, req, s.cluster); got != "service account kube-system/node-controller is not known yet" {
		t.Errorf("an unknown controller is named: %s", got)
	}
	req = newRequest(t, s, updating("bob"), documents(t, []byte(then(calmPod, calmPod))), now())
	req.SubResource = "teleport"
	var undecided policy.UndecidedError
	if _, err := policy.Prepare(*req, s.cluster); !errors.As(err, &undecided) {
		t.Errorf("an unknown subresource is undecided: %v", err)
	}
}

// TestNoPanic checks that every combination of what may be sent is judged or refused, and never panics.
func TestNoPanic(t *testing.T) {
	s := newStage(t)
	bodies := []string{"", "null", "{}", `{"metadata":null}`, `{"metadata":{"name":"x","namespace":"payments"}}`,
		`{"metadata":{"name":"x"},"spec":null,"data":null}`, `{"metadata":{"name":"x"},"spec":{"template":null,"jobTemplate":null,"window":null}}`,
		`{"metadata":{"name":"x","ownerReferences":[{"controller":true}]},"spec":{"template":{"spec":{"containers":[{}]}},"jobTemplate":{"spec":{"template":{"spec":{"containers":[{}]}}}},"containers":[{}]}}`}
	kinds := []schema.GroupVersionKind{{Version: "v1", Kind: "Namespace"}, {Version: "v1", Kind: "Node"}, {Version: "v1", Kind: "Pod"},
		{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "Service"}, {Version: "v1", Kind: "ReplicationController"},
		{Group: "batch", Version: "v1", Kind: "Job"}, {Group: "batch", Version: "v1", Kind: "CronJob"}, {Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "example.com", Version: "v1", Kind: "Thing"}, {Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}}
	for _, k := range []string{"Environment", "DataStore", "ChangeWindow", "ChangeApproval", "ChangeExecution", "ChangeFreeze", "Exemption"} {
		kinds = append(kinds, schema.GroupVersionKind{Group: "firebreak.dev", Version: "v1alpha1", Kind: k})
	}
	asked, judged := 0, 0
	for _, kind := range kinds {
		for _, op := range []policy.Operation{policy.Create, policy.Update, policy.Delete, policy.Connect, "BLESS"} {
			for _, sub := range []string{"", "ephemeralcontainers", "token"} {
				for _, object := range bodies {
					for _, old := range bodies {
						for _, ns := range []string{"", "payments"} {
							req := &policy.Request{Operation: op, Kind: kind, SubResource: sub, Namespace: ns, User: s.as(t, "bob"), Object: []byte(object), OldObject: []byte(old), Now: now()}
							d, err := policy.Evaluate(*req, s.cluster, nil)
							if asked++; err == nil {
								judged++
							}
							if op == "BLESS" && err == nil && d.Allowed {
								t.Errorf("an operation that nobody knows is admitted: %s %s/%s in %q: %s → %s", kind, sub, object, ns, old, object)
							}
						}
					}
				}
			}
		}
	}
	if judged < asked/4 {
		t.Errorf("of %d only %d were judged", asked, judged)
	}
}
