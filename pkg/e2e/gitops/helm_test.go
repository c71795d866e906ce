package gitops

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const helm = "flux-system/helm-controller"

// helmKubeconfig holds the token of the account of Flux's helm-controller.
var helmKubeconfig string //nolint:gochecknoglobals // the account's token is minted once

// installHelm mints the token of helm-controller's account, and has it install version 1.
func installHelm(ctx context.Context) error {
	config, err := cluster.ServiceAccountConfig(ctx, "flux-system", "helm-controller")
	if err != nil {
		return err
	}
	if helmKubeconfig, err = cluster.Kubeconfig(config, "shop"); err != nil {
		return err
	}
	if out, err := helmDoes(ctx, "install", 1); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// helmDoes runs helm, whose code helm-controller runs, as its account, with a version of the chart.
func helmDoes(ctx context.Context, verb string, version int) (string, error) {
	cmd := exec.CommandContext(ctx, cluster.Bin("helm"), verb, "shop", at(version, "helm"), "-n", "shop")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+helmKubeconfig, "HELM_CACHE_HOME="+cluster.Dir(), "HELM_CONFIG_HOME="+cluster.Dir(), "HELM_DATA_HOME="+cluster.Dir())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// upgraded upgrades the release, and returns what a refused request was told.
func upgraded(t *testing.T, version int) string {
	t.Helper()
	if out, err := helmDoes(t.Context(), "upgrade", version); err != nil {
		return sentence(out)
	}
	return ""
}

// Helm begins with a record of the release in a Secret, which is in no manifest and needs no window. While the hook is refused, the release is not
// upgraded.
func TestHelmWithAHook(t *testing.T) {
	said(t, `jobs.batch "shop-migrate" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n shop --for-service-account flux-system/helm-controller `+
		`(ChangeWindowRequired: this is maintenance in "production": it names data store "orders" and runs flyway)`, upgraded(t, 2))
	runs(t, "shop", "shop", 1)

	rendered, err := helmDoes(t.Context(), "template", 2)
	if err != nil {
		t.Fatalf("%v %s", err, rendered)
	}
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(rendered), 0o600); err != nil {
		t.Fatal(err)
	}
	window(t, "shop", "release-2", helm, "Create,Update", "-f", file)
	said(t, "", upgraded(t, 2))
	runs(t, "shop", "shop", 2)
	used(t, "shop", "release-2", "Create Job shop-migrate", "Update Deployment shop")
}
