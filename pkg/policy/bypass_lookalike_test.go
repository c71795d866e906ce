package policy_test

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// TestBypassByAnAccountElsewhere checks that a custom resource takes an account of production in whatever field it names the account.
func TestBypassByAnAccountElsewhere(t *testing.T) {
	const id = "IdentityOutsideEnvironment"
	store := func(ns, auth string) string {
		return custom("external-secrets.io/v1", "SecretStore", ns, "provider: {kubernetes: {auth: {"+auth+"}}}")
	}
	cases := map[string]request{
		"beside the spec":           {reason: "not all kinds have one", header: by("dora"), objects: `{apiVersion: x.io/v1, kind: Web, metadata: {name: x, namespace: tools}, template: {spec: {serviceAccountName: strong, containers: [{name: a, image: x}]}}}`, want: id},
		"the default of a template": {reason: "another is named elsewhere", header: by("dora"), objects: custom("x.io/v1", "Runner", "tools", "auth: {serviceAccountRef: {name: weak, namespace: dev}}, template: {spec: {containers: [{name: a, image: x}]}}"), want: "admitted"},
		"one that has no power":     {reason: "nobody's", header: by("dora"), objects: store("dev", "serviceAccountRef: {name: weak, namespace: tools}"), want: "admitted"},
		"as before":                 {reason: "it takes nothing new", header: updating("dora"), objects: then(strings.Replace(store("dev", "serviceAccount: {name: strong, namespace: tools}"), "uid: x-1", "uid: x-1, labels: {a: b}", 1), store("dev", "serviceAccount: {name: strong, namespace: tools}")), want: "admitted"},
	}
	for name, auth := range map[string]string{
		"of another namespace": "serviceAccountRef: {name: strong, namespace: tools}",
		"by name":              "serviceAccount: {name: strong, namespace: tools}",
		"by metadata":          "serviceAccount: {metadata: {name: strong, namespace: tools}}",
		"by its full name":     `serviceAccount: "tools:strong"`,
		"by its user":          `serviceAccountName: "system:serviceaccount:tools:strong"`,
		"in a list":            "targetNamespace: tools, serviceAccountNames: [weak, strong]",
		"in a list of objects": "serviceAccounts: [{name: strong, namespace: tools}]",
		"with underscores":     "namespace: tools, service_account_name: strong",
		"with dashes":          "namespace: tools, service-account-name: strong",
		"for execution":        "executionServiceAccountRef: {name: strong, namespace: tools}",
	} {
		cases[name] = request{reason: "a token of it is asked for", header: by("dora"), objects: store("dev", auth), want: id}
	}
	runRequests(t, cases)
}

// TestWhatLastsIsNoRun checks that a person may apply an object of any kind that keeps running, as they may apply a Deployment.
func TestWhatLastsIsNoRun(t *testing.T) {
	const template = "podTemplate: {spec: {containers: [{name: a, image: x, env: [{name: DB_HOST, value: db.prod.db.example.com}]}]}}"
	cases := map[string]request{
		"where everything is": {reason: "maintenance: All", header: by("pia"), objects: custom("elasticsearch.k8s.elastic.co/v1", "Elasticsearch", "cards", "nodeSets: [{name: a, count: 3, podTemplate: {spec: {containers: [{name: a, image: x}]}}}]"), want: "ChangeWindowRequired"},
		"with a tool":         {reason: "as in a Deployment", header: by("bob"), objects: custom("x.io/v1", "Web", "payments", strings.Replace(template, "image: x", "image: x, command: [psql]", 1)), want: "ChangeWindowRequired"},
		"with an end":         {reason: "it says that it ends", header: by("bob"), objects: custom("x.io/v1", "Web", "payments", "backoffLimit: 3, "+template), want: "ChangeWindowRequired"},
	}
	for _, kind := range []string{
		"elasticsearch.k8s.elastic.co/v1 Elasticsearch", "acid.zalan.do/v1 postgresql", "opentelemetry.io/v1beta1 OpenTelemetryCollector", "serving.kserve.io/v1beta1 InferenceService",
		"kubeflow.org/v1 Notebook", "actions.github.com/v1alpha1 AutoscalingRunnerSet", "kyverno.io/v1 Policy", "work.open-cluster-management.io/v1 ManifestWork", "serving.knative.dev/v1 Revision",
	} {
		version, name, _ := strings.Cut(kind, " ")
		cases[name] = request{reason: "it names its own database and runs no tool", header: by("bob"), objects: custom(version, name, "payments", template), want: "admitted"}
	}
	runRequests(t, cases)
}

