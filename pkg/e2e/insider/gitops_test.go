package insider

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// listed makes production list the GitOps controller, a launcher of Jobs and its approvers, for the rest of the tests, and adds an
// environment that lists no approvers. It does so openly, under a window that another person approved.
func listed(t *testing.T) {
	t.Helper()
	c := as(t, sam)
	env := environment("production")
	get := func() {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(env), env); err != nil {
			t.Fatal(err)
		}
	}
	if get(); len(env.Spec.ChangeControl.AutomatedRequesters) > 0 {
		return
	}
	w := boundary(t, "listed", "production", func(spec map[string]any) {
		identities, _ := spec["identities"].(map[string]any)
		identities["serviceAccounts"], identities["jobLaunchers"] = []any{"ci/*"}, []any{"ci/launcher"}
		control, _ := spec["changeControl"].(map[string]any)
		control["automatedRequesters"], control["approvers"] = []any{"ci/releaser"}, map[string]any{"groups": []any{"sre"}}
	})
	w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.OperationCreate)
	w.Spec.Scope.Resources[0].Names = append(w.Spec.Scope.Resources[0].Names, "vault")
	pin(w, "vault", map[string]any{"tier": "Production", "namespaces": map[string]any{"names": []any{"vault-*"}}, "identities": map[string]any{}})
	*w.Spec.MaxExecutions = 2
	approvedBy(t, robin, requested(t, sam, w))
	vault := environment("vault")
	vault.Spec = v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"vault-*"}}}
	if err := c.Create(t.Context(), vault); err != nil {
		t.Fatalf("under an approved window: %v", err)
	}
	const change = `{"spec":{"identities":{"serviceAccounts":["ci/*"],"jobLaunchers":["ci/launcher"]},
		"changeControl":{"automatedRequesters":["ci/releaser"],"approvers":{"groups":["sre"]}}}}`
	if err := c.Patch(t.Context(), env, client.RawPatch(types.MergePatchType, []byte(change))); err != nil {
		t.Fatalf("under an approved window: %v", err)
	}
	if err := c.Delete(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	await.True(t, "the estate is compiled anew", func() bool {
		get()
		return env.Status.ObservedGeneration == env.Generation
	})
}

func environment(name string) *v1alpha1.Environment {
	e := &v1alpha1.Environment{}
	e.Name = name
	return e
}

// boundary returns a window in Firebreak's namespace, by which one Environment may be edited once, as edit does it.
func boundary(t *testing.T, name, object string, edit func(spec map[string]any)) *v1alpha1.ChangeWindow {
	t.Helper()
	var u unstructured.Unstructured
	u.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindEnvironment))
	if err := as(t, sam).Get(t.Context(), client.ObjectKey{Name: object}, &u); err != nil {
		t.Fatal(err)
	}
	spec, _, err := unstructured.NestedMap(u.Object, "spec")
	if err != nil {
		t.Fatal(err)
	}
	edit(spec)
	w := edits(t, name, object)
	pin(w, object, spec)
	return w
}

// pin has a window say what the spec of an Environment is to be.
func pin(w *v1alpha1.ChangeWindow, object string, spec map[string]any) {
	p := change.SpecPlan(v1alpha1.KindEnvironment, spec)
	if w.Spec.Plan == nil {
		w.Spec.Plan = &v1alpha1.Plan{}
	}
	w.Spec.Plan.Workloads = append(w.Spec.Plan.Workloads, v1alpha1.PlannedWorkload{
		ScopedResource: v1alpha1.ScopedResource{Group: v1alpha1.GroupName, Kind: v1alpha1.KindEnvironment, Names: []v1alpha1.Glob{v1alpha1.Glob(object)}},
		Digest:         p.Digest, Fields: p.Fields,
	})
}

func edits(t *testing.T, name, object string) *v1alpha1.ChangeWindow {
	t.Helper()
	return window(t, name, func(w *v1alpha1.ChangeWindow) {
		w.Namespace, w.Spec.Plan = stage.Namespace, nil
		w.Spec.Scope = v1alpha1.Scope{
			Operations: []v1alpha1.Operation{v1alpha1.OperationUpdate}, Clusters: []string{stage.Cluster},
			Resources: []v1alpha1.ScopedResource{{Group: v1alpha1.GroupName, Kind: v1alpha1.KindEnvironment, Names: []v1alpha1.Glob{v1alpha1.Glob(object)}}},
		}
	})
}

