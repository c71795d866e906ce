package policy_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// A running Pod is not a free pass: Kubernetes lets its image be changed, and a container be added to it.
func TestBypassRunningPods(t *testing.T) {
	pod := func(image, more string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, uid: u, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: shop-5d9c, uid: shop-5d9c-1, controller: true}]}, ` +
			`spec: {containers: [{name: c, image: ` + image + `}]` + more + `}}`
	}
	const debugger = `, ephemeralContainers: [{name: d, image: x, command: [psql, -h, orders.prod.db.example.com]}]`
	runRequests(t, map[string]request{
		"another image": {
			reason: "what runs is no longer what was rolled out", header: updating("bob"), objects: then(pod("other", ""), pod("shop", "")), want: "ChangeWindowRequired",
		},
		"a container beside it": {
			reason: "an ephemeral container runs what its author likes", header: updating("bob"), objects: then(pod("shop", debugger), pod("shop", "")),
			edit: func(r *policy.Request) { r.SubResource = "ephemeralcontainers" }, want: "ChangeWindowRequired, InteractiveAccess",
		},
		"a label": {
			reason: "labels run nothing, but controllers select by them; what no rule reads is admitted", header: updating("bob"),
			objects: then(`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, finalizers: [a]}, spec: {containers: [{name: c, image: shop}]}}`,
				`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments}, spec: {containers: [{name: c, image: shop}]}}`), want: "admitted",
		},
	})
}
