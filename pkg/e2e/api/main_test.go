package api

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// The people and machines. The first two have every right that RBAC can give; Firebreak must refuse what they try all the same.
const (
	sam   = stage.SRE       // group sre, cluster-admin
	robin = stage.SecondSRE // groups sre and approvers, cluster-admin
	dana  = stage.Developer // group developers; may write windows and approvals in payments, but not approve
	// pat has no UID (a client certificate), and may approve the window "rebuild" in payments and no other.
	pat = "pat"
	// bot is a service account with every right. The environment ledger lets releaser request windows.
	bot      = "system:serviceaccount:ci:bot"
	releaser = "system:serviceaccount:ci:releaser"
	// admin is in group system:masters, which RBAC does not restrict.
	admin = "kubernetes-admin"
	// firebreak is the service account that the server runs as.
	firebreak = "system:serviceaccount:firebreak-system:firebreak"
)

// The people's rights, and an estate that is not sealed: within its first hour the boundary may be edited freely, so that the tests
// can write objects of every kind.
var (
	//go:embed testdata/people.yaml
	people string
	//go:embed testdata/estate.yaml
	estateManifest string
)

// the is the stage that every test of the package uses.
var the *stage.Stage //nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds

// now is when the tests began, to the second.
var now = time.Now().UTC().Truncate(time.Second) //nolint:gochecknoglobals // never written again

func TestMain(m *testing.M) { os.Exit(fixture.On(m, stage.Options{}, &the, populate)) }

// machines are the configurations with which the machines reach the API server. Their tokens are minted before Firebreak guards
// them.
var machines = map[string]*rest.Config{} //nolint:gochecknoglobals // written once, before the tests

// populate writes the people before the estate. Once there is an estate, the administrator is not a member of production and cannot
// mint a token of an account that production lists.
func populate(ctx context.Context) error {
	for name, text := range map[string]string{"1-people.yaml": people, "2-estate.yaml": estateManifest} {
		if err := os.WriteFile(filepath.Join(the.Dir(), name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	apply := func(name string) error {
		_, err := the.Kubectl(ctx, the.AdminConfig(), "apply", "-f", filepath.Join(the.Dir(), name))
		return err
	}
	if err := apply("1-people.yaml"); err != nil {
		return err
	}
	for _, machine := range []string{releaser, bot} {
		namespace, name, _ := estate.ServiceAccount(machine)
		cfg, err := the.ServiceAccountConfig(ctx, namespace, name)
		if err != nil {
			return fmt.Errorf("credentials of %s: %w", machine, err)
		}
		machines[machine] = cfg
	}
	if err := apply("2-estate.yaml"); err != nil {
		return err
	}
	return awaitEstate(ctx)
}

func awaitEstate(ctx context.Context) error {
	c, err := the.Client(the.AdminConfig())
	if err != nil {
		return fmt.Errorf("client of the administrator: %w", err)
	}
	return poll(ctx, func() (bool, error) {
		var all v1alpha1.EnvironmentList
		if err := c.List(ctx, &all); err != nil {
			return false, fmt.Errorf("list environments: %w", err)
		}
		for _, e := range all.Items {
			if e.Status.Namespaces == 0 {
				return false, nil
			}
		}
		return len(all.Items) > 0, nil
	})
}

// poll asks until the answer is yes. It never fails for taking long.
func poll(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// configOf returns the configuration with which a user of this package reaches the API server.
func configOf(t *testing.T, user string) *rest.Config {
	t.Helper()
	namespace, name, machine := estate.ServiceAccount(user)
	switch {
	case user == admin:
		return the.AdminConfig()
	case machines[user] != nil:
		return rest.CopyConfig(machines[user])
	case user == pat:
		return the.UserConfig(pat, "sre")
	case !machine:
		return the.UserConfig(user)
	}
	cfg, err := the.ServiceAccountConfig(t.Context(), namespace, name)
	if err != nil {
		t.Fatalf("credentials of %s: %v", user, err)
	}
	return cfg
}

// as returns a client that acts as a user.
func as(t *testing.T, user string) client.Client {
	t.Helper()
	return clientOf(t, configOf(t, user))
}

// impersonating returns a client of one user that asks to act as another. It knows the API beforehand. Otherwise discovery would be
// refused already, with another message.
func impersonating(t *testing.T, user, whom string) client.Client {
	t.Helper()
	own := as(t, user)
	cfg := configOf(t, user)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: whom}
	c, err := client.New(cfg, client.Options{Scheme: own.Scheme(), Mapper: own.RESTMapper()})
	if err != nil {
		t.Fatalf("make a client that impersonates %s: %v", whom, err)
	}
	return c
}

func clientOf(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	cfg.WarningHandler = rest.NoWarnings{}
	c, err := the.Client(cfg)
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	return c
}
