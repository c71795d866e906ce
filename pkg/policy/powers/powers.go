package powers

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Role is the part of a Role or ClusterRole that matters.
type Role struct {
	Rules []rbacv1.PolicyRule
	// Labels are those by which it may be aggregated into other roles, and Collects the selectors by which it aggregates others.
	Labels   map[string]string
	Collects []metav1.LabelSelector
}

// RoleOf returns the part of a ClusterRole that matters. A Role has nothing but rules.
func RoleOf(r *rbacv1.ClusterRole) Role {
	out := Role{Rules: r.Rules, Labels: r.Labels}
	if r.AggregationRule != nil {
		out.Collects = r.AggregationRule.ClusterRoleSelectors
	}
	return out
}

// Level is how much a role lets somebody do. A higher level includes all lower ones.
type Level int

// The levels.
const (
	// Reads is nothing but looking at objects other than Secrets.
	Reads Level = iota
	// Writes is changing objects, or reading Secrets.
	Writes
	// Everything is all verbs, on all resources or on some.
	Everything
	// Becomes is acting as others, or approving, by a verb that a rule names.
	Becomes
)

// BuiltIn returns the level of a role that every cluster has, and false for any other role. namespace is empty for a ClusterRole.
func BuiltIn(namespace, role string) (Level, bool) {
	switch {
	case namespace != "":
	case role == "view":
		return Reads, true
	case role == "cluster-admin":
		return Everything, true
	case role == "admin", role == "edit":
		return Writes, true
	}
	return Reads, false
}

// Of returns the highest level that rules give.
func Of(rules []rbacv1.PolicyRule) Level {
	most := Reads
	for _, r := range rules {
		for _, verb := range r.Verbs {
			switch {
			// The narrower verbs of impersonation, such as impersonate:user-info, are the same power over fewer requests.
			case verb == "approve", verb == "breakglass", strings.HasPrefix(verb, "impersonate"):
				return Becomes
			case verb == "use": // of a policy for Pods, which only bounds them
			case verb == "get", verb == "list", verb == "watch":
				if slices.Contains(r.Resources, "secrets") || slices.Contains(r.Resources, "*") {
					most = max(most, Writes)
				}
			case verb == rbacv1.VerbAll:
				most = max(most, Everything)
			case len(r.NonResourceURLs) == 0:
				most = max(most, Writes)
			}
		}
	}
	return most
}

// Commands reports whether rules let somebody change what runs, or reach into it: by impersonation, by Secrets or by the proxy of a node.
func Commands(rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		writes := slices.ContainsFunc(r.Verbs, func(v string) bool { return v != "get" && v != "list" && v != "watch" })
		if writes && slices.ContainsFunc(r.APIGroups, func(g string) bool { return slices.Contains(runningGroups(), g) }) {
			return true
		}
		return slices.Contains(r.Verbs, "impersonate") || slices.ContainsFunc(r.Resources, func(resource string) bool {
			return resource == "secrets" || resource == "nodes/proxy" || writes && (runs(resource) || runs(strings.TrimPrefix(resource, "*/")))
		})
	})
}

func runs(resource string) bool { return slices.Contains(runningResources(), resource) }

// runningGroups are the groups of custom resources from which a controller makes Pods, or applies manifests that somebody has written.
func runningGroups() []string {
	return []string{
		"argoproj.io", "tekton.dev", "jobset.x-k8s.io", "batch.volcano.sh", "ray.io", "sparkoperator.k8s.io", "kubeflow.org", "flink.apache.org", "keda.sh",
		"serving.knative.dev", "apps.kruise.io", "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io",
	}
}

// runningResources are the resources whose writers decide what runs, or as whom.
func runningResources() []string {
	return []string{
		"*", "*/*", "pods", "pods/exec", "pods/attach", "pods/ephemeralcontainers", "deployments", "statefulsets", "daemonsets", "replicasets",
		"replicationcontrollers", "jobs", "cronjobs", "serviceaccounts/token", "rolebindings", "roles", "clusterrolebindings", "clusterroles",
		"exec", "attach", "ephemeralcontainers", "token", // of */exec and the like
		"namespaces", "certificatesigningrequests/approval", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
	}
}
