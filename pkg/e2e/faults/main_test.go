package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var (
	form     = flag.String("faults", "short", "which faults are made: short, some; full, all, and the table is kept in last.md")
	requests = flag.Int64("requests", 10_000, "how many requests of the full form none of may fail, in each row that says so")
)

// full reports whether all faults are made.
func full() bool { return *form == "full" }

const replicas = 3

var cluster *stage.Stage //nolint:gochecknoglobals // one control plane serves all rows

func TestMain(m *testing.M) {
	flag.Parse()
	if *form != "short" && *form != "full" {
		fmt.Fprintln(os.Stderr, "-faults is short or full")
		os.Exit(2)
	}
	code := fixture.Main(m, stage.Options{Replicas: replicas, Links: true, Images: map[string]string{beforeImage: beforeBinary()}}, &cluster, furnish)
	_ = os.Remove(beforeBinary()) // there is none unless a fault has built it
	os.Exit(code)
}

// objects exist before there is a boundary: what is changed all day, what a controller's Pods are made of, and a machine that may
// write in development.
const objects = `
{apiVersion: v1, kind: Namespace, metadata: {name: dev}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: payments}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: builder, namespace: dev}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: release-bot, namespace: payments}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: builder, namespace: dev},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, subjects: [{kind: ServiceAccount, name: builder, namespace: dev}]}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web, namespace: dev}, spec: {replicas: 0, selector: {matchLabels: {app: web}},
 template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: registry.example.com/web:1}]}}}}
`

// machines are the configurations of service accounts by name. Their tokens are minted before Firebreak guards them.
var machines = map[string]*rest.Config{} //nolint:gochecknoglobals // written once, before the tests

func furnish(ctx context.Context, s *stage.Stage) error {
	if err := s.Apply(ctx, objects); err != nil {
		return err
	}
	for name, namespace := range map[string]string{"builder": "dev", "release-bot": "payments", "replicaset-controller": "kube-system"} {
		cfg, err := s.ServiceAccountConfig(ctx, namespace, name)
		if err != nil {
			return err
		}
		machines[name] = cfg
	}
	for i := range workers {
		for _, namespace := range []string{"dev", "payments"} {
			for _, name := range []string{"settings", "machine"} {
				manifest := fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s-%d, namespace: %s}}", name, i, namespace)
				if err := s.Apply(ctx, manifest); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
