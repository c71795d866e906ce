package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// TestDecodeMends: Decode reads a value of the wrong sort for its meaning, although the API server would refuse it, so that Firebreak can judge
// a manifest before somebody mends it.
func TestDecodeMends(t *testing.T) {
	const container = "{spec: {containers: [{name: c, image: b, "
	for name, test := range map[string]struct {
		reason, manifest string
		want             func(*corev1.Pod)
	}{
		"a number as a variable":  {"it is a text", container + "env: [{name: A, value: 7}]}]}}", func(p *corev1.Pod) { p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "7"}} }},
		"a truth value as one":    {"it is a text", container + "env: [{name: A, value: true}]}]}}", func(p *corev1.Pod) { p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "true"}} }},
		"a number as an argument": {"it is a text, and its neighbours stay", container + "args: [-p, 5432, x]}]}}", func(p *corev1.Pod) { p.Spec.Containers[0].Args = []string{"-p", "5432", "x"} }},
		"a number in an inlined type": {"its fields are those of the type around it", container + "env: [{name: A, value: 7}]}], volumes: [{name: v, nfs: {server: s, path: 1}}]}}", func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "7"}}
			p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "s", Path: "1"}}}}
		}},
		"a label of a number":     {"it is a text", "{metadata: {labels: {a: 1, b: x}}, spec: {containers: [{name: c, image: b}]}}", func(p *corev1.Pod) { p.Labels = map[string]string{"a": "1", "b": "x"} }},
		"a word as a number":      {"it says nothing, and the rest is read", container + "ports: [{containerPort: http, hostIP: h}]}]}}", func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostIP: "h"}} }},
		"a word as a truth value": {"it says nothing, and the rest is read", container + "tty: maybe, workingDir: /w}]}}", func(p *corev1.Pod) { p.Spec.Containers[0].WorkingDir = "/w" }},
		"a quantity that is none": {"it says nothing, and others are read", container + "resources: {limits: {cpu: many, memory: 1Gi}}}]}}", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.Quantity{}, corev1.ResourceMemory: resource.MustParse("1Gi")}
		}},
		"a field that nobody knows": {"it is left out", container + "args: [1], teleport: 7}]}}", func(p *corev1.Pod) { p.Spec.Containers[0].Args = []string{"1"} }},
	} {
		t.Run(name, func(t *testing.T) {
			want := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "b"}}}}
			test.want(want)
			raw, err := yaml.YAMLToJSON([]byte(test.manifest))
			if err != nil {
				t.Fatal(err)
			}
			got, err := workload.Decode[corev1.Pod](raw)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", test.reason, err, diff)
			}
		})
	}
	got, err := workload.Decode[corev1.Secret]([]byte(`{"data":{"plain":"not encoded!","encoded":"YQ=="},"type":7}`))
	want := &corev1.Secret{Data: map[string][]byte{"plain": []byte("not encoded!"), "encoded": []byte("a")}, Type: "7"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("a text that somebody forgot to encode is read as it stands: %v (-want +got):\n%s", err, diff)
	}
}

// Metadata is that of an object of any kind, without managed fields, whatever else the object holds.
func TestMetadata(t *testing.T) {
	for raw, want := range map[string]metav1.ObjectMeta{
		`{"metadata":{"name":"a","labels":{"x":"y"},"managedFields":[{"manager":"m"}]},"spec":"any","data":[1,{}]}`: {Name: "a", Labels: map[string]string{"x": "y"}},
		`{"spec":{}}`:       {},
		`{"metadata":null}`: {},
		`{"metadata":{"name":"a","name":"b","managedFields":[{"manager":"m"}]}}`: {Name: "b"},
	} {
		if got, err := workload.Metadata([]byte(raw)); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: %+v %v", raw, got, err)
		}
	}
	for raw, want := range map[string]string{
		`{"metadata":{"labels":[]}}`: "decode metadata: metadata.labels cannot be a list", `[]`: "decode metadata: an object cannot be a list", `{`: "decode metadata: unexpected end of JSON input",
	} {
		if _, err := workload.Metadata([]byte(raw)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}
