package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Custom resources whose templates run psql on production's store, as persons and automations write them.
const (
	workflow = `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: reindex, namespace: payments, uid: w-1}, spec: {entrypoint: main, templates: [
		{name: main, container: {image: "postgres:17@sha256:1111", command: [psql], args: ["-h", db.prod.db.example.com, "-c", "REINDEX DATABASE orders"]}}]}}`
	jobSet = `{apiVersion: jobset.x-k8s.io/v1alpha2, kind: JobSet, metadata: {name: reindex, namespace: payments, uid: s-1}, spec: {replicatedJobs: [{name: w, replicas: 2, template: {spec: {
		template: {spec: {restartPolicy: Never, containers: [{name: c, image: "backfill@sha256:1111", env: [{name: DB_HOST, value: db.prod.db.example.com}]}]}}}}}]}}`
	calmWorkflow = `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: build, namespace: payments, uid: w-2}, spec: {templates: [{name: main, container: {image: "builder:1", command: [make]}}]}}`
	taskRun      = `{apiVersion: tekton.dev/v1, kind: TaskRun, metadata: {name: vacuum, namespace: payments, uid: k-1}, spec: {taskSpec: {steps: [{name: s, image: "client:1", script: psql -c vacuum}]}}}`
	scripted     = `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: vacuum, namespace: payments, uid: w-3}, spec: {templates: [{name: main, script: {image: "client:1", command: [bash], source: psql -c vacuum}}]}}`
	rollout      = `{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web, namespace: payments, uid: r-1}, spec: {replicas: 3, template: {spec: {containers: [{name: c, image: "web:1", env: [{name: DB, value: db.prod.db.example.com}]}]}}}}`
	template     = `{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: build, namespace: payments, uid: t-1}, spec: {templates: [{name: main, container: {image: "builder:1", command: [make]}}]}}`
)

// TestBypassByCustomResource checks that the templates of a person's custom resource are judged when it is written, like a Job.
func TestBypassByCustomResource(t *testing.T) {
	const window = "ChangeWindowRequired"
	frozen := func(requester string) header { return header{Requester: requester, State: []string{"frozen"}} }
	runRequests(t, map[string]request{
		"a person's Workflow":              {reason: "it runs psql on production's store", header: by("bob"), objects: workflow, want: window},
		"a person's JobSet":                {reason: "its Jobs name production's store", header: by("bob"), objects: jobSet, want: window},
		"a person's Workflow of no store":  {reason: "it is started by hand", header: by("bob"), objects: calmWorkflow, want: window},
		"GitOps's Workflow of no store":    {reason: "a machine starts it, and it touches nothing", header: by("argocd"), objects: calmWorkflow, want: "admitted"},
		"GitOps's Workflow":                {reason: "it runs psql on production's store, whoever starts it", header: by("argocd"), objects: workflow, want: window},
		"a launcher's Workflow":            {reason: "what a launcher starts is routine", header: by("airflow"), objects: workflow, want: "admitted"},
		"a frozen Workflow":                {reason: "a freeze holds for it", header: frozen("bob"), objects: workflow, want: "ChangeFrozen, " + window},
		"a Rollout":                        {reason: "what is kept running is no maintenance by being written by hand", header: by("bob"), objects: rollout, want: "admitted"},
		"a definition":                     {reason: "nothing runs yet", header: by("bob"), objects: template, want: "admitted"},
		"a labelled Workflow":              {reason: "it says so itself", header: by("argocd"), objects: strings.Replace(calmWorkflow, "uid: w-2", `uid: w-2, labels: {firebreak.dev/maintenance: "true"}`, 1), want: window},
		"a Workflow where everything is":   {reason: "maintenance: All", header: by("pia"), objects: strings.Replace(calmWorkflow, "namespace: payments", "namespace: cards", 1), want: window},
		"a Workflow in a shared namespace": {reason: "what it works on is production's, and the denial comes where somebody reads it", header: by("bob"), objects: strings.Replace(workflow, "namespace: payments", "namespace: monitoring", 1), want: window},
		"a relabelled Workflow":            {reason: "nothing starts", header: updating("bob"), objects: then(strings.Replace(workflow, "uid: w-1", "uid: w-1, labels: {a: b}", 1), workflow), want: "admitted"},
		"another command in it":            {reason: "something else would run", header: updating("bob"), objects: then(strings.Replace(calmWorkflow, "[make]", "[make, x]", 1), calmWorkflow), want: window},
		"a released Workflow":              {reason: "it was staged, and starts now", header: updating("bob"), objects: then(calmWorkflow, strings.Replace(calmWorkflow, "spec: {", "spec: {suspend: true, ", 1)), want: window},
		"a resource of an operator's":      {reason: "operators act on their own objects", header: by("cert-manager"), objects: workflow, want: "admitted"},
		"a TaskRun with a script":          {reason: "its step runs psql, by a script", header: by("argocd"), objects: taskRun, want: window},
		"a TaskRun with a common image":    {reason: "its step runs psql, by a script", header: by("argocd"), objects: strings.Replace(taskRun, `image: "client:1", `, "", 1), want: window},
		"a Workflow with a script":         {reason: "its step runs psql, by a script", header: by("argocd"), objects: scripted, want: window},
		"a Task with a script":             {reason: "nothing runs yet", header: by("bob"), objects: strings.Replace(strings.Replace(taskRun, "TaskRun", "Task", 1), "taskSpec: {steps: [{name: s, image: \"client:1\", script: psql -c vacuum}]}", "steps: [{name: s, image: \"client:1\", script: psql -c vacuum}]", 1), want: "admitted"},
		"a resource without any container": {reason: "it runs nothing by itself", header: by("bob"), objects: `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: orders, namespace: payments}, spec: {instances: 3, affinity: {}}}`, want: "admitted"},
	})
}

