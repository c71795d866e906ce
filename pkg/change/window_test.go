package change_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// windowCase changes a covering window until it does not cover the query. All functions may be nil.
type windowCase struct {
	reason string
	window func(*v1alpha1.ChangeWindow)
	ask    func(*change.Query)
	// state changes the state after alice has approved the window.
	state func(*change.State, *v1alpha1.ChangeWindow)
	stage change.Stage
	why   string
}

func runWindowCases(t *testing.T, cases map[string]windowCase) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			w, q := window(), question()
			if test.window != nil {
				test.window(w)
			}
			if test.ask != nil {
				test.ask(q)
			}
			s := &change.State{Windows: []v1alpha1.ChangeWindow{*w}, Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}}
			if test.state != nil {
				test.state(s, w)
			}
			v := change.Judge(w, q, s)
			if v.Stage != test.stage || v.Why != test.why {
				t.Errorf("%s:\n got stage %d: %s\nwant stage %d: %s", test.reason, v.Stage, v.Why, test.stage, test.why)
			}
		})
	}
}

func resources(group, kind string, names ...v1alpha1.Glob) []v1alpha1.ScopedResource {
	return []v1alpha1.ScopedResource{{Group: group, Kind: kind, Names: names}}
}

func TestScope(t *testing.T) {
	const out = "its scope does not include this"
	// inHome moves the window into Firebreak's own namespace.
	inHome := func(w *v1alpha1.ChangeWindow, namespaces ...string) {
		w.Namespace, w.Spec.Scope.Namespaces, w.Spec.Scope.Clusters = "firebreak-system", namespaces, []string{"prod-eu-1"}
	}
	runWindowCases(t, map[string]windowCase{
		"all of it matches": {
			reason: "the base of all cases below covers",
			stage:  change.Covers,
		},
		"another operation": {
			reason: "who may create may not delete",
			ask:    func(q *change.Query) { q.Operations = []v1alpha1.Operation{v1alpha1.OperationDelete} },
			stage:  change.OutOfScope, why: out,
		},
		"another kind": {
			reason: "kinds are compared exactly",
			ask:    func(q *change.Query) { q.Kind = "CronJob" },
			stage:  change.OutOfScope, why: out,
		},
		"the kind in another group": {
			reason: "a custom Job is not batch's",
			ask:    func(q *change.Query) { q.Group = "batch.volcano.sh" },
			stage:  change.OutOfScope, why: out,
		},
		"another name": {
			reason: "the glob does not match",
			ask:    func(q *change.Query) { q.Name = "drop-orders" },
			stage:  change.OutOfScope, why: out,
		},
		"a name in capitals": {
			reason: "names of objects have no capitals; none is guessed",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Resources = resources("batch", "Job", "REINDEX-*") },
			stage:  change.OutOfScope, why: out,
		},
		"the second of two resources": {
			reason: "one that matches is enough",
			window: func(w *v1alpha1.ChangeWindow) {
				w.Spec.Scope.Resources = append(resources("apps", "Deployment", "*"), w.Spec.Scope.Resources...)
			},
			stage: change.Covers,
		},
		"a name yet to be generated": {
			reason: "the API server adds five characters to generateName",
			window: func(w *v1alpha1.ChangeWindow) {
				w.Spec.Scope.Resources = resources("batch", "Job", "reindex-?????")
			},
			ask:   func(q *change.Query) { q.Name = "reindex-"; q.Plan = nil },
			stage: change.Covers,
		},
		"a name yet to be generated, of another length": {
			reason: "it would never match when it is generated",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Resources = resources("batch", "Job", "reindex-??") },
			ask:    func(q *change.Query) { q.Name = "reindex-" },
			stage:  change.OutOfScope, why: out,
		},
		"another namespace": {
			reason: "a window opens its own namespace",
			ask:    func(q *change.Query) { q.Namespace = "prod-web" },
			stage:  change.OutOfScope, why: out,
		},
		"another namespace that it lists": {
			reason: "only a window in Firebreak's own namespace may reach into others, whatever was let through",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Namespaces = []string{"prod-web"} },
			ask:    func(q *change.Query) { q.Namespace = "prod-web" },
			stage:  change.OutOfScope, why: out,
		},
		"listed by a window in Firebreak's namespace": {
			reason: "such a window opens what it lists",
			window: func(w *v1alpha1.ChangeWindow) { inHome(w, "prod-web", "payments") },
			stage:  change.Covers,
		},
		"not listed by a window in Firebreak's namespace": {
			reason: "and nothing else",
			window: func(w *v1alpha1.ChangeWindow) { inHome(w, "prod-web") },
			stage:  change.OutOfScope, why: out,
		},
		"a window in Firebreak's namespace that lists nothing": {
			reason: "there, empty means that namespace and cluster-scoped objects",
			window: func(w *v1alpha1.ChangeWindow) { inHome(w) },
			stage:  change.OutOfScope, why: out,
		},
		"an object of Firebreak's namespace, under a window there that lists nothing": {
			reason: "it opens its own namespace, like any other",
			window: func(w *v1alpha1.ChangeWindow) { inHome(w) },
			ask:    func(q *change.Query) { q.Namespace = "firebreak-system" },
			stage:  change.Covers,
		},
		"the boundary, under a window in Firebreak's namespace": {
			reason: "that is what a boundary window is",
			window: func(w *v1alpha1.ChangeWindow) { inHome(w) },
			ask:    func(q *change.Query) { q.Boundary, q.Namespace = true, "" },
			stage:  change.Covers,
		},
		"the boundary, under one that lists namespaces": {
			reason: "what opens namespaces is no boundary window",
			window: func(w *v1alpha1.ChangeWindow) { inHome(w, "payments") },
			ask:    func(q *change.Query) { q.Boundary = true },
			stage:  change.OutOfScope, why: out,
		},
		"the boundary, under a window in the namespace itself": {
			reason: "members of an environment must not open its boundary among themselves",
			ask:    func(q *change.Query) { q.Boundary = true },
			stage:  change.OutOfScope, why: out,
		},
	})
}

