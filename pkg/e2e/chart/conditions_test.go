package chart

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// For CEL an empty field is absent, and a matchCondition that reads an absent field fails, which refuses the request. So no
// condition may fail for any request, by any user, with any fields empty.
func TestNoConditionFails(t *testing.T) {
	manager := []string{"--as=system:kube-controller-manager", "--as-group=system:authenticated"}
	for name, tc := range map[string]struct {
		reason, stdin string
		args          []string
	}{
		"a controller manager makes an account":   {"without credentials of its controllers it does so itself, and no subresource is named", "", append([]string{"create", "serviceaccount", "conditions", "-n", "staging"}, manager...)},
		"a controller manager asks for a token":   {"without one no controller runs", "", append([]string{"create", "token", "default", "-n", "staging"}, manager...)},
		"somebody deletes a Pod of Firebreak's":   {"it must be repairable", "", []string{"delete", "pods", "-n", stage.Namespace, "-l", "app.kubernetes.io/name=firebreak", "--dry-run=server"}},
		"somebody deletes all Pods there":         {"a review of a collection has no name", "", []string{"delete", "pods", "--all", "-n", stage.Namespace, "--dry-run=server"}},
		"somebody stores a Secret as Helm does":   {"it has no type of Helm's", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"sh.helm.release.v1.firebreak.v99"}}`, []string{"create", "-f", "-", "-n", stage.Namespace, "--dry-run=server"}},
		"somebody deletes a record of Helm's":     {"there is no new object", "", []string{"delete", "secret", "sh.helm.release.v1.firebreak.v1", "-n", stage.Namespace, "--dry-run=server"}},
		"a Deployment there has no name yet":      {"generateName", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"generateName":"a-"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"a","image":"x"}]}}}}`, []string{"create", "-f", "-", "-n", stage.Namespace, "--dry-run=server"}},
		"something lies in no namespace":          {"and so names none", "", []string{"create", "clusterrole", "conditions", "--verb=get", "--resource=pods", "--dry-run=server"}},
		"an environment is deleted":               {"there is no new object", "", []string{"delete", "environment", "development", "--dry-run=server"}},
		"a controller of Kubernetes' makes a Pod": {"its account has no token here", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","image":"x"}]}}`, []string{"create", "-f", "-", "-n", "staging", "--dry-run=server", "--as=system:serviceaccount:kube-system:job-controller"}},
		"a scheduler binds":                       {"it is never sent", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","image":"x"}]}}`, []string{"create", "-f", "-", "-n", "staging", "--dry-run=server", "--as=system:kube-scheduler"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := the.KubectlWith(t.Context(), the.AdminConfig(), tc.stdin, tc.args...)
			if err != nil && strings.Contains(err.Error(), "resulted in error") {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}
