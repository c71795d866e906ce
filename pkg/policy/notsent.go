package policy

import (
	"slices"
	"strings"
)

// NotSent says why the API server does not ask Firebreak about a write, as far as the kind decides it; it is empty if the API server asks.
// A write that is not sent is admitted unjudged. The chart's matchConditions say the same of these groups, and of some requesters besides.
func NotSent(req Request) string {
	switch gk := req.Kind.GroupKind(); {
	case slices.Contains(recordGroups(), gk.Group), gk.Group == "" && gk.Kind == "Event":
		return "records of what happened and questions of who may do what decide nothing"
	case gk.Group == flowControlGroup:
		return "how the API server shares out its attention must be repairable while requests no longer get through"
	case gk.Group == "coordination.k8s.io" && gk.Kind == "Lease" && (strings.HasPrefix(req.User.Username, "system:") || req.Namespace == "kube-node-lease"):
		return "heartbeats, and Leases by which programs agree on a leader, keep the cluster alive"
	}
	return ""
}

// recordGroups returns the API groups of records of what happened, and of questions of who may do what.
func recordGroups() []string {
	return []string{"events.k8s.io", "authentication.k8s.io", "authorization.k8s.io"}
}

const flowControlGroup = "flowcontrol.apiserver.k8s.io"
