package clusters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// fleet is the two clusters.
type fleet struct{ prod, dev *stage.Stage }

var the fleet //nolint:gochecknoglobals // one fleet serves the tests of this package

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, c := range []struct {
		name string
		to   **stage.Stage
	}{{"prod-eu-1", &the.prod}, {"dev-eu-1", &the.dev}} {
		wg.Go(func() { *c.to, errs[i] = start(context.Background(), c.name) })
	}
	wg.Wait()
	defer func() {
		for _, s := range []*stage.Stage{the.prod, the.dev} {
			if s != nil {
				_ = s.Stop()
			}
		}
	}()
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// start starts a cluster with the chart installed from its own values file, and waits until the estate of this file is in force.
func start(ctx context.Context, name string) (*stage.Stage, error) {
	s, err := stage.Start(ctx, stage.Options{
		Cluster: name, Files: []string{filepath.Join("testdata", name+".yaml")},
		Before: func(ctx context.Context, s *stage.Stage) error {
			if err := s.Staff(ctx); err != nil {
				return err
			}
			return s.Apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: ledger}}")
		},
	})
	if err != nil {
		return nil, err
	}
	p, err := fixture.Clients(s)
	for deadline := time.Now().Add(time.Minute); err == nil; time.Sleep(200 * time.Millisecond) {
		var e v1alpha1.Environment
		if p.Admin.Get(ctx, client.ObjectKey{Name: "production"}, &e) == nil && e.Status.DataStores == 1 && e.Status.Namespaces > 0 {
			return s, nil
		}
		if time.Now().After(deadline) {
			err = fmt.Errorf("the estate of %s is not in force: %+v", name, e.Status)
		}
	}
	_ = s.Stop()
	return nil, err
}

