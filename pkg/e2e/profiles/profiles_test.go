package profiles

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// start installs a profile with only the additions that its readers are told to make: a data store, and the users that are not
// persons.
func start(t *testing.T, profile string) (*stage.Stage, *fixture.People) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	yours := filepath.Join(t.TempDir(), "yours.yaml")
	if err := os.WriteFile(yours, []byte(`
environments: {production: {identities: {automation: ["ci-*"]}}}
dataStores: {orders: {environment: production, hosts: [orders.prod.db.example.com]}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := stage.Start(t.Context(), stage.Options{
		Files: []string{filepath.Join(root, "charts", "firebreak", "profiles", profile+".yaml"), yours},
		Before: func(ctx context.Context, s *stage.Stage) error {
			if err := s.Staff(ctx); err != nil {
				return err
			}
			return s.Apply(ctx, machines)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	p := fixture.Everybody(t, s)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(250 * time.Millisecond) {
		var e v1alpha1.Environment
		var d v1alpha1.DataStore
		if p.Admin.Get(t.Context(), client.ObjectKey{Name: "production"}, &e) == nil && e.Status.DataStores == 1 && e.Status.Namespaces == 1 &&
			p.Admin.Get(t.Context(), client.ObjectKey{Name: "orders"}, &d) == nil && d.Status.Tier == v1alpha1.TierProduction {
			return s, p
		}
		if time.Now().After(deadline) {
			t.Fatalf("the estate of profile %s is not in force after a minute: %+v", profile, e.Status)
		}
	}
}

// reaching is a Pod of development that names production's database.
func reaching() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "reaching-", Namespace: "dev"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x", Args: []string{"--host=orders.prod.db.example.com"}}}},
	}
}

// job is a Job that a machine sends to production. arg may make it name the database.
func job(arg string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "job-", Namespace: "prod"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "a", Image: fixture.Image, Args: []string{arg}}},
		}}},
	}
}

const (
	routine     = "--report"
	maintenance = "--host=orders.prod.db.example.com"
)

func robot(t *testing.T, s *stage.Stage) client.Client {
	t.Helper()
	c, err := s.Client(s.UserConfig("ci-deployer"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func refused(t *testing.T, what string, err error, want string) {
	t.Helper()
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want it refused with %q", what, err, want)
	}
}

func admitted(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v, want it admitted", what, err)
	}
}

// The profile observe refuses nothing, and only records what it would refuse.
func TestObserve(t *testing.T) {
	s, p := start(t, "observe")
	admitted(t, "a Pod of development that names production's database", p.Developer.Create(t.Context(), reaching()))
	admitted(t, "maintenance", p.SRE.Create(t.Context(), job(maintenance)))
	admitted(t, "an outsider in production", p.Developer.Create(t.Context(), job(routine)))
	// It refuses nothing in development either.
	admitted(t, "a right of development given to production", p.Admin.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "across", Namespace: "dev"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "prod", Name: "default"}},
	}))
	confirmed := reaching()
	confirmed.Annotations = map[string]string{v1alpha1.AnnotationTargetEnvironment: "production"}
	admitted(t, "what was meant for production, in development", p.Developer.Create(t.Context(), confirmed))
	metrics := findings(t, s)
	for _, want := range []string{
		`rule="ChangeWindowRequired"`, `rule="DataStoreAcrossTiers"`, `rule="IdentityOutsideEnvironment"`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no metric records %s:\n%s", want, metrics)
		}
	}
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "firebreak_findings_total") && !strings.Contains(line, `action="Audit"`) {
			t.Errorf("more than recorded: %s", line)
		}
	}
}

// The profile standard keeps production and non-production apart, and recognised maintenance needs an approved window.
func TestStandard(t *testing.T) {
	s, p := start(t, "standard")
	refused(t, "a Pod of development that names production's database", p.Developer.Create(t.Context(), reaching()),
		`DataStoreAcrossTiers: args[0] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"`)
	refused(t, "an outsider in production", p.Developer.Create(t.Context(), job(routine)), "IdentityOutsideEnvironment: user \"dana\" is not a member")
	refused(t, "maintenance", robot(t, s).Create(t.Context(), job(maintenance)), "ChangeWindowRequired: this is maintenance in \"production\"")
	admitted(t, "a machine's Job that is none", robot(t, s).Create(t.Context(), job(routine)))
	admitted(t, "a machine that nobody has listed, with a warning", platform(t, s).Create(t.Context(), note()))
}

// The profile strict refuses everything that can be refused. Every Job in production needs a window, which two persons approve.
func TestStrict(t *testing.T) {
	s, p := start(t, "strict")
	refused(t, "a Pod of development that names production's database", p.Developer.Create(t.Context(), reaching()), "DataStoreAcrossTiers: ")
	refused(t, "a machine's Job that is no maintenance anywhere else", robot(t, s).Create(t.Context(), job(routine)),
		"request a window: kubectl firebreak request -f MANIFEST -n prod --for-user ci-deployer (ChangeWindowRequired: ")
	var bare v1alpha1.ChangeWindow
	w, err := fixture.Window("bare", "job-", 1)
	if err != nil {
		t.Fatal(err)
	}
	w.DeepCopyInto(&bare)
	bare.Namespace = "prod"
	if err := p.SRE.Create(t.Context(), &bare); err == nil || !strings.Contains(err.Error(), `spec.rollback: Required value: environment "production" requires that a window says how it is undone`) {
		t.Errorf("a window that does not say how it is undone: %v", err)
	}
	refused(t, "a machine that nobody has listed", platform(t, s).Create(t.Context(), note()), `IdentityOutsideEnvironment: service account "platform/robot" is not a member`)
}

// platform is a machine of the platform that no Environment lists, and that has rights in production.
func platform(t *testing.T, s *stage.Stage) client.Client {
	t.Helper()
	token, err := s.Kubectl(t.Context(), s.AdminConfig(), "create", "token", "robot", "-n", "platform")
	if err != nil {
		t.Fatal(err)
	}
	cfg := rest.AnonymousClientConfig(s.AdminConfig())
	cfg.BearerToken = strings.TrimSpace(token)
	c, err := s.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func note() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "note-", Namespace: "prod"}}
}

const machines = `
{apiVersion: v1, kind: Namespace, metadata: {name: prod}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: platform}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: platform}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: configures, namespace: prod}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: configures, namespace: prod}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: configures}
subjects: [{kind: ServiceAccount, name: robot, namespace: platform}]
`

// findings returns the metric that counts findings.
func findings(t *testing.T, s *stage.Stage) string {
	t.Helper()
	metrics, err := s.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "firebreak_findings_total") {
			out.WriteString(line)
		}
	}
	return out.String()
}
