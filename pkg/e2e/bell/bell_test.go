package bell

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

//nolint:gochecknoglobals // one control plane and its receivers serve the tests of this package
var (
	the  *stage.Stage
	here *receivers
)

const values = `bell:
  enabled: true
  secret: addresses
  link: https://firebreak.example.com
  targets:
  - {name: hook}
  - {name: mail, environments: [production], notices: [requested, approved, frozen, lifted]}
  - {name: events, namespaces: ["pay*"]}
  - {name: alerts, notices: [emergency]}
`

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bell-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if here, err = receive(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		for _, end := range here.end {
			end()
		}
	}()
	file := filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return fixture.Main(m, stage.Options{Replicas: 3, Files: []string{file}, Before: addressed}, &the, func(ctx context.Context, s *stage.Stage) error {
		return s.Apply(ctx, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: freezers}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-freeze}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: glass}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-breakglass}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}]}
`)
	})
}

// addressed creates the Secret with the addresses before Firebreak is installed.
func addressed(ctx context.Context, s *stage.Stage) error {
	c, err := s.Client(s.AdminConfig())
	if err != nil {
		return err
	}
	if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: stage.Namespace}}); err != nil {
		return err
	}
	return c.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: stage.Namespace, Name: "addresses"}, StringData: here.addresses})
}

// ask requests a window as sam, with a reason that holds a credential.
func ask(t *testing.T, people *fixture.People, name string) *v1alpha1.ChangeWindow {
	t.Helper()
	w, err := fixture.Window(name, name+"-", 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Spec.Reason = "rebuild postgres://u:hunter22@db/orders"
	if err := people.SRE.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return w
}

// once waits until a message has arrived, and expects that it has not arrived twice.
func once(t *testing.T, s *sink, says string) string {
	t.Helper()
	await.True(t, "a message says "+says, func() bool { return len(s.of(says)) > 0 })
	if all := s.of(says); len(all) != 1 {
		t.Errorf("%d messages say %q: %q", len(all), says, all)
	}
	return s.of(says)[0]
}

// From the request to the approval: who is told what, in which form.
func TestEachMessageOnce(t *testing.T) {
	people := fixture.Everybody(t, the)
	w := ask(t, people, "told")
	const asks = "sam asks for a change in production: payments/told"
	hook, mail := once(t, here.hook, asks), once(t, here.mail, asks)
	if !strings.HasPrefix(hook, "POST /hooks/s3cr3t application/json ") || !strings.Contains(hook, "kubectl firebreak approve told -n payments") {
		t.Errorf("the receiver is told %q", hook)
	}
	for _, m := range []string{hook, mail} {
		if strings.Contains(m, "hunter22") || strings.Contains(m, "orders.prod.db") {
			t.Errorf("a credential or text of a plan is in %q", m)
		}
	}
	var event cloudevents.Event
	if _, raw, _ := strings.Cut(once(t, here.events, `"notice":{"kind":"requested"`), "{"); json.Unmarshal([]byte("{"+raw), &event) != nil || event.Type() != "dev.firebreak.notice.requested" || event.Subject() != "payments/told" || event.Validate() != nil {
		t.Errorf("no CloudEvent: %v", event)
	}
	await.True(t, "it is approved", func() bool {
		return people.SecondSRE.Create(t.Context(), fixture.Word(w, v1alpha1.DecisionApprove)) == nil
	})
	for _, s := range []*sink{here.hook, here.mail} {
		once(t, s, "Approved: payments/told in production")
	}
	await.True(t, "an Event tells of the request", func() bool {
		var events corev1.EventList
		if err := people.Admin.List(t.Context(), &events, client.InNamespace("payments")); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
			return e.Reason == "NoticeRequested" && e.InvolvedObject.Name == "told" && e.Message == asks
		})
	})
}

// A freeze, its end, and an emergency.
func TestFreezeAndEmergency(t *testing.T) {
	people := fixture.Everybody(t, the)
	freeze := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "trading"}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Reason: "Christmas trading"}}
	if err := people.SecondSRE.Create(t.Context(), freeze); err != nil {
		t.Fatal(err)
	}
	once(t, here.mail, "production is frozen")
	if err := people.SecondSRE.Delete(t.Context(), freeze); err != nil {
		t.Fatal(err)
	}
	once(t, here.mail, "production is not frozen any more by trading")
	emergency, err := fixture.Window("glass", "rescue-", 1)
	if err != nil {
		t.Fatal(err)
	}
	emergency.Spec.Type, emergency.Spec.Plan, emergency.Spec.MaxExecutions = v1alpha1.WindowEmergency, nil, nil
	if err := people.SRE.Create(t.Context(), emergency); err != nil {
		t.Fatal(err)
	}
	if alert := once(t, here.alerts, "sam broke the glass in production: payments/glass"); !strings.Contains(alert, `"alertname":"FirebreakNotice"`) || !strings.HasPrefix(alert, "POST /api/v2/alerts ") {
		t.Errorf("no alert: %q", alert)
	}
}

// leader returns the identity of the replica that leads.
func leader(t *testing.T) string {
	t.Helper()
	out, err := the.Kubectl(t.Context(), the.AdminConfig(), "get", "lease", "firebreak", "-n", stage.Namespace, "-o", "jsonpath={.spec.holderIdentity}")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// Neither another leader nor a restart of all replicas repeats or loses a message.
func TestOverRestarts(t *testing.T) {
	people := fixture.Everybody(t, the)
	ask(t, people, "before")
	once(t, here.hook, "payments/before")
	old, asked := leader(t), []string{"before", "between"}
	for _, pod := range the.Pods.Pods() { // the identity does not say which of them leads
		if leader(t) == old {
			if err := the.Pods.Kill(pod.Name); err != nil {
				t.Fatal(err)
			}
			name := "during-" + pod.Name[len(pod.Name)-5:]
			asked = append(asked, name)
			ask(t, people, name)
			time.Sleep(2 * time.Second)
		}
	}
	await.True(t, "another leads", func() bool { l := leader(t); return l != "" && l != old })
	await.True(t, "all replicas are ready again", func() bool { return the.Ready(t.Context()) == nil })
	ask(t, people, "between")
	once(t, here.hook, "payments/between")
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "rollout", "restart", "deployment/firebreak", "-n", stage.Namespace); err != nil {
		t.Fatal(err)
	}
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "rollout", "status", "deployment/firebreak", "-n", stage.Namespace, "--timeout=2m"); err != nil {
		t.Fatal(err)
	}
	ask(t, people, "after")
	once(t, here.hook, "payments/after")
	for _, name := range asked {
		once(t, here.hook, "sam asks for a change in production: payments/"+name)
	}
}

// A minute in which nobody answers loses nothing, and nothing is denied for it.
func TestNobodyAnswers(t *testing.T) {
	people := fixture.Everybody(t, the)
	for _, s := range []*sink{here.hook, here.mail} {
		s.down.Store(true)
	}
	began := time.Now()
	for i := range 5 {
		ask(t, people, fmt.Sprintf("silent-%d", i))
	}
	await.True(t, "both were asked", func() bool { return here.hook.whileDown() > 0 && here.mail.whileDown() > 0 })
	once(t, here.events, `"object":"silent-4"`) // the others do not wait for them
	time.Sleep(time.Until(began.Add(time.Minute)))
	for _, s := range []*sink{here.hook, here.mail} {
		s.down.Store(false)
	}
	for i := range 5 {
		for _, s := range []*sink{here.hook, here.mail} {
			once(t, s, fmt.Sprintf("sam asks for a change in production: payments/silent-%d", i))
		}
	}
}
