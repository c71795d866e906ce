package policy_test

import (
	"os"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func TestNotSent(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, group, kind, namespace, user string
		sent                                 bool
	}{
		"an Event":                 {"a record", "events.k8s.io", "Event", "payments", "dana", false},
		"an Event of the core":     {"the same, older", "", "Event", "payments", "dana", false},
		"a review of access":       {"a question", "authorization.k8s.io", "SubjectAccessReview", "", "dana", false},
		"a review of a token":      {"a question", "authentication.k8s.io", "TokenReview", "", "dana", false},
		"a FlowSchema":             {"it must be repairable", "flowcontrol.apiserver.k8s.io", "FlowSchema", "", "dana", false},
		"a heartbeat":              {"of a node", "coordination.k8s.io", "Lease", "kube-node-lease", "dana", false},
		"an account's Lease":       {"by which it leads", "coordination.k8s.io", "Lease", "payments", "system:serviceaccount:payments:web", false},
		"a person's Lease":         {"whoever leads by it would stop", "coordination.k8s.io", "Lease", "payments", "dana", true},
		"a kind that is called so": {"its group is another", "acme.test", "Event", "payments", "dana", true},
		"a Deployment":             {"it runs", "apps", "Deployment", "payments", "dana", true},
	} {
		req := policy.Request{Kind: schema.GroupVersionKind{Group: tc.group, Kind: tc.kind}, Namespace: tc.namespace, User: authenticationv1.UserInfo{Username: tc.user}}
		if why := policy.NotSent(req); (why == "") != tc.sent {
			t.Errorf("%s: %q, want it sent: %t, since %s", name, why, tc.sent, tc.reason)
		}
	}
}

// The chart's matchConditions leave out the same groups.
func TestTheChartLeavesOutTheSame(t *testing.T) {
	raw, err := os.ReadFile("../../charts/firebreak/templates/_helpers.tpl")
	if err != nil {
		t.Fatal(err)
	}
	for _, condition := range []string{
		"!(request.resource.group in ['events.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io'] ||",
		"(request.resource.group == '' && request.resource.resource == 'events'))",
		"request.resource.group != 'flowcontrol.apiserver.k8s.io'",
		"!(request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases' &&\n      (request.userInfo.username.startsWith('system:') || (has(request.namespace) && request.namespace == 'kube-node-lease')))",
	} {
		if !strings.Contains(string(raw), condition) {
			t.Errorf("the chart no longer says %s: see NotSent", condition)
		}
	}
}
