package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// TestNeeds checks that requests which are not change-controlled need nothing read live, and that the others need no more than they must.
func TestNeeds(t *testing.T) {
	s := newStage(t)
	needsWindows := policy.LiveReads{Freezes: true, Windows: true}
	freezesOnly := policy.LiveReads{Freezes: true}
	for name, test := range map[string]struct {
		reason string
		header
		object string
		want   policy.LiveReads
	}{
		"outside of production":       {"nothing is controlled there", by("dora"), devPod, policy.LiveReads{}},
		"maintenance":                 {"windows and freezes", by("bob"), prodJob, needsWindows},
		"maintenance of a controller": {"windows and freezes", by("job-controller"), prodJob, needsWindows},
		"maintenance of an outsider":  {"no window would help who is no member", by("dora"), prodJob, policy.LiveReads{}},
		"maintenance with a ConfigMap": {"its content may be pinned", by("bob"), `{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: payments}, spec: {template: {spec: {containers: [{name: c, image: x, envFrom: [{configMapRef: {name: b}}, {configMapRef: {name: a}}]}]}}}}`,
			policy.LiveReads{Freezes: true, Windows: true, ConfigMaps: []string{"a", "b"}}},
		"configuration":           {"a freeze could bind it", by("bob"), `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: payments}}`, freezesOnly},
		"a Service":               {"a freeze could bind it", by("bob"), `{apiVersion: v1, kind: Service, metadata: {name: c, namespace: payments}}`, freezesOnly},
		"a claim":                 {"a freeze of level Everything binds it", by("bob"), `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c, namespace: payments}}`, policy.LiveReads{Freezes: true}},
		"a Pod of a controller":   {"a freeze never binds what replaces Pods", by("replicaset-controller"), calmPod, policy.LiveReads{}},
		"a Secret of an operator": {"no freeze is known that could bind it", by("cert-manager"), `{apiVersion: v1, kind: Secret, metadata: {name: c, namespace: payments}}`, policy.LiveReads{}},
		"a Pod is deleted":        {"a freeze of level Everything binds it", header{Requester: "bob", Operation: "delete"}, calmPod, policy.LiveReads{Freezes: true}},
		"a status":                {"status writes are never blocked", header{Requester: "bob", Operation: "update", SubResource: "status"}, then(calmPod, calmPod), policy.LiveReads{}},
		"nothing changes":         {"what is stored already is admitted by every rule", updating("bob"), then(prodJob, prodJob), policy.LiveReads{}},
		"the boundary":            {"windows; no freeze binds the boundary", header{Requester: "bob", Operation: "delete"}, `{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [a]}}`, policy.LiveReads{Windows: true}},
		"an approval":             {"the window that it is about", by("alice"), `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeApproval, metadata: {name: a, namespace: payments}, spec: {window: {name: w, uid: u}, decision: Approve}}`, policy.LiveReads{WindowNamespace: "payments", WindowName: "w"}},
		"an approval is deleted":  {"taking a word back only ever closes", header{Requester: "alice", Operation: "delete"}, `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeApproval, metadata: {name: a, namespace: payments}, spec: {window: {name: w, uid: u}, decision: Approve}}`, policy.LiveReads{}},
		"a rejection is deleted":  {"whether its window is still there", header{Requester: "alice", Operation: "delete"}, `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeApproval, metadata: {name: a, namespace: payments}, spec: {window: {name: w, uid: u}, decision: Reject}}`, policy.LiveReads{WindowNamespace: "payments", WindowName: "w"}},
		"a window":                {"a request is judged by itself", by("bob"), plainWindow, policy.LiveReads{}},
		"a freeze":                {"a freeze is judged by itself", by("dora"), `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: f}, spec: {environments: [production], reason: r}}`, policy.LiveReads{}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := policy.Prepare(*newRequest(t, s, test.header, documents(t, []byte(test.object)), now()), s.cluster)
			if err != nil {
				t.Fatal(err)
			}
			got := c.LiveReads()
			if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if got.Any() != (got.Freezes || got.Windows || got.WindowName != "") {
				t.Errorf("%s: any: %t", test.reason, got.Any())
			}
		})
	}
}

