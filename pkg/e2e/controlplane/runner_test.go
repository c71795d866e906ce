package controlplane

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// runnerTest is a Deployment of test servers and its runner.
type runnerTest struct {
	plane  *ControlPlane
	runner *PodRunner
	admin  kubernetes.Interface
}

const replicas = 2

// The subtests use one Deployment, one after the other, and leave it as it was.
func TestPodRunner(t *testing.T) {
	r := newRunnerTest(t)
	t.Run("the balancer listens, and refuses, before any Pod is ready", r.testNoBackend)
	r.deploy(t)
	t.Run("Pods are ready for the balancer and for the API", r.testReady)
	t.Run("a Pod has its environment, its service account and its volumes", r.testInside)
	t.Run("volumes follow their objects", r.testVolumeUpdate)
	t.Run("the API server reaches the Pods through their Service", r.testWebhook)
	t.Run("a Pod that is not ready gets no connections", r.testUnready)
	t.Run("a killed process is started again", r.testKill)
	t.Run("a process that fails its liveness probe is started again", r.testLiveness)
	t.Run("a deleted Pod ends gracefully and is replaced", r.testDelete)
	t.Run("a rollout replaces every Pod", r.testRollout)
	t.Run("Pods of others are left alone", r.testOthers)
	t.Run("only one runner plays a node", r.testOneRunner)
	t.Run("Pods survive a restart of the API server", r.testAPIServerRestart)
	t.Run("a stopped runner leaves no process", r.testStop)
}

func newRunnerTest(t *testing.T) *runnerTest {
	c := ForTest(t, Options{})
	admin := clientFor(t, c.AdminConfig())
	runner, err := c.RunPods(t.Context(), RunnerOptions{
		Namespace: "shop", Deployment: "guard",
		Images: map[string]string{"example.com/": "/bin/false", "example.com/guard": os.Args[0]},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(runner.Logs())
		}
	})
	return &runnerTest{plane: c, runner: runner, admin: admin}
}

// deploy applies testdata/guard.yaml, with a certificate.
func (r *runnerTest) deploy(t *testing.T) {
	t.Helper()
	pair, err := r.plane.pki.ca.server([]string{"guard.shop.svc"}, net.ParseIP("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, r.plane, r.plane.AdminConfig(), "create", "namespace", "shop")
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "guard-tls"},
		Data:       map[string][]byte{"tls.crt": pair.cert, "tls.key": pair.key},
	}
	if _, err := r.admin.CoreV1().Secrets("shop").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	kubectl(t, r.plane, r.plane.AdminConfig(), "apply", "-f", "testdata/guard.yaml")
	r.settle(t)
}

