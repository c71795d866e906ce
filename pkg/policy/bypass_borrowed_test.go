package policy_test

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func workflowOf(ns, spec string) string {
	return `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: reindex, namespace: ` + ns + `, uid: w-1}, spec: {` + spec + `}}`
}

func custom(group, kind, ns, spec string) string {
	return fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {name: x, namespace: %s, uid: x-1}, spec: {%s}}`, group, kind, ns, spec)
}

// TestBypassByABorrowedTemplate tries custom resources whose templates are in another object, or look as if they ran for ever.
func TestBypassByABorrowedTemplate(t *testing.T) {
	const (
		window = "ChangeWindowRequired"
		psql   = `{name: main, image: "postgres:17", command: [psql], args: ["-h", db.prod.db.example.com, "-c", "DROP TABLE orders"]}`
		calm   = `{name: main, image: "builder:1", command: [make]}`
		run    = `entrypoint: main, templates: [{name: main, container: {image: "backfill:1", command: [run], env: [{name: DB_HOST, value: db.prod.db.example.com}]}}]`
		image  = `entrypoint: main, templates: [{name: main, container: {image: "backfill:1"}}]`
		ref    = `workflowTemplateRef: {name: reindex}`
	)
	pod := func(container string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: Workflow, name: reindex, uid: w-1, controller: true}]}, spec: {containers: [` + container + `]}}`
	}
	of := func(y string) func(*policy.Request) {
		return func(r *policy.Request) { r.Facts.Owner = ownerObject(t, y) }
	}
	cards := strings.ReplaceAll(run, "db.prod.db", "cards.pci.db")
	runRequests(t, map[string]request{
		"another object's template":         {reason: "nobody has read what it runs", header: by("bob"), objects: workflowOf("payments", ref), want: window},
		"another object's task":             {reason: "nobody has read what it runs", header: by("bob"), objects: custom("tekton.dev/v1", "TaskRun", "payments", "taskRef: {name: reindex}"), want: window},
		"another template than before":      {reason: "something else would run", header: updating("bob"), objects: then(workflowOf("payments", "workflowTemplateRef: {name: other}"), workflowOf("payments", ref)), want: window},
		"a reference of what runs nothing":  {reason: "the kind is not called like something that runs", header: by("bob"), objects: custom("cluster.x-k8s.io/v1", "ClusterClass", "payments", "infrastructure: {templateRef: {name: a}}"), want: "admitted"},
		"the Pod of a template elsewhere":   {reason: "it runs psql on a store that its owner does not name", header: by("cert-manager"), objects: pod(psql), edit: of(workflowOf("payments", ref)), want: window},
		"the Pod of it, by a launcher":      {reason: "the same", header: by("airflow"), objects: pod(psql), edit: of(workflowOf("payments", ref)), want: window},
		"a calm Pod of it":                  {reason: "it runs no tool and names no store", header: by("cert-manager"), objects: pod(calm), edit: of(workflowOf("payments", ref)), want: "admitted"},
		"an image alone":                    {reason: "the image says what it runs", header: by("bob"), objects: workflowOf("payments", image), want: window},
		"a number of replicas in a run":     {reason: "a field that its controller ignores", header: by("bob"), objects: workflowOf("payments", "replicas: 1, "+run), want: window},
		"a service name in a run":           {reason: "the same, where everything is maintenance", header: by("pia"), objects: workflowOf("cards", "serviceName: x, "+cards), want: window},
		"by the clock, where everything is": {reason: "what its controller makes of it is judged by it", header: by("pia"), objects: custom("argoproj.io/v1alpha1", "CronWorkflow", "cards", `schedule: "* * * * *", workflowSpec: {`+cards+`}`), want: window},
		"a patch of its Pods":               {reason: "it runs psql", header: by("argocd"), objects: workflowOf("payments", `podSpecPatch: '{"containers":[{"name":"main","command":["psql","-c","x"]}]}', templates: [{name: m, container: {image: x, command: [make]}}]`), want: window},
		"a manifest of a Job":               {reason: "it runs psql", header: by("argocd"), objects: workflowOf("payments", `templates: [{name: m, resource: {action: create, manifest: "apiVersion: batch/v1\nkind: Job\nspec:\n  template:\n    spec:\n      containers:\n      - {name: a, image: x, command: [psql, -c, x]}\n"}}]`), want: window},
		"by the clock, no store":            {reason: "a person writes it, and the clock starts it", header: by("bob"), objects: custom("argoproj.io/v1alpha1", "CronWorkflow", "payments", `schedule: "* * * * *", workflowSpec: {templates: [{name: main, container: {image: "builder:1", command: [make]}}]}`), want: "admitted"},
		"a set that nobody has told of":     {reason: "it may run once", header: by("pia"), objects: custom("x.io/v1", "TrainingSet", "cards", "template: {spec: {containers: [{name: c, image: x, command: [a]}]}}"), want: window},
		"a set of replicas":                 {reason: "it says how many there are to be", header: by("bob"), objects: custom("x.io/v1", "WebSet", "payments", "replicas: 3, template: {spec: {containers: [{name: c, image: x, command: [a]}]}}"), want: "admitted"},
	})
}

