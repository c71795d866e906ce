package falsepositives

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

func sam() *rest.Config { return the.UserConfig(stage.SRE) }

// program runs kubectl or helm in a namespace as a user, and returns its output and the warnings in it.
func program(t *testing.T, name string, cfg *rest.Config, namespace, stdin string, args ...string) (said string, warnings []string, err error) {
	t.Helper()
	kubeconfig, err := the.Kubeconfig(cfg, namespace)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), the.Bin(name), args...)
	home := the.Dir()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HELM_NAMESPACE="+namespace, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	for line := range strings.Lines(out.String()) {
		// kubectl and helm print some warnings of their own: only an API server's warnings count.
		text, ofKubectl := strings.CutPrefix(line, "Warning: ")
		if ofKubectl && !strings.Contains(line, "was previously managed with 'kubectl apply'") || strings.Contains(line, "warnings.go:") {
			warnings = append(warnings, strings.TrimSpace(text))
		}
	}
	return out.String(), warnings, err
}

// silently runs kubectl as a person, who must get neither a refusal nor a warning.
func silently(t *testing.T, cfg *rest.Config, namespace, stdin string, args ...string) string {
	t.Helper()
	out, warnings, err := program(t, "kubectl", cfg, namespace, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if len(warnings) > 0 {
		t.Errorf("kubectl %s warns: %s", strings.Join(args, " "), strings.Join(warnings, "\n"))
	}
	return out
}

// shows waits until a kubectl query, as the administrator, prints what is expected.
func shows(t *testing.T, namespace, want string, args ...string) {
	t.Helper()
	await.NoError(t, fmt.Sprintf("%s is %q", strings.Join(args, " "), want), func() error {
		out, _, err := program(t, "kubectl", the.AdminConfig(), namespace, "", append([]string{"get"}, args...)...)
		if err == nil && out != want {
			err = fmt.Errorf("it is %q", out)
		}
		return err
	})
}

// unobjected fails the test if Firebreak objected to a request in a namespace, of any user: a controller that gets a warning tells
// nobody. but names the rules that were expected to object.
func unobjected(t *testing.T, namespace string, but ...string) {
	t.Helper()
	t.Cleanup(func() {
		for line := range strings.Lines(the.Pods.Logs()) {
			if !strings.Contains(line, "admitted with findings") && !strings.Contains(line, "denied") || !strings.Contains(line, `"namespace":"`+namespace+`"`) {
				continue
			}
			if !slices.ContainsFunc(but, func(b string) bool { return strings.Contains(line, b) }) {
				t.Errorf("it objected: %s", line)
			}
		}
	})
}

// ears record an API server's warnings.
type ears struct {
	mu    sync.Mutex
	heard []string
}

func (e *ears) HandleWarningHeader(_ int, _, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, text)
}

// request is a request that a machine sends.
type request struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// As is the sender, if it is not the sender of the other requests.
	As string `json:"as,omitempty"`
	// Send holds the verb and the path.
	Send string `json:"send"`
	// Type is the content type of the body. If empty, it is application/json.
	Type string         `json:"type,omitempty"`
	Body map[string]any `json:"body,omitempty"`
	// Warns are all warnings that the sender gets; mostly there are none.
	Warns []string `json:"warns,omitempty"`
}

// send sends the request and returns the warnings.
func (r request) send(t *testing.T, cfg *rest.Config, namespace string) ([]string, error) {
	t.Helper()
	e := &ears{}
	verb, path, _ := strings.Cut(fill(t, r.Send, namespace), " ")
	call := rawClient(t, cfg, e).Verb(verb).RequestURI(path)
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		contentType := r.Type
		if contentType == "" {
			contentType = "application/json"
		}
		call = call.SetHeader("Content-Type", contentType).Body([]byte(fill(t, string(raw), namespace)))
	}
	err := call.Do(t.Context()).Error()
	return e.heard, err
}

func rawClient(t testing.TB, cfg *rest.Config, e *ears) *rest.RESTClient {
	t.Helper()
	cfg = rest.CopyConfig(cfg)
	cfg.GroupVersion, cfg.APIPath, cfg.NegotiatedSerializer = &schema.GroupVersion{}, "/", scheme.Codecs.WithoutConversion()
	cfg.WarningHandler = e
	c, err := rest.RESTClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fill replaces what a recording cannot know: NAMESPACE, a certificate with its key (the API server checks them), and the UID of
// the object at a path, as in UID(/api/v1/nodes/a).
func fill(t *testing.T, text, namespace string) string {
	t.Helper()
	text = strings.ReplaceAll(text, "NAMESPACE", namespace)
	if strings.Contains(text, "TLS.CRT") {
		certificate, key := pair(t)
		text = strings.NewReplacer("TLS.CRT", certificate, "TLS.KEY", key).Replace(text)
	}
	return regexp.MustCompile(`UID\(([^)]*)\)`).ReplaceAllStringFunc(text, func(m string) string {
		raw, err := rawClient(t, the.AdminConfig(), &ears{}).Get().AbsPath(m[4 : len(m)-1]).DoRaw(t.Context())
		var u unstructured.Unstructured
		if err = errors.Join(err, json.Unmarshal(raw, &u.Object)); err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		return string(u.GetUID())
	})
}

// pair makes a certificate and its key, in base64.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.example.com"}}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, bytes []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	return text("CERTIFICATE", public), text("EC PRIVATE KEY", der)
}

// freeze stops changes in one namespace for the rest of the test, and shows that it does.
func freeze(t *testing.T, environment, namespace string) {
	t.Helper()
	manifest := fmt.Sprintf("{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: %s}, spec: {environments: [%s], namespaces: [%s], reason: Christmas trading}}", namespace, environment, namespace)
	silently(t, sam(), "", manifest, "create", "-f", "-")
	t.Cleanup(func() {
		if out, _, err := program(t, "kubectl", the.AdminConfig(), "", "", "get", "changefreeze", namespace); err != nil {
			t.Errorf("the freeze did not last: %v %s", err, out)
		}
	})
	out, _, err := program(t, "kubectl", sam(), namespace, "", "create", "configmap", "frozen", "--from-literal=a=b")
	if err == nil || !strings.Contains(out, "ChangeFrozen") {
		t.Fatalf("a change during the freeze: %v %s", err, out)
	}
}
