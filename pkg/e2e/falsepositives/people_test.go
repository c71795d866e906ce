package falsepositives

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// deployed writes the workloads of testdata under a name, as a person, and waits until they run.
func deployed(t *testing.T, namespace, name string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "workloads.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	silently(t, sam(), namespace, strings.ReplaceAll(string(raw), "NAME", name), "apply", "-f", "-")
	rolledOut(t, namespace, name)
}

func rolledOut(t *testing.T, namespace, name string) {
	t.Helper()
	for _, of := range []string{"deployment/" + name, "statefulset/" + name + "-set"} {
		silently(t, sam(), namespace, "", "rollout", "status", of, "--timeout=60s")
	}
}

// TestAPersonsDay runs the commands that a member types at a terminal. NAME is the workload's own name; POD is one of its Pods.
func TestAPersonsDay(t *testing.T) {
	t.Parallel()
	const namespace = "shop"
	unobjected(t, namespace)
	cases := map[string]struct {
		reason string
		does   []string
	}{
		"restart and step back":       {reason: "the two that every runbook begins with", does: []string{"set image deployment/NAME web=registry.example.com/shop/web:4.2", "rollout restart deployment/NAME", "rollout undo deployment/NAME --to-revision=1"}},
		"restart a StatefulSet":       {reason: "the annotation changes the template and nothing of it", does: []string{"rollout restart statefulset/NAME-set"}},
		"pause and resume":            {reason: "a rollout held for a look", does: []string{"rollout pause deployment/NAME", "set env deployment/NAME LOG=debug", "rollout resume deployment/NAME"}},
		"give it more memory":         {reason: "a change of the template that names the same database", does: []string{"set resources deployment/NAME -c web --limits=memory=512Mi"}},
		"scale within bounds":         {reason: "at most four times as many, at least half", does: []string{"scale deployment/NAME --replicas=8", "scale deployment/NAME --replicas=4", "scale statefulset/NAME-set --replicas=3"}},
		"scale by a patch":            {reason: "the same bounds hold for the object itself", does: []string{"patch deployment/NAME -p {\"spec\":{\"replicas\":6}}"}},
		"label and annotate":          {reason: "metadata changes nothing that runs", does: []string{"label deployment/NAME team=checkout", "annotate deployment/NAME example.com/runbook=RB-7", "label deployment/NAME team-"}},
		"label a Pod":                 {reason: "to take it out of its Service for a look at it", does: []string{"label pod POD quarantine=true"}},
		"annotate a Pod":              {reason: "a note, or a cost that an autoscaler reads", does: []string{"annotate pod POD controller.kubernetes.io/pod-deletion-cost=-100"}},
		"delete a Pod":                {reason: "its ReplicaSet replaces it", does: []string{"delete pod POD"}},
		"cordon and uncordon":         {reason: "the node is of no pool", does: []string{"cordon kwok-0", "uncordon kwok-0"}},
		"configure":                   {reason: "of its own side", does: []string{"create configmap NAME --from-literal=url=postgres://ledger.prod.db.example.com/shop", "patch configmap NAME -p {\"data\":{\"level\":\"debug\"}}", "delete configmap NAME"}},
		"keep a secret":               {reason: "of its own side", does: []string{"create secret generic NAME --from-literal=dsn=postgres://u:p@ledger.prod.db.example.com/shop", "delete secret NAME"}},
		"expose":                      {reason: "a Service for the own Pods", does: []string{"expose deployment NAME --port=80", "delete service NAME"}},
		"bound the evictions":         {reason: "a budget is no change of what runs", does: []string{"create poddisruptionbudget NAME --selector=app=NAME --min-available=1", "delete pdb NAME"}},
		"give a colleague rights":     {reason: "who is given them is a member", does: []string{"create rolebinding NAME --clusterrole=edit --group=sre", "delete rolebinding NAME"}},
		"take a StatefulSet's leader": {reason: "the StatefulSet's controller re-creates it under its name", does: []string{"delete pod NAME-set-0"}},
		"a look at what would change": {reason: "a diff is a dry run", does: []string{"set image deployment/NAME web=registry.example.com/shop/web:5 --dry-run=server"}},
		"retire a workload":           {reason: "nothing protects it", does: []string{"scale deployment/NAME --replicas=2", "delete deployment NAME", "delete statefulset NAME-set"}},
		"schedule what is harmless":   {reason: "a CronJob that touches no data store and runs no tool", does: []string{"create cronjob NAME --image=registry.example.com/shop/ping:1 --schedule=@yearly -- /bin/ping-shop", "delete cronjob NAME"}},
		"autoscale":                   {reason: "an autoscaler is bounded by its own minimum and maximum", does: []string{"autoscale deployment/NAME --min=2 --max=10", "delete hpa NAME"}},
	}
	n := 0
	for sentence, tc := range cases {
		n++
		name := "web-" + string(rune('a'+n))
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			deployed(t, namespace, name)
			pod := strings.Fields(silently(t, sam(), namespace, "", "get", "pods", "-l", "app="+name, "-o", "jsonpath={.items[*].metadata.name}"))[0]
			for _, line := range tc.does {
				line = strings.NewReplacer("NAME", name, "POD", pod).Replace(line)
				out, warnings, err := program(t, "kubectl", sam(), namespace, "", strings.Fields(line)...)
				if err != nil {
					t.Errorf("kubectl %s: %v\n%s%s", line, err, out, tc.reason)
				}
				if len(warnings) > 0 {
					t.Errorf("kubectl %s warns although %s: %s", line, tc.reason, strings.Join(warnings, "\n"))
				}
			}
		})
	}
}

