package insider

import (
	"errors"
	"fmt"
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

// Firebreak's own account writes the records, lifts freezes and edits the webhook configurations. sam and dana have the role admin
// in every namespace, including Firebreak's.
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
	for what, tc := range map[string]struct {
		reason string
		send   func(client.Client) error
		want   string
	}{
		"a token":                   {"asked for", token, weakens(`serviceaccounts/token "firebreak"`, "", takes)},
		"a Pod":                     {"a token is mounted into it", create(&corev1.Pod{ObjectMeta: meta, Spec: template.Spec}), weakens(`pods "shadow"`, "", runs)},
		"a StatefulSet":             {"it makes Pods", create(&appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{ServiceName: "x", Selector: selector, Template: template}}), weakens(`statefulsets.apps "shadow"`, "", runs)},
		"a DaemonSet":               {"it makes Pods", create(&appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}), weakens(`daemonsets.apps "shadow"`, "", runs)},
		"a Deployment of one's own": {"it makes Pods", create(&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}), weakens(`deployments.apps "shadow"`, "", runs)},
	} {
		for _, who := range []string{sam, dana} {
			t.Run(what+" by "+who, func(t *testing.T) {
				t.Log(tc.reason)
				refused(t, tc.send(as(t, who)), tc.want)
			})
		}
	}
	t.Run("a session in its Pod", func(t *testing.T) {
		pod := cluster.Pods.Pods()[0].Name
		err := kubectl(t, "exec", "-n", stage.Namespace, pod, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token")
		want := weakens(fmt.Sprintf("pods/exec %q", pod), "Exec", fmt.Sprintf("it opens a session in pods/exec %q, where Firebreak's own service account is", pod))
		if err == nil || !strings.Contains(plain(err.Error()), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	})
	t.Run("a Secret", func(t *testing.T) {
		refused(t, as(t, sam).Create(t.Context(), secret), weakens(`secrets "shadow"`, "", "it keeps a token of Firebreak's own service account"))
	})
}

// A user that may edit the objects around the server could answer in its place.
func TestNobodyTakesFirebreaksPlace(t *testing.T) {
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
		want   string
	}{
		"its Service": {"the webhooks are called through it", patch(&corev1.Service{ObjectMeta: meta("firebreak")}, `{"spec":{"selector":{"app":"shadow"}}}`),
			weakens(`services "firebreak"`, "Update", `it redirects services "firebreak", through which the API server reaches Firebreak`)},
		"its certificate": {"the webhooks are believed by it", patch(&corev1.Secret{ObjectMeta: meta("firebreak-webhook-cert")}, `{"data":{"shadow":"eA=="}}`),
			weakens(`secrets "firebreak-webhook-cert"`, "Update", "it writes a Secret of Firebreak's own namespace, where its certificate lies")},
		"a right of others": {"who edits there, takes it all", func(c client.Client) error {
			return c.Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta("mallory"), RoleRef: binding.RoleRef, Subjects: binding.Subjects})
		}, across(`rolebindings.rbac.authorization.k8s.io "mallory"`, `subjects[0] gives user "mallory" clusterrole "edit" in namespace "firebreak-system", Firebreak's own, which is guarded like production`)},
	} {
		for _, who := range []string{sam, dana} {
			t.Run(what+" by "+who, func(t *testing.T) {
				t.Log(tc.reason)
				err := tc.send(as(t, who))
				if err != nil {
					err = errors.New(strings.Replace(err.Error(), "broad.firebreak.dev", "core.firebreak.dev", 1)) // the chart decides which webhook it is
				}
				refused(t, err, tc.want)
			})
		}
	}
}
