package change_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

func manifest(t testing.TB, name string) *workload.Workload {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return work(t, string(raw))
}

// settings returns the content of the one ConfigMap that exists.
func settings(name string) (map[string][]byte, bool) {
	return map[string][]byte{"BATCH": []byte("500"), "LEVEL": []byte("info")}, name == "settings"
}

func TestPlanIsTheSameAfterDefaults(t *testing.T) {
	for _, name := range []string{"job", "pod"} {
		t.Run(name, func(t *testing.T) {
			written := change.PlanOf(manifest(t, name+"-as-written"), settings)
			stored := change.PlanOf(manifest(t, name+"-as-stored"), settings)
			if diff := cmp.Diff(written, stored); diff != "" {
				t.Errorf("what a manifest pins must be what the stored object pins (-written +stored):\n%s", diff)
			}
			if !strings.HasPrefix(written.Digest, change.PlanVersion+":sha256:") {
				t.Errorf("a digest names the version of its algorithm: %s", written.Digest)
			}
		})
	}
}

const plainJob = `
apiVersion: batch/v1
kind: Job
metadata: {name: reindex}
spec:
  template:
    spec:
      initContainers:
      - {name: wait, image: "wait@sha256:aa"}
      - {name: warm, image: "warm@sha256:aa"}
      containers:
      - name: reindex
        image: reindex@sha256:bb
        command: [reindex, --all]
        args: [--password=hunter2]
        env: [{name: PASSWORD, value: hunter2}, {name: MODE, value: fast}]
      volumes:
      - {name: settings, configMap: {name: settings, items: [{key: BATCH, path: batch}]}}
`

