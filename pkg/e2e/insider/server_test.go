package insider

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// Firebreak's own account writes the records, lifts freezes and edits the webhook configurations. sam and dana have the
// role admin in every namespace, Firebreak's included.
func TestNobodyTakesFirebreaksOwnAccount(t *testing.T) {
	const name = "firebreak"
	meta := metav1.ObjectMeta{Name: "shadow", Namespace: stage.Namespace}
	template := fixture.Job("").Spec.Template
	template.Labels = map[string]string{"app": "shadow"}
	template.Spec.Containers[0].Args, template.Spec.ServiceAccountName, template.Spec.RestartPolicy = nil, name, ""
	selector := &metav1.LabelSelector{MatchLabels: template.Labels}
	runs, takes := "it runs as Firebreak's own service account", "it takes a token of Firebreak's own service account"
	secret := &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeServiceAccountToken}
	secret.Annotations = map[string]string{corev1.ServiceAccountNameKey: name}
	token := func(c client.Client) error {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: stage.Namespace}}
		return c.SubResource("token").Create(t.Context(), account, &authenticationv1.TokenRequest{})
	}
	create := func(o client.Object) func(client.Client) error {
		return func(c client.Client) error { return c.Create(t.Context(), o) }
	}
	const left = "Requests for apps/deployments and replicasets in firebreak-system are not sent to Firebreak, so that it can be repaired (matchCondition not-firebreaks-own-workloads in " +
		"charts/firebreak/templates/webhooks.yaml, \"everything that could take its account\" is not meant), "
	for what, tc := range map[string]struct {
		reason     string
		send       func(client.Client) error
		want, hole string
	}{
		"a token":       {"asked for", token, weakens(`serviceaccounts/token "firebreak"`, "", takes), ""},
		"a Pod":         {"a token is mounted into it", create(&corev1.Pod{ObjectMeta: meta, Spec: template.Spec}), weakens(`pods "shadow"`, "", runs), ""},
		"a StatefulSet": {"it makes Pods", create(&appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{ServiceName: "x", Selector: selector, Template: template}}), weakens(`statefulsets.apps "shadow"`, "", runs), ""},
		"a DaemonSet":   {"it makes Pods", create(&appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}), weakens(`daemonsets.apps "shadow"`, "", runs), ""},
		"a Deployment of one's own": {
			"it makes Pods", create(&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}), open, left +
				"so sam and dana create a Deployment with serviceAccountName firebreak there, and its Pod runs with the account's token. The condition could name Firebreak's own Deployment",
		},
		"a session in its Pod": {"the token is a file there", func(client.Client) error {
			return kubectl(t, "exec", "-n", stage.Namespace, cluster.Pods.Pods()[0].Name, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token")
		}, open, "sam, and dana who is no member of production, may exec into Firebreak's Pods as far as RBAC goes: no rule judges sessions in Firebreak's own namespace, " +
			"which is Shared (Case.takesAccount and weakening pass CONNECT; Case.guarded knows no account of it: pkg/policy/rule_boundarytampering.go, rule_identityoutsideenvironment.go)"},
	} {
		for _, who := range []string{sam, dana} {
			t.Run(what+" by "+who, func(t *testing.T) {
				t.Log(tc.reason)
				tryOut(t, func() error { return tc.send(as(t, who)) }, tc.want, tc.hole)
			})
		}
	}
	t.Run("a Secret", func(t *testing.T) {
		want := weakens(`secrets "shadow"`, "", "it keeps a token of Firebreak's own service account")
		refused(t, as(t, sam).Create(t.Context(), secret), strings.Replace(want, "core.firebreak.dev", "broad.firebreak.dev", 1))
	})
}

// Who edits what stands around the server answers in its place.
func TestNobodyTakesFirebreaksPlace(t *testing.T) {
	const hole = "Firebreak's own namespace is Shared, and no rule guards what lies in it but its account: with the role admin there, sam and dana point its Service at a Pod of their own, " +
		"read and write the key of its certificate, and bind whom they like. Whoever answers the webhooks in its place admits everything. Case.guarded could make it production's: " +
		"only members write there, and only under a boundary window (pkg/policy/rule_identityoutsideenvironment.go, rule_boundarytampering.go)"
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: stage.Namespace} }
	patch := func(o client.Object, text string) func(client.Client) error {
		return func(c client.Client) error {
			return c.Patch(t.Context(), o, client.RawPatch("application/merge-patch+json", []byte(text)))
		}
	}
	binding := bound("mallory", "edit", user("mallory"))
	for what, tc := range map[string]struct {
		reason string
		send   func(client.Client) error
	}{
		"its Service":     {"the webhooks are called through it", patch(&corev1.Service{ObjectMeta: meta("firebreak")}, `{"spec":{"selector":{"app":"shadow"}}}`)},
		"its certificate": {"the webhooks are believed by it", patch(&corev1.Secret{ObjectMeta: meta("firebreak-webhook-cert")}, `{"data":{"shadow":"eA=="}}`)},
		"a right of others": {"who edits there, takes it all", func(c client.Client) error {
			return c.Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta("mallory"), RoleRef: binding.RoleRef, Subjects: binding.Subjects})
		}},
	} {
		for _, who := range []string{sam, dana} {
			t.Run(what+" by "+who, func(t *testing.T) {
				t.Log(tc.reason)
				tryOut(t, func() error { return tc.send(as(t, who)) }, open, hole)
			})
		}
	}
}
