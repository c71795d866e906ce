package controlplane

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/google/go-cmp/cmp"
)

func TestToLocal(t *testing.T) {
	for name, test := range map[string]struct{ reason, target, want string }{
		"a Pod of a runner":     {"it is a process on this machine", "100.64.0.1:9443", "127.64.0.1:9443"},
		"the last such address": {"the range is whole", "100.95.255.254:1", "127.95.255.254:1"},
		"a Pod on kwok's nodes": {"nothing is behind it", "100.96.0.1:80", "100.96.0.1:80"},
		"another address":       {"it is not ours", "10.64.0.1:443", "10.64.0.1:443"},
		"an IPv6 address":       {"it is not ours", "[2001:db8::1]:443", "[2001:db8::1]:443"},
		"a mapped address":      {"it is the same host in other clothes", "[::ffff:100.64.0.1]:443", "127.64.0.1:443"},
		"a name":                {"an ExternalName Service has one", "db.example.com:5432", "db.example.com:5432"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := toLocal(test.target); got != test.want {
				t.Errorf("%s: got %s, want %s", test.reason, got, test.want)
			}
		})
	}
}

func TestAddressesAreShownAsTheyAreReached(t *testing.T) {
	a, err := claimAddress()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.release() }()
	if got := toLocal(net.JoinHostPort(a.shown(), "80")); got != a.hostPort(80) {
		t.Errorf("%s leads to %s, want %s", a.shown(), got, a.hostPort(80))
	}
	if other, err := net.ListenPacket("udp4", net.JoinHostPort(a.local(), "27183")); err == nil {
		_ = other.Close()
		t.Error("another could claim the same address")
	}
}

func TestExpand(t *testing.T) {
	v := &variables{values: map[string]string{"HOST": "db", "EMPTY": "", "NESTED": "$(HOST)"}}
	for text, want := range map[string]string{
		"$(HOST):5432":   "db:5432",
		"$(EMPTY)x":      "x",
		"$(UNKNOWN)":     "$(UNKNOWN)",
		"$$(HOST)":       "$(HOST)",
		"$$$(HOST)":      "$db",
		"$(NESTED)":      "$(HOST)",
		"$HOST ${HOST}":  "$HOST ${HOST}",
		"$(HOST":         "$(HOST",
		"100$":           "100$",
		"$(HOST)$(HOST)": "dbdb",
	} {
		if got := v.expand(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestPlacesOfVolumes(t *testing.T) {
	v := &volumes{dir: "/scratch"}
	p := v.places(&corev1.Container{VolumeMounts: []corev1.VolumeMount{
		{Name: "config", MountPath: "/etc/app"},
		{Name: "certs", MountPath: "/etc/app/certs/"},
		{Name: "data", MountPath: "/data", SubPath: "one"},
		{Name: "named", MountPath: "/named", SubPathExpr: "$(POD)"},
	}}, func(string) string { return "expanded" })
	for text, want := range map[string]string{
		"--config=/etc/app/config.yaml":   "--config=/scratch/config/config.yaml",
		"/etc/app":                        "/scratch/config",
		"/etc/app/":                       "/scratch/config/",
		"--cert=/etc/app/certs/tls.crt":   "--cert=/scratch/certs/tls.crt",
		"a=/data,b=/etc/app":              "a=/scratch/data/one,b=/scratch/config",
		"/named/x":                        "/scratch/named/expanded/x",
		"/etc/application":                "/etc/application",
		"/etc/app-two":                    "/etc/app-two",
		"/usr/etc/app":                    "/usr/etc/app",
		"https://example.com/data/report": "https://example.com/data/report",
		"nothing of the kind":             "nothing of the kind",
	} {
		if got := p.replace(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestProgramOfAnImage(t *testing.T) {
	r := &PodRunner{options: RunnerOptions{Images: map[string]string{
		"ghcr.io/firebreak": "/any", "ghcr.io/firebreak/server": "/server", "localhost:5000/tool": "/tool",
	}}}
	for image, want := range map[string]string{
		"ghcr.io/firebreak/server:v1":             "/server",
		"ghcr.io/firebreak/server@sha256:00":      "/server",
		"ghcr.io/firebreak/server:v1@sha256:00":   "/server",
		"ghcr.io/firebreak/other":                 "/any",
		"localhost:5000/tool":                     "/tool",
		"localhost:5000/tool:latest":              "/tool",
		"docker.io/ghcr.io/firebreak/server":      "",
		"example.com/ghcr.io/firebreak/server:v1": "",
	} {
		got, err := r.program(image)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q (%v), want %q", image, got, err, want)
		}
	}
}

func TestResourceField(t *testing.T) {
	c := &corev1.Container{Resources: corev1.ResourceRequirements{
		Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m"), corev1.ResourceMemory: resource.MustParse("100Mi")},
	}}
	allocatable := corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse("1Gi")}
	for name, test := range map[string]struct {
		reason string
		ref    corev1.ResourceFieldSelector
		want   string
	}{
		"cores":              {"the unit is a core, and part of one counts", corev1.ResourceFieldSelector{Resource: "limits.cpu"}, "2"},
		"thousandths":        {"the divisor says so", corev1.ResourceFieldSelector{Resource: "limits.cpu", Divisor: resource.MustParse("1m")}, "1500"},
		"bytes":              {"the unit is a byte", corev1.ResourceFieldSelector{Resource: "limits.memory"}, "104857600"},
		"a limit not set":    {"the node is the limit", corev1.ResourceFieldSelector{Resource: "limits.ephemeral-storage", Divisor: resource.MustParse("1Mi")}, "1024"},
		"a request not set":  {"nothing was asked for", corev1.ResourceFieldSelector{Resource: "requests.cpu"}, "0"},
		"an unknown section": {"a typo should show", corev1.ResourceFieldSelector{Resource: "limit.cpu"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resourceField(c, allocatable, &test.ref)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%s: got %q (%v), want %q", test.reason, got, err, test.want)
			}
		})
	}
}

func TestFolderFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	for _, files := range []map[string]string{
		{"a": "1", "sub/b": "2"},
		{"a": "1", "sub/b": "2"},
		{"a": "changed", "sub/c": "3"},
		{"d": ""},
		{},
	} {
		if err := writeFolder(dir, files); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(files, visible(t, dir)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if err := writeFolder(dir, map[string]string{"../out": "x"}); err == nil {
		t.Error("a file was written outside the folder")
	}
}

// visible returns the files that a program finds in a volume, without the names that begin with two dots.
func visible(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"[^.]*", "[^.]*/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil {
				name, _ := filepath.Rel(dir, path)
				files[name] = string(text)
			}
		}
	}
	return files
}
