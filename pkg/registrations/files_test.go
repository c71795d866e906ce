package registrations_test

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

const webhooks = twoPolicies + `
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: firebreak, annotations: {a: b}}
webhooks:
- {name: stamp.firebreak.dev, failurePolicy: Fail, clientConfig: {service: {namespace: firebreak-system, name: firebreak, path: /stamp, port: 443}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: firebreak}
webhooks:
- {name: core.firebreak.dev, failurePolicy: Fail, clientConfig: {service: {namespace: firebreak-system, name: firebreak, path: /admit, port: 443}}}
`

func options() registrations.Options {
	return registrations.Options{
		URL: "https://firebreak.firebreak-system.svc:443", CABundle: []byte("CA"), Folder: "/etc/kubernetes/firebreak", Namespace: "firebreak-system", Account: "firebreak",
		CAWriters: []string{"system:serviceaccount:cert-manager:cert-manager-cainjector"},
	}
}

func TestFiles(t *testing.T) {
	rendered, err := registrations.Parse(webhooks)
	if err != nil {
		t.Fatal(err)
	}
	files, err := registrations.Files(rendered, options())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(registrations.Paths(files), " "); got != "admission.yaml mutating/webhooks.yaml policies/guard.yaml policies/policies.yaml validating/webhooks.yaml" {
		t.Errorf("the files are %s", got)
	}
	want := map[string]string{
		"validating/webhooks.yaml": `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: firebreak.static.k8s.io
webhooks:
- clientConfig:
    caBundle: Q0E=
    url: https://firebreak.firebreak-system.svc:443/admit
  failurePolicy: Fail
  name: core.firebreak.dev
`,
		"policies/policies.yaml": `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: firebreak-a.static.k8s.io
spec:
  failurePolicy: Fail
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: firebreak-a.static.k8s.io
spec:
  policyName: firebreak-a.static.k8s.io
  validationActions:
  - Deny
`,
		"admission.yaml": `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    staticManifestsDir: /etc/kubernetes/firebreak/mutating
  name: MutatingAdmissionWebhook
- configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ValidatingAdmissionPolicyConfiguration
    staticManifestsDir: /etc/kubernetes/firebreak/policies
  name: ValidatingAdmissionPolicy
- configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    staticManifestsDir: /etc/kubernetes/firebreak/validating
  name: ValidatingAdmissionWebhook
`,
	}
	for name, text := range want {
		if string(files[name]) != text {
			t.Errorf("%s is\n%s\nwant\n%s", name, files[name], text)
		}
	}
	guard := string(files["policies/guard.yaml"])
	for _, part := range []string{
		"take /etc/kubernetes/firebreak/policies/guard.yaml away first", "['system:serviceaccount:firebreak-system:firebreak','system:serviceaccount:cert-manager:cert-manager-cainjector']",
		"== 'firebreak-system'", "policyName: firebreak-guard-webhooks.static.k8s.io",
	} {
		if !strings.Contains(strings.ReplaceAll(strings.Join(strings.Fields(guard), " "), "''", "'"), part) {
			t.Errorf("the guard lacks %q:\n%s", part, guard)
		}
	}
	if n := strings.Count(guard, "kind: ValidatingAdmissionPolicy\n"); n != 4 || strings.Count(guard, "kind: ValidatingAdmissionPolicyBinding\n") != n {
		t.Errorf("%d policies, want four, each with a binding", n)
	}
}

func TestFilesThatCannotBeMade(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		edit func(*registrations.Options)
		want string
	}{
		"a Service and no URL": {webhooks, func(o *registrations.Options) { o.URL = "" },
			"webhook stamp.firebreak.dev: it is reached by a Service, which an API server does not resolve for a webhook from a file; give the URL at which API servers reach it"},
		"no https":         {webhooks, func(o *registrations.Options) { o.URL = "http://x" }, `"http://x" is not the https URL of a webhook, such as https://firebreak.firebreak-system.svc:443`},
		"a user in it":     {webhooks, func(o *registrations.Options) { o.URL = "https://a:b@x" }, `"https://a:b@x" is not the https URL of a webhook, such as https://firebreak.firebreak-system.svc:443`},
		"a relative path":  {webhooks, func(o *registrations.Options) { o.Folder = "firebreak" }, `"firebreak" is not the absolute path of a folder on the disk of each API server`},
		"no authority":     {webhooks, func(o *registrations.Options) { o.CABundle = nil }, "the certificate authority of the webhook is not known"},
		"nobody":           {webhooks, func(o *registrations.Options) { o.Account = "" }, "the namespace and the account of Firebreak are not known"},
		"policies alone":   {twoPolicies, func(*registrations.Options) {}, "what was rendered holds nothing for validating/webhooks.yaml: it is not all of an installation"},
		"nothing rendered": {"", func(*registrations.Options) {}, "what was rendered holds nothing for validating/webhooks.yaml: it is not all of an installation"},
	} {
		t.Run(name, func(t *testing.T) {
			rendered, err := registrations.Parse(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			o := options()
			tc.edit(&o)
			if _, err := registrations.Files(rendered, o); err == nil || err.Error() != tc.want {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}
