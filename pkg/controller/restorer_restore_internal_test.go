package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

// rendered is a registration with one webhook.
const rendered = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: firebreak, labels: {app: firebreak}, annotations: {cert: injected}}
webhooks:
- {name: core.firebreak.dev, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: Fail, clientConfig: {service: {name: firebreak, namespace: firebreak-system}}}
`

// guards is a stage with a restorer that guards one registration.
type guards struct {
	*stage
	server *RegistrationRestorer
	events *record.FakeRecorder
	series *prometheus.Registry
}

// guarding returns a stage whose registration is as it was installed; the ConfigMap, changed by change, names the installer.
func guarding(t *testing.T, change func(*corev1.ConfigMap)) *guards {
	t.Helper()
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "firebreak-registrations", Namespace: own, UID: "cm-1", Annotations: map[string]string{
			"meta.helm.sh/release-name": "firebreak", "meta.helm.sh/release-namespace": own, "other": "a",
		}},
		Data: map[string]string{registrations.Key: rendered},
	}
	if change != nil {
		change(cm)
	}
	g := &guards{stage: newStage(t, "", cm, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "firebreak", Namespace: own}}), events: record.NewFakeRecorder(1000), series: prometheus.NewRegistry()}
	g.server = NewRegistrationRestorer(g.memory, g.client, client.ObjectKeyFromObject(cm), client.ObjectKey{Namespace: own, Name: "firebreak"}, g.events, g.series, g.log())
	o := tree(t, rendered)
	o.SetLabels(map[string]string{"app": "firebreak", "team": "platform"})
	webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
	_ = unstructured.SetNestedField(webhooks[0].(map[string]any), "Y2E=", "clientConfig", "caBundle")
	_ = unstructured.SetNestedSlice(o.Object, webhooks, "webhooks")
	if err := g.client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	g.look("")
	g.calls = nil
	return g
}

// look checks once, and expects an error; want is empty for none.
func (g *guards) look(want string) {
	g.t.Helper()
	got := ""
	if err := g.server.once(g.t.Context()); err != nil {
		got = err.Error()
	}
	if got != want {
		g.t.Errorf("got %q, want %q", got, want)
	}
	g.now = g.now.Add(g.server.every)
}

func (g *guards) registration() *unstructured.Unstructured {
	g.t.Helper()
	o := tree(g.t, "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration}")
	if err := g.client.Get(g.t.Context(), client.ObjectKey{Name: "firebreak"}, o); err != nil {
		g.t.Fatal(err)
	}
	return o
}

// spoil changes the registration, as a person would.
func (g *guards) spoil(change func(*unstructured.Unstructured)) {
	g.t.Helper()
	o := g.registration()
	change(o)
	if err := g.client.Update(g.t.Context(), o); err != nil {
		g.t.Fatal(err)
	}
	g.calls = nil
}

func (g *guards) remove() {
	g.t.Helper()
	if err := g.client.Delete(g.t.Context(), g.registration()); err != nil {
		g.t.Fatal(err)
	}
	g.calls = nil
}

const (
	mend      = "update ValidatingWebhookConfiguration firebreak as firebreak-restorer with fields of unknown"
	handBack  = "update ValidatingWebhookConfiguration firebreak as firebreak-restorer with fields of helm"
	putBack   = "apply ValidatingWebhookConfiguration firebreak as helm"
	perSeries = "firebreak_registrations_restored_total kind=ValidatingWebhookConfiguration name=firebreak "
)

// A changed object is corrected in place at the second check, with its certificate and the additions of others.
func TestRestorerMends(t *testing.T) {
	hook := func(o *unstructured.Unstructured, f func(map[string]any)) {
		webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
		f(webhooks[0].(map[string]any))
		o.Object["webhooks"] = webhooks
	}
	for name, tc := range map[string]struct {
		spoil func(*unstructured.Unstructured)
		why   string
	}{
		"a policy that fails open": {func(o *unstructured.Unstructured) { hook(o, func(m map[string]any) { m["failurePolicy"] = "Ignore" }) }, "had changed it"},
		"a condition that never matches": {func(o *unstructured.Unstructured) {
			hook(o, func(m map[string]any) {
				m["matchConditions"] = []any{map[string]any{"name": "never", "expression": "false"}}
			})
		}, "had changed it"},
		"an annotation": {func(o *unstructured.Unstructured) { o.SetAnnotations(map[string]string{"mine": "b"}) }, "had changed its annotation cert"},
	} {
		t.Run(name, func(t *testing.T) {
			g := guarding(t, nil)
			g.spoil(tc.spoil)
			g.look("")
			g.wantCalls()
			g.wantLogged(`"msg"="the admission configuration is not what was installed" "kind"="ValidatingWebhookConfiguration" "name"="firebreak" "why"="` + tc.why + `"`)
			g.look("")
			g.wantCalls(mend, handBack)
			got := g.registration()
			want := tree(t, rendered)
			hook(want, func(m map[string]any) { _ = unstructured.SetNestedField(m, "Y2E=", "clientConfig", "caBundle") })
			if diff := cmp.Diff(want.Object["webhooks"], got.Object["webhooks"]); diff != "" {
				t.Errorf("its webhooks (-want +got):\n%s", diff)
			}
			if l, a := got.GetLabels(), got.GetAnnotations(); l["app"] != "firebreak" || l["team"] != "platform" || a["cert"] != "injected" || a["meta.helm.sh/release-name"] != "firebreak" || a["other"] != "" {
				t.Errorf("labels %v, annotations %v", l, a)
			}
			message := `Warning RegistrationRestored ValidatingWebhookConfiguration "firebreak" was put back: somebody ` + tc.why +
				". Set webhook.restore=false, or scale the Deployment to 0, if that is what you want."
			if event := <-g.events.Events; event != message || len(g.events.Events) > 0 {
				t.Errorf("Events: %s", event)
			}
			if diff := cmp.Diff([]string{perSeries + "1"}, metrics(t, g.series)); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
			g.look("")
			if g.has(handBack) > 0 {
				t.Errorf("it mends what is mended: %s", g.calls)
			}
		})
	}
}

// A deleted object is applied again as its installer would, with the annotations by which Helm knows its own objects.
func TestRestorerAppliesAsWhoInstalled(t *testing.T) {
	for name, tc := range map[string]struct {
		change      func(*corev1.ConfigMap)
		want        string
		annotations map[string]string
	}{
		"Helm": {nil, putBack, map[string]string{"cert": "injected", "meta.helm.sh/release-name": "firebreak", "meta.helm.sh/release-namespace": own}},
		"somebody by server-side apply": {func(cm *corev1.ConfigMap) {
			cm.Annotations = nil
			cm.ManagedFields = []metav1.ManagedFieldsEntry{
				{Manager: "kustomize-controller", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)},
				{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{}}`)},
			}
		}, "apply ValidatingWebhookConfiguration firebreak as kustomize-controller", map[string]string{"cert": "injected"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := guarding(t, tc.change)
			if diff := cmp.Diff([]string{perSeries + "0"}, metrics(t, g.series)); diff != "" {
				t.Errorf("metrics before (-want +got):\n%s", diff)
			}
			g.remove()
			g.look("")
			g.look("")
			g.wantCalls(tc.want)
			if diff := cmp.Diff(tc.annotations, g.registration().GetAnnotations()); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if event := <-g.events.Events; !strings.Contains(event, "was put back: somebody had deleted it. Set webhook.restore=false") {
				t.Errorf("Event: %s", event)
			}
		})
	}
}

