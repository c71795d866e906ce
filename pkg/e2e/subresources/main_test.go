package subresources

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var (
	//go:embed testdata/crds.yaml
	crds string
	//go:embed testdata/before.yaml
	before string
	//go:embed testdata/estate.yaml
	estateManifest string
)

// the is the stage that every test of the package uses.
var the *stage.Stage //nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds

func TestMain(m *testing.M) {
	os.Exit(fixture.On(m, stage.Options{Replicas: 2, Values: []string{"secrets.read=true"}}, &the, populate))
}

func populate(ctx context.Context) error {
	apply := func(name, text string) error {
		file := filepath.Join(the.Dir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		_, err := the.Kubectl(ctx, the.AdminConfig(), "apply", "-f", file)
		return err
	}
	if err := apply("crds.yaml", crds); err != nil {
		return err
	}
	if _, err := the.Kubectl(ctx, the.AdminConfig(), "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"); err != nil {
		return err
	}
	if err := apply("before.yaml", before); err != nil {
		return err
	}
	if err := askFor(ctx, "pat", "sre"); err != nil {
		return err
	}
	if err := apply("estate.yaml", estateManifest); err != nil {
		return err
	}
	return compiled(ctx)
}

// askFor requests a certificate of a user of production, before there is a boundary.
func askFor(ctx context.Context, name, group string) error {
	c, err := the.Client(the.AdminConfig())
	if err != nil {
		return err
	}
	raw, err := certificate(name, group)
	if err != nil {
		return err
	}
	return c.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: raw, SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	})
}

// compiled waits until the statuses show that the estate holds.
func compiled(ctx context.Context) error {
	c, err := the.Client(the.AdminConfig())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		var e v1alpha1.Environment
		if err := c.Get(ctx, client.ObjectKey{Name: "production"}, &e); err == nil && e.Status.Namespaces > 0 && e.Status.DataStores > 0 {
			time.Sleep(500 * time.Millisecond) // the other replica reads the same stream
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the estate was not compiled: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
