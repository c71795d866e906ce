package registrations_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

const twoPolicies = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: firebreak-a, labels: {a: b}}
spec: {failurePolicy: Fail}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: firebreak-a}
spec: {policyName: firebreak-a, validationActions: [Deny]}
`

// What is read is written with Firebreak's rights, so nothing else is taken. An error names the object or document that it is about.
func TestParseTakesNothingElse(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a record":                {"{apiVersion: firebreak.dev/v1alpha1, kind: ChangeExecution, metadata: {name: firebreak-a}}", `ChangeExecution "firebreak-a" is neither a registration nor a policy of Firebreak's`},
		"another's registration":  {"{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: istiod}}", `ValidatingWebhookConfiguration "istiod" is neither a registration nor a policy of Firebreak's`},
		"one of nearly that name": {"{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: firebreaker}}", `ValidatingWebhookConfiguration "firebreaker" is neither a registration nor a policy of Firebreak's`},
		"a kind of another group": {"{apiVersion: example.com/v1, kind: ValidatingWebhookConfiguration, metadata: {name: firebreak}}", `ValidatingWebhookConfiguration "firebreak" is neither a registration nor a policy of Firebreak's`},
		"a right":                 {"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: firebreak-a}}", `ClusterRoleBinding "firebreak-a" is neither a registration nor a policy of Firebreak's`},
		"something behind":        {twoPolicies + "---\n{apiVersion: v1, kind: Secret, metadata: {name: firebreak-a}}", `Secret "firebreak-a" is neither a registration nor a policy of Firebreak's`},
		"no YAML":                 {twoPolicies + "---\na: [", "document 3: error converting YAML to JSON: yaml: line 1: did not find expected node content"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := registrations.Parse(tc.text); err == nil || err.Error() != tc.want || got != nil {
				t.Errorf("got %v, %v; want %s", got, err, tc.want)
			}
		})
	}
	got, err := registrations.Parse("---\n# nothing\n---\n" + twoPolicies + "---\n")
	if err != nil || len(got) != 2 || got[0].GetName() != "firebreak-a" || got[1].GetKind() != "ValidatingAdmissionPolicyBinding" {
		t.Errorf("got %v: %v", got, err)
	}
}