// TestBypassByAnotherForm tries runs that do not look like a container of Kubernetes'.
func TestBypassByAnotherForm(t *testing.T) {
	const window = "ChangeWindowRequired"
	web := func(spec string) string { return custom("x.io/v1", "WebRun", "payments", spec) }
	const hooked = `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: x, namespace: payments, annotations: {helm.sh/hook: pre-install}}, spec: {workflowTemplateRef: {name: reindex}}}`
	cases := map[string]request{
		"a hook of another's template":  {reason: "nobody has read what it runs", header: by("bob"), objects: hooked, want: window},
		"a run of a name":               {reason: "nobody has read what it runs", header: by("bob"), objects: custom("x.io/v1", "OpsRequest", "payments", "type: Restart, opsDefinitionName: a"), want: window},
		"a run of a list":               {reason: "nobody has read what it runs", header: by("bob"), objects: custom("flow.volcano.sh/v1alpha1", "JobFlow", "payments", "flows: [{name: reindex}]"), want: window},
		"a run of no namespace":         {reason: "its controller runs it wherever it likes", header: by("bob"), objects: `{apiVersion: x.io/v1, kind: ClusterJob, metadata: {name: x}, spec: {template: {spec: {containers: [{name: c, image: x, command: [psql, -h, db.prod.db.example.com]}]}}}}`, want: window},
		"a backup":                      {reason: "the operator's own work on its own objects", header: by("bob"), objects: custom("postgresql.cnpg.io/v1", "Backup", "payments", "cluster: {name: orders}"), want: "admitted"},
		"an entry point that is a name": {reason: "it runs nothing by itself", header: by("argocd"), objects: web("entrypoint: psql, templates: [{name: psql, container: {image: x, command: [make]}}]"), want: "admitted"},
	}
	for name, spec := range map[string]string{
		"an entry point":               `entrypoint: "psql -h db.prod.db.example.com -c x", clusterSelector: {a: b}`,
		"a hook in another's Pod":      "hooks: {resources: [{pre: [{exec: {container: db, command: [psql, -c, x]}}]}]}",
		"an image in parts":            "job: {image: {repository: x, tag: '1'}, command: [psql, -c, x]}",
		"a line of words":              `steps: [{run: "psql -c x"}]`,
		"a number among the words":     "container: {image: x, command: [psql, 5]}",
		"variables by name":            "job: {image: x, env: {CMD: psql}, command: [sh, -c, \"$CMD -c x\"]}",
		"containers by name":           "containers: {main: {image: x, command: [psql]}}",
		"a patch with a parameter":     `podSpecPatch: '{"containers":[{"name":"main","command":["psql"]}],"activeDeadlineSeconds":{{workflow.parameters.t}}}'`,
		"a manifest with a parameter":  `manifest: "kind: Job\nmetadata:\n  name: {{x}}\nspec:\n  template: {spec: {containers: [{name: a, image: x, command: [psql]}]}}\n"`,
		"a patch in one line":          `podSpecPatch: 'containers: [{name: a, command: [psql]}]'`,
		"a template called a script":   `source: "containers:\n- {name: a, image: x, command: [psql]}\n"`,
		"a second object in a text":    `raw: '{"a":1} {"containers":[{"name":"a","command":["psql"]}]}'`,
		"a tool as a parameter":        `arguments: {parameters: [{name: cmd, value: "psql -c x"}]}, templates: [{container: {image: x, command: [sh, -c], args: ["{{workflow.parameters.cmd}}"]}}]`,
		"a program as a parameter":     `arguments: {parameters: [{name: cmd, value: psql}]}, templates: [{container: {image: x, command: ["{{workflow.parameters.cmd}}"]}}]`,
		"an image as a parameter":      `arguments: {parameters: [{name: i, value: "flyway/flyway:10"}]}, templates: [{container: {image: "{{workflow.parameters.i}}"}}]`,
		"a tool as Tekton's parameter": `params: [{name: c, value: "psql -c x"}], taskSpec: {steps: [{name: a, image: x, script: "$(params.c)"}]}`,
	} {
		cases[name] = request{reason: "it runs a tool", header: by("argocd"), objects: web(spec), want: window}
	}
	runRequests(t, cases)
}

// TestBypassByAParameter checks that parameters are replaced by their values, if these are in the same object.
func TestBypassByAParameter(t *testing.T) {
	const values = `arguments: {parameters: [{name: sa, value: strong}, {name: h, value: prod}]}, `
	runRequests(t, map[string]request{
		"an account":               {reason: "its Pods run as it", header: by("dora"), objects: workflowOf("tools", values+`serviceAccountName: "{{workflow.parameters.sa}}", templates: [{container: {image: x, command: [a]}}]`), want: "IdentityOutsideEnvironment"},
		"a part of a host":         {reason: "it is production's", header: by("dora"), objects: workflowOf("dev", values+`templates: [{container: {image: x, command: [a, "db.{{workflow.parameters.h}}.db.example.com"]}}]`), want: "DataStoreAcrossTiers"},
		"a value that nobody uses": {reason: "it leads nowhere", header: by("dora"), objects: workflowOf("dev", values+`templates: [{container: {image: x, command: [a, "{{workflow.parameters.x}}.db.example.com"]}}]`), want: "admitted"},
	})
}