// TestKnownFreezes checks that the routine of machines needs nothing read live while no freeze is known that binds it. For every other
// requester the freezes are read, whatever is known.
func TestKnownFreezes(t *testing.T) {
	const secret = `{apiVersion: v1, kind: Secret, metadata: {name: c, namespace: payments}}`
	freeze := func(level v1alpha1.FreezeLevel, namespaces ...v1alpha1.Glob) v1alpha1.ChangeFreeze {
		return v1alpha1.ChangeFreeze{Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Namespaces: namespaces, Level: level, Reason: "INC-1"}}
	}
	for name, test := range map[string]struct {
		reason, requester string
		known             []v1alpha1.ChangeFreeze
		want              policy.LiveReads
	}{
		"an operator":                           {"its routine waits for nothing", "cert-manager", nil, policy.LiveReads{}},
		"an operator, a freeze of changes":      {"that does not bind operators", "cert-manager", []v1alpha1.ChangeFreeze{freeze(v1alpha1.FreezeChanges)}, policy.LiveReads{}},
		"an operator, the red button":           {"whether it still holds is read", "cert-manager", []v1alpha1.ChangeFreeze{freeze(v1alpha1.FreezeEverything)}, policy.LiveReads{Freezes: true}},
		"an operator, the red button elsewhere": {"it binds another namespace", "cert-manager", []v1alpha1.ChangeFreeze{freeze(v1alpha1.FreezeEverything, "other")}, policy.LiveReads{}},
		"a person":                              {"a freeze that was written a moment ago binds", "bob", nil, policy.LiveReads{Freezes: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.cluster.Freezes = func() []v1alpha1.ChangeFreeze { return test.known }
			c, err := policy.Prepare(*newRequest(t, s, by(test.requester), documents(t, []byte(secret)), now()), s.cluster)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, c.LiveReads(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestKeys checks that a repeat of a request has the key of the same execution, and another request that of another one.
func TestKeys(t *testing.T) {
	s := newStage(t)
	key := func(h header, object string) string {
		t.Helper()
		c, err := policy.Prepare(*newRequest(t, s, h, documents(t, []byte(object)), now()), s.cluster)
		if err != nil {
			t.Fatal(err)
		}
		queries := c.Queries(s.state(t))
		if len(queries) != 1 {
			t.Fatalf("windows are asked %d questions", len(queries))
		}
		return queries[0].Key
	}
	suspended := `{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: payments, uid: u, generation: 4}, spec: {suspend: true, template: {spec: {containers: [{name: c, image: x, command: [psql, -h, orders.prod.db.example.com]}]}}}}`
	released := replacing("suspend: true", "suspend: false")(suspended)
	base := key(updating("bob"), then(released, suspended))
	for name, test := range map[string]struct {
		reason string
		header
		object string
		same   bool
	}{
		"the same again":       {"the API server repeats reviews", updating("bob"), then(released, suspended), true},
		"by somebody else":     {"the same change is the same execution, whoever sends it", updating("alice"), then(released, suspended), true},
		"another generation":   {"the object has changed since", updating("bob"), then(released, replacing("generation: 4", "generation: 5")(suspended)), false},
		"another object":       {"a deleted and re-created Job is another", updating("bob"), then(replacing("uid: u", "uid: v")(released), replacing("uid: u", "uid: v")(suspended)), false},
		"something else asked": {"another image is another execution", updating("bob"), then(replacing("image: x", "image: v2")(released), suspended), false},
		"more asked":           {"more at once is another execution", updating("bob"), then(replacing("suspend: false", "suspend: false, parallelism: 3")(released), suspended), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := key(test.header, test.object) == base; got != test.same {
				t.Errorf("%s: the same key: %t", test.reason, got)
			}
		})
	}
	if got := key(by("bob"), prodJob); got != "uid-of-reindex-orders" {
		t.Errorf("a creation's key is the object's UID: %s", got)
	}
}

// TestCaseTellsOthers checks what a prepared request tells the webhook and the ledger.
func TestCaseTellsOthers(t *testing.T) {
	s := newStage(t)
	owned := replacing("name: p,", "name: p, uid: p-1, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: r-1, controller: true}],")(calmPod)
	for name, test := range map[string]struct {
		reason, requester string
		existing          []string
		controller        bool
	}{
		"a controller": {"its owner references are believed: the owner exists", "replicaset-controller", []string{"p-1", "r-1"}, true},
		"a person":     {"from anybody else an owner reference is worth nothing", "bob", []string{"p-1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := policy.Prepare(*newRequest(t, s, updating(test.requester), documents(t, []byte(then(replacing("image: x", "image: v2")(owned), owned))), now()), s.cluster)
			if err != nil {
				t.Fatal(err)
			}
			var existing []string
			for _, uid := range c.Existing() {
				existing = append(existing, string(uid))
			}
			if diff := cmp.Diff(test.existing, existing); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if c.FromController() != test.controller || (c.Owner() != nil) != test.controller || c.UID() != "p-1" {
				t.Errorf("%s: controller %t, owner %v, UID %s", test.reason, c.FromController(), c.Owner(), c.UID())
			}
			if !c.At().Equal(now()) || len(c.Production()) != 1 {
				t.Errorf("%s: at %s, in %v", test.reason, c.At(), c.Production())
			}
		})
	}
}
