package attack

import (
	"context"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const (
	psql   = `command: [psql, -h, orders.prod.db.example.com, -c, REINDEX]`
	window = "ChangeWindowRequired"
)

// An impersonated account of production does not count as that account.
func TestBorrowedAccounts(t *testing.T) {
	as := "--as=system:serviceaccount:payments:release-bot"
	refused(t, dana(), "", []string{`IdentityOutsideEnvironment: service account "payments/release-bot" is not a member of "production", to which namespace "payments" belongs`, `act as yourself`},
		as, "create", "deployment", "evil", "-n", "payments", "--image=nginx")
	refused(t, dana(), "", []string{"IdentityOutsideEnvironment"}, as, "create", "configmap", "evil", "-n", "payments", "--from-literal=a=b")
	refused(t, dana(), "", []string{"IdentityOutsideEnvironment"}, as, "create", "token", "release-bot", "-n", "payments")
	done(t, account(t, "payments", "release-bot"), "", "create", "configmap", "fine", "-n", "payments", "--from-literal=a=b")
}

// An account that holds power in production belongs to production, even if no environment lists it.
func TestMintedAccounts(t *testing.T) {
	refused(t, dana(), "", []string{"IdentityOutsideEnvironment", `a service account of namespace "platform"`}, "create", "token", "deployer", "-n", "platform")
	for kind, spec := range map[string]string{
		"Pod":        "apiVersion: v1, kind: Pod, spec: {serviceAccountName: deployer, containers: [{name: a, image: a}]}",
		"Deployment": "apiVersion: apps/v1, kind: Deployment, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {serviceAccountName: deployer, containers: [{name: a, image: a}]}}}",
		"CronJob":    "apiVersion: batch/v1, kind: CronJob, spec: {schedule: '@daily', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, serviceAccountName: deployer, containers: [{name: a, image: a}]}}}}}",
		"Secret":     "apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token",
	} {
		meta := "metadata: {name: taken, namespace: platform, annotations: {kubernetes.io/service-account.name: deployer}}"
		t.Run(kind, func(t *testing.T) {
			refused(t, dana(), "{"+meta+", "+spec+"}", []string{"IdentityOutsideEnvironment"}, "create", "-f", "-")
		})
	}
}

// A person of production uses an operator's account only under a window, whatever runs as that account.
func TestOperatorsAccounts(t *testing.T) {
	refused(t, sam(), "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: taken, namespace: argo}, spec: {serviceName: a, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {serviceAccountName: argo, containers: [{name: a, image: a}]}}}}",
		[]string{`BoundaryTampering: this weakens the boundary: it runs as "argo/argo", an automation whose work in production is routine)`}, "create", "-f", "-")
}

// The command of an exec is read outside production too.
func TestExecOutsideProduction(t *testing.T) {
	done(t, dana(), "", "run", "shell", "-n", "dev", "--image=postgres:17", "--command", "--", "sleep", "3600")
	done(t, dana(), "", "wait", "pod/shell", "-n", "dev", "--for=condition=Ready", "--timeout=60s")
	refused(t, dana(), "", []string{`DataStoreAcrossTiers: command[2] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"`},
		"exec", "-n", "dev", "shell", "--", "psql", "-h", "orders.prod.db.example.com", "-c", "TRUNCATE orders")
}

// A freeze of level Everything stops every write, also of custom kinds.
func TestTheRedButton(t *testing.T) {
	if _, err := the.Plugin(t.Context(), sam(), "freeze", "production", "--everything", "--reason", "INC-1", "--name", "red"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := the.Plugin(context.WithoutCancel(t.Context()), sam(), "unfreeze", "red"); err != nil {
			t.Error(err)
		}
	})
	for kind, object := range map[string]string{
		"an autoscaler": "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: red, namespace: payments}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 1}}",
		"a budget":      "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: red, namespace: payments}, spec: {maxUnavailable: 1, selector: {matchLabels: {a: b}}}}",
		"a Workflow":    "{apiVersion: argoproj.io/v1, kind: Workflow, metadata: {name: red, namespace: payments}, spec: {}}",
	} {
		t.Run(kind, func(t *testing.T) {
			refused(t, sam(), object, []string{`ChangeFrozen: sam froze "production" until `}, "create", "-f", "-")
		})
	}
}