// Attempts to restore an object that is changed again and again come later and later; one without webhooks does not stay so
// for long.
func TestRestorerIsPatient(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*unstructured.Unstructured)
		want  string
	}{
		"it is changed": {func(o *unstructured.Unstructured) { o.SetAnnotations(nil) }, "[8s 4s 4s 4s 4s 32s 1m0s 2m0s 4m0s 8m0s 10m0s 10m0s]"},
		"it is emptied": {func(o *unstructured.Unstructured) { o.Object["webhooks"] = []any{} }, "[8s 4s 4s 4s 4s 32s 32s 32s 32s 32s 32s 32s]"},
	} {
		t.Run(name, func(t *testing.T) {
			g := guarding(t, nil)
			var gaps []time.Duration
			for range 12 {
				g.spoil(tc.spoil)
				began := g.now
				for g.has(handBack) == 0 {
					g.look("")
					if g.now.Sub(began) > time.Hour {
						t.Fatalf("it is not mended within an hour, after %s", gaps)
					}
				}
				gaps = append(gaps, g.now.Sub(began))
			}
			if got := fmt.Sprint(gaps); got != tc.want {
				t.Errorf("it is mended after %s, want %s", got, tc.want)
			}
			g.now = g.now.Add(forgotten)
			g.spoil(tc.spoil)
			g.look("")
			g.look("")
			if g.has(handBack) == 0 { // half an hour later the earlier attempts no longer count
				t.Error("it is not mended at once")
			}
		})
	}
}