// settle waits until exactly the wanted Pods run and are ready, and returns them.
func (r *runnerTest) settle(t *testing.T) []RunningPod {
	t.Helper()
	var pods []RunningPod
	await.NoError(t, "the Pods to settle", func() error {
		pods = r.runner.Pods()
		for _, p := range pods {
			if !p.Ready || p.PID == 0 {
				return fmt.Errorf("Pod %s is not ready:\n%s", p.Name, r.runner.describe())
			}
		}
		if len(pods) != replicas {
			return fmt.Errorf("%d Pods run", len(pods))
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.runner.WaitReady(ctx, replicas); err != nil {
		t.Fatal(err)
	}
	return pods
}

func (r *runnerTest) testNoBackend(t *testing.T) {
	if _, err := get(r.runner.Address(), "/name"); err == nil {
		t.Error("something answers")
	}
}

func (r *runnerTest) testReady(t *testing.T) {
	seen := map[string]bool{}
	await.NoError(t, "both Pods to answer", func() error {
		name, err := get(r.runner.Address(), "/name")
		seen[name] = true
		if err == nil && len(seen) < replicas {
			err = fmt.Errorf("%v answered", seen)
		}
		return err
	})
	for _, p := range r.settle(t) {
		if !seen[p.Name] {
			t.Errorf("Pod %s is not among those that answered: %v", p.Name, seen)
		}
		pod, err := r.admin.CoreV1().Pods("shop").Get(t.Context(), p.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if pod.Status.Phase != corev1.PodRunning || !hasCondition(pod, corev1.PodReady) || toLocal(pod.Status.PodIP+":1") != p.IP+":1" {
			t.Errorf("the API shows status %+v for a Pod at %s", pod.Status, p.IP)
		}
	}
	await.NoError(t, "the Service's EndpointSlice", func() error { return r.endpoints(t, replicas) })
	kubectl(t, r.plane, r.plane.AdminConfig(), "wait", "deployment/guard", "--for=condition=Available", "--timeout=60s")
}

func (r *runnerTest) endpoints(t *testing.T, want int) error {
	slices, err := r.admin.DiscoveryV1().EndpointSlices("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := 0
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if ptr.Deref(endpoint.Conditions.Ready, false) {
				ready++
			}
		}
	}
	if ready != want {
		return fmt.Errorf("%d endpoints are ready, want %d", ready, want)
	}
	return nil
}

func (r *runnerTest) testInside(t *testing.T) {
	p := r.settle(t)[0]
	at := net.JoinHostPort(p.IP, "9443")
	for path, want := range map[string]string{
		"/whoami":              "system:serviceaccount:shop:guard in Pod [" + p.Name + "]",
		"/greeting":            "hello",
		"/env?name=POD_IP":     p.IP,
		"/env?name=FROM_MAP":   "hello, local-0",
		"/env?name=LITERAL":    "$(POD_IP)",
		"/env?name=UNKNOWN":    "$(NO_SUCH)",
		"/env?name=MEMORY":     "64",
		"/env?name=ALL_tone":   "polite",
		"/env?name=MISSING":    "",
		"/env?name=TIER_LABEL": "front",
	} {
		if got, err := get(at, path); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%s: got %q (%v), want %q", path, got, err, want)
		}
	}
	if got, _ := get(at, "/env?name=CACHE"); !strings.HasPrefix(got, r.plane.Dir()) || !strings.HasSuffix(got, "/cache/entries") {
		t.Errorf("the path in the emptyDir volume is %q, want one in the scratch folder", got)
	}
}

func (r *runnerTest) testVolumeUpdate(t *testing.T) {
	patch := []byte(`{"data":{"greeting":"good evening"}}`)
	if _, err := r.admin.CoreV1().ConfigMaps("shop").Patch(t.Context(), "guard", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	await.NoError(t, "the new greeting", func() error {
		got, err := get(r.runner.Address(), "/greeting")
		if err == nil && got != "good evening" {
			err = fmt.Errorf("the greeting is %q", got)
		}
		return err
	})
}

func (r *runnerTest) testWebhook(t *testing.T) {
	webhook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "guard"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "guard.example.com",
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "default"}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				CABundle: r.plane.pki.ca.pem.cert,
				Service:  &admissionregistrationv1.ServiceReference{Namespace: "shop", Name: "guard", Path: ptr.To("/deny")},
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	}
	configurations := r.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if _, err := configurations.Create(t.Context(), webhook, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.NoError(t, "the webhook to deny", func() error {
		_, err := r.admin.CoreV1().ConfigMaps("default").Create(t.Context(),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "refused-"}}, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), `admission webhook "guard.example.com" denied the request: denied by guard-`) {
			return fmt.Errorf("creating a ConfigMap: want a denial by a Pod, got: %w", err)
		}
		return nil
	})
	if err := configurations.Delete(t.Context(), "guard", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func get(address, path string) (string, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,                                  // each request is a connection of its own
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the test server signs for itself
	}}
	response, err := client.Get("https://" + address + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func post(t *testing.T, p RunningPod, path string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the test server signs for itself
	response, err := client.Post("https://"+net.JoinHostPort(p.IP, "9443")+path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

func checkLog(t *testing.T, p RunningPod, want string) {
	t.Helper()
	text, err := os.ReadFile(p.Log)
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the log of Pod %s is %q (%v), want %q in it", p.Name, text, err, want)
	}
}
