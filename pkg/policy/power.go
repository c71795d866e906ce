package policy

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// powers returns the Production environments in whose namespaces a service account may change what runs, or read what opens
// it, by the bindings of the cluster.
func (w *World) powers(namespace, account string) []*estate.Environment {
	if !w.Estate.HostsProduction() {
		return nil
	}
	var out []*estate.Environment
	for _, b := range w.BindingsOf(namespace, account) {
		envs := w.Estate.Production()
		if b.Namespace != "" {
			envs = w.Estate.NamespaceOrName(b.Namespace).Production()
		}
		if len(envs) == 0 || !w.commands(b) {
			continue
		}
		for _, e := range envs {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}

// commands reports whether the role of a binding lets somebody change what runs, or read what opens it. One that is not known may
// hold anything.
func (w *World) commands(b BoundRole) bool {
	r, known := w.Roles(b.RoleNamespace, b.Role)
	if !known {
		p, builtIn := builtInPower(b.RoleNamespace, b.Role)
		return !builtIn || p > reads
	}
	return slices.ContainsFunc(w.effective(r), func(r rbacv1.PolicyRule) bool {
		writes := slices.ContainsFunc(r.Verbs, func(v string) bool { return v != "get" && v != "list" && v != "watch" })
		if writes && slices.ContainsFunc(r.APIGroups, runsCustom) {
			return true
		}
		return slices.Contains(r.Verbs, "impersonate") || slices.ContainsFunc(r.Resources, func(resource string) bool {
			return resource == "secrets" || resource == "nodes/proxy" || writes && (runs(resource) || runs(strings.TrimPrefix(resource, "*/")))
		})
	})
}

// runsCustom lists the groups of custom resources from which a controller makes Pods, or applies what somebody has written.
func runsCustom(group string) bool {
	switch group {
	case "argoproj.io", "tekton.dev", "jobset.x-k8s.io", "batch.volcano.sh", "ray.io", "sparkoperator.k8s.io", "kubeflow.org", "flink.apache.org", "keda.sh",
		"serving.knative.dev", "apps.kruise.io", "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io":
		return true
	}
	return false
}

// runs lists the resources by which whoever may write them decides what runs, or as whom.
func runs(resource string) bool {
	switch resource {
	case "*", "*/*", "pods", "pods/exec", "pods/attach", "pods/ephemeralcontainers", "deployments", "statefulsets", "daemonsets", "replicasets",
		"replicationcontrollers", "jobs", "cronjobs", "serviceaccounts/token", "rolebindings", "roles", "clusterrolebindings", "clusterroles",
		"exec", "attach", "ephemeralcontainers", "token", // of */exec and the like
		"namespaces", "certificatesigningrequests/approval", "mutatingwebhookconfigurations", "validatingwebhookconfigurations":
		return true
	}
	return false
}
