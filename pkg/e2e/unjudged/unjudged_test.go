package unjudged

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

//nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds
var (
	the *stage.Stage
	// bot is a machine of production, with a token from before the replicas stopped answering.
	bot *rest.Config
)

func TestMain(m *testing.M) {
	os.Exit(fixture.On(m, stage.Options{Replicas: 1, Before: mint}, &the, populate))
}

// crd is a kind that Firebreak knows nothing about.
const crd = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com}, spec: {group: example.com, scope: Namespaced,
  names: {plural: widgets, singular: widget, kind: Widget}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`

func populate(ctx context.Context) error {
	if err := the.Apply(ctx, crd); err != nil {
		return err
	}
	if _, err := the.Kubectl(ctx, the.AdminConfig(), "create", "clusterrolebinding", "sre-all", "--clusterrole=cluster-admin", "--group=sre"); err != nil {
		return err
	}
	return the.Populate(ctx)
}

// mint gets the machine's token while nothing guards production, since the administrator is not a member of it.
func mint(ctx context.Context, s *stage.Stage) error {
	if err := s.Staff(ctx); err != nil {
		return err
	}
	var err error
	bot, err = s.ServiceAccountConfig(ctx, "payments", "release-bot")
	return err
}

// kinds are the kinds of production that persons and automations write, with their contents.
func kinds() map[string]string {
	const template = "{metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}"
	return map[string]string{
		"ConfigMap":               "apiVersion: v1, kind: ConfigMap, data: {a: b}",
		"Secret":                  "apiVersion: v1, kind: Secret, stringData: {a: b}",
		"Service":                 "apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}",
		"PersistentVolumeClaim":   "apiVersion: v1, kind: PersistentVolumeClaim, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
		"Ingress":                 "apiVersion: networking.k8s.io/v1, kind: Ingress, spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}",
		"NetworkPolicy":           "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}}",
		"HorizontalPodAutoscaler": "apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}",
		"PodDisruptionBudget":     "apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {maxUnavailable: 1, selector: {matchLabels: {app: a}}}",
		"ResourceQuota":           "apiVersion: v1, kind: ResourceQuota, spec: {hard: {pods: 100}}",
		"Widget":                  "apiVersion: example.com/v1, kind: Widget, spec: {a: b}",
		"Deployment":              "apiVersion: apps/v1, kind: Deployment, spec: {replicas: 0, selector: {matchLabels: {app: a}}, template: " + template + "}",
		"Role":                    "apiVersion: rbac.authorization.k8s.io/v1, kind: Role, rules: []",
		"ServiceAccount":          "apiVersion: v1, kind: ServiceAccount",
	}
}

// core reports whether automations may not write a kind either while no replica answers.
func core(kind string) bool {
	return kind == "Deployment" || kind == "Role" || kind == "ServiceAccount"
}

func create(t *testing.T, cfg *rest.Config, name, kind string) error {
	t.Helper()
	_, err := the.KubectlWith(t.Context(), cfg, "{metadata: {name: "+name+"}, "+kinds()[kind]+"}", "create", "-n", "payments", "--validate=false", "-f", "-")
	return err
}

// table sends each kind as a person and as an automation. It wants the person's request refused, and the automation's admitted
// unless it changes what runs.
func table(t *testing.T, prefix string) {
	t.Helper()
	for kind := range kinds() {
		name := prefix + "-" + strings.ToLower(kind)
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if err := create(t, the.UserConfig(stage.SRE), name+"-sam", kind); err == nil || !strings.Contains(err.Error(), `failed calling webhook "core.firebreak.dev"`) {
				t.Errorf("a person's: %v, want it refused since nobody answers", err)
			}
			err := create(t, bot, name+"-bot", kind)
			switch {
			case core(kind) && (err == nil || !strings.Contains(err.Error(), `failed calling webhook "core.firebreak.dev"`)):
				t.Errorf("an automation's: %v, want it refused since nobody answers", err)
			case !core(kind) && err != nil:
				t.Errorf("an automation's: %v, want it admitted: a certificate that is renewed must not wait", err)
			}
		})
	}
}

// TestWhileOneHangs stops the process without closing its connections.
func TestWhileOneHangs(t *testing.T) {
	pid := the.Pods.Pods()[0].PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		ready(t)
	})
	table(t, "hangs")
}

// TestWhileNoneRuns scales the Deployment to zero. Afterwards the audit and the API server report what was admitted meanwhile.
func TestWhileNoneRuns(t *testing.T) {
	admin := the.AdminConfig()
	if _, err := the.Kubectl(t.Context(), admin, "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=0"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for len(the.Pods.Pods()) > 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	t.Run("table", func(t *testing.T) { table(t, "none") })
	const crossing = "{apiVersion: v1, kind: ConfigMap, metadata: {name: crossing}, data: {DATABASE_URL: 'postgres://orders.staging.db.example.com/orders'}}"
	if _, err := the.KubectlWith(t.Context(), bot, crossing, "create", "-n", "payments", "-f", "-"); err != nil {
		t.Errorf("an automation's ConfigMap: %v, want it admitted unjudged", err)
	}
	metrics, err := the.Kubectl(t.Context(), admin, "get", "--raw", "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(metrics, `apiserver_admission_webhook_fail_open_count{name="broad.firebreak.dev"`) {
		t.Error("the API server does not count what broad has let pass")
	}
	if _, err := the.Kubectl(t.Context(), admin, "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=1"); err != nil {
		t.Fatal(err)
	}
	ready(t)
	audit, _ := the.Plugin(t.Context(), the.UserConfig(stage.SRE), "audit") // it exits with 1 if it finds something
	for _, part := range []string{`ConfigMap "crossing" in namespace "payments"`, "DataStoreAcrossTiers", "orders.staging.db.example.com"} {
		if !strings.Contains(audit, part) {
			t.Errorf("the audit does not tell %q:\n%s", part, audit)
		}
	}
}

func ready(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := the.Pods.WaitReady(ctx, 1); err != nil {
		t.Fatal(err)
	}
}