// TestWhatWasThereBefore shows that a workload whose creation would need a window today is kept running without one.
func TestWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	const namespace = "shop-legacy"
	unobjected(t, namespace)
	cases := map[string]struct {
		reason string
		who    *rest.Config
		does   [][]string
	}{
		"what runs a tool is restarted": {
			reason: "nothing of it changes", who: sam(),
			does: [][]string{{"rollout", "restart", "deployment/restarted"}, {"rollout", "status", "deployment/restarted", "--timeout=20s"}},
		},
		"what runs a tool is scaled and loses its Pods": {
			reason: "its ReplicaSet is there", who: sam(),
			does: [][]string{{"scale", "deployment/legacy", "--replicas=4"}, {"delete", "pod", "-l", "app=legacy"}, {"label", "deployment/legacy", "team=checkout"}, {"rollout", "status", "deployment/legacy", "--timeout=60s"}},
		},
		"what is protected is restarted": {
			reason: "nothing of it is deleted", who: sam(),
			does: [][]string{{"rollout", "restart", "statefulset/ledger"}, {"rollout", "status", "statefulset/ledger", "--timeout=60s"}, {"delete", "pod", "ledger-0"}, {"label", "statefulset/ledger", "team=checkout"}},
		},
		"a backup moves to another hour": {
			reason: "what it runs stays as it is", who: sam(),
			does: [][]string{{"patch", "cronjob", "backup", "-p", `{"spec":{"schedule":"7 7 1 1 *"}}`}, {"patch", "cronjob", "backup", "-p", `{"spec":{"suspend":true}}`}},
		},
		"old sins are applied again": {
			reason: "an unchanged re-apply passes every rule", who: machines["argocd/argocd-application-controller"],
			does: [][]string{{"apply", "--server-side", "--field-manager=argocd-controller", "--force-conflicts", "-f", filepath.Join("testdata", "legacy.yaml"), "-l", "old=sin"}},
		},
	}
	for sentence, tc := range cases {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for _, args := range tc.does {
				silently(t, tc.who, namespace, "", args...)
			}
		})
	}
}

// TestWhatRunsIsKeptRunningDuringAFreeze shows that a freeze stops changes, but nothing that keeps workloads running.
func TestWhatRunsIsKeptRunningDuringAFreeze(t *testing.T) {
	t.Parallel()
	const namespace = "shop-frozen"
	unobjected(t, namespace, `"name":"frozen"`)
	deployed(t, namespace, "web")
	freeze(t, "shop", namespace)
	for _, line := range []string{
		"rollout restart deployment/web", "rollout restart statefulset/web-set", "scale deployment/web --replicas=6", "label deployment/web team=checkout",
		"annotate statefulset/web-set example.com/runbook=RB-7", "delete pod web-set-0", "delete pod -l app=web", "autoscale deployment/web --min=8 --max=10",
	} {
		silently(t, sam(), namespace, "", strings.Fields(line)...)
	}
	shows(t, namespace, "8", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}")
}

