package chart

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var the *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

// others returns the kinds of other projects that the chart may render. Those projects check their content.
func others() string {
	var out strings.Builder
	for _, k := range []struct{ group, version, kind, plural string }{
		{"cert-manager.io", "v1", "Certificate", "certificates"}, {"cert-manager.io", "v1", "Issuer", "issuers"},
		{"monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"}, {"monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"},
	} {
		fmt.Fprintf(&out, `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[4]s.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: %[3]s, plural: %[4]s}
  versions: [{name: %[2]s, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, k.group, k.version, k.kind, k.plural)
	}
	return out.String()
}

func TestMain(m *testing.M) {
	// This declaration is never in force, so its metric exists.
	os.Exit(fixture.Main(m, stage.Options{Values: []string{"environments.refused.tier=NonProduction", "environments.refused.changeControl.requiredApprovals=1"}}, &the, nil))
}

func render(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return the.Helm(t.Context(), append([]string{"template", "another", filepath.Join(the.Root, "charts", "firebreak"), "-n", "another", "--set", "image.repository=registry.example.com/firebreak"}, args...)...)
}

// The API server accepts every field of what the chart renders, whatever the values are.
func TestRenderedManifestsAreValid(t *testing.T) {
	apply := untouched(t)
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d values files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			text, err := render(t, "-f", file)
			if err != nil {
				t.Fatal(err)
			}
			out, err := apply(text, "--dry-run=server", "--validate=strict")
			if err != nil {
				t.Error(err)
			}
			if n := strings.Count(out, "serverside-applied"); n < 30 {
				t.Errorf("only %d objects were applied:\n%s", n, out)
			}
		})
	}
}

// untouched starts an empty control plane, without Firebreak, and returns a function that applies manifests to it.
func untouched(t *testing.T) func(text string, args ...string) (string, error) {
	t.Helper()
	cp, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cp.Stop() })
	kubectl := func(args ...string) (string, error) { return the.Kubectl(t.Context(), cp.AdminConfig(), args...) }
	apply := func(text string, args ...string) (string, error) {
		file := filepath.Join(t.TempDir(), "rendered.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", err
		}
		return kubectl(append([]string{"apply", "--server-side", "-f", file}, args...)...)
	}
	if _, err := apply(others()); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"}, {"create", "namespace", "another"}} {
		if _, err := kubectl(args...); err != nil {
			t.Fatal(err)
		}
	}
	return apply
}

// An unknown value is refused by its name, before anything is rendered.
func TestTyposAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		set    []string
		want   string
	}{
		"no name":                    {"windows go by it", nil, "cluster.name is required: windows say by name which clusters they are for"},
		"a key that is none":         {"it would do nothing", []string{"cluster.name=a", "clustr.name=b"}, "at '': additional properties 'clustr' not allowed"},
		"one further down":           {"the same", []string{"cluster.name=a", "webhook.core.failurepolicy=Fail"}, "at '/webhook/core': additional properties 'failurepolicy' not allowed"},
		"no such policy":             {"the API server would refuse it later", []string{"cluster.name=a", "webhook.core.failurePolicy=Maybe"}, "at '/webhook/core/failurePolicy': value must be one of 'Fail', 'Ignore'"},
		"a number in words":          {"the same", []string{"cluster.name=a", "replicas=three"}, "at '/replicas': got string, want integer"},
		"no time to answer":          {"a request is answered two seconds before", []string{"cluster.name=a", "webhook.timeoutSeconds=2"}, "at '/webhook/timeoutSeconds': minimum: got 2, want 3"},
		"no image":                   {"none is published", []string{"cluster.name=a", "image.repository="}, "image.repository is required: no image is published yet; build one with make image and push it"},
		"a tag in the name":          {"the tag stands beside it", []string{"cluster.name=a", "image.repository=registry.example.com/firebreak:1.2"}, "at '/image/repository': 'registry.example.com/firebreak:1.2' does not match pattern"},
		"a capital letter":           {"no Environment has one", []string{"cluster.name=a", "environments.Production.tier=Production"}, "at '/environments': additional properties 'Production' not allowed"},
		"a section that is null":     {"Helm takes it away, and the template would fail somewhere", []string{"cluster.name=a", "webhook=null"}, "at '': missing property 'webhook'"},
		"more at least than at most": {"nothing could be between", []string{"cluster.name=a", "autoscaling.enabled=true", "autoscaling.minReplicas=9"}, "autoscaling.minReplicas is 9, more than autoscaling.maxReplicas, which is 6"},
		"a tier that is none":        {"the API server would refuse it later", []string{"cluster.name=a", "environments.production.tier=Prod"}, "at '/environments/production/tier': value must be one of 'Production', 'NonProduction', 'Shared'"},
		"a field that is none":       {"it would do nothing", []string{"cluster.name=a", "environments.production.tier=Production", "environments.production.namespace={a}"}, "at '/environments/production': additional properties 'namespace' not allowed"},
		"a store of nobody":          {"nothing could be judged by it", []string{"cluster.name=a", "dataStores.orders.hosts={a}"}, "at '/dataStores/orders': missing property 'environment'"},
		"a name that is no one":      {"windows name clusters as DNS does", []string{"cluster.name=Prod EU"}, "at '/cluster/name': 'Prod EU' does not match pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			var args []string
			for _, s := range tc.set {
				args = append(args, "--set", s)
			}
			if _, err := render(t, args...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

// The alerts fire when they should, and not when they should not.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(the.Root, "bin", "promtool"), args...)
		cmd.Dir = filepath.Join(the.Root, "charts", "firebreak", "files")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v (make test builds it)\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// The chart's own tests show what each value changes in what is rendered.
func TestTheChartsOwnTests(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), filepath.Join(the.Root, "bin", "helm-unittest"), filepath.Join(the.Root, "charts", "firebreak"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("helm-unittest: %v (make test builds it)\n%s", err, out)
	}
}

// The server has every metric of the alerts and the dashboard.
func TestEveryMetricExists(t *testing.T) {
	p := fixture.Everybody(t, the)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "a-", Namespace: "dev"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x", Args: []string{"--host=orders.prod.db.example.com"}}}},
	}
	if err := p.Developer.Create(t.Context(), pod); err == nil {
		t.Fatal("a Pod that names production's database is admitted")
	}
	served := map[string]bool{}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (firebreak_\w+) `).FindAllStringSubmatch(scrape(t), -1) {
			served[m[1]] = true
		}
		missing := slices.DeleteFunc(named(t), func(m string) bool { return served[m] })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server has no %s", strings.Join(missing, ", "))
		}
	}
}

// named returns the metrics that the alerts and the dashboard read.
func named(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, file := range []string{"rules.yaml", "dashboard.json"} {
		raw, err := os.ReadFile(filepath.Join(the.Root, "charts", "firebreak", "files", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bfirebreak_\w+`).FindAllString(string(raw), -1) {
			out = append(out, strings.TrimSuffix(m, "_bucket"))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) < 8 {
		t.Fatalf("only %q are read", out)
	}
	return out
}

func scrape(t *testing.T) string {
	t.Helper()
	out, err := the.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}
