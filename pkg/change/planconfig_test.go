package change_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// using returns a workload that uses ConfigMaps in every possible way.
func using(t testing.TB) *workload.Workload {
	t.Helper()
	return work(t, `
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  initContainers: [{name: i, image: "i@sha256:aa", envFrom: [{configMapRef: {name: whole}}, {secretRef: {name: secret}}]}]
  containers:
  - name: c
    image: c@sha256:aa
    env:
    - {name: A, valueFrom: {configMapKeyRef: {name: keyed, key: a}}}
    - {name: B, valueFrom: {configMapKeyRef: {name: keyed, key: b, optional: true}}}
    - {name: C, valueFrom: {configMapKeyRef: {name: whole, key: c}}}
  volumes:
  - {name: v, configMap: {name: mounted}}
  - {name: w, configMap: {name: items, items: [{key: x, path: x}]}}
  - {name: p, projected: {sources: [{configMap: {name: projected}}, {configMap: {name: items, items: [{key: q, path: q}]}}]}}
`)
}

func TestConfigMapsOf(t *testing.T) {
	want := []string{"items", "keyed", "mounted", "projected", "whole"}
	if diff := cmp.Diff(want, change.ConfigMapsOf(&using(t).Template)); diff != "" {
		t.Errorf("every way to use a ConfigMap counts, each name once, sorted (-want +got):\n%s", diff)
	}
}

