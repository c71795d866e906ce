package insider

import (
	"fmt"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	aggregate = "rbac.authorization.k8s.io/aggregate-to-"
)

// across returns the refusal of a grant.
func across(object, says string) string {
	return byWebhook(object, "bind a member of a Production environment (GrantAcrossTiers: "+says+")")
}

// may returns a right on windows, and becomes the right to impersonate persons.
func may(verb string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{APIGroups: []string{"firebreak.dev"}, Resources: []string{"changewindows"}, Verbs: []string{verb}}}
}

func becomes() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}}}
}

func role(name, label string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	if label != "" {
		r.Labels = map[string]string{label: "true"}
	}
	return r
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

func group(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

func bound(name, role string, to rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: []rbacv1.Subject{to},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
}

// The developers' standing access is the role admin everywhere: a right that is aggregated into it is given to them.
func TestNobodyGetsTheRightToApproveByAggregation(t *testing.T) {
	refusal := across(`clusterroles.rbac.authorization.k8s.io "collected"`,
		`rules widen what binding "developers" gives group "developers" everywhere in the cluster, production included`)
	w := requested(t, sam, window(t, "aggregated"))
	for name, tc := range map[string]struct {
		reason, user, into string
		rules              []rbacv1.PolicyRule
		want               string
	}{
		"sam, who does not administer RBAC": {
			"RBAC refuses it first", sam, "admin", may("approve"),
			`clusterroles.rbac.authorization.k8s.io is forbidden: User "sam" cannot create resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope`,
		},
		"approve into admin":    {"the label is all that it takes", ray, "admin", may("approve"), refusal},
		"breakglass into admin": {"it needs no approval", ray, "admin", may("breakglass"), refusal},
		"all verbs into admin":  {"a wildcard includes approve", ray, "admin", may("*"), refusal},
		"approve into edit":     {"edit is aggregated into admin", ray, "edit", may("approve"), refusal},
		"approve into view":     {"view is aggregated into edit, and so into admin", ray, "view", may("approve"), refusal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, as(t, tc.user).Create(t.Context(), role("collected", aggregate+tc.into, tc.rules), client.DryRunAll), tc.want)
			cannotRun(t, as(t, sam), "aggregated-run", unapproved(w, 0, 1, ""))
		})
	}
}

// A user that may impersonate persons may approve as one of them, and admission does not see it. So the grant to a user that is not
// a member of production is refused, in whichever way it is made.
func TestNobodyOutsideProductionMayImpersonateItsPeople(t *testing.T) {
	binding := func(who string) string {
		return across(`clusterrolebindings.rbac.authorization.k8s.io "given"`, fmt.Sprintf(
			`subjects[0] gives %s clusterrole "become" everywhere in the cluster, production included`, who))
	}
	c := as(t, ray)
	bind := func(role string, to rbacv1.Subject) func() error {
		return func() error { return c.Create(t.Context(), bound("given", role, to), client.DryRunAll) }
	}
	patch := func(text string) func() error {
		return func() error {
			return c.Patch(t.Context(), role("empty", "", nil), client.RawPatch(types.MergePatchType, []byte(text)), client.DryRunAll)
		}
	}
	for name, tc := range map[string]struct {
		reason string
		send   func() error
		want   string
	}{
		"to a developer":               {"she is of the other side", bind("become", user(dana)), binding(`user "dana"`)},
		"to a group":                   {"it is of the other side", bind("become", group("developers")), binding(`group "developers"`)},
		"to whom no environment knows": {"unknown is never production", bind("become", user("mallory")), binding(`user "mallory"`)},
		"by widening a role that is bound": {
			"the binding was harmless when it was made", patch(`{"rules":[{"apiGroups":[""],"resources":["users"],"verbs":["impersonate"]}]}`),
			across(`clusterroles.rbac.authorization.k8s.io "empty"`, `rules widen what binding "empty" gives user "mallory" everywhere in the cluster, production included`),
		},
		"by the narrower verbs": {
			"they are the same power over fewer requests", bind("become-to-approve", user("mallory")),
			across(`clusterrolebindings.rbac.authorization.k8s.io "given"`, `subjects[0] gives user "mallory" clusterrole "become-to-approve" everywhere in the cluster, production included`),
		},
		"by a role that another one collects": {"an aggregationRule may name any label", func() error {
			return c.Create(t.Context(), role("given", "example.com/collect", becomes()), client.DryRunAll)
		}, across(`clusterroles.rbac.authorization.k8s.io "given"`, `rules widen what binding "collects" gives user "mallory" everywhere in the cluster, production included`)},
		"by collecting a role that is there": {
			"no rule is written", patch(`{"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"kubernetes.io/bootstrapping":"rbac-defaults"}}]}}`),
			across(`clusterroles.rbac.authorization.k8s.io "empty"`, `rules widen what binding "empty" gives user "mallory" everywhere in the cluster, production included`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, tc.send(), tc.want)
		})
	}
}

