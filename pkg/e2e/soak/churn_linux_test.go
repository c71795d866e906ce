package soak

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// watched are objects of every kind that a replica watches, so that its memory of each is written and forgotten all the time. N stands for a number.
const watched = `
{apiVersion: v1, kind: Namespace, metadata: {name: dev-churn-N}}
---
{apiVersion: v1, kind: Service, metadata: {name: churn-N, namespace: dev}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: churn-N}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /tmp/churn}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: churn-N, namespace: dev}, spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}}
---
{apiVersion: v1, kind: Node, metadata: {name: churn-N}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: churn-N}, value: 1}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: churn-N, namespace: dev}, spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: churn-N, namespace: dev}, spec: {schedulingGates: [{name: example.com/never}], containers: [{name: a, image: example.com/a}]}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: churn-N, namespace: dev}, data: {url: "postgres://orders.dev.db.example.com/orders"}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: churn-N, namespace: dev}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: churn-N}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: churn-N, namespace: dev}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: churn-N}, subjects: [{kind: User, name: dana, apiGroup: rbac.authorization.k8s.io}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: churn-N}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: churn-N}, subjects: [{kind: User, name: sam, apiGroup: rbac.authorization.k8s.io}]}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: churn-N, namespace: kube-system}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: churn-N, namespace: dev}, spec: {replicas: 0, selector: {matchLabels: {a: churn-N}}, template: {metadata: {labels: {a: churn-N}}, spec: {containers: [{name: a, image: example.com/a}]}}}}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: churn-N, namespace: dev}, spec: {replicas: 0, selector: {matchLabels: {a: rs-N}}, template: {metadata: {labels: {a: rs-N}}, spec: {containers: [{name: a, image: example.com/a}]}}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: churn-N, namespace: dev}, spec: {replicas: 0, serviceName: none, selector: {matchLabels: {a: churn-N}}, template: {metadata: {labels: {a: churn-N}}, spec: {containers: [{name: a, image: example.com/a}]}}}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: churn-N, namespace: dev}, spec: {selector: {matchLabels: {a: churn-N}}, template: {metadata: {labels: {a: churn-N}}, spec: {nodeSelector: {none: none}, containers: [{name: a, image: example.com/a}]}}}}
---
{apiVersion: v1, kind: ReplicationController, metadata: {name: churn-N, namespace: dev}, spec: {replicas: 0, selector: {a: churn-N}, template: {metadata: {labels: {a: churn-N}}, spec: {containers: [{name: a, image: example.com/a}]}}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: churn-N}, spec: {tier: NonProduction, namespaces: {names: [churn-N]}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: churn-N}, spec: {environments: [staging], reason: churn, start: "2020-01-01T00:00:00Z", end: "2020-01-02T00:00:00Z"}}
`

// at returns the watched objects with a number.
func at(t *testing.T, n int) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	for text := range strings.SplitSeq(strings.ReplaceAll(watched, "-N", fmt.Sprintf("-%d", n)), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(text), &u.Object); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		out = append(out, u)
	}
	return out
}

// churn makes objects of every watched kind, changes them and takes them away, five generations of them at a time.
func churn(ctx context.Context, t *testing.T, s *stage.Stage, rounds *atomic.Int64) {
	admin, err := s.Client(s.AdminConfig())
	if err != nil {
		t.Error(err)
		return
	}
	const kept = 5
	for n := 0; ctx.Err() == nil; n++ {
		for _, u := range at(t, n) {
			if err := admin.Create(ctx, u); err != nil && ctx.Err() == nil {
				t.Errorf("churn: create %s %s: %v", u.GetKind(), u.GetName(), err)
				return
			}
			patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{"round":"%d"}}}`, n))
			if err := admin.Patch(ctx, u, patch); err != nil && ctx.Err() == nil {
				t.Errorf("churn: change %s %s: %v", u.GetKind(), u.GetName(), err)
				return
			}
			wait(ctx, 20*time.Millisecond)
		}
		if n >= kept {
			for _, u := range at(t, n-kept) {
				if err := admin.Delete(ctx, u); client.IgnoreNotFound(err) != nil && ctx.Err() == nil {
					t.Errorf("churn: delete %s %s: %v", u.GetKind(), u.GetName(), err)
					return
				}
			}
		}
		rounds.Add(1)
		wait(ctx, 500*time.Millisecond)
	}
}

// changes requests windows, approves them and runs Jobs under them: windows, approvals and executions are watched, too.
func changes(ctx context.Context, t *testing.T, s *stage.Stage, c *tally) {
	p, err := fixture.Clients(s)
	if err != nil {
		t.Error(err)
		return
	}
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("soak-%d", n)
		w, err := p.Approved(ctx, name, name, 2)
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("changes: %v", err)
			}
			return
		}
		for i := range 2 {
			job := fixture.Job(fmt.Sprintf("%s-%d", name, i))
			c.count(ctx, t, p.SRE.Create(ctx, job))
			_ = p.Admin.Delete(ctx, job, client.PropagationPolicy("Background"))
		}
		_ = p.Admin.Delete(ctx, w)
		wait(ctx, 5*time.Second)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