func TestClusterAndEnvironment(t *testing.T) {
	runWindowCases(t, map[string]windowCase{
		"it names this cluster": {
			reason: "the second name counts as the first",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Clusters = []string{"prod-us-1", "prod-eu-1"} },
			stage:  change.Covers,
		},
		"it names others": {
			reason: "the manifest went to the wrong cluster",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Clusters = []string{"prod-us-1", "prod-ap-1"} },
			stage:  change.OtherCluster, why: `it is for cluster "prod-us-1" or "prod-ap-1", and this is "prod-eu-1"`,
		},
		"a pattern is no name": {
			reason: "names of clusters are exact",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Clusters = []string{"prod-*"} },
			stage:  change.OtherCluster, why: `it is for cluster "prod-*", and this is "prod-eu-1"`,
		},
		"in Firebreak's own namespace it names none": {
			reason: "there it must: such a window is copied into every cluster",
			window: func(w *v1alpha1.ChangeWindow) {
				w.Namespace, w.Spec.Scope.Namespaces = "firebreak-system", []string{"payments"}
			},
			stage: change.OtherCluster, why: "it names no cluster, which a window in Firebreak's own namespace must",
		},
		"another environment": {
			reason: "the requester typed where it will happen, and that is elsewhere",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Environment = "staging" },
			stage:  change.OtherEnvironment, why: `it is for environment "staging", and this is "production"`,
		},
		"one of two environments": {
			reason: "a namespace that two claim is confirmed by either name",
			ask:    func(q *change.Query) { q.Environments = []string{"pci", "production"} },
			stage:  change.Covers,
		},
		"neither of two environments": {
			reason: "both are named",
			ask:    func(q *change.Query) { q.Environments = []string{"pci", "edge"} },
			stage:  change.OtherEnvironment, why: `it is for environment "production", and this is "pci" or "edge"`,
		},
	})
}

func TestInForce(t *testing.T) {
	runWindowCases(t, map[string]windowCase{
		"being deleted": {
			reason: "deleting a window closes it, also while somebody's finalizer keeps it",
			window: func(w *v1alpha1.ChangeWindow) { w.DeletionTimestamp = instant("02:29:00") },
			stage:  change.NotInForce, why: "it is being deleted",
		},
		"no stamp": {
			reason: "nobody is responsible for it",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.RequestedBy = nil },
			stage:  change.NotInForce, why: "it carries no stamp of its requester",
		},
		"an empty stamp": {
			reason: "a stamp without a name is none",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.RequestedBy = &v1alpha1.Stamp{UID: "bob-1"} },
			stage:  change.NotInForce, why: "it carries no stamp of its requester",
		},
		"no type": {
			reason: "Normal is the default, and an object read without defaults is the same",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Type = "" },
			stage:  change.Covers,
		},
		"a recurrence beside start and end": {
			reason: "the schema refuses it; should it be stored all the same, it opens nothing",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Recurrence = &v1alpha1.Recurrence{} },
			stage:  change.NotInForce, why: "it recurs, which only a Standard window may",
		},
		"no start": {
			reason: "nothing says when",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Start = nil },
			stage:  change.NotInForce, why: "it has no start and end",
		},
		"no end": {
			reason: "a window without end is an access that was set to be persistent",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.End = nil },
			stage:  change.NotInForce, why: "it has no start and end",
		},
		"it ends as it starts": {
			reason: "an empty interval contains no instant",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.End = w.Spec.Schedule.Start },
			stage:  change.NotInForce, why: "it ends before it starts",
		},
		"as long as the environment allows": {
			reason: "the bound is included",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.End = instant("10:00:00") },
			stage:  change.Covers,
		},
		"longer than the environment allows": {
			reason: "judged again at every use: the environment may have become stricter since",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.End = instant("10:00:01") },
			stage:  change.NotInForce, why: "it lasts longer than the 8h that the environment allows",
		},
		"no plan": {
			reason: "the environment requires one",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Plan = nil },
			stage:  change.NotInForce, why: "it pins no plan, which the environment requires",
		},
		"no plan where none is required": {
			reason: "then whatever is in scope may run",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Plan = nil },
			ask:    func(q *change.Query) { q.Controls.RequirePlan = false },
			stage:  change.Covers,
		},
		"no plan where nothing runs": {
			reason: "a deletion has no plan",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Plan = nil },
			ask:    func(q *change.Query) { q.Plan = nil },
			stage:  change.Covers,
		},
		"no rollback where one is required": {
			reason: "the environment requires it",
			ask:    func(q *change.Query) { q.Controls.RequireRollback = true },
			stage:  change.NotInForce, why: "it says no rollback, which the environment requires",
		},
		"a rollback where one is required": {
			reason: "what it says is for the approver to judge",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.Rollback = "restore the snapshot" },
			ask:    func(q *change.Query) { q.Controls.RequireRollback = true },
			stage:  change.Covers,
		},
	})
}

