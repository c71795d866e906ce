package vanish

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

//nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds
var the *stage.Stage

func TestMain(m *testing.M) {
	os.Exit(fixture.Main(m, stage.Options{Replicas: 2}, &the, func(ctx context.Context, s *stage.Stage) error { return s.Populate(ctx) }))
}

// administrator runs kubectl as a member of system:masters, whom no authorizer stops.
func administrator(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return the.Kubectl(t.Context(), the.AdminConfig(), args...)
}

// denied is what a developer reads whose Job names production's data store; the second sentence is added while the store is held.
const (
	denied = `is forbidden: use a data store of "development" (DataStoreAcrossTiers: env "DATABASE_URL" names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development")`
	note   = " vanished from the API server though nobody deleted them, and Firebreak holds to what it knew; whoever runs Firebreak declares them again"
)

// develops returns what a developer is told whose Job names production's data store.
func develops(t *testing.T) string {
	t.Helper()
	out, err := the.KubectlWith(t.Context(), the.UserConfig(stage.Developer), `{apiVersion: batch/v1, kind: Job, metadata: {name: reindex, namespace: dev}, spec: {template: {spec: {restartPolicy: Never,
  containers: [{name: a, image: example.com/a, env: [{name: DATABASE_URL, value: "postgres://orders.prod.db.example.com/orders"}]}]}}}}`, "create", "--dry-run=server", "-f", "-")
	if err == nil {
		return "admitted: " + out
	}
	return out
}

// holds waits until every replica refuses, with the note.
func holds(t *testing.T, when string) {
	t.Helper()
	for range 10 {
		await.NoError(t, when+", production stays production", func() error {
			if out := develops(t); !strings.Contains(out, denied+"; note: ") || !strings.Contains(out, note) {
				return fmt.Errorf("want it refused with the note: %s", out)
			}
			return nil
		})
	}
}

// tells waits until a metric of both replicas has a value.
func tells(t *testing.T, metric string) {
	t.Helper()
	await.NoError(t, "both replicas tell "+metric, func() error {
		out, err := the.Metrics(t.Context())
		if err == nil && strings.Count(out, "\n"+metric+"\n") != 2 {
			err = fmt.Errorf("they tell:\n%s", out)
		}
		return err
	})
}

// A member of system:masters deletes what guards Firebreak, and the definitions. Everything that was declared is gone from the API server, and nobody
// was asked. Firebreak holds to it while it runs, after a restart while the kinds are not served, after a restart while they are served again and
// empty, and until it is declared again. What somebody deletes afterwards is gone.
func TestDeclarationsThatVanish(t *testing.T) {
	if out := develops(t); !strings.Contains(out, denied) || strings.Contains(out, "note:") {
		t.Fatalf("before: %s", out)
	}
	await.NoError(t, "there is a copy", func() error {
		_, err := administrator(t, "get", "configmap", "firebreak-last-good", "-n", stage.Namespace)
		return err
	})
	guarded(t)
	const guards = "validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicybindings,validatingadmissionpolicies"
	await.NoError(t, "the definitions are deleted", func() error { // before the registrations are back
		if out, err := administrator(t, "delete", guards, "--all", "--wait=false"); err != nil {
			return fmt.Errorf("%w %s", err, out)
		}
		_, err := administrator(t, "delete", "crd", "environments.firebreak.dev", "datastores.firebreak.dev", "--wait=false")
		if err != nil && strings.Contains(err.Error(), "NotFound") {
			return nil
		}
		return err
	})
	await.True(t, "the kinds are not served", func() bool {
		_, err := administrator(t, "get", "--raw", "/apis/firebreak.dev/v1alpha1/environments")
		return err != nil
	})
	tells(t, `firebreak_estate_held{kind="Environment"} 3`)
	holds(t, "while the replicas run")
	await.True(t, "an Event tells of it", func() bool {
		out, err := administrator(t, "get", "events", "-n", stage.Namespace, "--field-selector", "reason=Degraded", "-o", "jsonpath={.items[*].message}")
		return err == nil && strings.Contains(out, note)
	})

	restart(t)
	tells(t, `firebreak_estate_held{kind="Environment"} 3`)
	holds(t, "after a restart without the kinds")

	crds := filepath.Join(the.Root, "config", "crd")
	if out, err := administrator(t, "apply", "--server-side", "--force-conflicts", "-k", crds); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	restart(t)
	tells(t, `firebreak_estate_held{kind="Environment"} 3`)
	holds(t, "after a restart with other definitions of the kinds")

	lesser(t)
	if err := the.Populate(t.Context()); err != nil {
		t.Fatal(err)
	}
	tells(t, `firebreak_estate_held{kind="Environment"} 0`)
	tells(t, `firebreak_estate_held{kind="DataStore"} 0`)
	if out := develops(t); !strings.Contains(out, denied) || strings.Contains(out, "note:") {
		t.Errorf("declared again: %s", out)
	}
	if err := the.Apply(t.Context(), `{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: qa}, spec: {tier: NonProduction}}`); err != nil {
		t.Fatal(err)
	}
	digest := ""
	known := func() bool {
		out, err := administrator(t, "get", "configmap", "firebreak-last-good", "-n", stage.Namespace, "-o", "jsonpath={.data.sha256}")
		before, changed := digest, out != digest
		digest = out
		return err == nil && before != "" && changed
	}
	await.True(t, "the copy takes it in", known)
	if out, err := administrator(t, "delete", "environment", "qa"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	await.True(t, "the copy forgets what somebody has deleted", known)
	tells(t, `firebreak_estate_held{kind="Environment"} 0`)
}

// guarded checks that an administrator neither changes the copy nor deletes it.
func guarded(t *testing.T) {
	t.Helper()
	for _, verb := range [][]string{{"delete", "configmap", "firebreak-last-good"}, {"patch", "configmap", "firebreak-last-good", "--type=merge", "-p", `{"data":{"shards":"1"}}`}, {"delete", "configmap", "firebreak-last-good-a-0"}} {
		if out, err := administrator(t, append(verb, "-n", stage.Namespace)...); err == nil || !strings.Contains(out, "the fence and Firebreak hold by what stands in these ConfigMaps; only Firebreak writes and deletes them") {
			t.Errorf("%v %s", err, out)
		}
	}
}

// lesser checks that nobody declares less than what is held under its name.
func lesser(t *testing.T) {
	t.Helper()
	less := `{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production, annotations: {firebreak.dev/sealed: "true"}}, spec: {tier: NonProduction, namespaces: {names: [payments]}}}`
	out, err := the.KubectlWith(t.Context(), the.AdminConfig(), less, "create", "--dry-run=server", "-f", "-")
	const want = "this weakens the boundary: it changes tier from Production to NonProduction; it changes namespaces; it changes identities.automation)"
	if err == nil || !strings.Contains(out, want) {
		t.Errorf("%v %s\nwant it refused, since %s", err, out, want)
	}
}

func restart(t *testing.T) {
	t.Helper()
	if out, err := administrator(t, "rollout", "restart", "deployment/firebreak", "-n", stage.Namespace); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := administrator(t, "rollout", "status", "deployment/firebreak", "-n", stage.Namespace, "--timeout=60s"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}