// TestWhatStatefulSetsLoseComesBack shows that the controller replaces a Pod that a person deletes.
func TestWhatStatefulSetsLoseComesBack(t *testing.T) {
	t.Parallel()
	const namespace = "shop-set"
	unobjected(t, namespace)
	deployed(t, namespace, "queue")
	uid := func() string {
		return silently(t, sam(), namespace, "", "get", "pod", "queue-set-0", "-o", "jsonpath={.metadata.uid}", "--ignore-not-found")
	}
	before := uid()
	silently(t, sam(), namespace, "", "delete", "pod", "queue-set-0")
	shows(t, namespace, "Running", "pod", "queue-set-0", "-o", "jsonpath={.status.phase}")
	if after := uid(); after == before {
		t.Errorf("the Pod is still %s", after)
	}
}

// TestAnAutoscalerScales shows that an autoscaler without metrics still brings a workload to its minimum, which the person raises.
func TestAnAutoscalerScales(t *testing.T) {
	t.Parallel()
	const namespace = "shop-hpa"
	unobjected(t, namespace)
	deployed(t, namespace, "web")
	silently(t, sam(), namespace, `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 4
  maxReplicas: 12
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
`, "apply", "-f", "-")
	silently(t, sam(), namespace, "", "patch", "hpa", "web", "-p", `{"spec":{"minReplicas":9}}`)
	shows(t, namespace, "9", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}")
	shows(t, namespace, "9", "hpa", "web", "-o", "jsonpath={.status.desiredReplicas}")
	silently(t, sam(), namespace, "", "delete", "hpa", "web")
}

// TestANodeIsDrained shows that the Pods leave as their budget allows, and start on the other node of the pool.
func TestANodeIsDrained(t *testing.T) {
	t.Parallel()
	const namespace = "shop-drain"
	unobjected(t, namespace)
	silently(t, sam(), namespace, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {pool: drain}
      tolerations: [{key: pool, value: drain, effect: NoSchedule}]
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}]
      containers: [{name: web, image: "registry.example.com/shop/web:4.1", env: [{name: DATABASE_HOST, value: ledger.prod.db.example.com}]}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 3, selector: {matchLabels: {app: web}}}
`, "apply", "-f", "-")
	silently(t, sam(), namespace, "", "rollout", "status", "deployment/web", "--timeout=60s")
	on := func(node string) int {
		return len(strings.Fields(silently(t, sam(), namespace, "", "get", "pods", "-l", "app=web", "--field-selector=spec.nodeName="+node, "-o", "name")))
	}
	if on("drain-1") == 0 {
		t.Fatal("no Pod runs on the node, so that draining it shows nothing")
	}
	silently(t, sam(), namespace, "", "drain", "drain-1", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s")
	silently(t, sam(), namespace, "", "rollout", "status", "deployment/web", "--timeout=60s")
	if one, two := on("drain-1"), on("drain-2"); one != 0 || two != 4 {
		t.Errorf("%d Pods run on the drained node and %d on the other, want 0 and 4", one, two)
	}
	silently(t, sam(), namespace, "", "uncordon", "drain-1")
}

// TestPodsAreEvicted evicts Pods as a member, one by one, as a descheduler or a drain does.
func TestPodsAreEvicted(t *testing.T) {
	t.Parallel()
	const namespace = "shop-person"
	unobjected(t, namespace)
	deployed(t, namespace, "web")
	for who, cfg := range map[string]*rest.Config{"a person": sam(), "an operator": machines["cnpg-system/cnpg-manager"]} {
		pod := strings.Fields(silently(t, sam(), namespace, "", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}"))[0]
		warnings, err := request{
			Send: "POST /api/v1/namespaces/NAMESPACE/pods/" + pod + "/eviction",
			Body: map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": pod, "namespace": namespace}},
		}.send(t, cfg, namespace)
		if err != nil || len(warnings) > 0 {
			t.Errorf("evicted by %s: %v, warned %q", who, err, warnings)
		}
		rolledOut(t, namespace, "web")
	}
}

// TestACronJobRuns shows that the controller creates a Job every minute without a window, if it touches no data store and runs no
// tool.
func TestACronJobRuns(t *testing.T) {
	t.Parallel()
	const namespace = "shop-cron"
	unobjected(t, namespace)
	silently(t, sam(), namespace, "", "create", "cronjob", "warm", "--image=registry.example.com/shop/warm:1", "--schedule=* * * * *", "--", "/bin/warm-cache", "--all")
	await.NoError(t, "a Job has completed", func() error {
		_, _, err := program(t, "kubectl", the.AdminConfig(), namespace, "", "wait", "--for=condition=Complete", "job", "--all", "--timeout=1s")
		return err
	})
	silently(t, sam(), namespace, "", "patch", "cronjob", "warm", "-p", `{"spec":{"suspend":true}}`)
}