// TestBypassByABorrowedAccount tries custom resources that run as an account of production, as a workload can.
func TestBypassByABorrowedAccount(t *testing.T) {
	const id = "IdentityOutsideEnvironment"
	const run = "templates: [{name: m, container: {image: x, command: [kubectl, get, pods]}}]"
	const strong = "template: {spec: {serviceAccountName: strong, containers: [{name: a, image: x, command: [a]}]}}"
	runRequests(t, map[string]request{
		"a Workflow":            {reason: "its Pods run as it", header: by("dora"), objects: workflowOf("tools", "serviceAccountName: strong, "+run), want: id},
		"a Workflow of another": {reason: "that account has no power", header: by("dora"), objects: workflowOf("tools", "serviceAccountName: weak, "+run), want: "admitted"},
		"a TaskRun":             {reason: "its Pods run as it", header: by("dora"), objects: custom("tekton.dev/v1", "TaskRun", "tools", "serviceAccountName: strong, taskSpec: {steps: [{name: a, image: x, command: [a]}]}"), want: id},
		"a template of a Pod":   {reason: "its Pods run as it", header: by("dora"), objects: custom("x.io/v1", "Runner", "tools", strong), want: id},
		"a Knative Service":     {reason: "its Pods run as it", header: by("dora"), objects: custom("serving.knative.dev/v1", "Service", "tools", strong), want: id},
		"a reference to it":     {reason: "a token of it is asked for", header: by("dora"), objects: custom("external-secrets.io/v1", "SecretStore", "tools", "provider: {kubernetes: {auth: {serviceAccountRef: {name: strong}}}}"), want: id},
		"a listed one":          {reason: "it is a member of production", header: by("dora"), objects: workflowOf("argocd", "serviceAccountName: argocd-application-controller, "+run), want: id},
		"a patch of its Pods":   {reason: "they run as it", header: by("dora"), objects: workflowOf("tools", `podSpecPatch: '{"serviceAccountName":"strong"}', `+run), want: id},
		"one of its runs":       {reason: "its Pods run as it", header: by("dora"), objects: custom("tekton.dev/v1", "PipelineRun", "tools", "taskRunSpecs: [{pipelineTaskName: a, serviceAccountName: strong}], pipelineRef: {name: a}"), want: id},
		"a member's":            {reason: "they may do there what it may", header: by("bob"), objects: workflowOf("tools", "serviceAccountName: strong, "+run), want: "admitted"},
		"as before":             {reason: "it takes nothing that it did not have", header: updating("dora"), objects: then(strings.Replace(workflowOf("tools", "serviceAccountName: strong, "+run), "uid: w-1", "uid: w-1, labels: {a: b}", 1), workflowOf("tools", "serviceAccountName: strong, "+run)), want: "admitted"},
	})
}