// A role and its binding, each harmless without the other, are sent at the same time.
func TestARoleAndItsBindingAtOnceAreNotBothAdmitted(t *testing.T) {
	c := as(t, ray)
	for i := range 40 {
		name := fmt.Sprintf("at-once-%d", i)
		var errs [2]error
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = c.Create(t.Context(), role(name, "", becomes())) })
		wg.Go(func() { errs[1] = c.Create(t.Context(), bound(name, name, user("mallory"))) })
		wg.Wait()
		if errs[0] == nil && errs[1] == nil {
			t.Errorf("role and binding %s are both admitted", name)
		}
	}
}

// sam has the verb approve, so RBAC lets sam grant it. Firebreak refuses the grant to a user that is not a member. A grant to sam's
// own group changes nothing for sam.
func TestTheRightToApproveIsNotBoundByTheInsider(t *testing.T) {
	w := requested(t, sam, window(t, "bound"))
	c := as(t, sam)
	binding := func(role string, to rbacv1.Subject) *rbacv1.RoleBinding {
		b := bound("given", role, to)
		return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "given", Namespace: "payments"}, RoleRef: b.RoleRef, Subjects: b.Subjects}
	}
	approve := func(who string) string {
		return across(`rolebindings.rbac.authorization.k8s.io "given"`, fmt.Sprintf(
			`subjects[0] gives %s clusterrole "firebreak-approve" in namespace "payments" of "production"`, who))
	}
	for name, tc := range map[string]struct {
		reason, role string
		to           rbacv1.Subject
		want         string
	}{
		"approve to a developer": {"she is of the other side", "firebreak-approve", user(dana), approve(`user "dana"`)},
		"approve to a stranger":  {"a second name of his own", "firebreak-approve", user("sam-too"), approve(`user "sam-too"`)},
		"approve to everybody":   {"himself included", "firebreak-approve", group("system:authenticated"), approve(`group "system:authenticated"`)},
		"breakglass to himself": {
			"RBAC lets nobody give what he has not", "firebreak-breakglass", user(sam),
			`rolebindings.rbac.authorization.k8s.io "given" is forbidden: user "sam" (groups=["sre" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:` +
				"\n" + `{APIGroups:["firebreak.dev"], Resources:["changewindows"], Verbs:["breakglass"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, c.Create(t.Context(), binding(tc.role, tc.to)), tc.want)
			cannotRun(t, c, "bound-run", unapproved(w, 0, 1, ""))
		})
	}
	t.Run("approve to his own group", func(t *testing.T) {
		if err := c.Create(t.Context(), binding("firebreak-approve", group("sre"))); err != nil {
			t.Fatal(err)
		}
		refused(t, c.Create(t.Context(), word(w, "bound", "")), own("bound", "bound"))
		cannotRun(t, c, "bound-run", unapproved(w, 0, 1, ""))
	})
}
