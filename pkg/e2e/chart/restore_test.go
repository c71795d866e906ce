package chart

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// A user that may edit the admission configuration can switch Firebreak off for some seconds: Firebreak restores the configuration
// as installed.
func TestTheRegistrationsArePutBack(t *testing.T) {
	p := fixture.Everybody(t, the)
	for name, args := range map[string][]string{
		"the validating webhooks are deleted":        {"delete", "validatingwebhookconfiguration", "firebreak"},
		"the mutating webhook is deleted":            {"delete", "mutatingwebhookconfiguration", "firebreak"},
		"core is let pass when it fails":             {"patch", "validatingwebhookconfiguration", "firebreak", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`},
		"a namespace is left out by its label":       {"patch", "validatingwebhookconfiguration", "firebreak", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/objectSelector","value":{"matchLabels":{"judge":"me"}}}]`},
		"a policy is deleted":                        {"delete", "validatingadmissionpolicy", "firebreak-approver"},
		"a policy is bound to nothing":               {"delete", "validatingadmissionpolicybinding", "firebreak-status"},
		"a policy says something else":               {"patch", "validatingadmissionpolicy", "firebreak-executions", "--type=json", "-p", `[{"op":"replace","path":"/spec/validations","value":[{"expression":"true"}]}]`},
		"what keeps clouds from changing it is gone": {"annotate", "validatingwebhookconfiguration", "firebreak", "admissions.enforcer/disabled-"},
	} {
		t.Run(name, func(t *testing.T) {
			before := installed(t)
			if _, err := the.Kubectl(t.Context(), the.AdminConfig(), args...); err != nil {
				t.Fatal(err)
			}
			if installed(t) == before {
				t.Fatal("nothing has changed")
			}
			for deadline := time.Now().Add(30 * time.Second); installed(t) != before; time.Sleep(200 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("it was not put back:\n%s\nwant\n%s", installed(t), before)
				}
			}
		})
	}
	judges(t, p)
	for _, want := range []string{
		`firebreak_registrations_restored_total{kind="ValidatingWebhookConfiguration",name="firebreak"} 4`,
		`firebreak_registrations_restored_total{kind="ValidatingAdmissionPolicy",name="firebreak-approver"} 1`,
	} {
		if !strings.Contains(scrape(t), want) {
			t.Errorf("no metric says %s", want)
		}
	}
	var events corev1.EventList
	if err := p.Admin.List(t.Context(), &events, client.InNamespace(stage.Namespace)); err != nil {
		t.Fatal(err)
	}
	const want = `ValidatingAdmissionPolicy "firebreak-approver" was put back: somebody had deleted it. Set webhook.restore=false, or scale the Deployment to 0, if that is what you want.`
	found := false
	for _, e := range events.Items {
		found = found || e.Reason == "RegistrationRestored" && e.Message == want
	}
	if !found {
		t.Errorf("no Event says %s", want)
	}
	upgradesAfterwards(t)
}

// installed returns the admission configuration as it is, without the fields that differ each time it is created.
func installed(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, kind := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		text, err := the.Kubectl(t.Context(), the.AdminConfig(), "get", kind, "-o",
			`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.annotations.admissions\.enforcer/disabled} {.metadata.annotations.meta\.helm\.sh/release-name} {.metadata.labels} {.spec}{range .webhooks[*]} {.name} {.failurePolicy} {.objectSelector} {.matchConditions} {.rules} {.clientConfig.caBundle}{end}{"\n"}{end}`)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(text)
	}
	return out.String()
}

// judges waits until the webhook judges again. To do so, it needs a certificate.
func judges(t *testing.T, p *fixture.People) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		err := p.Developer.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "a-", Namespace: "dev"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x", Args: []string{"--host=orders.prod.db.example.com"}}}},
		})
		if err != nil && strings.Contains(err.Error(), "DataStoreAcrossTiers") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not judge: %v", err)
		}
	}
}

// upgradesAfterwards shows that restored objects still belong to the release, so that an upgrade may change them.
func upgradesAfterwards(t *testing.T) {
	t.Helper()
	if out, err := the.Upgrade(t.Context(), filepath.Join(the.Root, "charts", "firebreak"), "--set", "webhook.timeoutSeconds=7"); err != nil {
		t.Fatal(err, out)
	}
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	p := fixture.Everybody(t, the)
	if err := p.Admin.Get(t.Context(), client.ObjectKey{Name: "firebreak"}, &v); err != nil {
		t.Fatal(err)
	}
	if got := v.Webhooks[0].TimeoutSeconds; got == nil || *got != 7 {
		t.Errorf("timeoutSeconds is %v after an upgrade to 7", got)
	}
}

