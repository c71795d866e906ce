package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// rbac says what the people of the story may do. Developers have far too much: the access that was meant to be temporary and became
// permanent. Firebreak must hold all the same.
const rbac = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: developers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: sre}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: estate-admin}
rules:
- {apiGroups: [firebreak.dev], resources: [environments, datastores, exemptions, changefreezes], verbs: ["*"]}
- {apiGroups: [firebreak.dev], resources: [changewindows, changeapprovals], verbs: [get, list, watch, create, delete]}
- {apiGroups: [firebreak.dev], resources: [changeexecutions, changerecords], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [namespaces, nodes], verbs: [get, list, watch, create, update, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: sre-estate}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: estate-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: approvers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-approve}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: approvers}
# The SRE who requests may approve what others request; that he approves his own is what Firebreak must refuse.
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: sam}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: delegates}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-delegate}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}]
---
# A machine with every right in its namespace, approve included.
apiVersion: v1
kind: ServiceAccount
metadata: {name: release-bot, namespace: payments}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: release-bot, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: release-bot, namespace: payments}]
`

// Populate creates the namespaces, the people's rights and the sample estate, and waits until every replica knows the estate.
func (s *Stage) Populate(ctx context.Context) error {
	estate := filepath.Join(s.Root, "config", "samples", "estate")
	if _, err := s.Kubectl(ctx, s.AdminConfig(), "apply", "-f", filepath.Join(estate, "namespaces.yaml")); err != nil {
		return err
	}
	if err := s.Apply(ctx, rbac); err != nil {
		return err
	}
	if _, err := s.Kubectl(ctx, s.AdminConfig(), "apply", "-f", estate); err != nil {
		return err
	}
	return s.awaitEstate(ctx)
}

// Staff creates the namespaces of the story and gives its people their rights, on a stage that declares its own estate.
func (s *Stage) Staff(ctx context.Context) error {
	for _, ns := range []string{"payments", "staging", "dev"} {
		if err := s.Apply(ctx, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns)); err != nil {
			return err
		}
	}
	return s.Apply(ctx, rbac)
}

// Apply applies manifests as the administrator.
func (s *Stage) Apply(ctx context.Context, manifests string) error {
	file, err := os.CreateTemp(s.Dir(), "*.yaml")
	if err != nil {
		return fmt.Errorf("write manifests: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err := file.WriteString(manifests); err != nil {
		return fmt.Errorf("write manifests: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write manifests: %w", err)
	}
	_, err = s.Kubectl(ctx, s.AdminConfig(), "apply", "-f", file.Name())
	return err
}

// awaitEstate waits until the statuses show that the estate was compiled, since the replicas read the same stream.
func (s *Stage) awaitEstate(ctx context.Context) error {
	c, err := s.Client(s.AdminConfig())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		var d v1alpha1.DataStore
		var e v1alpha1.Environment
		err := c.Get(ctx, client.ObjectKey{Name: "orders"}, &d)
		if err == nil {
			err = c.Get(ctx, client.ObjectKey{Name: "production"}, &e)
		}
		if err == nil && d.Status.Tier == v1alpha1.TierProduction && e.Status.Namespaces > 0 && e.Status.DataStores > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the estate was not compiled: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
