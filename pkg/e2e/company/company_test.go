package company_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/cli"
	"github.com/firebreak-dev/firebreak/pkg/e2e/company"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const teams = 100

// create creates objects with the rights of the administrator.
func create(ctx context.Context, s *stage.Stage, docs []string) error {
	c, err := s.Client(s.AdminConfig())
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, doc := range docs {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			return fmt.Errorf("read %s: %w", doc, err)
		}
		g.Go(func() error { return c.Create(ctx, u) })
	}
	return g.Wait()
}

// adopt does what somebody does who comes to Firebreak: they run discover on a cluster that has never seen it, and install the proposal as it stands.
func adopt(t testing.TB, acme *company.Company) (s *stage.Stage, proposal string) {
	t.Helper()
	file, inventory := filepath.Join(t.TempDir(), "values.yaml"), filepath.Join(t.TempDir(), "rds.json")
	if err := os.WriteFile(inventory, []byte(acme.Inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := stage.Start(t.Context(), stage.Options{Files: []string{file}, Before: func(ctx context.Context, s *stage.Stage) error {
		if err := create(ctx, s, acme.Namespaces); err != nil {
			return err
		}
		if err := create(ctx, s, acme.Objects); err != nil {
			return err
		}
		out, err := s.Plugin(ctx, s.AdminConfig(), "discover", "--inventory", inventory)
		if err != nil {
			return err
		}
		proposal = out
		return os.WriteFile(file, []byte(out), 0o600)
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, proposal)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s, proposal
}

// hostsOf returns the hosts that a proposal declares.
func hostsOf(t *testing.T, proposal string) []string {
	t.Helper()
	var values struct {
		DataStores map[string]struct {
			Hosts []string `json:"hosts"`
		} `json:"dataStores"`
	}
	if err := yaml.Unmarshal([]byte(proposal), &values); err != nil {
		t.Fatalf("%v\n%s", err, proposal)
	}
	var out []string
	for _, s := range values.DataStores {
		out = append(out, s.Hosts...)
	}
	return out
}

// deniedIn returns what audit says would be denied, as namespace/name, and waits until that is as long as it should be: the estate is not in force at once.
func deniedIn(t *testing.T, s *stage.Stage, want int) map[string]bool {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		out, err := s.Plugin(t.Context(), s.AdminConfig(), "audit", "-o", "json")
		var r cli.Report
		if _, answer, ok := strings.Cut(out, "{"); !ok || json.Unmarshal([]byte("{"+answer), &r) != nil {
			t.Fatalf("%v: %s", err, out)
		}
		denied := map[string]bool{}
		for _, x := range r.Results {
			if x.Decision == "deny" {
				denied[x.Namespace+"/"+x.Name] = true
			}
		}
		if len(denied) == want || time.Now().After(deadline) {
			return denied
		}
	}
}

// A company of 300 namespaces on a real API server: what discover proposes of it, before Firebreak is installed; and what is denied once the proposal is
// installed as it stands: what crosses tiers, and nothing else.
func TestAdoption(t *testing.T) {
	acme := company.New(teams)
	s, proposal := adopt(t, acme)
	score := acme.Score(hostsOf(t, proposal))
	t.Log(score)
	if !score.Good() {
		t.Errorf("fewer than 80 %% are found, or more than 5 %% are wrong:\n%s", proposal)
	}
	expected := maps.Clone(acme.Crossing)
	expected["/kwok"] = true // the nodes of this cluster are made up by a program that everything is allowed to
	want := fmt.Sprintf("# At standard these %d objects would be denied, if they were created as they are:\n", len(expected))
	_, told, found := strings.Cut(proposal, want)
	if !found {
		t.Errorf("it does not say %q:\n%s", want, proposal)
	}
	denied := deniedIn(t, s, len(expected))
	for name := range acme.Crossing {
		ns, _, _ := strings.Cut(name, "/")
		if !denied[name] || !strings.Contains(told, fmt.Sprintf("#   Deployment \"app\" in namespace %q: ", ns)) {
			t.Errorf("%s crosses tiers. audit tells: %t; discover tells: %s", name, denied[name], told)
		}
	}
	if !maps.Equal(denied, expected) {
		t.Errorf("audit denies %v, want %v", denied, expected)
	}
	deployAgain(t, s, acme)
}

// deployAgain has a member of all environments create a copy of every Deployment, and expects that those that cross are denied, and no other.
func deployAgain(t *testing.T, s *stage.Stage, acme *company.Company) {
	t.Helper()
	cfg := s.UserConfig("dee", company.Deployers)
	cfg.WarningHandler = rest.NoWarnings{}
	c, err := s.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var admitted, refused []string
	for _, doc := range acme.Objects {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatal(err)
		}
		if u.GetKind() != "Deployment" {
			continue
		}
		name := u.GetNamespace() + "/" + u.GetName()
		u.SetName("again")
		switch err := c.Create(t.Context(), u, client.DryRunAll); {
		case err == nil:
			admitted = append(admitted, name)
		case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "DataStoreAcrossTiers"):
			refused = append(refused, name)
		default:
			t.Fatal(errors.Join(fmt.Errorf("create a copy of %s", name), err))
		}
	}
	for _, name := range admitted {
		if acme.Crossing[name] {
			t.Errorf("%s is admitted again", name)
		}
	}
	if slices.ContainsFunc(refused, func(name string) bool { return !acme.Crossing[name] }) || len(refused) != len(acme.Crossing) {
		t.Errorf("%v are denied, want %v", refused, acme.Crossing)
	}
	t.Logf("of %d Deployments that are created again, %d are denied: those that cross", len(admitted)+len(refused), len(refused))
}