// helm runs helm as a person, in namespace shop.
func helm(t *testing.T, s *stage.Stage, person string, args ...string) (string, error) {
	t.Helper()
	kubeconfig, err := s.Kubeconfig(s.UserConfig(person), "shop")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), s.Bin("helm"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HELM_NAMESPACE=shop", "HELM_CACHE_HOME="+s.Dir(), "HELM_CONFIG_HOME="+s.Dir(), "HELM_DATA_HOME="+s.Dir())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

func shop(verb, name, values string, more ...string) []string {
	return append([]string{verb, name, filepath.Join("testdata", "shop"), "-f", filepath.Join("testdata", values)}, more...)
}

// Each test continues from the state that the one before has left, like the days of a fleet.
func TestAFleet(t *testing.T) {
	t.Run("one application goes into both clusters", oneApplication)
	t.Run("the wrong values file is refused", wrongValues)
	t.Run("a migration waits for its window", migration)
	t.Run("one window opens in one cluster", oneWindow)
}

func oneApplication(t *testing.T) {
	for _, c := range []struct {
		s              *stage.Stage
		person, values string
	}{{the.prod, stage.SRE, "shop-prod.yaml"}, {the.dev, stage.Developer, "shop-dev.yaml"}} {
		out, err := helm(t, c.s, c.person, shop("install", "shop", c.values, "--wait", "--timeout=60s")...)
		if err != nil || strings.Contains(out, "Warning") {
			t.Errorf("%s into its own cluster: %v\n%s", c.values, err, out)
		}
	}
}

// If a manifest was meant for the other cluster, helm prints the whole reason.
func wrongValues(t *testing.T) {
	for name, c := range map[string]struct {
		s                    *stage.Stage
		person, values, want string
	}{
		"production's into development": {the.dev, stage.Developer, "shop-prod.yaml",
			`deployments.apps "shop" is forbidden: use a data store of "development" ` +
				`(DataStoreAcrossTiers: env "DATABASE_HOST" names "orders.prod.db.example.com", data store "orders" of "production"; "shop" is in "development"`},
		"development's into production": {the.prod, stage.SRE, "shop-dev.yaml",
			`deployments.apps "shop" is forbidden: use a data store of "production" ` +
				`(DataStoreAcrossTiers: env "DATABASE_HOST" names "orders.dev.db.example.com", data store "orders-dev" of "development"; "shop" is in "production"`},
	} {
		t.Run(name, func(t *testing.T) {
			before := deployed(t, c.s)
			out, err := helm(t, c.s, c.person, shop("upgrade", "shop", c.values)...)
			if err == nil || !strings.Contains(out, c.want) {
				t.Errorf("helm says\n%s\nwant in it\n%s", out, c.want)
			}
			if now := deployed(t, c.s); now != before {
				t.Errorf("what runs has changed: %s, before %s", now, before)
			}
		})
	}
}

// deployed returns the spec of the application's Deployment and the data of its ConfigMap.
func deployed(t *testing.T, s *stage.Stage) string {
	t.Helper()
	out, err := s.Kubectl(t.Context(), s.AdminConfig(), "get", "deployment,configmap", "shop", "-n", "shop", "-o", "jsonpath={range .items[*]}{.spec}{.data}{end}")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func migration(t *testing.T) {
	upgrade := shop("upgrade", "shop", "shop-prod.yaml", "--set", "migration.enabled=true", "--timeout=60s")
	before := deployed(t, the.prod)
	out, err := helm(t, the.prod, stage.SRE, upgrade...)
	const want = `jobs.batch "shop-migrate" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n shop ` +
		`(ChangeWindowRequired: this is maintenance in "production": it names data store "orders", runs flyway and is started by a person)`
	if err == nil || !strings.Contains(out, want) {
		t.Fatalf("helm says\n%s\nwant in it\n%s", out, want)
	}
	clean(t, before)

	// In development it is not maintenance.
	if out, err := helm(t, the.dev, stage.Developer, shop("upgrade", "shop", "shop-dev.yaml", "--set", "migration.enabled=true", "--timeout=60s")...); err != nil {
		t.Errorf("the migration in development: %v\n%s", err, out)
	}

	rendered, err := helm(t, the.prod, stage.SRE, shop("template", "shop", "shop-prod.yaml", "--set", "migration.enabled=true", "--is-upgrade", "-s", "templates/migrate.yaml")...)
	if err != nil {
		t.Fatal(err, rendered)
	}
	manifest := filepath.Join(t.TempDir(), "migrate.yaml")
	if err := os.WriteFile(manifest, []byte(rendered), 0o600); err != nil {
		t.Fatal(err)
	}
	plugin(t, stage.SRE, "request", "-f", manifest, "-n", "shop", "--environment", "production", "--start", "now", "--duration", "1h", "--reason", "Migrate to 1.1", "--name", "migrate")
	plugin(t, stage.SecondSRE, "approve", "migrate", "-n", "shop", "--yes")
	if out, err := helm(t, the.prod, stage.SRE, upgrade...); err != nil {
		t.Fatalf("under the window: %v\n%s", err, out)
	}
	if out, err := helm(t, the.prod, stage.SRE, "status", "shop"); err != nil || !strings.Contains(out, "STATUS: deployed") {
		t.Errorf("the release: %v\n%s", err, out)
	}
	if out, err := helm(t, the.prod, stage.SRE, upgrade...); err == nil || !strings.Contains(out, `window "migrate" does not permit it, since it has been used for this object once, which is all that it allows`) &&
		!strings.Contains(out, `window "migrate" covers this, but it has been used for this object once, which is all that it allows`) {
		t.Errorf("once more: %v\n%s", err, out)
	}
}

// clean shows that the refused upgrade left nothing behind, neither a Job nor a lock.
func clean(t *testing.T, before string) {
	t.Helper()
	if now := deployed(t, the.prod); now != before {
		t.Errorf("what runs has changed: %s, before %s", now, before)
	}
	jobs, err := the.prod.Kubectl(t.Context(), the.prod.AdminConfig(), "get", "jobs", "-n", "shop", "-o", "name")
	if err != nil || jobs != "" {
		t.Errorf("Jobs are left: %v %s", err, jobs)
	}
	if out, err := helm(t, the.prod, stage.SRE, "history", "shop"); err != nil || strings.Contains(out, "pending") {
		t.Errorf("the release is not clean: %v\n%s", err, out)
	}
}

func plugin(t *testing.T, person string, args ...string) {
	t.Helper()
	if _, err := the.prod.Plugin(t.Context(), the.prod.UserConfig(person), args...); err != nil {
		t.Fatal(err)
	}
}

// One window is applied to the whole fleet. Both clusters store it, an approver approves it in both, and it opens where it says.
func oneWindow(t *testing.T) {
	manifest := window(t)
	for _, s := range []*stage.Stage{the.prod, the.dev} {
		if _, err := s.Kubectl(t.Context(), s.UserConfig(stage.SRE), "apply", "-f", manifest); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Plugin(t.Context(), s.UserConfig(stage.SecondSRE), "approve", "reindex", "-n", "ledger", "--yes", "--unseen"); err != nil {
			t.Fatal(err)
		}
	}
	job := filepath.Join("testdata", "reindex.yaml")
	if _, err := the.prod.Kubectl(t.Context(), the.prod.UserConfig(stage.SRE), "apply", "-f", job); err != nil {
		t.Errorf("in the cluster that it names: %v", err)
	}
	_, err := the.dev.Kubectl(t.Context(), the.dev.UserConfig(stage.SRE), "apply", "-f", job)
	const want = `ChangeWindowRequired: this is maintenance in "production": it names data store "orders", runs psql and is started by a person; ` +
		`window "reindex" does not permit it, since it is for cluster "prod-eu-1", and this is "dev-eu-1"`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("in the other: %v\nwant in it\n%s", err, want)
	}
	p := fixture.Everybody(t, the.dev)
	var none batchv1.Job
	if err := p.Admin.Get(t.Context(), client.ObjectKey{Namespace: "ledger", Name: "reindex"}, &none); !apierrors.IsNotFound(err) {
		t.Errorf("the Job is in the other cluster: %v", err)
	}
	var w v1alpha1.ChangeWindow
	if err := p.Admin.Get(t.Context(), client.ObjectKey{Namespace: "ledger", Name: "reindex"}, &w); err != nil || w.Status.Phase == v1alpha1.WindowOpen {
		t.Errorf("in the other cluster the window's phase is %q: %v", w.Status.Phase, err)
	}
}

// window fills in the one manifest: a time around now, and the pin.
func window(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "reindex.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = yaml.YAMLToJSON(raw); err != nil {
		t.Fatal(err)
	}
	w, err := workload.Of(batchv1.SchemeGroupVersion.WithKind("Job").GroupKind(), raw)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "reindex-window.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	filled := strings.NewReplacer("WINDOW_START", now.Add(-time.Minute).Format(time.RFC3339), "WINDOW_END", now.Add(time.Hour).Format(time.RFC3339),
		"DIGEST", change.PlanOf(w, nil).Digest).Replace(string(text))
	file := filepath.Join(t.TempDir(), "window.yaml")
	if err := os.WriteFile(file, []byte(filled), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