// An administrator who wants to remove Firebreak scales it to zero and deletes its webhooks; nothing brings them back.
func TestScaledToNothingNothingIsPutBack(t *testing.T) {
	p := fixture.Everybody(t, the)
	scale := func(n int) {
		t.Helper()
		if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "scale", "deployment", "firebreak", "-n", stage.Namespace, fmt.Sprintf("--replicas=%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	scale(0)
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", "firebreak"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(15 * time.Second)
	var v admissionregistrationv1.ValidatingWebhookConfigurationList
	if err := p.Admin.List(t.Context(), &v); err != nil || len(v.Items) > 0 {
		t.Errorf("%d registrations are back: %v", len(v.Items), err)
	}
	scale(1)
	judges(t, p)
}

// Firebreak restores what the ConfigMap says with its own rights, so only a user with those rights may write the ConfigMap.
func TestWhatIsPutBackIsNobodyElsesToWrite(t *testing.T) {
	for _, args := range [][]string{
		{"patch", "configmap", "firebreak-registrations", "--type=merge", "-p", `{"data":{"registrations.yaml":""}}`},
		{"delete", "configmap", "firebreak-registrations"},
	} {
		_, err := the.Kubectl(t.Context(), the.UserConfig(stage.Developer), append(args, "-n", stage.Namespace)...)
		const want = "dana may not write what Firebreak puts back: that needs the RBAC verb create on validatingwebhookconfigurations and mutatingwebhookconfigurations of admissionregistration.k8s.io"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("kubectl %s: %v, want %q", args[0], err, want)
		}
	}
}

// A user that may impersonate service accounts can use the names of those that may write anything, and of Firebreak's own.
func TestABorrowedNameWritesNothing(t *testing.T) {
	const collector = "--as=system:serviceaccount:kube-system:generic-garbage-collector"
	const putBack = "may not write what Firebreak puts back: that needs the RBAC verb create on"
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"what is put back, as the garbage collector": {[]string{"patch", "configmap", "firebreak-registrations", "-n", stage.Namespace, "--type=merge", "-p", `{"data":{"registrations.yaml":""}}`, collector}, putBack},
		"its deletion, as the garbage collector":     {[]string{"delete", "configmap", "firebreak-registrations", "-n", stage.Namespace, collector}, putBack},
		"what is declared, as the garbage collector": {[]string{"patch", "configmap", "firebreak-estate", "-n", stage.Namespace, "--type=merge", "-p", `{"data":{"estate.yaml":"environments: {}"}}`, collector}, "may not write the declared estate"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := the.Kubectl(t.Context(), the.AdminConfig(), tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestABorrowedNameIsNotFirebreak(t *testing.T) {
	cfg := the.AdminConfig()
	cfg.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:firebreak-system:firebreak"}
	c, err := the.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	production := func() *v1alpha1.Environment {
		return &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}}
	}
	err = c.Patch(t.Context(), production(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"enforcement":{"default":"Audit"}}}`)))
	const own = "this is Firebreak's own service account, impersonated or by a long-lived token; act as yourself"
	if err == nil || !strings.Contains(err.Error(), own) {
		t.Errorf("an environment: got %v, want %q", err, own)
	}
	err = c.Status().Patch(t.Context(), production(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"namespaces":0}}`)))
	if err == nil || !strings.Contains(err.Error(), "only Firebreak writes the status of its kinds") {
		t.Errorf("a status: got %v", err)
	}
}

// If a hurried operator rolls back, the older revision holds and is not undone.
func TestARollbackIsNotUndone(t *testing.T) {
	p := fixture.Everybody(t, the)
	timeout := func() int32 {
		t.Helper()
		var v admissionregistrationv1.ValidatingWebhookConfiguration
		if err := p.Admin.Get(t.Context(), client.ObjectKey{Name: "firebreak"}, &v); err != nil {
			t.Fatal(err)
		}
		return *v.Webhooks[0].TimeoutSeconds
	}
	chart := filepath.Join(the.Root, "charts", "firebreak")
	for _, seconds := range []string{"8", "9"} {
		if out, err := the.Upgrade(t.Context(), chart, "--set", "webhook.timeoutSeconds="+seconds); err != nil {
			t.Fatal(err, out)
		}
	}
	if out, err := the.Helm(t.Context(), "rollback", "firebreak", "-n", stage.Namespace); err != nil {
		t.Fatal(err, out)
	}
	time.Sleep(15 * time.Second) // Firebreak looks three times
	if got := timeout(); got != 8 {
		t.Errorf("timeoutSeconds is %d after a rollback to 8", got)
	}
	judges(t, p)
}