// If a member runs something in a shared namespace on production's data stores, it is maintenance of production and has its window
// there.
func TestSharedNamespaces(t *testing.T) {
	job := "{apiVersion: batch/v1, kind: Job, metadata: {name: reindex-orders, namespace: kube-system}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'postgres@sha256:" + strings.Repeat("a", 64) + "', " + psql + "}]}}}}"
	refused(t, sam(), job, []string{window, `this is maintenance in "production"`, `kubectl firebreak request -f MANIFEST -n kube-system`}, "create", "-f", "-")
	if _, err := the.KubectlWith(t.Context(), sam(), job, "create", "--dry-run=server", "-f", "-"); err != nil {
		t.Errorf("a dry run: %v, want it admitted with a warning", err)
	}
	file := write(t, job)
	if out, err := the.Plugin(t.Context(), sam(), "request", "-f", file, "-n", "kube-system", "--environment", "production", "--start", "now", "--duration", "30m", "--reason", "index", "--name", "shared"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := the.Plugin(t.Context(), the.UserConfig(stage.SecondSRE), "approve", "shared", "-n", "kube-system", "--yes"); err != nil {
		t.Fatal(err)
	}
	done(t, sam(), job, "create", "-f", "-")
}

// The record of a change outlives attempts to remove it.
func TestTheRecord(t *testing.T) {
	refused(t, the.AdminConfig(), "", []string{`ProtectedState: this deletes namespace "firebreak-system"`}, "delete", "namespace", stage.Namespace, "--wait=false")
	refused(t, the.AdminConfig(), "", []string{"BoundaryTampering"}, "delete", "crd", "changeexecutions.firebreak.dev", "--wait=false")
}

// Only automations that bring nodes up let a node join a pool.
func TestNodesJoin(t *testing.T) {
	node := "{apiVersion: v1, kind: Node, metadata: {name: joining}, spec: {taints: [{key: karpenter.sh/unregistered, effect: NoExecute}]}}"
	karpenter := account(t, "karpenter", "karpenter")
	done(t, karpenter, node, "create", "-f", "-")
	done(t, karpenter, "", "taint", "node", "joining", "dedicated=prod:NoSchedule", "karpenter.sh/unregistered-")
	refused(t, sam(), "", []string{`BoundaryTampering: this weakens the boundary: it moves node "joining" into or out of the pool of "production")`}, "taint", "node", "joining", "dedicated-")
}

// A priority above that of production's Pods may have them evicted; the taint of production's pool keeps all Pods away except the
// system's own.
func TestPriorities(t *testing.T) {
	done(t, the.AdminConfig(), "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: turbo}, value: 1000000}", "create", "-f", "-")
	pod := func(class string) string {
		return "{apiVersion: v1, kind: Pod, metadata: {name: first, namespace: dev}, spec: {priorityClassName: " + class + ", containers: [{name: a, image: a}]}}"
	}
	refused(t, dana(), pod("system-cluster-critical"), []string{`PlacementAcrossTiers: spec.priorityClassName names "system-cluster-critical", a priority class that comes before the workloads of "production" and may have them evicted`}, "create", "-f", "-")
	done(t, dana(), pod("turbo"), "create", "-f", "-")
}

// Helm's records are left to RBAC. A token of Firebreak's own account with a name like such a record is not.
func TestASecretThatLooksLikeHelms(t *testing.T) {
	secret := func(more string) string {
		return "{apiVersion: v1, kind: Secret, metadata: {name: sh.helm.release.v1.firebreak.v9, namespace: " + stage.Namespace + more
	}
	refused(t, sam(), secret(", annotations: {kubernetes.io/service-account.name: firebreak}}, type: kubernetes.io/service-account-token}"),
		[]string{"BoundaryTampering", "it keeps a token of Firebreak's own service account"}, "create", "-f", "-")
	done(t, sam(), secret("}, type: helm.sh/release.v1, data: {release: SDRzSUFBQUE=}}"), "create", "-f", "-", "--dry-run=server")
}

// An unlisted automation is admitted with a warning, and can be found: the metric shows one that has written, the audit one that
// may write.
func TestForgottenAutomation(t *testing.T) {
	done(t, account(t, "platform", "deployer"), "", "create", "configmap", "forgotten", "-n", "payments", "--from-literal=a=b")
	metrics, err := the.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := `firebreak_unlisted_automation_total{account="platform/deployer"}`; !strings.Contains(metrics, want) {
		t.Errorf("the metrics have no %s", want)
	}
	audit, _ := the.Plugin(t.Context(), sam(), "audit") // it exits with 1 if it finds something
	want := `ServiceAccount "deployer" in namespace "platform": counts: its bindings give it power in environment "production", whose spec.identities do not list it: what it writes is admitted there with a warning; list it, or take the bindings away`
	if !strings.Contains(audit, want) {
		t.Errorf("the audit does not say %q:\n%s", want, audit)
	}
	if strings.Contains(audit, `ServiceAccount "release-bot"`) {
		t.Errorf("the audit names an account that is listed:\n%s", audit)
	}
}