// The person who controls the repository is the true requester, whichever machine sends the request: one person's approval is never
// enough, and two approvals of one person count as one.
func TestWhatGitOpsRequestsTakesTwoPersons(t *testing.T) {
	listed(t)
	c, gitops := as(t, sam), minted(t, sam, "ci", "releaser")
	w := window(t, "gitops", func(w *v1alpha1.ChangeWindow) { w.Spec.Subjects = v1alpha1.Subjects{Users: []v1alpha1.Glob{"ray"}} })
	if err := gitops.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	run := as(t, ray)
	cannotRun(t, run, "gitops-run", unapproved(w, 0, 2, ""))
	refused(t, gitops.Create(t.Context(), word(w, "gitops-itself", "")), byPolicy(`changeapprovals.firebreak.dev "gitops-itself"`, "approver",
		"change windows are approved by persons, and system:serviceaccount:ci:releaser is a service account"))
	approvedBy(t, sam, w) // sam controls the repository
	cannotRun(t, run, "gitops-run", unapproved(w, 1, 2, ""))
	if err := c.Create(t.Context(), word(w, "gitops-sam-again", "")); err != nil {
		t.Fatal(err)
	}
	cannotRun(t, run, "gitops-run", unapproved(w, 1, 2, "sam approved more than once"))
	approvedBy(t, robin, w)
	if err := run.Create(t.Context(), fixture.Job("gitops-run")); err != nil {
		t.Errorf("two persons other than who runs it have approved: %v", err)
	}
}

func TestAMachineThatNobodyListsMayNotRequest(t *testing.T) {
	listed(t)
	const persons = " is not a person, and windows are requested by persons, or by service accounts that spec.changeControl.automatedRequesters names; let a person request it"
	for name, tc := range map[string]struct {
		reason, who string
		c           client.Client
	}{
		"a service account of the same namespace": {"a member, but none that may request", `service account "ci/stranger"`, minted(t, sam, "ci", "stranger")},
		"one of production's own namespace":       {"a member by its namespace", `service account "payments/release-bot"`, minted(t, sam, "payments", "release-bot")},
		"a user that is automation":               {"no person, and no service account", `user "ci-deployer"`, as(t, "ci-deployer")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, tc.c.Create(t.Context(), window(t, "unlisted")),
				byWebhook(`changewindows.firebreak.dev "unlisted"`, "spec.requestedBy: Forbidden: "+tc.who+persons))
			cannotRun(t, as(t, sam), "unlisted-run", outOfScope())
		})
	}
	t.Run("a user that is automation may not approve", func(t *testing.T) {
		w := requested(t, sam, window(t, "ci-word"))
		refused(t, as(t, "ci-deployer").Create(t.Context(), word(w, "ci-word", "")), byWebhook(`changeapprovals.firebreak.dev "ci-word"`,
			`spec.approver: Forbidden: user "ci-deployer" is not a person, and windows are approved by persons; let one approve it`))
		cannotRun(t, as(t, sam), "ci-word-run", unapproved(w, 0, 1, ""))
	})
}

// An Emergency window needs no approval beforehand, but a person who breaks the glass. A machine is not a person, and the person
// who controls its repository would need no approval at all.
func TestGitOpsBreaksNoGlass(t *testing.T) {
	listed(t)
	w := window(t, "shattered", func(w *v1alpha1.ChangeWindow) {
		w.Spec.Type, w.Spec.Subjects = v1alpha1.WindowEmergency, v1alpha1.Subjects{Users: []v1alpha1.Glob{sam}}
	})
	refused(t, minted(t, sam, "ci", "releaser").Create(t.Context(), w), byWebhook(`changewindows.firebreak.dev "shattered"`,
		`spec.requestedBy: Forbidden: service account "ci/releaser" is not a person, and only persons break the glass; let a person open it`))
	cannotRun(t, as(t, sam), "shattered-run", outOfScope())
}

// Breaking the glass needs a right of its own, and another person reviews it afterwards.
func TestWhoBreaksTheGlassIsLookedAtBySomebodyElse(t *testing.T) {
	emergency := func(name string) *v1alpha1.ChangeWindow {
		return window(t, name, func(w *v1alpha1.ChangeWindow) { w.Spec.Type = v1alpha1.WindowEmergency })
	}
	refused(t, as(t, sam).Create(t.Context(), emergency("glass-sam")), byPolicy(`changewindows.firebreak.dev "glass-sam"`, "emergency",
		"sam may not open Emergency windows in namespace payments: that needs the RBAC verb breakglass on changewindows.firebreak.dev"))
	cannotRun(t, as(t, sam), "glass-sam-run", outOfScope())
	w := requested(t, rene, emergency("glass"))
	refused(t, as(t, rene).Create(t.Context(), word(w, "glass", "")), byWebhook(`changeapprovals.firebreak.dev "glass"`,
		`spec.approver: Forbidden: user "rene" requested change window "glass", and nobody approves what they requested; ask another person who holds the verb approve on changewindows`))
}