// TestBypassByAnUnreadText puts addresses into all sorts of texts of a custom resource: each text may be one.
func TestBypassByAnUnreadText(t *testing.T) {
	const store, secret = "DataStoreAcrossTiers", "CredentialAcrossTiers"
	release := func(values string) string {
		return custom("helm.toolkit.fluxcd.io/v2", "HelmRelease", "dev", "chart: {spec: {chart: shop}}, values: {"+values+"}")
	}
	appset := func(elements string) string {
		return custom("argoproj.io/v1alpha1", "ApplicationSet", "argocd", `generators: [{list: {elements: [`+elements+`]}}], template: {spec: {destination: {namespace: "{{ .values.ns }}"}, source: {repoURL: "https://git.example.org/dora"}}}`)
	}
	runRequests(t, map[string]request{
		"beside a denial":        {reason: "only a policy's denial keeps out", header: by("dora"), objects: release("action: deny, db: {host: orders.prod.db.example.com}"), want: store},
		"what is excluded":       {reason: "only a route excludes", header: by("dora"), objects: release("exclude: {host: orders.prod.db.example.com}"), want: store},
		"a name":                 {reason: "it is a whole host name", header: by("dora"), objects: release("db: {name: orders.prod.db.example.com}"), want: store},
		"a protocol":             {reason: "it is a URL", header: by("dora"), objects: release(`db: {protocol: "postgres://orders.prod.db.example.com:5432/orders"}`), want: store},
		"a key":                  {reason: "maps are keyed by hosts, too", header: by("dora"), objects: release(`hosts: {"orders.prod.db.example.com": {port: 5432}}`), want: store},
		"a key that is a URL":    {reason: "the same", header: by("dora"), objects: release(`upstreams: {"postgres://orders.prod.db.example.com:5432": ro}`), want: store},
		"a list in a text":       {reason: "a chart makes a manifest of it", header: by("dora"), objects: release(`raw: "- secretName: orders-prod-app\n- b: c\n"`), want: secret},
		"a second document":      {reason: "the first is not all", header: by("dora"), objects: release(`raw: "a: b\n---\nsecretName: orders-prod-app\n"`), want: secret},
		"JSON in one line":       {reason: "it is an object", header: by("dora"), objects: release(`raw: "{\"secretName\": \"orders-prod-app\", \"a\": 1}"`), want: secret},
		"a list in one line":     {reason: "it holds an object", header: by("dora"), objects: release(`raw: "[{\"secretName\": \"orders-prod-app\"}]"`), want: secret},
		"a text in a text":       {reason: "at any depth", header: by("dora"), objects: release(`raw: "a: |\n  b: 1\n  secretName: orders-prod-app\nc: d\n"`), want: secret},
		"a driver's parameters":  {reason: "they are the sender's", header: by("dora"), objects: custom("resource.k8s.io/v1", "ResourceClaim", "dev", "devices: {config: [{opaque: {driver: x, parameters: {host: orders.prod.db.example.com}}}]}"), want: store},
		"an ordinary name":       {reason: "it is nobody's", header: by("dora"), objects: release("db: {name: orders}, protocol: TCP"), want: "admitted"},
		"a composed namespace":   {reason: "its value stands in the same object", header: by("dora"), objects: appset("{ns: payments}"), want: "NamespaceAcrossTiers"},
		"an unrelated parameter": {reason: "no namespace is made of it", header: by("dora"), objects: appset("{ns: dev, team: payments}"), want: "admitted"},
	})
}

// TestBypassOfAFreeze checks that a freeze holds for every way to change what runs.
func TestBypassOfAFreeze(t *testing.T) {
	frozen := func(sub string) header {
		return header{Requester: "bob", Operation: "update", SubResource: sub, State: []string{"frozen"}}
	}
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, uid: p1}, spec: {containers: [{name: c, image: x, resources: {limits: {memory: 4Gi}}}]}}`
	ingress := func(a string) string {
		return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: payments, annotations: {` + a + `}}, spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}`
	}
	account := func(a string) string {
		return `{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: payments, annotations: {` + a + `}}}`
	}
	runRequests(t, map[string]request{
		"a resize":            {reason: "what the Pod may use is changed", header: frozen("resize"), objects: then(strings.Replace(pod, "4Gi", "4Mi", 1), pod), want: "ChangeFrozen"},
		"a redirect":          {reason: "the controller acts on it", header: frozen(""), objects: then(ingress(`nginx.ingress.kubernetes.io/permanent-redirect: "https://elsewhere.example.org"`), ingress("")), want: "ChangeFrozen"},
		"a role of the cloud": {reason: "Pods act as it", header: frozen(""), objects: then(account(`eks.amazonaws.com/role-arn: "arn:aws:iam::1234:role/prod-admin"`), account("")), want: "ChangeFrozen"},
		"a note":              {reason: "nothing acts on it", header: frozen(""), objects: then(ingress(`example.com/description: "the shop"`), ingress("")), want: "admitted"},
	})
}

