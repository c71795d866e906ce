package attack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

//nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds
var (
	the    *stage.Stage
	tokens = map[string]*rest.Config{}
)

func TestMain(m *testing.M) {
	os.Exit(fixture.On(m, stage.Options{Files: []string{filepath.Join("testdata", "estate.yaml")}, Before: before}, &the, inForce))
}

// before sets up a cluster as it is before Firebreak is installed: software with its accounts, and rights that are far too wide.
func before(ctx context.Context, s *stage.Stage) error {
	if err := s.Staff(ctx); err != nil {
		return err
	}
	var all []string
	for _, kind := range []string{"argoproj.io Workflow workflows", "jobset.x-k8s.io JobSet jobsets", "kustomize.toolkit.fluxcd.io Kustomization kustomizations"} {
		f := strings.Fields(kind)
		all = append(all, fmt.Sprintf(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: %[3]s.%[1]s}, spec: {group: %[1]s, scope: Namespaced, names: {plural: %[3]s, singular: %[4]s, kind: %[2]s},
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`, f[0], f[1], f[2], strings.ToLower(f[1])))
	}
	all = append(all, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: rollouts.argoproj.io}, spec: {group: argoproj.io, scope: Namespaced, names: {plural: rollouts, singular: rollout, kind: Rollout},
  versions: [{name: v1, served: true, storage: true, subresources: {scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .spec.selector}},
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`)
	for _, account := range []string{"argo/argo", "jobset-system/controller", "kustomize-system/default", "platform/deployer", "karpenter/karpenter", "argocd/none"} {
		ns, name, _ := strings.Cut(account, "/")
		all = append(all, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
		if name != "default" {
			all = append(all, fmt.Sprintf("{apiVersion: v1, kind: ServiceAccount, metadata: {name: %s, namespace: %s}}", name, ns))
		}
		all = append(all, fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: %[1]s-%[2]s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: %[2]s, namespace: %[1]s}]}", ns, name))
	}
	all = append(all, "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: all-of-it}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}, {apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}]}")
	if err := s.Apply(ctx, strings.Join(all, "\n---\n")); err != nil {
		return err
	}
	// Once there is a boundary, nobody gets a token of these accounts without a window.
	for _, account := range []string{"payments/release-bot", "argo/argo", "kustomize-system/default", "karpenter/karpenter", "platform/deployer"} {
		ns, name, _ := strings.Cut(account, "/")
		cfg, err := s.ServiceAccountConfig(ctx, ns, name)
		if err != nil {
			return err
		}
		tokens[account] = cfg
	}
	return nil
}

func inForce(ctx context.Context) error {
	c, err := the.Client(the.AdminConfig())
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var d v1alpha1.DataStore
		var e v1alpha1.Environment
		if c.Get(ctx, client.ObjectKey{Name: "orders"}, &d) == nil && d.Status.Tier == v1alpha1.TierProduction &&
			c.Get(ctx, client.ObjectKey{Name: "production"}, &e) == nil && e.Status.Namespaces > 0 {
			_, err := the.Plugin(ctx, the.AdminConfig(), "init", "--seal")
			return err
		}
	}
	return fmt.Errorf("the estate is not in force after a minute")
}

func dana() *rest.Config { return the.UserConfig(stage.Developer) }
func sam() *rest.Config  { return the.UserConfig(stage.SRE) }

func account(t *testing.T, namespace, name string) *rest.Config {
	t.Helper()
	cfg := tokens[namespace+"/"+name]
	if cfg == nil {
		t.Fatalf("no token of %s/%s", namespace, name)
	}
	return cfg
}

// refused fails the test unless a command fails with all parts of a message.
func refused(t *testing.T, cfg *rest.Config, stdin string, parts []string, args ...string) {
	t.Helper()
	out, err := the.KubectlWith(t.Context(), cfg, stdin, args...)
	if err == nil {
		t.Fatalf("kubectl %s: it was admitted: %s", strings.Join(args, " "), out)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("kubectl %s: the sentence lacks %q:\n%v", strings.Join(args, " "), part, err)
		}
	}
}

func done(t *testing.T, cfg *rest.Config, stdin string, args ...string) string {
	t.Helper()
	out, err := the.KubectlWith(t.Context(), cfg, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return out
}