// TestDecisiveFields changes one field at a time, and checks that the digest differs and that the denial names the field.
func TestDecisiveFields(t *testing.T) {
	type spec = corev1.PodSpec
	for name, test := range map[string]struct {
		reason string
		change func(*spec)
		want   []string
	}{
		"image":    {"the change that was executed was not the change that was planned", func(s *spec) { s.Containers[0].Image = "reindex@sha256:cc" }, []string{`containers["reindex"].image: approved "reindex@sha256:bb", submitted "reindex@sha256:cc"`}},
		"command":  {"of several words only the program is shown: the others may be passwords", func(s *spec) { s.Containers[0].Command = []string{"drop", "--all"} }, []string{`containers["reindex"].command: approved sha256 X, submitted sha256 X`, `containers["reindex"].program: approved "reindex", submitted "drop"`}},
		"args":     {"arguments are never shown", func(s *spec) { s.Containers[0].Args = []string{"--password=hunter3"} }, []string{`containers["reindex"].args: approved sha256 X, submitted sha256 X`}},
		"env":      {"nor are values of variables", func(s *spec) { s.Containers[0].Env[0].Value = "hunter3" }, []string{`containers["reindex"].env["PASSWORD"]: approved sha256 X, submitted sha256 X`}},
		"envFrom":  {"a whole ConfigMap is many variables", func(s *spec) { s.Containers[0].EnvFrom = []corev1.EnvFromSource{{Prefix: "X_"}} }, []string{`containers["reindex"].envFrom: approved nothing, submitted sha256 X`}},
		"no env":   {"what is missing runs differently too", func(s *spec) { s.Containers[0].Env = s.Containers[0].Env[:1] }, []string{`containers["reindex"].env["MODE"]: approved sha256 X, submitted nothing`}},
		"identity": {"who it runs as decides what it may do", func(s *spec) { s.ServiceAccountName = "admin" }, []string{`serviceAccountName: approved nothing, submitted "admin"`}},
		"identity by its old name": {"serviceAccount is the deprecated spelling of the same", func(s *spec) { s.DeprecatedServiceAccount = "admin" },
			[]string{`serviceAccountName: approved nothing, submitted "admin"`}},
		"a volume": {"volumes bring data in", func(s *spec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "root"}}})
		}, []string{`volumes["v"]: approved nothing, submitted sha256 X`}},
		"an empty one": {"an empty folder is a volume", func(s *spec) { s.Volumes = append(s.Volumes, corev1.Volume{Name: "v"}) }, []string{`volumes["v"]: approved nothing, submitted sha256 X`}},
		"a mount": {"where it is mounted decides what it replaces", func(s *spec) {
			s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "settings", MountPath: "/usr/bin"}}
		}, []string{`containers["reindex"].volumeMounts: approved nothing, submitted sha256 X`}},
		"a device":              {"a raw disk is a volume", func(s *spec) { s.Containers[0].VolumeDevices = []corev1.VolumeDevice{{Name: "settings"}} }, []string{`containers["reindex"].volumeDevices: approved nothing, submitted sha256 X`}},
		"host network":          {"host access", func(s *spec) { s.HostNetwork = true }, []string{`hostNetwork: approved nothing, submitted "true"`}},
		"host PIDs":             {"host access", func(s *spec) { s.HostPID = true }, []string{`hostPID: approved nothing, submitted "true"`}},
		"host IPC":              {"host access", func(s *spec) { s.HostIPC = true }, []string{`hostIPC: approved nothing, submitted "true"`}},
		"users of the node":     {"without a user namespace root is root", func(s *spec) { s.HostUsers = ptr(false) }, []string{`hostUsers: approved nothing, submitted "false"`}},
		"host port":             {"it serves under the node's address", func(s *spec) { s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 1, HostPort: 22}} }, []string{`containers["reindex"].hostPort[22]: approved nothing, submitted "22"`}},
		"shared PIDs":           {"containers may signal each other", func(s *spec) { s.ShareProcessNamespace = ptr(true) }, []string{`shareProcessNamespace: approved nothing, submitted "true"`}},
		"token":                 {"whether it has a token decides what it may ask", func(s *spec) { s.AutomountServiceAccountToken = ptr(false) }, []string{`automountServiceAccountToken: approved nothing, submitted "false"`}},
		"node":                  {"a node by name bypasses the scheduler", func(s *spec) { s.NodeName = "n1" }, []string{`nodeName: approved nothing, submitted "n1"`}},
		"runtime":               {"another runtime is another sandbox", func(s *spec) { s.RuntimeClassName = ptr("kata") }, []string{`runtimeClassName: approved nothing, submitted "kata"`}},
		"aliases":               {"a name may lead elsewhere", func(s *spec) { s.HostAliases = []corev1.HostAlias{{IP: "10.20.0.1", Hostnames: []string{"db"}}} }, []string{`hostAliases: approved nothing, submitted sha256 X`}},
		"DNS":                   {"a search domain makes short names long", func(s *spec) { s.DNSConfig = &corev1.PodDNSConfig{Searches: []string{"prod.example.com"}} }, []string{`dnsConfig: approved nothing, submitted sha256 X`}},
		"DNS policy":            {"another resolver knows other names", func(s *spec) { s.DNSPolicy = corev1.DNSNone }, []string{`dnsPolicy: approved nothing, submitted "None"`}},
		"user of the Pod":       {"who it runs as on the node", func(s *spec) { s.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr(int64(0))} }, []string{`securityContext: approved nothing, submitted sha256 X`}},
		"user of the container": {"who it runs as on the node", func(s *spec) { s.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr(true)} }, []string{`containers["reindex"].securityContext: approved nothing, submitted sha256 X`}},
		"working folder":        {"a relative path leads elsewhere", func(s *spec) { s.Containers[0].WorkingDir = "/tmp" }, []string{`containers["reindex"].workingDir: approved nothing, submitted "/tmp"`}},
		"a sidecar": {"a container that restarts runs beside", func(s *spec) { s.InitContainers[0].RestartPolicy = ptr(corev1.ContainerRestartPolicyAlways) },
			[]string{`initContainers["wait"].restartPolicy: approved nothing, submitted sha256 X`}},
		"a container more": {"whatever runs in the Pod runs under the window", func(s *spec) { s.Containers = append(s.Containers, corev1.Container{Name: "x", Image: "x@sha256:dd"}) },
			[]string{`containers["x"].image: approved nothing, submitted "x@sha256:dd"`}},
		"an ephemeral one": {"debug containers run too", func(s *spec) {
			s.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "d", Image: "d@sha256:dd"}}}
		}, []string{`ephemeralContainers["d"].image: approved nothing, submitted "d@sha256:dd"`}},
		"order of init containers": {"they run one after the other", func(s *spec) { s.InitContainers[0], s.InitContainers[1] = s.InitContainers[1], s.InitContainers[0] },
			[]string{`initContainers["wait"].order: approved nothing, submitted "1"`, `initContainers["warm"].order: approved "1", submitted nothing`}},
		"a hook": {"hooks run commands", func(s *spec) {
			s.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"drop"}}}}
		}, []string{`containers["reindex"].lifecycle.preStop.exec: approved nothing, submitted sha256 X`}},
		"a hook that fetches": {"a request has effects", func(s *spec) {
			s.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Host: "admin.payments", Path: "/drop"}}}
		}, []string{`containers["reindex"].lifecycle.postStart.httpGet: approved nothing, submitted sha256 X`}},
		"an exec probe": {"probes run commands, again and again", func(s *spec) {
			s.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"drop"}}}}
		}, []string{`containers["reindex"].livenessProbe.exec: approved nothing, submitted sha256 X`}},
		"another key of the ConfigMap": {"the content of what is used is pinned, by key", func(s *spec) { s.Volumes[0].ConfigMap.Items[0].Key = "LEVEL" },
			[]string{`configMaps["settings"].data["BATCH"]: approved sha256 X, submitted nothing`, `configMaps["settings"].data["LEVEL"]: approved nothing, submitted sha256 X`, `volumes["settings"]: approved sha256 X, submitted sha256 X`}},
		"order where one variable uses another": {"$(NAME) means an entry before", func(s *spec) {
			s.Containers[0].Env = []corev1.EnvVar{{Name: "MODE", Value: "fast"}, {Name: "PASSWORD", Value: "$(MODE)"}}
		}, []string{`containers["reindex"].env: approved nothing, submitted "MODE PASSWORD"`, `containers["reindex"].env["PASSWORD"]: approved sha256 X, submitted sha256 X`}},
		"a variable given twice": {"another may have used the first", func(s *spec) {
			s.Containers[0].Env = append([]corev1.EnvVar{{Name: "MODE", Value: "slow"}}, s.Containers[0].Env...)
		}, []string{`containers["reindex"].env["MODE"]: approved sha256 X, submitted sha256 X`, `containers["reindex"].env["MODE"] (entry 2 of that name): approved nothing, submitted sha256 X`}},
	} {
		t.Run(name, func(t *testing.T) {
			approved := change.PlanOf(work(t, plainJob), settings)
			changed := work(t, plainJob)
			test.change(&changed.Template.Spec)
			submitted := change.PlanOf(changed, settings)
			if approved.Digest == submitted.Digest {
				t.Fatalf("%s: the digest is the same", test.reason)
			}
			if paths := pathsOf(change.Differences(entryOf(approved), submitted)); len(paths) == 0 {
				t.Errorf("%s: the denial names no field", test.reason)
			}
			var got []string
			for _, d := range change.Differences(entryOf(approved.V1), submitted) {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(hashless(test.want), hashless(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func entryOf(p *change.Plan) *v1alpha1.PlannedWorkload {
	return &v1alpha1.PlannedWorkload{Digest: p.Digest, Fields: p.Fields}
}

func pathsOf(list []change.Difference) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.Path)
	}
	return out
}

// hashless replaces digests, since TestDigestsAreStable checks their values.
func hashless(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		words := strings.Fields(s)
		for j := range words {
			if j > 0 && words[j-1] == "sha256" {
				words[j] = "X" + strings.TrimLeft(words[j], "0123456789abcdefX")
			}
		}
		out[i] = strings.Join(words, " ")
	}
	return out
}

func TestHarmlessFields(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(*workload.Workload)
	}{
		"labels of the Pods": {"they decide who finds it, not what runs", func(w *workload.Workload) { w.Template.Labels = map[string]string{"a": "b"} }},
		"resources": {"how much it may use", func(w *workload.Workload) {
			w.Template.Spec.Containers[0].Resources.Claims = []corev1.ResourceClaim{{Name: "x"}}
		}},
		"the pull policy": {"an image by digest is the same wherever it lies", func(w *workload.Workload) { w.Template.Spec.Containers[0].ImagePullPolicy = "Always" }},
		"an HTTP probe": {"it runs nothing", func(w *workload.Workload) {
			w.Template.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/"}}}
		}},
		"the default account":    {"what is omitted is default", func(w *workload.Workload) { w.Template.Spec.ServiceAccountName = "default" }},
		"an empty list":          {"what is empty and what is omitted run alike", func(w *workload.Workload) { w.Template.Spec.HostAliases = []corev1.HostAlias{} }},
		"order of the variables": {"where none uses another, order decides nothing", func(w *workload.Workload) { e := w.Template.Spec.Containers[0].Env; e[0], e[1] = e[1], e[0] }},
		"one at a time":          {"one is what omission means", func(w *workload.Workload) { w.Wanted = 1 }},
		"staged":                 {"releasing it is judged when it is released", func(w *workload.Workload) { w.Wanted = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := work(t, plainJob)
			test.change(w)
			if diff := cmp.Diff(change.PlanOf(work(t, plainJob), settings), change.PlanOf(w, settings)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestParallelismIsPinned(t *testing.T) {
	w := work(t, plainJob)
	w.Wanted = 5
	p := change.PlanOf(w, settings)
	approved := change.PlanOf(work(t, plainJob), settings)
	if d := change.Differences(entryOf(approved), p); len(d) != 1 || d[0].String() != `parallelism: approved nothing, submitted 5` {
		t.Errorf("five at once are not one: %v", d)
	}
	if d := change.Differences(entryOf(approved.V1), p); len(d) != 1 || d[0].String() != `parallelism: approved nothing, submitted "5"` {
		t.Errorf("five at once are not one by the first algorithm: %v", d)
	}
}

// A StatefulSet's claims may be filled from another volume; the API server's defaults change nothing.
func TestClaimsArePinned(t *testing.T) {
	claims := func(from string, mode *corev1.PersistentVolumeMode) *change.Plan {
		w := work(t, plainJob)
		c := corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeMode: mode}}
		if c.Name = "data"; from != "" {
			c.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: from}
		}
		w.Claims = []corev1.PersistentVolumeClaim{c}
		return change.PlanOf(w, settings)
	}
	if a, b := claims("", nil), claims("", ptr(corev1.PersistentVolumeFilesystem)); a.Digest != b.Digest {
		t.Errorf("the default of the API server changes the digest: %v", change.Differences(entryOf(a), b))
	}
	d := change.Differences(entryOf(claims("orders", nil)), claims("ledger", nil))
	if len(d) != 1 || d[0].Path != `volumeClaimTemplates["data"]` {
		t.Errorf("another source of the data: %v", d)
	}
}

// TestTextsHoldNoCredential checks the texts that an approver and a denial show: they hold all that runs, but no credential.
func TestTextsHoldNoCredential(t *testing.T) {
	w := work(t, plainJob)
	c := &w.Template.Spec.Containers[0]
	c.Command = []string{"psql", "postgres://app:hunter2@db/orders"}
	c.Lifecycle = &corev1.Lifecycle{
		PreStop:   &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"curl", "-u", "app:hunter2"}}},
		PostStart: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/?key=hunter2", HTTPHeaders: []corev1.HTTPHeader{{Name: "Authorization", Value: "hunter2"}}}},
	}
	c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"mysqladmin", "-phunter2"}}}}
	w.Template.Spec.Volumes = append(w.Template.Spec.Volumes, corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{
		FlexVolume: &corev1.FlexVolumeSource{Driver: "d", Options: map[string]string{"password": "hunter2"}},
	}})
	contents := func(string) (map[string][]byte, bool) {
		return map[string][]byte{"BATCH": []byte("db.password = hunter2")}, true
	}
	p := change.PlanOf(w, contents)
	for _, f := range append(p.Fields, p.V1.Fields...) {
		if strings.Contains(f.Text+f.Value, "hunter2") {
			t.Errorf("%s shows %q", f.Path, f.Text+f.Value)
		}
	}
}

