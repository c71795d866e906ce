package firewall_test

import (
	"flag"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// now is the instant of these tests.
func now() time.Time { return time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) }

// cluster is a cluster as the files of testdata describe it.
type cluster struct {
	Environments map[string]v1alpha1.EnvironmentSpec `json:"environments"`
	DataStores   map[string]v1alpha1.DataStoreSpec   `json:"dataStores"`
	// Namespaces are names; each has the label that the API server gives it.
	Namespaces []string `json:"namespaces"`
	// Services by namespace/name.
	Services map[string]corev1.ServiceSpec `json:"services"`
	// Nodes and their ranges of Pods.
	Nodes map[string][]string `json:"nodes"`
	// APIServers as address:port.
	APIServers []netip.AddrPort `json:"apiServers"`
}

func story(t testing.TB, name string) *cluster {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name, "input.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{}
	if err := yaml.UnmarshalStrict(raw, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// input compiles the cluster's estate.
func (c *cluster) input() firewall.Input {
	in := estate.Input{Cluster: "c1", FirebreakNamespace: "firebreak-system", Namespaces: map[string]map[string]string{}, Services: map[string]estate.Service{}, Nodes: map[string]estate.Node{}}
	for _, name := range slices.Sorted(maps.Keys(c.Environments)) {
		in.Environments = append(in.Environments, v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: c.Environments[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(c.DataStores)) {
		in.DataStores = append(in.DataStores, v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: c.DataStores[name]})
	}
	for _, ns := range c.Namespaces {
		in.Namespaces[ns] = map[string]string{corev1.LabelMetadataName: ns}
	}
	for key, spec := range c.Services {
		in.Services[key] = estate.ServiceOf(&corev1.Service{Spec: spec})
	}
	for name, ranges := range c.Nodes {
		in.Nodes[name] = estate.NodeOf(&corev1.Node{Spec: corev1.NodeSpec{PodCIDRs: ranges}})
	}
	return firewall.Input{Estate: estate.Compile(in), At: now(), APIServers: c.APIServers}
}

func plan(t testing.TB, name string) *firewall.Plan {
	t.Helper()
	p := firewall.Compile(story(t, name).input())
	if o := p.Obstacles(); len(o) > 0 {
		t.Fatalf("the plan cannot be applied: %s", strings.Join(o, " "))
	}
	return p
}

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = p
	}
	return out
}
