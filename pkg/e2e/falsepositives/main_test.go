package falsepositives

import (
	"context"
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
)

// the is the stage that every test of the package uses.
var the *stage.Stage //nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds

// machines are the configurations of service accounts, by namespace/name. Their tokens are minted before Firebreak guards them.
var machines map[string]*rest.Config //nolint:gochecknoglobals // written once, before the tests

func TestMain(m *testing.M) { os.Exit(fixture.On(m, stage.Options{}, &the, populate)) }

// populate declares the shop beside the sample estate, whose seal comes last: after the seal, a second production, its namespaces
// and its nodes would need a window, and so would the rights that a stage gives its developers.
func populate(ctx context.Context) error {
	if err := furnish(ctx); err != nil {
		return err
	}
	for _, estate := range []string{filepath.Join("testdata", "estate.yaml"), filepath.Join(the.Root, "config", "samples", "estate")} {
		if _, err := the.Kubectl(ctx, the.AdminConfig(), "apply", "-f", estate); err != nil {
			return err
		}
	}
	return compiled(ctx)
}

// furnish writes the objects that exist before anything is judged.
func furnish(ctx context.Context) error {
	admin := the.AdminConfig()
	apply := func(file string) error {
		_, err := the.Kubectl(ctx, admin, "apply", "-f", file)
		return err
	}
	for _, name := range []string{"crds", "namespaces", "people"} {
		if err := apply(filepath.Join("testdata", name+".yaml")); err != nil {
			return err
		}
	}
	if _, err := the.Kubectl(ctx, admin, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"); err != nil {
		return err
	}
	// Argo CD would write it so: what it applies again must be the same, by the same field manager.
	if _, err := the.Kubectl(ctx, admin, "apply", "--server-side", "--field-manager=argocd-controller", "-f", filepath.Join("testdata", "legacy.yaml")); err != nil {
		return err
	}
	machines = map[string]*rest.Config{}
	for _, a := range [][2]string{
		{"argocd", "argocd-application-controller"}, {"velero", "velero"}, {"cert-manager", "cert-manager"}, {"cnpg-system", "cnpg-manager"},
		{"airflow", "scheduler"}, {"monitoring", "prometheus-operator"}, {"flux-system", "kustomize-controller"},
		{"keda", "keda-operator"}, {"argo-rollouts", "argo-rollouts"}, {"kube-system", "ebs-csi-controller-sa"}, {"kube-system", "cluster-autoscaler"},
		{"longhorn-system", "longhorn-service-account"}, {"karpenter", "karpenter"}, {"ingress-nginx", "ingress-nginx"},
	} {
		cfg, err := the.ServiceAccountConfig(ctx, a[0], a[1])
		if err != nil {
			return err
		}
		machines[a[0]+"/"+a[1]] = cfg
	}
	tenant := rest.CopyConfig(machines["flux-system/kustomize-controller"])
	tenant.Impersonate.UserName = "system:serviceaccount:shop-tenant:deployer"
	machines["flux-system/kustomize-controller as shop-tenant/deployer"] = tenant
	return nil
}

// compiled waits until the statuses show that both productions hold.
func compiled(ctx context.Context) error {
	c, err := the.Client(the.AdminConfig())
	if err != nil {
		return err
	}
	return poll(ctx, "the estate is compiled", func() error {
		for _, name := range []string{"production", "shop"} {
			var e v1alpha1.Environment
			if err := c.Get(ctx, client.ObjectKey{Name: name}, &e); err != nil {
				return err
			}
			if e.Status.Namespaces == 0 || e.Status.DataStores == 0 {
				return fmt.Errorf("environment %s has %d namespaces and %d data stores", name, e.Status.Namespaces, e.Status.DataStores)
			}
		}
		return nil
	})
}

// poll repeats ask until it returns no error. It is patient enough for a schedule of one minute.
func poll(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