// TestLongTexts: a plan shows no part of a text that is too long for the API, since nobody could check the part against the digest.
func TestLongTexts(t *testing.T) {
	for length, shown := range map[int]bool{32766: true, 32767: false} {
		w, want := work(t, plainJob), ""
		folder := "/" + strings.Repeat("a", length-1)
		if w.Template.Spec.Containers[0].WorkingDir = folder; shown {
			want = strconv.Quote(folder)
		}
		for _, f := range change.PlanOf(w, settings).Fields {
			if f.Path == `containers["reindex"].workingDir` && f.Value != want {
				t.Errorf("a text of %d bytes: %d are shown, want %d", length, len(f.Value), len(want))
			}
		}
	}
}

// TestMetadataThatContainersRead: a plan pins each label and annotation that a container reads, since the container may run it.
func TestMetadataThatContainersRead(t *testing.T) {
	field := func(path string) *corev1.ObjectFieldSelector { return &corev1.ObjectFieldSelector{FieldPath: path} }
	items := func(path string) []corev1.DownwardAPIVolumeFile {
		return []corev1.DownwardAPIVolumeFile{{Path: "limit"}, {Path: "x", FieldRef: field(path)}}
	}
	for name, test := range map[string]struct {
		reason string
		change func(*corev1.PodSpec)
		want   []string
	}{
		"nothing": {"a label that nothing reads decides nothing", func(*corev1.PodSpec) {}, nil},
		"a variable": {"it reads one label", func(s *corev1.PodSpec) {
			s.Containers[0].Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{FieldRef: field("metadata.labels['target']")}}}
		}, []string{`metadata.labels["target"]`}},
		"a variable with the Pod's name": {"that is neither label nor annotation", func(s *corev1.PodSpec) {
			s.Containers[0].Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{FieldRef: field("metadata.name")}}}
		}, nil},
		"a volume": {"it holds all annotations", func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: items("metadata.annotations")}}})
		}, []string{`metadata.annotations["mode"]`, `metadata.annotations["target"]`}},
		"a projected volume": {"it holds all labels, but for those that the job controller adds", func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{DownwardAPI: &corev1.DownwardAPIProjection{Items: items("metadata.labels")}}},
			}}})
		}, []string{`metadata.labels["target"]`, `metadata.labels["team"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := work(t, plainJob)
			w.Template.Labels = map[string]string{"target": "staging", "team": "search", "controller-uid": "1", "job-name": "reindex", "batch.kubernetes.io/job-name": "reindex"}
			w.Template.Annotations = map[string]string{"target": "staging", "mode": "fast"}
			test.change(&w.Template.Spec)
			var got []string
			for _, f := range change.PlanOf(w, settings).Fields {
				if strings.HasPrefix(f.Path, "metadata.") {
					got = append(got, f.Path)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestUnpinnedImages(t *testing.T) {
	for name, test := range map[string]struct {
		reason, image string
		unpinned      bool
	}{
		"by digest":            {"it names its content", "registry.example.com/a@sha256:0123", false},
		"by tag and digest":    {"the digest decides", "registry.example.com/a:1@sha256:0123", false},
		"by tag":               {"a tag may be moved", "registry.example.com/a:1", true},
		"by nothing":           {"latest is a tag", "a", true},
		"by another algorithm": {"no registry that counts uses one", "a@md5:0123", true},
		"empty":                {"nothing is pinned", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := work(t, plainJob)
			w.Template.Spec.InitContainers[1].Image = test.image
			var want []string
			if test.unpinned {
				want = []string{fmt.Sprintf("initContainers[\"warm\"].image %q", test.image)}
			}
			if diff := cmp.Diff(want, change.PlanOf(w, settings).Unpinned); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}
