package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// If the webhook refuses a request because of Pods in the cluster, check refuses it too, since it reads the same Pods.
func TestCheckSeesWhatRuns(t *testing.T) {
	done(t, sam(), "", "create", "deployment", "seen", "-n", "payments", "--image=nginx", "--replicas=1")
	running := func(path string) string {
		return done(t, the.AdminConfig(), "", "get", "pods", "-n", "payments", "-l", "app=seen", "-o", "jsonpath={.items[0]."+path+"}")
	}
	await.True(t, "it runs", func() bool { return strings.Contains(running("status.podIP"), ".") })
	slice := fmt.Sprintf(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: sneaky, namespace: dev, labels: {kubernetes.io/service-name: sneaky}}, addressType: IPv4, endpoints: [{addresses: [%q]}], ports: [{port: 80, protocol: TCP}]}`, running("status.podIP"))
	refused(t, dana(), slice, []string{"RouteAcrossTiers"}, "create", "-f", "-")
	out, err := the.Plugin(t.Context(), dana(), "check", "-f", write(t, slice))
	if err == nil || !strings.Contains(out+err.Error(), "deny  RouteAcrossTiers") {
		t.Errorf("check: %v: %s", err, out)
	}
}
