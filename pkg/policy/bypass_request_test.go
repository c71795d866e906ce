package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// request is one way to send something so that a careless judge admits it. want lists the rules that deny, in order; it is "admitted" if
// none does, and "undecided: …" if the request cannot be judged, which the webhook refuses.
type request struct {
	reason string
	header
	objects string
	// edit changes the request as it would arrive; it may be nil.
	edit func(*policy.Request)
	want string
}

func runRequests(t *testing.T, cases map[string]request) {
	t.Helper()
	s := newStage(t)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, s, test.header, documents(t, []byte(test.objects)), now())
			if test.edit != nil {
				test.edit(req)
			}
			if diff := cmp.Diff(test.want, verdict(req, s, test.State, t)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func verdict(req *policy.Request, s *stage, state []string, t *testing.T) string {
	t.Helper()
	d, err := policy.Evaluate(*req, s.cluster, s.state(t, state...))
	if err != nil {
		return "undecided: " + err.Error()
	}
	if d.Missing != nil {
		return "missing: " + d.Missing.String()
	}
	var rules []string
	for _, f := range d.Denied() {
		rules = append(rules, string(f.Rule))
	}
	for _, e := range d.Invalid {
		rules = append(rules, e.Error())
	}
	switch {
	case d.Allowed && len(rules) == 0:
		return "admitted"
	case d.Allowed:
		return "admitted in spite of " + strings.Join(rules, ", ")
	}
	return strings.Join(rules, ", ")
}

const (
	// prodJob is maintenance in payments; devPod names production from dev; calmPod is neither.
	prodJob = `{apiVersion: batch/v1, kind: Job, metadata: {name: reindex-orders, namespace: payments}, spec: {template: {spec: {containers: [{name: c, image: x, command: [psql, -h, orders.prod.db.example.com]}]}}}}`
	devPod  = `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: dev}, spec: {containers: [{name: c, image: x, env: [{name: DB, value: orders.prod.db.example.com}]}]}}`
	calmPod = `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments}, spec: {containers: [{name: c, image: x}]}}`
)

func by(requester string) header { return header{Requester: requester} }

func updating(requester string) header { return header{Requester: requester, Operation: "update"} }

// then returns an update: the new object, then the stored one.
func then(object, stored string) string { return object + "\n---\n" + stored }

func TestBypassIdentity(t *testing.T) {
	const outsider = "ChangeWindowRequired"
	runRequests(t, map[string]request{
		"the cronjob controller": {
			reason: "the genuine one is judged on the workload identity alone", header: header{Requester: "cronjob-controller", State: []string{"nightly"}},
			objects: prodJob, want: outsider,
		},
		"the cronjob controller, impersonated": {
			reason: "without a UID it is somebody who may impersonate it", header: by("cronjob-controller-impersonated"),
			objects: prodJob, want: "IdentityOutsideEnvironment",
		},
		"the cronjob controller, by a long-lived token": {
			reason: "without a credential-id it is somebody who read a Secret", header: by("cronjob-controller-long-lived"),
			objects: prodJob, want: "ChangeWindowRequired, DataStoreAcrossTiers",
		},
		"the cronjob controller, deleted and created again": {
			reason: "another UID is another account", header: by("cronjob-controller-recreated"),
			objects: prodJob, want: "ChangeWindowRequired, DataStoreAcrossTiers",
		},
		"an account that is called like one": {
			reason: "the list is exact", header: by("backdoor-controller"),
			objects: prodJob, want: "ChangeWindowRequired, DataStoreAcrossTiers",
		},
		"a controller's name in another namespace": {
			reason: "only kube-system has Kubernetes' own", header: by("builder"), objects: prodJob,
			edit: func(r *policy.Request) { r.User.Username = "system:serviceaccount:dev:cronjob-controller" },
			want: "IdentityOutsideEnvironment",
		},
		"a controller that the server does not know yet": {
			reason: "its account is read live once, before it is believed", header: by("job-controller"), objects: prodJob,
			edit: func(r *policy.Request) { r.User.Username = "system:serviceaccount:kube-system:ttl-controller" },
			want: "missing: service account kube-system/ttl-controller is not known yet",
		},
		"a user that is called like the controller manager": {
			reason: "another capital is another user", header: by("dora"), objects: prodJob,
			edit: func(r *policy.Request) { r.User.Username = "system:Kube-controller-manager" },
			want: "IdentityOutsideEnvironment",
		},
		"a group that begins like the nodes'": {
			reason: "groups are compared whole", header: by("dora"), objects: prodJob,
			edit: func(r *policy.Request) { r.User.Groups = []string{"system:nodes:mine"} },
			want: "IdentityOutsideEnvironment",
		},
		"a credential-id without a UID": {
			reason: "extra can be impersonated, a UID is missing all the same", header: by("cronjob-controller"), objects: prodJob,
			edit: func(r *policy.Request) { r.User.UID = "" },
			want: "IdentityOutsideEnvironment",
		},
		"an account name with too few parts": {
			reason: "it is no service account, so nobody's member", header: by("dora"), objects: prodJob,
			edit: func(r *policy.Request) {
				r.User = authenticationv1.UserInfo{Username: "system:serviceaccount:payments", UID: "x"}
			},
			want: "IdentityOutsideEnvironment",
		},
		"listed automation uses a person's group": {
			reason: "a member of sre that is no person may act, and its Job runs a tool on a data store", header: by("jenkins"),
			objects: prodJob, want: "ChangeWindowRequired",
		},
		"a person starts what a machine would not have to ask for": {
			reason: "a person's Job is maintenance whatever it does", header: by("bob"),
			objects: `{apiVersion: batch/v1, kind: Job, metadata: {name: x, namespace: payments}, spec: {template: {spec: {containers: [{name: c, image: x}]}}}}`,
			want:    "ChangeWindowRequired",
		},
	})
}

func TestBypassOwners(t *testing.T) {
	owned := func(namespace, kind, name, uid string) string {
		return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ` + namespace + `, ownerReferences: [{apiVersion: apps/v1, kind: ` + kind + `, name: ` + name + `, uid: ` + uid + `, controller: true}]},
  spec: {containers: [{name: c, image: x, env: [{name: DB, value: orders.staging.db.example.com}]}]}}`
	}
	runRequests(t, map[string]request{
		"the ReplicaSet controller": {
			reason: "its Pod heals: the stored template names the same", header: by("replicaset-controller"),
			objects: owned("prod-web", "ReplicaSet", "shop-5d9c", "shop-5d9c-1"), want: "admitted",
		},
		"a person who names the same owner": {
			reason: "from anybody else an owner reference is not believed", header: by("bob"),
			objects: owned("prod-web", "ReplicaSet", "shop-5d9c", "shop-5d9c-1"), want: "ChangeWindowRequired, DataStoreAcrossTiers",
		},
		"an impersonated controller": {
			reason: "it is no controller", header: by("cronjob-controller-impersonated"),
			objects: owned("prod-web", "ReplicaSet", "shop-5d9c", "shop-5d9c-1"), want: "DataStoreAcrossTiers, IdentityOutsideEnvironment",
		},
		"an owner of another UID": {
			reason: "that owner does not exist", header: by("replicaset-controller"),
			objects: owned("prod-web", "ReplicaSet", "shop-5d9c", "forged"), want: "DataStoreAcrossTiers",
		},
		"an owner in another namespace": {
			reason: "owners are looked for beside the Pod", header: by("replicaset-controller"),
			objects: owned("payments", "ReplicaSet", "shop-5d9c", "shop-5d9c-1"), want: "DataStoreAcrossTiers",
		},
		"a Job": {
			reason: "the Pods of Jobs are no healing", header: by("job-controller"),
			objects: owned("prod-web", "Job", "shop-5d9c", "shop-5d9c-1"), want: "DataStoreAcrossTiers",
		},
		"more than the owner has": {
			reason: "only what the stored template has heals", header: by("replicaset-controller"),
			objects: strings.Replace(owned("prod-web", "ReplicaSet", "shop-5d9c", "shop-5d9c-1"), "orders.staging", "orders.dev", 1), want: "DataStoreAcrossTiers",
		},
		"an owner that controls nothing": {
			reason: "only a controlling owner counts", header: by("replicaset-controller"),
			objects: strings.Replace(owned("prod-web", "ReplicaSet", "shop-5d9c", "shop-5d9c-1"), ", controller: true", "", 1), want: "DataStoreAcrossTiers",
		},
		"a controller launders for another identity": {
			reason: "a ReplicaSet in dev that names production is refused to whoever sends it", header: by("replicaset-controller"),
			objects: devPod, want: "DataStoreAcrossTiers",
		},
	})
}

func TestBypassStages(t *testing.T) {
	with := func(object, old, new string) string { return strings.Replace(object, old, new, 1) }
	cron := func(spec string) string {
		return `{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly, namespace: payments, uid: u}, spec: {schedule: "0 2 * * *", ` + spec + `jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: x, command: [psql, -h, orders.prod.db.example.com]}]}}}}}}`
	}
	deployment := func(replicas, image, extra string) string {
		return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: payments}, spec: {replicas: ` + replicas + `, template: {metadata: {` + extra + `}, spec: {containers: [{name: c, image: ` + image + `, command: [psql, -h, orders.prod.db.example.com]}]}}}}`
	}
	runRequests(t, map[string]request{
		"a suspended Job is created": {
			reason: "judged when it is staged", header: by("bob"), objects: with(prodJob, "spec: {template", "spec: {suspend: true, template"), want: "ChangeWindowRequired",
		},
		"a suspended Job is released": {
			reason: "and again when it is released", header: updating("bob"),
			objects: then(with(prodJob, "spec: {template", "spec: {suspend: false, template"), with(prodJob, "spec: {template", "spec: {suspend: true, template")), want: "ChangeWindowRequired",
		},
		"suspend is taken away": {
			reason: "what is omitted is false", header: updating("bob"), objects: then(prodJob, with(prodJob, "spec: {template", "spec: {suspend: true, template")), want: "ChangeWindowRequired",
		},
		"parallelism is raised": {
			reason: "more at once is more", header: updating("bob"),
			objects: then(with(prodJob, "spec: {template", "spec: {parallelism: 9, template"), prodJob), want: "ChangeWindowRequired",
		},
		"parallelism is lowered": {
			reason: "less is not", header: updating("bob"),
			objects: then(with(prodJob, "spec: {template", "spec: {parallelism: 1, template"), with(prodJob, "spec: {template", "spec: {parallelism: 9, template")), want: "admitted",
		},
		"a CronJob is released": {
			reason: "its template runs a tool on a data store", header: updating("bob"), objects: then(cron("suspend: false, "), cron("suspend: true, ")), want: "ChangeWindowRequired",
		},
		"a CronJob is suspended": {
			reason: "stopping is always possible", header: updating("bob"), objects: then(cron("suspend: true, "), cron("suspend: false, ")), want: "admitted",
		},
		"a CronJob runs at another time": {
			reason: "each run is judged when it is spawned", header: updating("bob"), objects: then(with(cron(""), "0 2", "0 3"), cron("")), want: "admitted",
		},
		"a Deployment from zero": {
			reason: "it starts what did not run", header: updating("bob"), objects: then(deployment("1", "x", ""), deployment("0", "x", "")), want: "ChangeWindowRequired",
		},
		"a Deployment to zero": {
			reason: "all at once is more than half", header: updating("bob"), objects: then(deployment("0", "x", ""), deployment("3", "x", "")), want: "BlastRadius",
		},
		"a Deployment from two to three": {
			reason: "what runs runs", header: updating("bob"), objects: then(deployment("3", "x", ""), deployment("2", "x", "")), want: "admitted",
		},
		"a template changes": {
			reason: "compliant when created, changed into scope", header: updating("bob"), objects: then(deployment("2", "v2", ""), deployment("2", "x", "")), want: "ChangeWindowRequired",
		},
		"a restart": {
			reason: "restartedAt is no judged content", header: updating("bob"),
			objects: then(deployment("2", "x", `annotations: {kubectl.kubernetes.io/restartedAt: "2026-11-28T02:30:00Z"}`), deployment("2", "x", "")), want: "admitted",
		},
		"a restart and another image": {
			reason: "restartedAt hides nothing beside it", header: updating("bob"),
			objects: then(deployment("2", "v2", `annotations: {kubectl.kubernetes.io/restartedAt: "2026-11-28T02:30:00Z"}`), deployment("2", "x", "")), want: "ChangeWindowRequired",
		},
		"a running Pod's image": {
			reason: "possible in Kubernetes, and an execution of its own", header: updating("bob"), objects: then(with(calmPod, "image: x", "image: v2"), calmPod), want: "ChangeWindowRequired",
		},
		"an ephemeral container": {
			reason: "it runs in a running Pod", header: header{Requester: "bob", Operation: "update", SubResource: "ephemeralcontainers"},
			objects: then(with(calmPod, "image: x}]", "image: x}], ephemeralContainers: [{name: e, image: x, command: [psql, -h, orders.prod.db.example.com]}]"), calmPod), want: "ChangeWindowRequired, InteractiveAccess",
		},
		"an ephemeral container across": {
			reason: "content is judged in subresources too", header: header{Requester: "dora", Operation: "update", SubResource: "ephemeralcontainers"},
			objects: then(with(devPod, "value: orders.prod.db.example.com}]}]", "value: x}]}], ephemeralContainers: [{name: e, image: x, command: [psql, -h, orders.prod.db.example.com]}]"), with(devPod, "orders.prod.db.example.com", "x")),
			want:    "DataStoreAcrossTiers",
		},
		"a deletionTimestamp": {
			reason: "a finalizer keeps it alive; being deleted is no free pass", header: updating("dora"),
			objects: then(with(devPod, "name: p,", `name: p, deletionTimestamp: "2026-11-28T02:00:00Z", finalizers: [x/y],`), with(devPod, "orders.prod.db.example.com", "x")), want: "DataStoreAcrossTiers",
		},
		"removal of a finalizer": {
			reason: "nothing of what runs changes", header: updating("dora"),
			objects: then(with(devPod, "name: p,", "name: p, finalizers: [],"), with(devPod, "name: p,", "name: p, finalizers: [x/y],")), want: "admitted",
		},
		"deployed first, changed later": {
			reason: "create compliant and then update into scope", header: updating("dora"), objects: then(devPod, with(devPod, "orders.prod", "orders.dev")), want: "DataStoreAcrossTiers",
		},
		"a hook of a person that runs a tool": {
			reason: "an annotation is no licence", header: by("bob"), objects: with(prodJob, "namespace: payments}", "namespace: payments, annotations: {helm.sh/hook: pre-upgrade}}"), want: "ChangeWindowRequired",
		},
		"a launcher in an environment that does not list it": {
			reason: "jobLaunchers are the environment's own", header: by("airflow"), objects: with(prodJob, "namespace: payments", "namespace: edge"), want: "IdentityOutsideEnvironment",
		},
		"a launcher that names the other side": {
			reason: "routine or not, tiers are tiers", header: by("airflow"), objects: with(prodJob, "orders.prod", "orders.staging"), want: "DataStoreAcrossTiers",
		},
		"an operator that runs a Job": {
			reason: "operators act on their own objects; a Job on a data store is maintenance", header: by("cert-manager"), objects: prodJob, want: "ChangeWindowRequired",
		},
	})
}
