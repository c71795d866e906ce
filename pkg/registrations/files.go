package registrations

import (
	"bytes"
	_ "embed" // the guard is built in
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// suffix is the end of the names that only files may have.
// Source: k8s.io/apiserver/pkg/admission/plugin/manifest, since Kubernetes 1.36.
const suffix = ".static.k8s.io"

// The files, below the folder that API servers read.
const (
	AdmissionFile  = "admission.yaml"
	validatingFile = "validating/webhooks.yaml"
	mutatingFile   = "mutating/webhooks.yaml"
	policiesFile   = "policies/policies.yaml"
	// GuardFile is the one to take away before Firebreak is upgraded or uninstalled.
	GuardFile = "policies/guard.yaml"
)

// Options say for which installation the files are.
type Options struct {
	// URL is where API servers reach the webhook, such as https://firebreak.firebreak-system.svc:443. If it is empty, the registrations must name
	// one already: an API server resolves no Service for a webhook from a file.
	URL string
	// CABundle is the certificate authority of the webhook, in PEM.
	CABundle []byte
	// Folder is the absolute path of the files on the disk of each API server.
	Folder string
	// Namespace is Firebreak's own, Account its service account there.
	Namespace, Account string
	// CAWriters are the usernames that write the certificate authority into the registrations, beside Firebreak itself.
	CAWriters []string
}

//go:embed guard.yaml
var guard string

// Files returns the files that an API server loads at its start and watches, by their paths below the folder: the registrations by URL, the policies
// that guard Firebreak's kinds, the guard of all these, and the AdmissionConfiguration that names the folders. The error says what is missing.
func Files(rendered []*unstructured.Unstructured, o Options) (map[string][]byte, error) {
	if err := o.Valid(); err != nil {
		return nil, err
	}
	if len(o.CABundle) == 0 {
		return nil, errors.New("the certificate authority of the webhook is not known")
	}
	files := map[string][]byte{}
	for _, r := range rendered {
		c := r.DeepCopy()
		file, err := static(c, &o)
		if err != nil {
			return nil, err
		}
		if err := appendTo(files, file, c.Object); err != nil {
			return nil, err
		}
	}
	for _, file := range []string{validatingFile, mutatingFile, policiesFile} {
		if files[file] == nil {
			return nil, fmt.Errorf("what was rendered holds nothing for %s: it is not all of an installation", file)
		}
	}
	if err := o.guard(files); err != nil {
		return nil, err
	}
	return files, appendTo(files, AdmissionFile, o.admission())
}

// Valid returns an error for options from which no files can be made, but for a certificate authority that is missing.
func (o *Options) Valid() error {
	if o.URL != "" {
		if u, err := url.Parse(o.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("%q is not the https URL of a webhook, such as https://firebreak.firebreak-system.svc:443", o.URL)
		}
	}
	switch {
	case !path.IsAbs(o.Folder):
		return fmt.Errorf("%q is not the absolute path of a folder on the disk of each API server", o.Folder)
	case o.Namespace == "" || o.Account == "":
		return errors.New("the namespace and the account of Firebreak are not known")
	}
	return nil
}

// static turns an object into one that only a file may hold, and returns its file.
func static(c *unstructured.Unstructured, o *Options) (string, error) {
	name := c.GetName()
	c.Object["metadata"] = map[string]any{"name": name + suffix} // the rest is the installer's
	switch c.GetKind() {
	case policy:
		return policiesFile, nil
	case binding:
		spec, _ := c.Object["spec"].(map[string]any)
		spec["policyName"] = fmt.Sprint(spec["policyName"]) + suffix
		return policiesFile, nil
	}
	webhooks, _, _ := unstructured.NestedSlice(c.Object, "webhooks")
	for _, w := range webhooks {
		hook, _ := w.(map[string]any)
		if err := o.reach(hook); err != nil {
			return "", fmt.Errorf("webhook %v: %w", hook["name"], err)
		}
	}
	c.Object["webhooks"] = webhooks
	if c.GetKind() == mutating {
		return mutatingFile, nil
	}
	return validatingFile, nil
}

// reach has a webhook be reached by URL.
func (o *Options) reach(hook map[string]any) error {
	config, _ := hook["clientConfig"].(map[string]any)
	at, _, _ := unstructured.NestedString(config, "url")
	if p, _, _ := unstructured.NestedString(config, "service", "path"); p != "" {
		at = p
	}
	switch u, err := url.Parse(at); {
	case err != nil:
		return fmt.Errorf("its URL cannot be read: %w", err)
	case o.URL != "":
		at = strings.TrimSuffix(o.URL, "/") + u.Path
	case u.Host == "":
		return errors.New("it is reached by a Service, which an API server does not resolve for a webhook from a file; give the URL at which API servers reach it")
	}
	hook["clientConfig"] = map[string]any{"url": at, "caBundle": o.CABundle}
	return nil
}

// guard adds the policies that guard the installation, each with a binding.
func (o *Options) guard(files map[string][]byte) error {
	writers := append([]string{"system:serviceaccount:" + o.Namespace + ":" + o.Account}, o.CAWriters...)
	list, err := json.Marshal(writers)
	if err != nil {
		return fmt.Errorf("encode the accounts: %w", err)
	}
	t, err := template.New("guard").Parse(guard)
	if err != nil {
		return fmt.Errorf("read the guard: %w", err)
	}
	var text bytes.Buffer
	err = t.Execute(&text, map[string]string{
		"File": path.Join(o.Folder, GuardFile), "Namespace": o.Namespace, "User": writers[0], "CAWriters": strings.ReplaceAll(string(list), `"`, "'"),
	})
	if err != nil {
		return fmt.Errorf("write the guard: %w", err)
	}
	reader := utilyaml.NewYAMLOrJSONDecoder(&text, 4096)
	for {
		var p unstructured.Unstructured
		if err := reader.Decode(&p.Object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the guard: %w", err)
		}
		bound := map[string]any{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": binding, "metadata": map[string]any{"name": p.GetName()},
			"spec": map[string]any{"policyName": p.GetName(), "validationActions": []any{"Deny"}},
		}
		if err := errors.Join(appendTo(files, GuardFile, p.Object), appendTo(files, GuardFile, bound)); err != nil {
			return err
		}
	}
}

// admission returns the configuration that has API servers read the folders.
func (o *Options) admission() map[string]any {
	plugin := func(name, kind, folder string) map[string]any {
		return map[string]any{"name": name, "configuration": map[string]any{
			"apiVersion": "apiserver.config.k8s.io/v1", "kind": kind, "staticManifestsDir": path.Join(o.Folder, folder),
		}}
	}
	return map[string]any{
		"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
		"plugins": []any{
			plugin("MutatingAdmissionWebhook", "WebhookAdmissionConfiguration", "mutating"),
			plugin("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyConfiguration", "policies"),
			plugin("ValidatingAdmissionWebhook", "WebhookAdmissionConfiguration", "validating"),
		},
	}
}

func appendTo(files map[string][]byte, name string, object map[string]any) error {
	raw, err := yaml.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	if len(files[name]) > 0 {
		files[name] = append(files[name], "---\n"...)
	}
	files[name] = append(files[name], raw...)
	return nil
}

// Paths returns the paths of files, sorted.
func Paths(files map[string][]byte) []string {
	out := make([]string, 0, len(files))
	for p := range files {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}
