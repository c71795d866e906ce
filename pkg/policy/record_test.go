package policy_test

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// What somebody does about the permission to change production, or tries to do against the boundary, is kept.
func TestRecord(t *testing.T) {
	s := newStage(t)
	const (
		freeze = `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: stop, uid: f-1}, spec: {environments: [production], reason: Christmas, level: Changes, liftedBy: Anyone}}`
		word   = `{apiVersion: firebreak.dev/v1alpha1, kind: ChangeApproval, metadata: {name: a, namespace: payments}, spec: {window: {name: reindex, uid: reindex-uid}, decision: Reject, comment: not today, digest: "v1:sha256:%s"}}`
		grant  = `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: all}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}]}`
		config = `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: payments}, data: {a: b}}`
	)
	for name, tc := range map[string]struct {
		reason string
		header
		object string
		act    v1alpha1.RecordedAct // empty: nothing is kept
		begins string
	}{
		"a request":           {"who asked for what", by("bob"), plainWindow, v1alpha1.ActCreated, `requested window "w" for "production": r`},
		"one that is refused": {"a typing error is not an attempt", by("bob"), strings.Replace(plainWindow, "environment: production", "environment: nowhere", 1), "", ""},
		"a rejection":         {"who said what, though the window be gone", header{Requester: "alice", State: []string{"unapproved"}}, strings.Replace(word, "%s", strings.Repeat("0", 64), 1), v1alpha1.ActCreated, `rejected window "reindex": not today`},
		"a freeze":            {"who stopped everybody", by("bob"), freeze, v1alpha1.ActCreated, `froze production (freeze "stop"), until somebody lifts it: Christmas`},
		"a freeze that is lifted": {"it leaves no object behind", header{Requester: "bob", Operation: "delete"}, freeze, v1alpha1.ActDeleted,
			`lifted the freeze of production (freeze "stop"), until somebody lifts it: Christmas`},
		"an attempt at a grant":    {"it was refused, and somebody wanted it", by("dora"), grant, v1alpha1.ActDenied, `clusterrolebindings.rbac.authorization.k8s.io "all" is forbidden: `},
		"what is admitted besides": {"it changes nothing about the permission to", by("bob"), config, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, s, tc.header, documents(t, []byte(tc.object)), now())
			c, err := policy.Prepare(*req, s.cluster)
			if err != nil {
				t.Fatal(err)
			}
			state := s.state(t, tc.State...)
			got := c.Record(c.Decide(state), state)
			switch {
			case got == nil && tc.act != "":
				t.Fatalf("nothing is kept: %s", tc.reason)
			case got != nil && (got.Act != tc.act || !strings.HasPrefix(got.Message, tc.begins) || got.Requester.Username != req.User.Username):
				t.Errorf("%s: %+v, want %s %q: %s", got.Act, got, tc.act, tc.begins, tc.reason)
			}
		})
	}
}
