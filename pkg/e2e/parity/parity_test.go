package parity

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var the *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

func TestMain(m *testing.M) { os.Exit(run(m)) }

// log is the audit log that the API server writes of the tests.
var log *fixture.Audit //nolint:gochecknoglobals // one control plane serves the tests of this package

func run(m *testing.M) int {
	var err error
	if log, err = fixture.NewAudit(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = log.Remove() }()
	return fixture.On(m, stage.Options{Before: before, APIServerArgs: log.Args()}, &the, estate)
}

// testdata returns a path in the fixtures of package policy.
func testdata(parts ...string) string {
	return filepath.Join(append([]string{"..", "..", "policy", "testdata"}, parts...)...)
}

// parts returns the documents of the estate of the fixtures: those that Firebreak is told, and those that the cluster has.
func parts() (told, cluster []string, err error) {
	raw, err := os.ReadFile(testdata("estate.yaml"))
	if err != nil {
		return nil, nil, err
	}
	for text := range strings.SplitSeq(string(raw), "\n---\n") {
		if strings.Contains(text, "apiVersion: "+v1alpha1.GroupVersion().String()) {
			told = append(told, text)
		} else {
			cluster = append(cluster, text)
		}
	}
	return told, cluster, nil
}

// before sets up the cluster before Firebreak is installed. In it, RBAC lets every user of the fixtures do anything.
func before(ctx context.Context, s *stage.Stage) error {
	if err := s.Apply(ctx, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: all-of-it}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin},
  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}, {apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}, {apiGroup: rbac.authorization.k8s.io, kind: Group, name: pci-operators}]}`); err != nil {
		return err
	}
	_, cluster, err := parts()
	if err != nil {
		return err
	}
	for _, text := range cluster { // one by one: the cluster has some of it already, and refuses objects that name UIDs of other clusters
		_ = s.Apply(ctx, text)
	}
	return nil
}

// estate applies what Firebreak is told.
func estate(ctx context.Context) error {
	told, _, err := parts()
	if err != nil {
		return err
	}
	for _, text := range told {
		if strings.Contains(text, "expiresAt: \"2026-10-31") || strings.Contains(text, "expiresAt: 2026-10-31") {
			continue // one that has expired cannot be created any more
		}
		if err := the.Apply(ctx, text); err != nil {
			return err
		}
	}
	c, err := the.Client(the.AdminConfig())
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var d v1alpha1.DataStore
		if c.Get(ctx, client.ObjectKey{Name: "orders"}, &d) == nil && d.Status.Tier == v1alpha1.TierProduction {
			return nil
		}
	}
	return fmt.Errorf("the estate is not in force")
}

// sent is one fixture that a person creates.
type sent struct {
	path, manifest, user string
	groups               []string
	// mark is the field manager under which it is sent, by which the audit log's event is found again.
	mark string
}

// fixtures returns, unchanged, the fixtures of all rules in which a person creates an object. The others need an instant, a stored
// object or a machine's token.
func fixtures(t *testing.T) []sent {
	t.Helper()
	var people map[string]struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	}
	read(t, testdata("requesters.yaml"), &people)
	files, err := filepath.Glob(testdata("*", "*", "*.yaml"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
	var out []sent
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			Case struct {
				Requester   string `json:"requester"`
				Operation   string `json:"operation"`
				SubResource string `json:"subresource"`
				At          string `json:"at"`
				DryRun      bool   `json:"dryRun"`
			} `json:"case"`
		}
		var comments bytes.Buffer
		for line := range strings.Lines(string(raw)) {
			comment, ok := strings.CutPrefix(line, "#")
			if !ok {
				break
			}
			comments.WriteString(strings.TrimPrefix(comment, " "))
		}
		if err := yaml.Unmarshal(comments.Bytes(), &head); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		c, who := head.Case, people[head.Case.Requester]
		if c.Operation == "" && c.SubResource == "" && c.At == "" && !c.DryRun && strings.HasPrefix(who.Username, "oidc:") {
			out = append(out, sent{path: file, manifest: string(raw), user: who.Username, groups: who.Groups})
		}
	}
	return out
}

// corpus returns each document of the corpus, as a developer creates it in development.
func corpus(t *testing.T) []sent {
	t.Helper()
	files, err := filepath.Glob(testdata("corpus", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	dir := t.TempDir()
	var out []sent
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.SplitSeq(string(raw), "\n---\n") {
			path := filepath.Join(dir, fmt.Sprintf("%02d-%s", len(out), filepath.Base(file)))
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out = append(out, sent{path: path, manifest: text, user: "oidc:dev-dora", groups: []string{"developers"}})
		}
	}
	return out
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// as returns the flags by which both commands act as a person.
func (s *sent) as() []string {
	out := []string{"--as", s.user}
	for _, g := range s.groups {
		out = append(out, "--as-group", g)
	}
	return out
}

// objections returns the rules that object, as a message names them.
func objections(said string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`[(; ]([A-Z][A-Za-z]+): `).FindAllStringSubmatch(said, -1) {
		if slices.Contains(v1alpha1.RuleNames(), v1alpha1.RuleName(m[1])) && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return out
}

// webhook returns the rules that deny, as the API server reports them. It returns false if the request does not reach Firebreak,
// since the API server itself refuses it. A dry run reports the rules that would deny a real run.
func (s *sent) webhook(t *testing.T) ([]string, bool) {
	t.Helper()
	out, err := the.KubectlWith(t.Context(), the.AdminConfig(), s.manifest, append([]string{"create", "--dry-run=server", "--validate=false", "--field-manager", s.mark, "-n", "dev", "-f", "-"}, s.as()...)...)
	switch said := out; {
	case err == nil:
		_, would, _ := strings.Cut(said, "a real run would be forbidden: ")
		would, _, _ = strings.Cut(would, "\n")
		return objections(" " + would), true
	case strings.Contains(said, `webhook "core.firebreak.dev" denied`), strings.Contains(err.Error(), `webhook "core.firebreak.dev" denied`):
		return objections(said + err.Error()), true
	}
	return nil, false
}