func TestSubjects(t *testing.T) {
	const borrowed = " is an impersonated service account or one with a long-lived token, which no window serves"
	named := func(s v1alpha1.Subjects) func(*v1alpha1.ChangeWindow) {
		return func(w *v1alpha1.ChangeWindow) { w.Spec.Subjects = s }
	}
	as := func(s *v1alpha1.Stamp) func(*change.Query) {
		return func(q *change.Query) { q.Requester = party(s) }
	}
	runWindowCases(t, map[string]windowCase{
		"somebody else, and no subjects": {
			reason: "without subjects it is its requester's alone",
			ask:    as(carol()),
			stage:  change.NotYours, why: "only its requester, oidc:sre-bob, may use it",
		},
		"the requester under a new name": {
			reason: "the UID is the person",
			ask:    as(&v1alpha1.Stamp{Username: "oidc:sre-robert", UID: "bob-1"}),
			stage:  change.Covers,
		},
		"a stranger without a UID": {
			reason: "two empty UIDs make no one person",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.RequestedBy.UID = "" },
			ask:    as(&v1alpha1.Stamp{Username: "oidc:dba-carol"}),
			stage:  change.NotYours, why: "only its requester, oidc:sre-bob, may use it",
		},
		"the requester, where others are the subjects": {
			reason: "who asks for somebody else asks for somebody else",
			window: named(v1alpha1.Subjects{Users: []v1alpha1.Glob{"oidc:dba-*"}}),
			stage:  change.NotYours, why: "oidc:sre-bob is not among its subjects",
		},
		"a user by glob": {
			reason: "globs over user names",
			window: named(v1alpha1.Subjects{Users: []v1alpha1.Glob{"oidc:dba-*"}}),
			ask:    as(carol()),
			stage:  change.Covers,
		},
		"a group": {
			reason: "one of the groups that the API server authenticated",
			window: named(v1alpha1.Subjects{Groups: []v1alpha1.Glob{"dba"}}),
			ask:    as(carol()),
			stage:  change.Covers,
		},
		"a service account": {
			reason: "by namespace and name",
			window: named(v1alpha1.Subjects{ServiceAccounts: []v1alpha1.ServiceAccountGlob{"ci/releaser"}}),
			ask:    as(releaser()),
			stage:  change.Covers,
		},
		"a service account of another namespace": {
			reason: "a star never reaches over the slash",
			window: named(v1alpha1.Subjects{ServiceAccounts: []v1alpha1.ServiceAccountGlob{"*releaser/x"}}),
			ask:    as(releaser()),
			stage:  change.NotYours, why: "system:serviceaccount:ci:releaser is not among its subjects",
		},
		"a service account by its user name": {
			reason: "a glob over users matches whatever the API server calls a user",
			window: named(v1alpha1.Subjects{Users: []v1alpha1.Glob{"system:serviceaccount:ci:*"}}),
			ask:    as(releaser()),
			stage:  change.Covers,
		},
		"a borrowed identity that is named": {
			reason: "an impersonated account, or one with a long-lived token, never uses a window",
			window: named(v1alpha1.Subjects{ServiceAccounts: []v1alpha1.ServiceAccountGlob{"ci/releaser"}}),
			ask:    func(q *change.Query) { q.Requester = party(releaser()); q.Requester.Borrowed = true },
			stage:  change.NotYours, why: "system:serviceaccount:ci:releaser" + borrowed,
		},
		"a borrowed identity that requested it": {
			reason: "not even its own",
			window: func(w *v1alpha1.ChangeWindow) { w.Spec.RequestedBy = releaser() },
			ask:    func(q *change.Query) { q.Requester = party(releaser()); q.Requester.Borrowed = true },
			state: func(s *change.State, w *v1alpha1.ChangeWindow) {
				s.Approvals = append(s.Approvals, approval(w, carol()))
			},
			stage: change.NotYours, why: "system:serviceaccount:ci:releaser" + borrowed,
		},
		"one of Kubernetes' own controllers": {
			reason: "subjects are not compared: scope, plan and scheduled time decide",
			ask: func(q *change.Query) {
				q.Requester = change.Party{Username: "system:serviceaccount:kube-system:cronjob-controller", UID: "c", Controller: true}
			},
			stage: change.Covers,
		},
	})
}
