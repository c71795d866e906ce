package controlplane

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// The subtests use one control plane, one after the other.
func TestControlPlane(t *testing.T) {
	c := ForTest(t, Options{Users: []User{
		{Name: "oidc:bob", UID: "u-1", Groups: []string{"sre", "release-managers"}},
		{Name: "oidc:ann"},
	}})
	t.Run("requests are those of the user they are sent as", func(t *testing.T) { testIdentities(t, c) })
	t.Run("a service account has a token that counts as genuine", func(t *testing.T) { testServiceAccount(t, c) })
	t.Run("RBAC is on", func(t *testing.T) { testRBAC(t, c) })
	t.Run("kubectl works with a kubeconfig file", func(t *testing.T) { testKubectl(t, c) })
	t.Run("a Job completes", func(t *testing.T) { testJob(t, c) })
	t.Run("a Deployment's Pod becomes ready, and takes commands", func(t *testing.T) { testDeployment(t, c) })
	t.Run("a restarted API server has kept its data", func(t *testing.T) { testRestart(t, c) })
}

func testIdentities(t *testing.T, c *ControlPlane) {
	type user struct {
		Name, UID string
		Groups    []string
	}
	for name, test := range map[string]struct {
		reason string
		config *rest.Config
		want   user
	}{
		"a token user": {
			reason: "its UID and groups are those of the options",
			config: c.UserConfig("oidc:bob"),
			want:   user{"oidc:bob", "u-1", []string{"sre", "release-managers", "system:authenticated"}},
		},
		"a token user without UID and groups": {
			reason: "both are optional",
			config: c.UserConfig("oidc:ann"),
			want:   user{"oidc:ann", "", []string{"system:authenticated"}},
		},
		"a token user with other groups": {
			reason: "groups that are given replace those of the options, which takes a certificate",
			config: c.UserConfig("oidc:bob", "dba"),
			want:   user{"oidc:bob", "", []string{"dba", "system:authenticated"}},
		},
		"a user that nobody listed": {
			reason: "anybody can be had by certificate",
			config: c.UserConfig("system:node:elsewhere", "system:nodes"),
			want:   user{"system:node:elsewhere", "", []string{"system:nodes", "system:authenticated"}},
		},
		"the administrator": {
			reason: "it has every right by its group",
			config: c.AdminConfig(),
			want:   user{"kubernetes-admin", "", []string{"system:masters", "system:authenticated"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := whoIs(t, test.config)
			got := user{u.Username, u.UID, u.Groups}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", test.reason, diff)
			}
		})
	}
	t.Run("a name that no certificate can hold", func(t *testing.T) {
		_, err := clientFor(t, c.UserConfig("\xff")).AuthenticationV1().SelfSubjectReviews().
			Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err == nil {
			t.Error("the request has somehow been made")
		}
	})
}

func testServiceAccount(t *testing.T, c *ControlPlane) {
	config, err := c.ServiceAccountConfig(t.Context(), "default", "default")
	if err != nil {
		t.Fatal(err)
	}
	u := whoIs(t, config)
	if u.Username != "system:serviceaccount:default:default" || u.UID == "" || len(u.Extra["authentication.kubernetes.io/credential-id"]) == 0 {
		t.Errorf("got %+v, want the service account with its UID and a credential id", u)
	}
	if _, err := c.ServiceAccountConfig(t.Context(), "default", "missing"); !apierrors.IsNotFound(err) {
		t.Errorf("the token of a service account that does not exist: got %v, want NotFound", err)
	}
}

func testRBAC(t *testing.T, c *ControlPlane) {
	_, err := clientFor(t, c.UserConfig("oidc:bob")).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a user without a role reads Secrets: got %v, want Forbidden", err)
	}
}

func testKubectl(t *testing.T, c *ControlPlane) {
	got := kubectl(t, c, c.UserConfig("oidc:ann"), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if got != "oidc:ann" {
		t.Errorf("kubectl auth whoami says %q, want oidc:ann", got)
	}
	if got := kubectl(t, c, c.AdminConfig(), "config", "view", "--minify", "-o", "jsonpath={..namespace}"); got != "shop" {
		t.Errorf("the default namespace is %q, want shop", got)
	}
}

func testJob(t *testing.T, c *ControlPlane) {
	admin := clientFor(t, c.AdminConfig())
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "hello", Namespace: "default"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: "example.com/hello"}},
		}}},
	}
	if _, err := admin.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.NoError(t, "the Job to complete", func() error {
		got, err := admin.BatchV1().Jobs("default").Get(t.Context(), "hello", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range got.Status.Conditions {
			if condition.Type == batchv1.JobComplete && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.New(got.Status.String())
	})
}

func testDeployment(t *testing.T, c *ControlPlane) {
	admin := c.AdminConfig()
	kubectl(t, c, admin, "create", "namespace", "shop")
	kubectl(t, c, admin, "create", "deployment", "cart", "--image=example.com/cart")
	kubectl(t, c, admin, "wait", "deployment/cart", "--for=condition=Available", "--timeout=60s")
	if got := kubectl(t, c, admin, "exec", "deployment/cart", "--", "echo", "hi"); got != "hi\n" {
		t.Errorf("exec prints %q, want hi", got)
	}
	if got := kubectl(t, c, admin, "logs", "deployment/cart"); !strings.Contains(got, "simulated") {
		t.Errorf("logs print %q, want the text of a simulated container", got)
	}
}

func testRestart(t *testing.T, c *ControlPlane) {
	admin := clientFor(t, c.AdminConfig())
	before, err := admin.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old := c.component("kube-apiserver").pid()
	if err := c.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := admin.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if before.UID != after.UID {
		t.Error("the default namespace is another one after the restart")
	}
	if old == c.component("kube-apiserver").pid() {
		t.Error("the API server is the same process as before")
	}
}