// TestBypassByAWayToPower tries roles each of which is a way to all power: a subject with one of them in production may do anything there.
func TestBypassByAWayToPower(t *testing.T) {
	for name, rule := range map[string]string{
		"acting as users": `{verbs: [impersonate], apiGroups: [""], resources: [users]}`, "any session": `{verbs: [create], apiGroups: [""], resources: ["*/exec"]}`,
		"the nodes' own API": `{verbs: [get], apiGroups: [""], resources: [nodes/proxy]}`, "signing certificates": `{verbs: [update], apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval]}`,
		"changing what is admitted": `{verbs: [create], apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations]}`, "Workflows": `{verbs: [create], apiGroups: [argoproj.io], resources: [workflows]}`,
		"namespaces": `{verbs: [delete], apiGroups: [""], resources: [namespaces]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.cluster.Roles = func(string, string) (policy.Role, bool) { return policy.Role{Rules: rulesOf(t, rule)}, true }
			req := newRequest(t, s, by("dora"), documents(t, []byte(`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: tools}, spec: {serviceAccountName: strong, containers: [{name: a, image: x}]}}`)), now())
			if got := verdict(req, s, nil, t); got != "IdentityOutsideEnvironment" {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestBypassOfAFreezeBesideTheTemplate tries fields outside the template that set a workload going.
func TestBypassOfAFreezeBesideTheTemplate(t *testing.T) {
	frozen := header{Requester: "bob", Operation: "update", State: []string{"frozen"}}
	work := func(version, kind, meta, spec string) string {
		return fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {name: web, namespace: payments, uid: w1, %s}, spec: {%s, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {restartPolicy: Always, containers: [{name: c, image: x}]}}}}`, version, kind, meta, spec)
	}
	cron := func(schedule string) string {
		return `{apiVersion: batch/v1, kind: CronJob, metadata: {name: web, namespace: payments, uid: w1}, spec: {schedule: "` + schedule + `", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}}}`
	}
	cr := func(a string) string {
		return `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: orders, namespace: payments, annotations: {` + a + `}}, spec: {instances: 3}}`
	}
	ingress := func(a string) string {
		return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: payments, annotations: {` + a + `}}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}`
	}
	slice := func(service string) string {
		return `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web, namespace: payments, labels: {kubernetes.io/service-name: ` + service + `}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}]}`
	}
	const stopped = "ChangeFrozen"
	runRequests(t, map[string]request{
		"a Deployment that was held":         {reason: "its rollout goes on", header: frozen, objects: then(work("apps/v1", "Deployment", "a: b", "replicas: 3"), work("apps/v1", "Deployment", "a: b", "replicas: 3, paused: true")), want: stopped},
		"a Deployment that is held":          {reason: "it stops a rollout", header: frozen, objects: then(work("apps/v1", "Deployment", "a: b", "replicas: 3, paused: true"), work("apps/v1", "Deployment", "a: b", "replicas: 3")), want: "admitted"},
		"a StatefulSet's partition":          {reason: "its rollout goes on", header: frozen, objects: then(work("apps/v1", "StatefulSet", "a: b", "updateStrategy: {rollingUpdate: {partition: 0}}"), work("apps/v1", "StatefulSet", "a: b", "updateStrategy: {rollingUpdate: {partition: 2}}")), want: stopped},
		"a DaemonSet's strategy":             {reason: "its rollout goes on", header: frozen, objects: then(work("apps/v1", "DaemonSet", "a: b", "updateStrategy: {type: RollingUpdate}"), work("apps/v1", "DaemonSet", "a: b", "updateStrategy: {type: OnDelete}")), want: stopped},
		"a schedule":                         {reason: "it runs at once", header: frozen, objects: then(cron("* * * * *"), cron("@yearly")), want: stopped},
		"more replicas":                      {reason: "they keep running what runs", header: frozen, objects: then(work("apps/v1", "Deployment", "a: b", "replicas: 4"), work("apps/v1", "Deployment", "a: b", "replicas: 3")), want: "admitted"},
		"an owner that is gone":              {reason: "the garbage collector deletes it", header: frozen, objects: then(work("apps/v1", "Deployment", "ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: gone, uid: gone-1}]", "replicas: 3"), work("apps/v1", "Deployment", "a: b", "replicas: 3")), want: stopped},
		"an annotation of an operator":       {reason: "it stops the database", header: frozen, objects: then(cr(`cnpg.io/hibernation: "on"`), cr("")), want: stopped},
		"a note on a custom resource":        {reason: "nothing acts on it", header: frozen, objects: then(cr(`example.com/description: "the shop's"`), cr("")), want: "admitted"},
		"a Secret that is copied":            {reason: "another namespace gets it", header: frozen, objects: then(`{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: payments, annotations: {replicator.v1.mittwald.de/replicate-to: cards}}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: payments}}`), want: stopped},
		"a resource that is looked at again": {reason: "its controller is only asked to look", header: frozen, objects: then(cr(`argocd.argoproj.io/refresh: hard`), cr("")), want: "admitted"},
		"what kubectl applied":               {reason: "nothing acts on it", header: frozen, objects: then(cr(`kubectl.kubernetes.io/last-applied-configuration: "{}"`), cr("")), want: "admitted"},
		"an action called like a note":       {reason: "the load balancer's controller takes any name", header: frozen, objects: then(ingress(`alb.ingress.kubernetes.io/actions.note: '{"type":"redirect"}'`), ingress("")), want: stopped},
		"the Service of an EndpointSlice":    {reason: "what it leads to is another", header: frozen, objects: then(slice("web"), slice("none")), want: stopped},
	})
}

// TestBypassByANameOfNoUse checks that a name which the user chooses does not hide the fields below it.
func TestBypassByANameOfNoUse(t *testing.T) {
	const store, secret, host = "DataStoreAcrossTiers", "CredentialAcrossTiers", "orders.prod.db.example.com"
	release := func(values string) string {
		return custom("helm.toolkit.fluxcd.io/v2", "HelmRelease", "dev", "chart: {spec: {chart: shop}}, values: {"+values+"}")
	}
	cases := map[string]request{
		"an action called support": {reason: "the load balancer's controller takes any name", header: by("dora"), objects: `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: dev, annotations: {alb.ingress.kubernetes.io/actions.support: '{"type":"redirect","redirectConfig":{"host":"orders.prod.db.example.com"}}'}}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}`, want: store},
		"a secret below a summary": {reason: "it is an object", header: by("dora"), objects: release("summary: {secretName: orders-prod-app}"), want: secret},
		"an image":                 {reason: "it is an image, not a place", header: by("dora"), objects: release("image: orders.prod.db.example.com/shop:1"), want: "admitted"},
		"a secret of many":         {reason: "its name stands in a list", header: by("dora"), objects: release("secretNames: [orders-prod-app]"), want: secret},
		"an existing one":          {reason: "its name is spelt with underscores", header: by("dora"), objects: release("existing_secret: orders-prod-app"), want: secret},
		"one of a password":        {reason: "it is a reference", header: by("dora"), objects: release("passwordSecretRef: orders-prod-app"), want: secret},
		"a description":            {reason: "prose", header: by("dora"), objects: release("description: 'not orders.prod.db.example.com'"), want: "admitted"},
	}
	for name, values := range map[string]string{
		"below an image": "image: {repository: x, host: " + host + "}", "below a name": "name: {host: " + host + "}", "below a protocol": "protocol: {host: " + host + "}",
		"below labels": "labels: [{db: {host: " + host + "}}]", "in a map by users' names": "services: {image: {host: " + host + "}}",
		"an address as a key": `allow: {"10.20.0.5": true}`, "in base64 with a line's end": `raw: "cG9zdGdyZXM6Ly9vcmRlcnMucHJvZC5kYi5leGFtcGxlLmNvbS9vcmRlcnM=\n"`,
		"in base64 by lines": `raw: "cG9zdGdyZXM6Ly9vcmRlcnMucHJv\nZC5kYi5leGFtcGxlLmNvbS9vcmRlcnM=\n"`, "in base64 for URLs": `raw: "cG9zdGdyZXM6Ly9vcmRlcnMucHJvZC5kYi5leGFtcGxlLmNvbS9vcmRlcnM_-_8"`,
	} {
		cases[name] = request{reason: "it may be an address", header: by("dora"), objects: release(values), want: store}
	}
	runRequests(t, cases)
}

func rulesOf(t *testing.T, rule string) []rbacv1.PolicyRule {
	t.Helper()
	var out rbacv1.PolicyRule
	if err := yaml.Unmarshal([]byte(rule), &out); err != nil {
		t.Fatal(err)
	}
	return []rbacv1.PolicyRule{out}
}
