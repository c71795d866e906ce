package page

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// pageImage stands for the image in which kubectl-firebreak is.
const pageImage = "registry.example.com/page"

// The chart's Deployment runs, with its own account and no more rights than the chart gives that: here as a Pod of the same template.
func TestTheChartServesThePage(t *testing.T) {
	people := fixture.Everybody(t, the)
	if out, err := the.Upgrade(t.Context(), filepath.Join(the.Root, "charts", "firebreak"), "--set", "ui.enabled=true", "--set", "ui.wallboard=true", "--set", "ui.url=http://wall.example.com", "--set", "bell.enabled=true"); err != nil {
		t.Fatal(err, out)
	}
	d := &appsv1.Deployment{}
	if err := people.Admin.Get(t.Context(), client.ObjectKey{Namespace: stage.Namespace, Name: "firebreak-ui"}, d); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: stage.Namespace, Name: "page"}, Spec: d.Spec.Template.Spec}
	pod.Spec.Containers[0].Image = pageImage + ":1"
	pod.Spec.NodeSelector = map[string]string{"firebreak.dev/pod-runner": "true"}
	pod.Spec.Tolerations = []corev1.Toleration{{Key: "firebreak.dev/pod-runner", Operator: corev1.TolerationOpExists}}
	if err := people.Admin.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = people.Admin.Delete(t.Context(), pod) })
	body := ""
	await.True(t, "the page is served", func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8443/c/prod-eu-1/now", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "wall.example.com"
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer func() { _ = got.Body.Close() }() // it was read
		var b strings.Builder
		if err := got.Write(&b); err != nil {
			t.Fatal(err)
		}
		body = b.String()
		return got.StatusCode == http.StatusOK
	})
	if !strings.Contains(body, "production") || strings.Contains(body, "could not be read") {
		t.Errorf("its rights do not suffice:\n%s", body)
	}
}