// TestBypassByAStarter tries programs that start others, in scripts and without one.
func TestBypassByAStarter(t *testing.T) {
	job := func(command string) string {
		return `{apiVersion: batch/v1, kind: Job, metadata: {name: x, namespace: payments}, spec: {template: {spec: {containers: [{name: c, image: x, command: ` + command + `}]}}}}`
	}
	cases := map[string]request{
		"a host behind the end of the flags": {reason: "what follows is the script", header: by("dora"), objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x, command: [sh, -c, --, "D=prod.db.example.com; psql -h orders.$D"]}]}}`, want: "DataStoreAcrossTiers"},
		"a name in a script":                 {reason: "it starts nothing", header: by("argocd"), objects: job(`[python3, -c, "print(1)", psql]`), want: "admitted"},
		"scripts within scripts":             {reason: "nobody can tell what the innermost says", header: by("argocd"), objects: job(`[sh, -c, "sh -c \"sh -c \\\"sh -c 'sh -c \\\\\\\"sh -c x\\\\\\\"'\\\"\""]`), want: "undecided: it holds parts that lie within each other until nobody can tell what they say, so nobody can tell what it names; split it, or take out of it what no program reads"},
		"a client that is watched":           {reason: "watch gives its words to a shell", header: by("dora"), objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x, command: [watch, "kubectl -n payments delete pod x"]}]}}`, want: "NamespaceAcrossTiers"},
		"a client in another shell":          {reason: "fish takes -c too", header: by("dora"), objects: `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x, command: [fish, -c, "kubectl -n payments delete pod x"]}]}}`, want: "NamespaceAcrossTiers"},
		"find without one":                   {reason: "it starts nothing", header: by("argocd"), objects: job(`[find, /psql, -name, x]`), want: "admitted"},
	}
	for name, command := range map[string]string{
		"flags behind -c":                `[bash, -c, -e, "psql -c x"]`,
		"an option behind -c":            `[bash, -ceo, pipefail, "psql -c x"]`,
		"an option of its own behind -c": `[bash, -c, -o, pipefail, "psql -c x"]`,
		"a flag that is taken back":      `[sh, -c, +e, "psql -c x"]`,
		"words in a variable":            `[sh, -c, "C='psql -c x'; $C"]`,
		"a starter in a variable":        `[sh, -c, "RUN='sudo -u postgres'; $RUN psql"]`,
		"split by env":                   `[env, -S, "psql -c x"]`,
		"split by env, joined":           `[env, "--split-string=psql -c x"]`,
		"watched":                        `[watch, "psql -c x"]`,
		"trapped":                        `[sh, -c, "trap 'psql -c x' EXIT"]`,
		"an alias":                       `[sh, -c, "alias p=psql; p"]`,
		"as another user":                `[su, --command, "psql -c x", postgres]`,
		"under a lock":                   `[flock, /tmp/l, -c, "psql -c x"]`,
		"in parallel":                    `[parallel, "psql -c {}", ":::", a]`,
		"elsewhere":                      `[ssh, -p, "22", host, psql, -c, x]`,
		"in another shell":               `[fish, -c, "psql -c x"]`,
		"in a restricted shell":          `[rbash, -c, "psql -c x"]`,
		"in a shell of a version":        `[bash-5.2, -c, "psql -c x"]`,
		"of a version":                   `[psql-17, -c, x]`,
		"a jar":                          `[java, -jar, flyway.jar, migrate]`,
		"a package of a version":         `[npx, "prisma@5", migrate, deploy]`,
		"a flag between":                 `[prisma, --schema, x, migrate]`,
		"as its arguments":               `[sh, -c, "set -- psql -c x; \"$@\""]`,
		"by a function of its own":       `[sh, -c, "retry() { \"$@\"; }; retry psql -c x"]`,
		"of an array":                    `[bash, -c, "a=(x psql); \"${a[1]}\""]`,
		"a file that it writes":          `[sh, -c, "echo 'psql -c x' > /tmp/a; sh /tmp/a"]`,
		"a line that it reads":           `[sh, -c, "while read c; do $c; done <<E\npsql -c x\nE\n"]`,
		"as another, joined":             `[su, postgres, "--command=psql -c x"]`,
		"split by env, in short":         `[env, "-Spsql -c x"]`,
		"what is printed":                `[sh, -c, "$(echo psql) -c x"]`,
		"where it lies":                  `[sh, -c, "$(which psql) -c x"]`,
		"in braces":                      `[bash, -c, "{psql,-c,x}"]`,
		"a group in a pipe":              `[sh, -c, "{ echo 'psql -c x'; } | sh"]`,
		"a shell in a pipe":              `[sh, -c, "(echo 'psql -c x') | sh"]`,
		"through another":                `[sh, -c, "echo 'psql -c x' | cat | sh"]`,
		"a document through another":     `[sh, -c, "cat <<E | tee x | sh\npsql\nE\n"]`,
		"printed":                        `[sh, -c, "printf '%s\\n' 'psql -c x' | sh"]`,
		"lines that are printed":         `[sh, -c, "echo -e 'set -e\\npsql' | sh"]`,
		"another process":                `[bash, -c, "bash <(echo psql)"]`,
		"from another process":           `[bash, -c, "bash < <(echo psql)"]`,
		"sourced":                        `[bash, -c, "source /dev/stdin <<E\npsql\nE\n"]`,
		"in Python":                      `[python3, -c, "import os; os.system('psql -c x')"]`,
		"in Perl":                        `[perl, -e, "system('psql -c x')"]`,
		"in awk":                         `[awk, "BEGIN { system(\"psql -c x\") }"]`,
		"the end of the flags":           `[sh, -c, --, "psql -c x"]`,
		"a signal":                       `[timeout, --signal, KILL, "10", psql]`,
		"another root":                   `[chroot, /host, psql]`,
		"another namespace":              `[nsenter, --target, "1", -m, --, psql]`,
		"eval":                           `[sh, -c, "eval \"psql -c x\""]`,
		"find":                           `[sh, -c, "find . -name a -exec psql -c {} ;"]`,
		"a here-document":                `[sh, -c, "bash <<E\npsql -c x\nE\n"]`,
		"a here-string":                  `[bash, -c, "sh <<< 'psql -c x'"]`,
		"a pipe":                         `[sh, -c, "echo 'psql -c x' | sh"]`,
		"a document in a pipe":           `[sh, -c, "cat <<E | sh -e\npsql -c x\nE\n"]`,
		"its arguments":                  `[sh, -c, "exec \"$@\"", --, psql, -c, x]`,
		"its name and arguments":         `[sh, -c, "\"$0\" \"$@\"", psql, -c, x]`,
	} {
		cases[name] = request{reason: "it runs psql", header: by("argocd"), objects: job(command), want: "ChangeWindowRequired"}
	}
	runRequests(t, cases)
}

// A role of many rules is compared rule by rule, not each with each: twice as many cost twice as much.
func TestManyRulesAreComparedInLinearTime(t *testing.T) {
	allocations := func(n int) float64 {
		rules := make([]string, n)
		for i := range rules {
			rules[i] = fmt.Sprintf(`{verbs: [get], apiGroups: [""], resources: [pods], resourceNames: [a%d]}`, i)
		}
		role := func(from int) string {
			return `{apiVersion: ` + rbacv1.SchemeGroupVersion.String() + `, kind: Role, metadata: {name: x, namespace: dev, uid: r}, rules: [` + strings.Join(append(rules[from:len(rules):len(rules)], rules[:from]...), ", ") + `]}`
		}
		s := newStage(t)
		req := newRequest(t, s, updating("dora"), documents(t, []byte(then(role(1), role(0)))), now())
		return testing.AllocsPerRun(3, func() {
			if d, err := policy.Evaluate(*req, s.cluster, s.state(t)); err != nil || !d.Allowed {
				t.Fatal(d, err)
			}
		})
	}
	if few, many := allocations(500), allocations(1000); many > few*2.5 {
		t.Errorf("500 rules cost %.0f allocations, and 1000 cost %.0f", few, many)
	}
}
