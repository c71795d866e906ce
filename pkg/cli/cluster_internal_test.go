package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/firebreak-dev/firebreak/pkg/scheme"
)

// cluster is an API server that answers by path, stores nothing, and records the writes.
type cluster struct {
	t       *testing.T
	url     string
	answers map[string]string // by path
	refuses string            // every write is refused with it; if empty, none is

	mu      sync.Mutex
	written []string
}

const own = "/apis/firebreak.dev/v1alpha1"

func newCluster(t *testing.T, answers map[string]string) *cluster {
	t.Helper()
	c := &cluster{t: t, answers: map[string]string{
		"/api":                           `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis":                          `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"authentication.k8s.io","versions":[{"groupVersion":"authentication.k8s.io/v1","version":"v1"}],"preferredVersion":{"groupVersion":"authentication.k8s.io/v1","version":"v1"}},{"name":"batch","versions":[{"groupVersion":"batch/v1","version":"v1"}],"preferredVersion":{"groupVersion":"batch/v1","version":"v1"}}]}`,
		"/api/v1":                        `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"namespaces","kind":"Namespace","namespaced":false,"verbs":["get"]},{"name":"configmaps","kind":"ConfigMap","namespaced":true,"verbs":["get"]}]}`,
		"/apis/batch/v1":                 `{"kind":"APIResourceList","groupVersion":"batch/v1","resources":[{"name":"jobs","kind":"Job","namespaced":true,"verbs":["get","create"]},{"name":"cronjobs","kind":"CronJob","namespaced":true,"verbs":["get","create"]}]}`,
		"/apis/authentication.k8s.io/v1": `{"kind":"APIResourceList","groupVersion":"authentication.k8s.io/v1","resources":[{"name":"selfsubjectreviews","kind":"SelfSubjectReview","namespaced":false,"verbs":["create"]}]}`,
		own + "/changefreezes":           `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeFreezeList","items":[]}`,
		own + "/namespaces/payments/changewindows":   `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeWindowList","items":[]}`,
		own + "/namespaces/payments/changeapprovals": `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeApprovalList","items":[]}`,
	}}
	for path, answer := range answers {
		c.answers[path] = answer
	}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// ServeHTTP implements http.Handler.
func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	if answer, ok := c.answers[r.URL.Path]; ok && (r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "reviews")) {
		_, _ = io.WriteString(w, answer)
		return
	}
	status := func(code int, message string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message})
	}
	if r.Method == http.MethodGet {
		status(http.StatusNotFound, "not there")
		return
	}
	c.mu.Lock()
	c.written = append(c.written, fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body))
	c.mu.Unlock()
	if c.refuses != "" {
		status(http.StatusForbidden, c.refuses)
		return
	}
	if r.Method == http.MethodDelete {
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
		return
	}
	var o map[string]any
	_ = json.Unmarshal(body, &o)
	meta, _ := o["metadata"].(map[string]any)
	if meta != nil {
		meta["creationTimestamp"] = "2026-11-28T02:30:00Z"
		if meta["generateName"] != nil {
			meta["name"] = fmt.Sprint(meta["generateName"], "abcde")
		}
	}
	_ = json.NewEncoder(w).Encode(o)
}

// run runs a command against the cluster, as of one instant, in namespace payments.
func (c *cluster) run(stdin string, args ...string) (string, error) {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, namespace: payments}}], clusters: [{name: c, cluster: {server: %q}}]}`, c.url)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		c.t.Fatal(err)
	}
	s, err := scheme.New()
	if err != nil {
		c.t.Fatal(err)
	}
	var out bytes.Buffer
	e := &env{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &out}, config: &kubeconfig{}, scheme: s,
		clock: func() time.Time { return time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) },
	}
	root := &cobra.Command{Use: "kubectl-firebreak", SilenceUsage: true, SilenceErrors: true}
	for _, cmd := range []*cobra.Command{e.request(), e.approve(), e.reject(), e.freeze(), e.unfreeze(), e.seal(), e.emergency(), e.log(), e.release(), e.windows(), e.whoami()} {
		e.config.flags(cmd.Flags())
		root.AddCommand(cmd)
	}
	root.SetArgs(append(args[:1:1], append([]string{"--kubeconfig", file}, args[1:]...)...))
	err = root.ExecuteContext(c.t.Context())
	return out.String(), err
}

// wrote compares the recorded writes, without the fields that only name the type.
func (c *cluster) wrote(want ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []string
	for _, w := range c.written {
		w = strings.NewReplacer(`,"status":{}`, "", `,"status":{"executions":{}}`, "", "\n", "", `"apiVersion":"firebreak.dev/v1alpha1",`, "").Replace(w)
		got = append(got, w)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("what is written differs: %s", diff)
	}
}
