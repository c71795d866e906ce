package seethrough

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// levels counts the lines of doctor's that begin with a level.
func levels(out, level string) []string {
	var found []string
	for l := range strings.Lines(out) {
		if strings.HasPrefix(l, level+" ") {
			found = append(found, strings.TrimSpace(l))
		}
	}
	return found
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := the.Kubectl(t.Context(), the.AdminConfig(), args...)
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return out
}

func TestDoctor(t *testing.T) {
	var out string
	await.True(t, "nothing is bad", func() bool {
		out, _ = plugin(t, doc, "doctor")
		return len(levels(out, "bad")) == 0
	})
	if u := levels(out, "unknown"); len(u) > 0 {
		t.Errorf("its role does not let doctor see %q", u)
	}
	contains(t, out, "definitions: the API server serves all nine kinds\n", "replicas: 2 of 2 replicas are ready\n", "answers: a request that must be refused is refused, by the webhooks stamp and core\n",
		"certificate: the certificate authority holds until ", "clock: the clocks of this machine and of the API server agree\n", "leader: a replica leads\n",
		"exclusions: no namespace of production is left out\n", "rights: Firebreak's account has its roles\n", " may approve windows: ")

	out, code := plugin(t, nobody, "doctor")
	if contains(t, out, "have the ClusterRole firebreak-doctor bound to you\n"); code != 2 || len(levels(out, "bad")) > 0 {
		t.Errorf("exit %d, want 2 for a user who may see nothing:\n%s", code, out)
	}

	// What an SRE finds at three in the morning.
	kubectl(t, "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=0")
	await.True(t, "it is told that nothing answers", func() bool {
		out, code = plugin(t, doc, "doctor")
		return code == 1 && strings.Contains(out, "answers: Firebreak does not answer: ")
	})
	contains(t, out, "bad     replicas: none of 0 replicas is ready: what persons write in production is refused\n", "kubectl rollout undo deployment/firebreak -n "+stage.Namespace+" takes the last change back")
	said, err := the.Plugin(t.Context(), the.UserConfig(stage.SRE), "freeze", "production", "--reason", "doctor")
	if err == nil || !strings.Contains(said, "Firebreak does not answer, so this was refused unjudged: kubectl firebreak doctor says what is wrong") {
		t.Errorf("%v: the error does not point to doctor: %s", err, said)
	}
	kubectl(t, "patch", "validatingwebhookconfiguration", "firebreak", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)
	kubectl(t, "delete", "validatingadmissionpolicybinding", "firebreak-status")
	kubectl(t, "apply", "-f", write(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: theirs}
webhooks:
- name: theirs.example.com
  clientConfig: {url: "https://theirs.example.com/"}
  rules: [{apiGroups: [""], apiVersions: ["*"], operations: ["*"], resources: [pods]}]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: `+stage.Namespace+`}}
  admissionReviewVersions: [v1]
  sideEffects: None
`))
	out, code = plugin(t, doc, "doctor")
	contains(t, out,
		`bad     registrations: ValidatingWebhookConfiguration "firebreak" is not as it was rendered: webhooks.[0].failurePolicy differs`,
		`bad     registrations: ValidatingAdmissionPolicyBinding "firebreak-status" is gone`,
		`warn    webhooks of others: webhook theirs.example.com of ValidatingWebhookConfiguration "theirs" fails closed for the Pods of namespace "`+stage.Namespace+`": while it is down, no replica of Firebreak can start`)
	if code != 1 {
		t.Errorf("exit %d", code)
	}
	kubectl(t, "delete", "validatingwebhookconfiguration", "theirs")
	kubectl(t, "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=2")
	await.True(t, "all is well again, with nobody's help", func() bool {
		out, _ = plugin(t, doc, "doctor")
		return len(levels(out, "bad")) == 0
	})
}
