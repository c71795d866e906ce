package view_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-dev/firebreak/pkg/view"
)

func running(kind, name, replicas string) string {
	version := "apps/v1"
	if kind == "ReplicationController" {
		version = "v1"
	}
	return fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {namespace: payments, name: %s, uid: %s-uid}, spec: {%s template: {metadata: {labels: {app: %s}}, spec: {containers: [{name: c, image: x, env: [{name: H, value: orders.prod.db.example.com}]}]}}}}`,
		version, kind, name, name, replicas, name)
}

// An owner has that kind, name and UID: an object that was deleted and made again under its name is another.
func TestOwners(t *testing.T) {
	kinds := []string{"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"}
	var objects []string
	for _, k := range kinds {
		objects = append(objects, running(k, "web", "replicas: 3,"))
	}
	v, w := seeing(objects...)
	for _, k := range kinds {
		want := int64(3)
		if k == "DaemonSet" {
			want = 1 // its nodes tell how many there are
		}
		p, ok := w.Owners("payments", metav1.OwnerReference{Kind: k, Name: "web", UID: "web-uid"})
		if !ok || p.Replicas != want || p.Labels["app"] != "web" || len(p.References) != 1 || p.References[0].Name != "orders.prod.db.example.com" {
			t.Errorf("%s: %+v (%t)", k, p, ok)
		}
		if _, ok := w.Owners("payments", metav1.OwnerReference{Kind: k, Name: "web", UID: "before"}); ok {
			t.Errorf("%s: one of another UID is taken for it", k)
		}
		if _, ok := w.Owners("dev", metav1.OwnerReference{Kind: k, Name: "web", UID: "web-uid"}); ok {
			t.Errorf("%s: one of another namespace is taken for it", k)
		}
		if _, ok := w.ScaledWorkloads("payments", k, "web"); !ok {
			t.Errorf("%s: it is not found by its name", k)
		}
		drop(v, k, "payments/web")
		if _, ok := w.ScaledWorkloads("payments", k, "web"); ok {
			t.Errorf("%s: what is gone is found", k)
		}
	}
}

// A workload that does not say how many replicas it wants wants one; a controller without a template refers to nothing.
func TestWhatWorkloadsLeaveOut(t *testing.T) {
	_, w := seeing(running("Deployment", "web", ""), running("StatefulSet", "none", "replicas: 0,"),
		`{apiVersion: v1, kind: ReplicationController, metadata: {namespace: payments, name: bare}, spec: {}}`)
	for _, tc := range []struct {
		kind, name string
		want       int64
		references int
	}{{"Deployment", "web", 1, 1}, {"StatefulSet", "none", 0, 1}, {"ReplicationController", "bare", 1, 0}} {
		if p, ok := w.ScaledWorkloads("payments", tc.kind, tc.name); !ok || p.Replicas != tc.want || len(p.References) != tc.references {
			t.Errorf("%s: %d replicas, %d references, want %d and %d", tc.name, p.Replicas, len(p.References), tc.want, tc.references)
		}
	}
}

// The replicas of a selection are counted once: those of a Deployment's ReplicaSet are counted with the Deployment.
func TestRunning(t *testing.T) {
	_, w := seeing(running("Deployment", "web", "replicas: 3,"), running("ReplicaSet", "web", "replicas: 3,"), running("StatefulSet", "web", "replicas: 2,"), running("Deployment", "other", "replicas: 9,"))
	web := labels.SelectorFromSet(labels.Set{"app": "web"})
	for name, tc := range map[string]struct {
		namespace string
		selector  labels.Selector
		want      int64
	}{"a selection": {"payments", web, 5}, "all": {"payments", labels.Everything(), 14}, "another namespace": {"dev", labels.Everything(), 0}, "none": {"payments", labels.Nothing(), 0}} {
		if got := w.Running(tc.namespace, tc.selector); got != tc.want {
			t.Errorf("%s: %d run, want %d", name, got, tc.want)
		}
	}
}

// The values of ConfigMaps heal nothing that comes later: only the hosts of the ConfigMaps that a template uses are kept.
func TestTemplatesTakeHostsOnly(t *testing.T) {
	const env = `env: [{name: A, valueFrom: {configMapKeyRef: {name: x, key: part}}}, {name: B, value: "$(A).db.example.com"}, {name: C, valueFrom: {configMapKeyRef: {name: x, key: host}}}]`
	_, w := seeing(`{apiVersion: v1, kind: ConfigMap, metadata: {namespace: payments, name: x}, data: {part: orders.prod, host: ledger.prod.db.example.com}}`,
		`{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: payments, name: web}, spec: {template: {spec: {containers: [{name: c, image: x, `+env+`}]}}}}`)
	p, ok := w.ScaledWorkloads("payments", "Deployment", "web")
	if !ok {
		t.Fatal("the Deployment is not kept")
	}
	names := map[string]bool{}
	for _, r := range p.References {
		names[r.Name] = true
	}
	if !names["ledger.prod.db.example.com"] || names["orders.prod.db.example.com"] {
		t.Errorf("the template refers to %v", names)
	}
}

// The replicas of a workload count for an hour after it asks for less or is gone; for custom resources an autoscaler tells
// them.
func TestPeaksOfTheCluster(t *testing.T) {
	at := night()
	v := view.New(view.Settings{}, func() time.Time { return at })
	w := v.ClusterView(v.Compile())
	scaler := func(kind string, replicas int) string {
		return fmt.Sprintf(`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {namespace: payments, name: h}, spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: example.com/v1, kind: %s, name: shop}}, status: {currentReplicas: %d, desiredReplicas: 1}}`, kind, replicas)
	}
	add(v, running("Deployment", "web", "replicas: 10,"), running("ReplicationController", "web", "replicas: 4,"), scaler("Shop", 6))
	at = at.Add(10 * time.Minute)
	add(v, running("Deployment", "web", "replicas: 2,"), scaler("Booth", 3)) // it now scales another
	drop(v, "ReplicationController", "payments/web")
	peaks := func() map[string]int64 {
		return map[string]int64{
			"Deployment": w.Peaks("payments", "Deployment.apps", "web"), "ReplicationController": w.Peaks("payments", "ReplicationController", "web"),
			"Shop": w.Peaks("payments", "Shop.example.com", "shop"), "Booth": w.Peaks("payments", "Booth.example.com", "shop"),
		}
	}
	at = at.Add(59 * time.Minute)
	if diff := cmp.Diff(map[string]int64{"Deployment": 10, "ReplicationController": 4, "Shop": 6, "Booth": 3}, peaks()); diff != "" {
		t.Errorf("within the hour: %s", diff)
	}
	drop(v, "HorizontalPodAutoscaler", "payments/h")
	at = at.Add(time.Minute)
	if diff := cmp.Diff(map[string]int64{"Deployment": 2, "ReplicationController": 0, "Shop": 0, "Booth": 3}, peaks()); diff != "" {
		t.Errorf("an hour later: %s", diff)
	}
	at = at.Add(59 * time.Minute)
	if diff := cmp.Diff(map[string]int64{"Deployment": 2, "ReplicationController": 0, "Shop": 0, "Booth": 0}, peaks()); diff != "" {
		t.Errorf("an hour after the autoscaler is gone: %s", diff)
	}
}