func TestConfigMapContentIsPinned(t *testing.T) {
	stored := func() map[string]map[string][]byte {
		out := map[string]map[string][]byte{}
		for _, name := range []string{"whole", "keyed", "mounted", "items", "projected"} {
			out[name] = map[string][]byte{}
			for _, k := range []string{"a", "b", "c", "x", "q"} {
				out[name][k] = []byte(name + " " + k)
			}
		}
		return out
	}
	plan := func(maps map[string]map[string][]byte) *change.Plan {
		return change.PlanOf(using(t), func(name string) (map[string][]byte, bool) { m, ok := maps[name]; return m, ok })
	}
	for name, test := range map[string]struct {
		reason string
		change func(map[string]map[string][]byte)
		want   []string
	}{
		"nothing changed": {"the same content is the same plan", func(map[string]map[string][]byte) {}, nil},
		"a key of a whole one": {"every key becomes a variable", func(m map[string]map[string][]byte) { m["whole"]["a"] = []byte("swapped") },
			[]string{`configMaps["whole"].data["a"]: approved sha256 X, submitted sha256 X`}},
		"a key more in a whole one": {"and so does a new one", func(m map[string]map[string][]byte) { m["whole"]["z"] = []byte("z") },
			[]string{`configMaps["whole"].data["z"]: approved nothing, submitted sha256 X`}},
		"a key that is used": {"a ConfigMap swapped after the approval shows", func(m map[string]map[string][]byte) { m["keyed"]["a"] = []byte("swapped") },
			[]string{`configMaps["keyed"].data["a"]: approved sha256 X, submitted sha256 X`}},
		"a key that is not used": {"it decides nothing", func(m map[string]map[string][]byte) { m["keyed"]["c"] = []byte("swapped") }, nil},
		"a key that became empty": {"an empty value is a value", func(m map[string]map[string][]byte) { m["keyed"]["a"] = nil },
			[]string{`configMaps["keyed"].data["a"]: approved sha256 X, submitted sha256 X`}},
		"a key that is gone": {"absent is not empty", func(m map[string]map[string][]byte) { delete(m["keyed"], "b") },
			[]string{`configMaps["keyed"].data["b"]: approved sha256 X, submitted "absent"`}},
		"a file of a mounted one": {"files are content too", func(m map[string]map[string][]byte) { m["mounted"]["x"] = []byte("swapped") },
			[]string{`configMaps["mounted"].data["x"]: approved sha256 X, submitted sha256 X`}},
		"a file of a projected one": {"through a projection as well", func(m map[string]map[string][]byte) { m["items"]["q"] = []byte("swapped") },
			[]string{`configMaps["items"].data["q"]: approved sha256 X, submitted sha256 X`}},
		"one that is gone": {"what was there is not", func(m map[string]map[string][]byte) { m["projected"] = nil; delete(m, "projected") },
			[]string{`configMaps["projected"]: approved nothing, submitted "absent"`, `configMaps["projected"].data["a"]: approved sha256 X, submitted nothing`,
				`configMaps["projected"].data["b"]: approved sha256 X, submitted nothing`, `configMaps["projected"].data["c"]: approved sha256 X, submitted nothing`,
				`configMaps["projected"].data["q"]: approved sha256 X, submitted nothing`, `configMaps["projected"].data["x"]: approved sha256 X, submitted nothing`}},
		"one that was emptied": {"an empty one is there", func(m map[string]map[string][]byte) { m["mounted"] = map[string][]byte{} },
			[]string{`configMaps["mounted"]: approved nothing, submitted "empty"`, `configMaps["mounted"].data["a"]: approved sha256 X, submitted nothing`,
				`configMaps["mounted"].data["b"]: approved sha256 X, submitted nothing`, `configMaps["mounted"].data["c"]: approved sha256 X, submitted nothing`,
				`configMaps["mounted"].data["q"]: approved sha256 X, submitted nothing`, `configMaps["mounted"].data["x"]: approved sha256 X, submitted nothing`}},
	} {
		t.Run(name, func(t *testing.T) {
			maps := stored()
			test.change(maps)
			approved := plan(stored())
			var got []string
			if changed := pathsOf(change.Differences(entryOf(approved), plan(maps))); len(changed) != len(test.want) {
				t.Errorf("%s: the present algorithm names %q", test.reason, changed)
			}
			for _, d := range change.Differences(entryOf(approved.V1), plan(maps)) {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(hashless(test.want), hashless(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestTooManyConfigMaps(t *testing.T) {
	plan := func(n int) *change.Plan {
		w := work(t, plainJob)
		w.Template.Spec.Volumes = nil
		for i := range n {
			ref := corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: fmt.Sprintf("cm-%d", i)}}
			w.Template.Spec.Containers[0].EnvFrom = append(w.Template.Spec.Containers[0].EnvFrom, corev1.EnvFromSource{ConfigMapRef: &ref})
		}
		return change.PlanOf(w, settings)
	}
	if plan(change.MaxConfigMaps).TooMany {
		t.Errorf("%d ConfigMaps may be pinned", change.MaxConfigMaps)
	}
	if p := plan(change.MaxConfigMaps + 1); !p.TooMany {
		t.Errorf("%d ConfigMaps are more than may be pinned", change.MaxConfigMaps+1)
	}
}

// TestInjectedVolume checks that the token volume that a plugin adds to bare Pods is left out, in its exact shape only.
func TestInjectedVolume(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(*corev1.PodSpec)
		want   []string
	}{
		"as the plugin adds it": {"its name is random", func(*corev1.PodSpec) {}, nil},
		"with another audience": {"a token for somebody else is no default", func(s *corev1.PodSpec) {
			s.Volumes[0].Projected.Sources[0].ServiceAccountToken.Audience = "vault"
		}, []string{`containers["probe"].volumeMounts`, `volumes["kube-api-access-x7k2p"]`}},
		"with a Secret in it": {"a familiar name hides nothing", func(s *corev1.PodSpec) {
			s.Volumes[0].Projected.Sources = append(s.Volumes[0].Projected.Sources, corev1.VolumeProjection{Secret: &corev1.SecretProjection{}})
		}, []string{`configMaps["kube-root-ca.crt"].data["ca.crt"]`, `containers["probe"].volumeMounts`, `volumes["kube-api-access-x7k2p"]`}},
		"with another ConfigMap": {"whose certificates one trusts decides whom one believes", func(s *corev1.PodSpec) {
			s.Volumes[0].Projected.Sources[1].ConfigMap.Name = "my-ca"
		}, []string{`configMaps["my-ca"]`, `containers["probe"].volumeMounts`, `volumes["kube-api-access-x7k2p"]`}},
		"mounted elsewhere": {"a mount that the plugin does not make", func(s *corev1.PodSpec) {
			s.Containers[0].VolumeMounts[0].MountPath = "/etc"
		}, []string{`containers["probe"].volumeMounts`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := manifest(t, "pod-as-stored")
			test.change(&w.Template.Spec)
			approved := change.PlanOf(manifest(t, "pod-as-written"), settings)
			var got []string
			for _, d := range change.Differences(entryOf(approved.V1), change.PlanOf(w, settings)) {
				if d.Path != `configMaps["kube-root-ca.crt"]` {
					got = append(got, d.Path)
				}
			}
			if name == "with a Secret in it" {
				test.want = test.want[1:]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestConsistentPlan(t *testing.T) {
	p := change.PlanOf(work(t, plainJob), settings)
	entry := func(f func(*v1alpha1.PlannedWorkload)) *v1alpha1.PlannedWorkload {
		e := &v1alpha1.PlannedWorkload{Digest: p.Digest, Fields: append([]v1alpha1.PlannedField{}, p.Fields...)}
		f(e)
		return e
	}
	for name, test := range map[string]struct {
		reason string
		entry  *v1alpha1.PlannedWorkload
		want   bool
	}{
		"as computed": {"the digest is that of the fields", entry(func(*v1alpha1.PlannedWorkload) {}), true},
		"in another order": {"a list that was stored may be sorted otherwise", entry(func(e *v1alpha1.PlannedWorkload) {
			e.Fields[0], e.Fields[1] = e.Fields[1], e.Fields[0]
		}), true},
		"a field less": {"the approver would not see it", entry(func(e *v1alpha1.PlannedWorkload) { e.Fields = e.Fields[1:] }), false},
		"another digest of a field": {"the approver would see another", entry(func(e *v1alpha1.PlannedWorkload) {
			e.Fields[0].Digest = "0000000000000000"
		}), false},
		"another text": {"the approver would read another image", entry(func(e *v1alpha1.PlannedWorkload) {
			for i := range e.Fields {
				if e.Fields[i].Path == `containers["reindex"].image` {
					e.Fields[i].Value = `"reindex@sha256:good"`
				}
			}
		}), false},
		"a path of two lines":     {"one field would stand for several", entry(func(e *v1alpha1.PlannedWorkload) { e.Fields[0].Path += "\nx" }), false},
		"a text beside the value": {"the approver would read what nothing pins", entry(func(e *v1alpha1.PlannedWorkload) { e.Fields[0].Text = "harmless" }), false},
		"another algorithm": {"what cannot be told passes: it matches nothing that runs", entry(func(e *v1alpha1.PlannedWorkload) {
			e.Digest = "v9:sha256:00"
		}), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := change.ConsistentPlan(test.entry); got != test.want {
				t.Errorf("%s: consistent: %t", test.reason, got)
			}
		})
	}
}

// TestEveryTextIsTruthful checks that PlanOf writes truthful texts, whatever kind of value they show.
func TestEveryTextIsTruthful(t *testing.T) {
	w := work(t, plainJob)
	s := &w.Template.Spec
	s.HostNetwork, s.HostUsers, s.NodeName, s.ServiceAccountName = true, ptr(false), "n1", "admin"
	s.RuntimeClassName, s.DNSPolicy = ptr("kata"), corev1.DNSNone
	s.Containers[0].WorkingDir = "/var/lib/two words"
	s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 1, HostPort: 22}}
	s.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "a"}, {Name: "B", Value: "$(A)"}}
	s.Volumes = append(s.Volumes, corev1.Volume{Name: "gone", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "gone"}},
	}})
	w.Wanted = 3
	p := change.PlanOf(w, settings)
	if !change.ConsistentPlan(&v1alpha1.PlannedWorkload{Digest: p.Digest, Fields: p.Fields}) {
		t.Errorf("a text is not what its digest pins: %v", p.Fields)
	}
	texts := 0
	for _, f := range p.Fields {
		if f.Value != "" {
			texts++
		}
	}
	if texts < 12 {
		t.Errorf("only %d fields show a text: %v", texts, p.Fields)
	}
}

func TestConfigMapContent(t *testing.T) {
	got := change.ConfigMapContent(&corev1.ConfigMap{Data: map[string]string{"a": "text"}, BinaryData: map[string][]byte{"b": {0, 1}}})
	if diff := cmp.Diff(map[string][]byte{"a": []byte("text"), "b": {0, 1}}, got); diff != "" {
		t.Errorf("text and binary alike (-want +got):\n%s", diff)
	}
}