func TestRestorerThatFails(t *testing.T) {
	for call, tc := range map[string]struct {
		remove bool
		want   string
	}{
		"get ConfigMap firebreak-registrations":        {false, "the API server is away"},
		"get ValidatingWebhookConfiguration firebreak": {false, `read ValidatingWebhookConfiguration "firebreak": the API server is away`},
		"get Deployment firebreak":                     {true, "the API server is away"},
		putBack:                                        {true, `put ValidatingWebhookConfiguration "firebreak" back: the API server is away`},
		mend:                                           {false, `mend ValidatingWebhookConfiguration "firebreak": the API server is away`},
	} {
		t.Run(call, func(t *testing.T) {
			g := guarding(t, nil)
			if tc.remove {
				g.remove()
			} else {
				g.spoil(func(o *unstructured.Unstructured) { o.SetAnnotations(nil) })
			}
			g.look("")
			g.broken[call] = errBroken
			g.look(tc.want)
			if put := len(g.events.Events) > 0; put != strings.Contains(call, "ConfigMap") { // the objects that were read last still count
				t.Errorf("it says that it has put it back: %t", put)
			}
		})
	}
}

// A ConfigMap that cannot be read is an error, and the objects that were read last still count; newly rendered objects count
// at once.
func TestRestorerReads(t *testing.T) {
	g := guarding(t, nil)
	render := func(text string) {
		t.Helper()
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "firebreak-registrations", Namespace: own}, Data: map[string]string{registrations.Key: text}}
		if err := g.client.Update(t.Context(), cm); err != nil {
			t.Fatal(err)
		}
		g.calls = nil
	}
	g.look("")
	g.wantCalls() // nothing is tried again
	render("a: [")
	g.remove()
	const unreadable = `key "registrations.yaml" of ConfigMap "firebreak-registrations": document 1: error converting YAML to JSON: yaml: line 1: did not find expected node content`
	g.look(unreadable)
	g.look(unreadable)
	g.wantCalls(putBack)
	g.broken["try ValidatingWebhookConfiguration firebreak-as-stored as helm"] = errBroken
	render(strings.ReplaceAll(rendered, "failurePolicy: Fail", "failurePolicy: Ignore"))
	g.look(`try ValidatingWebhookConfiguration "firebreak": the API server is away`)
	g.broken = nil
	g.look("")
	g.wantCalls("try ValidatingWebhookConfiguration firebreak-as-stored as helm")
	g.look("")
	g.wantCalls(handBack, handBack) // the fields were Helm's
}

// The restorer runs in the leading replica alone, once everything was read, and logs what it cannot do.
func TestRestorerRuns(t *testing.T) {
	g := guarding(t, nil)
	var leads manager.LeaderElectionRunnable = g.server
	if !leads.NeedLeaderElection() || g.server.every != 4*time.Second {
		t.Errorf("every replica looks, or every %s", g.server.every)
	}
	g.server.every = 2 * time.Millisecond
	g.broken["get ConfigMap firebreak-registrations"] = errors.New("early")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.server.Start(ctx) }()
	time.Sleep(20 * time.Millisecond)
	g.mu.Lock()
	if len(g.logged) > 0 {
		t.Errorf("before everything was read it says %s", g.logged)
	}
	g.broken["get ConfigMap firebreak-registrations"] = errBroken
	g.mu.Unlock()
	g.synced()
	eventually(t, "a line of the log", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.logged) > 0 })
	g.wantLogged(`"msg"="could not look after the admission configuration; it is tried again" "error"="the API server is away"`)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
