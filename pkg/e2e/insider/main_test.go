package insider

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// The people of the tests.
const (
	sam   = stage.SRE       // of group sre; requests, and may approve the requests of others
	robin = stage.SecondSRE // of groups sre and approvers
	dana  = stage.Developer // of group developers, who are not members of production
	ray   = "ray"           // of group sre; administers RBAC, and is bound by no escalation check
	rene  = "rene"          // of group sre; may approve, and break the glass
	admin = "kubernetes-admin"
)

// rights are what the insider has beyond the story's people: all that RBAC can grant except impersonating persons.
const rights = `
apiVersion: v1
kind: Namespace
metadata: {name: ledger, labels: {env: prod}}
---
apiVersion: v1
kind: Namespace
metadata: {name: ci}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: releaser, namespace: ci}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger, namespace: ci}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: launcher, namespace: ci}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: insider}
rules:
- apiGroups: [firebreak.dev]
  resources: ["*"]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
- {apiGroups: [""], resources: [namespaces, namespaces/status, namespaces/finalize], verbs: [get, update, patch, delete]}
- {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests, certificatesigningrequests/approval], verbs: [get, create, update]}
- {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client], verbs: [approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: insider}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: insider}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: sam}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: rbac-admin}
rules:
- {apiGroups: [rbac.authorization.k8s.io], resources: ["*"], verbs: [get, list, watch, create, update, patch, delete, bind, escalate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: rbac-admin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: rbac-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ray}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: rene}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: rene}]
---
# A GitOps controller has every right, as most do.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: gitops}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
- {kind: ServiceAccount, name: releaser, namespace: ci}
- {kind: ServiceAccount, name: stranger, namespace: ci}
- {kind: ServiceAccount, name: launcher, namespace: ci}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: ci-approves}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-approve}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ci-deployer}]
---
# Three roles by which one may act as a person or could come to: bound to nobody, or to mallory and empty yet.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: become}
rules: [{apiGroups: [""], resources: [users, groups], verbs: [impersonate]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: become-to-approve}
rules:
- {apiGroups: [authentication.k8s.io], resources: [users, groups, uids], verbs: ["impersonate:user-info"]}
- {apiGroups: [firebreak.dev], resources: [changeapprovals], verbs: ["impersonate-on:user-info:create"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: empty}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: empty}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: empty}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: collects}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {example.com/collect: "true"}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: collects}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: collects}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}]
`

var cluster *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run runs the tests. What the API server's audit log tells of them is judged again afterwards, and replay must agree with the webhook.
func run(m *testing.M) int {
	audit, err := fixture.NewAudit()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = audit.Remove() }()
	return fixture.Main(m, stage.Options{Replicas: 1, APIServerArgs: audit.Args(), After: func(ctx context.Context, s *stage.Stage) error { return audit.Agrees(ctx, s, nil) }}, &cluster, func(ctx context.Context, s *stage.Stage) error {
		file := filepath.Join(s.Dir(), "insider.yaml")
		if err := os.WriteFile(file, []byte(rights), 0o600); err != nil {
			return fmt.Errorf("write the insider's rights: %w", err)
		}
		_, err := s.Kubectl(ctx, s.AdminConfig(), "apply", "-f", file)
		return err
	})
}

// configOf returns the configuration with which a user reaches the API server.
func configOf(user string) *rest.Config {
	switch user {
	case admin:
		return cluster.AdminConfig()
	case ray, rene:
		return cluster.UserConfig(user, "sre")
	case sam, robin, dana, "ci-deployer":
		return cluster.UserConfig(user)
	}
	return cluster.UserConfig(user, "strangers")
}

func clientOf(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	cfg.WarningHandler = rest.NoWarnings{}
	c, err := cluster.Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func as(t *testing.T, user string) client.Client {
	t.Helper()
	return clientOf(t, configOf(user))
}

// impersonating returns a client of a user that asks to act as another. It knows the API beforehand. Otherwise discovery would be
// refused already, with another message.
func impersonating(t *testing.T, user string, whom rest.ImpersonationConfig) client.Client {
	t.Helper()
	own := as(t, user)
	cfg := configOf(user)
	cfg.Impersonate, cfg.WarningHandler = whom, rest.NoWarnings{}
	c, err := client.New(cfg, client.Options{Scheme: own.Scheme(), Mapper: own.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// minted returns a client of a service account, with a token that a person asked for, as the role admin lets them.
func minted(t *testing.T, by, namespace, name string) client.Client {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := as(t, by).SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	return bearing(t, request.Status.Token)
}

// bearing returns a client that shows a token and nothing else.
func bearing(t *testing.T, token string) client.Client {
	t.Helper()
	cfg := rest.AnonymousClientConfig(cluster.AdminConfig())
	cfg.BearerToken, cfg.QPS = token, -1
	return clientOf(t, cfg)
}
