package attack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

func autoscaler(api, kind, name string, most int) string {
	return fmt.Sprintf("{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: %s, namespace: payments}, spec: {scaleTargetRef: {apiVersion: %s, kind: %s, name: %[1]s}, minReplicas: 1, maxReplicas: %[4]d}}", name, api, kind, most)
}

// An autoscaler removes no more replicas than a person may, at once or in small steps, and a restart of Firebreak forgets no step.
func TestAutoscalers(t *testing.T) {
	hpa := func(most int) string { return autoscaler("apps/v1", "Deployment", "web", most) }
	done(t, sam(), "", "create", "deployment", "web", "-n", "payments", "--image=nginx", "--replicas=10")
	refused(t, dana(), hpa(1), []string{"IdentityOutsideEnvironment"}, "apply", "-f", "-")
	refused(t, sam(), hpa(1), []string{"BlastRadius: this lets at most 1 run where 10 did within the last hour"}, "apply", "-f", "-")
	done(t, sam(), "", "scale", "deployment/web", "-n", "payments", "--replicas=6")
	done(t, sam(), hpa(5), "apply", "-f", "-")
	done(t, sam(), "", "scale", "deployment/web", "-n", "payments", "--replicas=4")
	stepwise := []string{"BlastRadius: this lets at most 2 run where 10 did within the last hour"}
	refused(t, sam(), hpa(2), stepwise, "apply", "-f", "-")

	await.True(t, "the Environment tells of the ten", func() bool {
		return strings.Contains(done(t, sam(), "", "get", "environment", "production", "-o", "jsonpath={.status.recentReplicas}"), `"replicas":10`)
	})
	before := the.Pods.Pods()[0].Name
	done(t, the.AdminConfig(), "", "delete", "pod", "-n", stage.Namespace, "-l", "app.kubernetes.io/name=firebreak", "--wait=false")
	await.True(t, "the replica is replaced", func() bool {
		return !slices.ContainsFunc(the.Pods.Pods(), func(p controlplane.RunningPod) bool { return p.Name == before })
	})
	if err := the.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, sam(), hpa(2), stepwise, "apply", "-f", "-")
	done(t, sam(), "", "delete", "hpa", "web", "-n", "payments")
}

// The same holds for a workload of which only the scale subresource tells the replicas.
func TestAutoscalersOfCustomResources(t *testing.T) {
	hpa := func(most int) string { return autoscaler("argoproj.io/v1", "Rollout", "shop", most) }
	done(t, sam(), "{apiVersion: argoproj.io/v1, kind: Rollout, metadata: {name: shop, namespace: payments}, spec: {replicas: 10, selector: a=b}}", "create", "-f", "-")
	refused(t, sam(), hpa(1), []string{"BlastRadius: this lets at most 1 run where 10 did within the last hour"}, "apply", "-f", "-")
	done(t, sam(), hpa(12), "apply", "-f", "-")
	saw := func(replicas string) func() bool {
		return func() bool {
			return done(t, sam(), "", "get", "hpa", "shop", "-n", "payments", "-o", "jsonpath={.status.currentReplicas}") == replicas
		}
	}
	await.True(t, "Kubernetes' autoscaler sees the ten", saw("10"))
	done(t, sam(), "", "scale", "rollout/shop", "-n", "payments", "--replicas=6")
	await.True(t, "it sees the six", saw("6"))
	refused(t, sam(), hpa(4), []string{"BlastRadius: this lets at most 4 run where 10 did within the last hour"}, "apply", "-f", "-")
	done(t, sam(), hpa(5), "apply", "-f", "-")
	done(t, sam(), "", "delete", "hpa", "shop", "-n", "payments")
}

// A live check says the same, since it reads the same status and the same scale.
func TestAutoscalersAreChecked(t *testing.T) {
	done(t, sam(), "{apiVersion: argoproj.io/v1, kind: Rollout, metadata: {name: till, namespace: payments}, spec: {replicas: 10, selector: a=b}}", "create", "-f", "-")
	file := write(t, autoscaler("argoproj.io/v1", "Rollout", "till", 1))
	out, err := the.Plugin(t.Context(), sam(), "check", "-f", file)
	if err == nil || !strings.Contains(out+err.Error(), "BlastRadius: this lets at most 1 run where 10 did within the last hour") {
		t.Errorf("%v: %s", err, out)
	}
}