// TestBypassByWhatAnOperatorMakes checks that a controller may make of a custom resource what its templates say, which were judged, and
// nothing else.
func TestBypassByWhatAnOperatorMakes(t *testing.T) {
	const window = "ChangeWindowRequired"
	pod := func(kind, name, uid, containers string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: ` + kind + `, name: ` + name + `, uid: ` + uid + `, controller: true}]}, spec: {containers: [` + containers + `]}}`
	}
	const (
		said     = `{name: main, image: "postgres:17@sha256:1111", command: [/var/run/argo/argoexec, emissary, "--", psql], args: ["-h", db.prod.db.example.com, "-c", "REINDEX DATABASE orders"]}`
		another  = `{name: main, image: "postgres:17@sha256:1111", command: [psql], args: ["-h", db.prod.db.example.com, "-c", "TRUNCATE orders"]}`
		image    = `{name: main, image: "postgres:evil", command: [psql], args: ["-h", db.prod.db.example.com, "-c", "REINDEX DATABASE orders"]}`
		staged   = `{name: main, image: "client:1", command: [/var/run/argo/argoexec, emissary, "--", bash, /argo/staging/script], env: [{name: PGHOST, value: x.example.com}]}`
		helper   = `{name: wait, image: "argoexec:3", command: [argoexec, wait]}`
		psql     = `{name: wait, image: "argoexec:3", command: [psql, -h, db.prod.db.example.com]}`
		instance = `{name: postgres, image: "postgres:17", command: [/controller/manager, instance, run], env: [{name: HOST, value: db.prod.db.example.com}]}`
	)
	unreadable := func(r *policy.Request) { r.Facts.Owner = &policy.OwnerObject{Unreadable: true} }
	of := func(y string) func(*policy.Request) {
		return func(r *policy.Request) { r.Facts.Owner = ownerObject(t, y) }
	}
	const (
		making = `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: make, namespace: payments, uid: w-4}, spec: {templates: [{name: m, container: {image: "builder:1", command: [make]}}]}}`
		plain  = `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: make, namespace: payments, uid: w-5}, spec: {templates: [{name: m, container: {image: "builder:1"}}]}}`
		open   = `{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: make, namespace: payments, uid: w-6}, spec: {templates: [{name: m, container: {image: "builder:1", command: [sh, -c, "{{inputs.parameters.cmd}}"]}}]}}`
		step   = `{apiVersion: argoproj.io/v1alpha1, kind: TaskRun, metadata: {name: build, namespace: payments, uid: t-1}, spec: {taskSpec: {steps: [{name: a, image: "golang:1.23", command: [make], args: [build, "--destination=$(params.v)"]}]}}}`
	)
	const ray = `{apiVersion: argoproj.io/v1alpha1, kind: RayJob, metadata: {name: r, namespace: payments, uid: r-1}, spec: {entrypoint: "python app.py", clusterSelector: {a: b}}}`
	const cluster = `{apiVersion: argoproj.io/v1alpha1, kind: Cluster, metadata: {name: orders, namespace: payments, uid: c-1}, spec: {instances: 3}}`
	parameterised := strings.Replace(workflow, "REINDEX DATABASE orders", "REINDEX DATABASE {{inputs.parameters.db}}", 1)
	runRequests(t, map[string]request{
		"what the template says":               {reason: "it was judged when the resource was written", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", said), edit: of(workflow), want: "admitted"},
		"what the template's script says":      {reason: "the controller has put it into a file", header: by("cert-manager"), objects: pod("Workflow", "vacuum", "w-3", staged), edit: of(scripted), want: "admitted"},
		"another program than the script's":    {reason: "nobody has judged it", header: by("cert-manager"), objects: pod("Workflow", "vacuum", "w-3", strings.Replace(staged, "bash, /", "psql, /", 1)), edit: of(scripted), want: window},
		"with the executor's own container":    {reason: "a helper that runs no tool", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", said+", "+helper), edit: of(workflow), want: "admitted"},
		"with a helper that is none":           {reason: "it runs psql", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", said+", "+psql), edit: of(workflow), want: window},
		"another command":                      {reason: "nobody has judged it", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", another), edit: of(workflow), want: window},
		"another image":                        {reason: "nobody has judged it", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", image), edit: of(workflow), want: window},
		"with the value of a parameter":        {reason: "the rest is as it was written", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", said), edit: of(parameterised), want: "admitted"},
		"a store that comes by a parameter":    {reason: "the resource did not name it when it was judged", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", said), edit: of(strings.Replace(workflow, "db.prod.db.example.com", `"db.{{x}}.db.example.com"`, 1)), want: window},
		"of a resource that there is not":      {reason: "a name is soon made up", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", said), edit: func(r *policy.Request) { r.Facts.Owner = &policy.OwnerObject{} }, want: window},
		"of another one of that name":          {reason: "it was deleted and made again", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-9", said), edit: of(workflow), want: window},
		"a Cluster's own Pods":                 {reason: "a database operator replaces its Pods", header: by("cert-manager"), objects: pod("Cluster", "orders", "c-1", instance), edit: of(cluster), want: "admitted"},
		"of a kind that it may not read":       {reason: "nobody can say that its templates say so", header: by("cert-manager"), objects: pod("Thing", "x", "x-1", said), edit: unreadable, want: window},
		"a Pod of a kind that it may not read": {reason: "what keeps production running goes on", header: by("cert-manager"), objects: pod("Thing", "x", "x-1", instance), edit: unreadable, want: "admitted"},
		"a launcher's, as the template says":   {reason: "it was judged when the resource was written", header: by("airflow"), objects: pod("Workflow", "reindex", "w-1", said), edit: of(workflow), want: "admitted"},
		"a launcher's, otherwise":              {reason: "that it is listed is no leave to run something else", header: by("airflow"), objects: pod("Workflow", "reindex", "w-1", another), edit: of(workflow), want: window},
		"a shell before the template's words":  {reason: "no template runs psql", header: by("cert-manager"), objects: pod("Workflow", "make", "w-4", `{name: main, image: "builder:1", command: [sh, -c, "psql -c x"], args: [make]}`), edit: of(making), want: window},
		"a tool before the template's words":   {reason: "no template runs psql", header: by("cert-manager"), objects: pod("Workflow", "make", "w-4", `{name: main, image: "builder:1", command: [/usr/bin/psql, -c, x, make]}`), edit: of(making), want: window},
		"a tool in the place of nothing":       {reason: "the template leaves it to the image", header: by("cert-manager"), objects: pod("Workflow", "make", "w-5", `{name: main, image: "builder:1", command: [/usr/bin/psql, -c, x]}`), edit: of(plain), want: window},
		"a hook that the template has not":     {reason: "nobody has judged it", header: by("cert-manager"), objects: pod("Workflow", "make", "w-4", `{name: main, image: "builder:1", command: [make], lifecycle: {postStart: {exec: {command: [psql, -c, x]}}}}`), edit: of(making), want: window},
		"a tool in the place of a parameter":   {reason: "the resource did not name it when it was judged", header: by("cert-manager"), objects: pod("Workflow", "make", "w-6", `{name: main, image: "builder:1", command: [sh, -c, "psql -c x"]}`), edit: of(open), want: window},
		"Tekton's step":                        {reason: "its entry point is put before, and a mark between", header: by("cert-manager"), objects: pod("TaskRun", "build", "t-1", `{name: step-a, image: "golang:1.23", command: [/tekton/bin/entrypoint], args: [-wait_file, /tekton/downward/ready, -entrypoint, make, "--", build, "--destination=1.23"]}`), edit: of(step), want: "admitted"},
		"another than Tekton's step":           {reason: "nobody has judged it", header: by("cert-manager"), objects: pod("TaskRun", "build", "t-1", `{name: step-a, image: "golang:1.23", command: [/tekton/bin/entrypoint], args: [-entrypoint, make, "--", destroy, "--destination=1.23"]}`), edit: of(step), want: window},
		"a line of words, behind a tool":       {reason: "the resource did not say so", header: by("cert-manager"), objects: pod("RayJob", "r", "r-1", `{name: a, image: x, command: [sh, -c, "psql -c x; python app.py"]}`), edit: of(ray), want: window},
		"a line of words":                      {reason: "its submitter runs what the resource says", header: by("cert-manager"), objects: pod("RayJob", "r", "r-1", `{name: a, image: x, command: [ray, job, submit, "--", python, app.py]}`), edit: of(ray), want: "admitted"},
		"before it was read":                   {reason: "somebody must read it first", header: by("cert-manager"), objects: pod("Workflow", "reindex", "w-1", said), want: `missing: Workflow "reindex" is not known yet`},
	})
}

// TestAnUnreadableOwnerIsSaid checks that the denial says which list lacks what.
func TestAnUnreadableOwnerIsSaid(t *testing.T) {
	s := newStage(t)
	owned := `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments, ownerReferences: [{apiVersion: acme.example.com/v1, kind: Thing, name: x, uid: x-1, controller: true}]}, ` +
		`spec: {containers: [{name: main, image: a, command: [psql, -h, db.prod.db.example.com]}]}}`
	req := newRequest(t, s, by("cert-manager"), documents(t, []byte(owned)), now())
	req.Facts.Owner = &policy.OwnerObject{Unreadable: true}
	d, err := policy.Evaluate(*req, s.cluster, s.state(t))
	if err != nil {
		t.Fatal(err)
	}
	want := `pods "p" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments --for-service-account cert-manager/cert-manager ` +
		`(ChangeWindowRequired: this is maintenance in "production": it runs psql and names data store "orders", and Thing "x", which it is made of, cannot be read: webhook.extraOwners of the chart lacks its kind)`
	if diff := cmp.Diff(want, policy.DenialMessage(*req, d.Denied())); diff != "" {
		t.Error(diff)
	}
}

func ownerObject(t *testing.T, y string) *policy.OwnerObject {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(y))
	if err != nil {
		t.Fatal(err)
	}
	return &policy.OwnerObject{JSON: raw}
}

// TestBypassByAutoscaler checks that an autoscaler is judged by what it lets happen, in small steps too, and so is a budget.
func TestBypassByAutoscaler(t *testing.T) {
	hpa := func(spec string) string {
		return `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web, namespace: payments}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, ` + spec + `}}`
	}
	rollout := func(spec string) string {
		return strings.Replace(hpa(spec), "apiVersion: apps/v1, kind: Deployment, name: web", "apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: shop", 1)
	}
	pdb := func(spec string) string {
		return `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web, namespace: payments}, spec: {selector: {matchLabels: {app: web}}, ` + spec + `}}`
	}
	s := newStage(t)
	s.cluster.ScaledWorkloads = func(_, kind, name string) (policy.ScaledWorkload, bool) {
		return policy.ScaledWorkload{Replicas: 4}, kind == "Deployment" && name == "web"
	}
	s.cluster.Peaks = func(_, _, name string) int64 { return map[string]int64{"web": 10, "shop": 16}[name] }
	s.cluster.Running = func(_ string, sel labels.Selector) int64 {
		if sel.Matches(labels.Set{"app": "web"}) {
			return 4
		}
		return 0
	}
	for name, tc := range map[string]struct {
		reason, requester, objects, operation, want string
		scale                                       *policy.TargetScale
	}{
		"at most one":                    {"ten ran within the last hour", "bob", hpa("minReplicas: 1, maxReplicas: 1"), "", "BlastRadius", nil},
		"at most half of the peak":       {"as far as one step may go", "bob", hpa("maxReplicas: 5"), "", "admitted", nil},
		"less than half of the peak":     {"small steps add up", "bob", hpa("maxReplicas: 4"), "", "BlastRadius", nil},
		"many at least":                  {"more than four times as many", "bob", hpa("minReplicas: 40, maxReplicas: 50"), "", "BlastRadius", nil},
		"some more at least":             {"a few more are nobody's business", "bob", hpa("minReplicas: 12, maxReplicas: 50"), "", "admitted", nil},
		"relabelled":                     {"its bounds stay", "bob", strings.Replace(hpa("maxReplicas: 1"), "name: web,", "name: web, labels: {a: b},", 1) + "\n---\n" + hpa("maxReplicas: 1"), "update", "admitted", nil},
		"by an operator":                 {"the environment says what happens to those", "cert-manager", hpa("maxReplicas: 1"), "", "admitted", nil},
		"of what is not there":           {"nothing runs that could be fewer", "bob", strings.Replace(hpa("maxReplicas: 1"), "kind: Deployment, name: web", "kind: Deployment, name: none", 1), "", "admitted", &policy.TargetScale{}},
		"of a custom resource":           {"of ten, one would be left", "bob", rollout("maxReplicas: 1"), "", "BlastRadius", &policy.TargetScale{Replicas: 10}},
		"of a custom resource, by half":  {"as far as one step may go", "bob", rollout("maxReplicas: 8"), "", "admitted", &policy.TargetScale{Replicas: 10}},
		"of a custom resource, by steps": {"sixteen ran within the last hour", "bob", rollout("maxReplicas: 5"), "", "BlastRadius", &policy.TargetScale{Replicas: 8}},
		"of a custom resource, many":     {"more than four times as many", "bob", rollout("minReplicas: 40, maxReplicas: 50"), "", "BlastRadius", &policy.TargetScale{Replicas: 8}},
		"of one that is not readable":    {"nobody can tell how many run", "bob", rollout("maxReplicas: 100"), "", "BlastRadius", &policy.TargetScale{Unreadable: true}},
		"by who is no member":            {"they may do nothing there", "dora", hpa("maxReplicas: 20"), "", "IdentityOutsideEnvironment", nil},
		"a budget of nothing":            {"no node could be drained", "bob", pdb("maxUnavailable: 0"), "", "BlastRadius", nil},
		"a budget of no per cent":        {"no node could be drained", "bob", pdb(`maxUnavailable: "0%"`), "", "BlastRadius", nil},
		"a budget that wants all":        {"no node could be drained", "bob", pdb(`minAvailable: "100%"`), "", "BlastRadius", nil},
		"a budget as high as there are":  {"no node could be drained", "bob", pdb("minAvailable: 4"), "", "BlastRadius", nil},
		"a budget that leaves one":       {"nodes can be drained", "bob", pdb("minAvailable: 3"), "", "admitted", nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, s, header{Requester: tc.requester, Operation: tc.operation}, documents(t, []byte(tc.objects)), now())
			req.Facts.Scale = tc.scale
			if got := verdict(req, s, nil, t); got != tc.want {
				t.Errorf("%s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// The scale of an autoscaler's target is asked for if it is not remembered.
func TestScalesAreAskedFor(t *testing.T) {
	s := newStage(t)
	s.cluster.ScaledWorkloads = func(string, string, string) (policy.ScaledWorkload, bool) { return policy.ScaledWorkload{}, false }
	req := newRequest(t, s, by("bob"), documents(t, []byte(`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web, namespace: payments}, spec: {scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web}, maxReplicas: 1}}`)), now())
	if got := missing(t, req, s.cluster); got != `the scale of Rollout "web" is not known yet` {
		t.Error(got)
	}
	req.Facts.Scale = &policy.TargetScale{Unreadable: true}
	d, err := policy.Evaluate(*req, s.cluster, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `horizontalpodautoscalers.autoscaling "web" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments ` +
		`(BlastRadius: this may let far fewer of Rollout "web" run than do: Firebreak cannot read how many do, which "production" does not allow at once)`
	if got := policy.DenialMessage(*req, d.Denied()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The sentence says what the autoscaler would do.
func TestAutoscalersAreTold(t *testing.T) {
	s := newStage(t)
	s.cluster.ScaledWorkloads = func(string, string, string) (policy.ScaledWorkload, bool) {
		return policy.ScaledWorkload{Replicas: 10}, true
	}
	req := newRequest(t, s, by("bob"), documents(t, []byte(`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web, namespace: payments}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 1}}`)), now())
	d, err := policy.Evaluate(*req, s.cluster, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `horizontalpodautoscalers.autoscaling "web" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments ` +
		`(BlastRadius: this lets at most 1 run where 10 did within the last hour, fewer by more than 50 %, which "production" does not allow at once)`
	if got := policy.DenialMessage(*req, d.Denied()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
