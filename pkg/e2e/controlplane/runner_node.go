package controlplane

import (
	"context"
	"fmt"
	"runtime"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// The kubelet's defaults.
const (
	leaseSeconds   = 40
	heartbeatEvery = 10 * time.Second
)

// registerNode creates the node, as a kubelet registers itself, and reports that it is Ready.
func (r *PodRunner) registerNode(ctx context.Context) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: r.options.NodeName,
			Labels: map[string]string{
				corev1.LabelHostname:   r.options.NodeName,
				corev1.LabelOSStable:   runtime.GOOS,
				corev1.LabelArchStable: runtime.GOARCH,
				RunnerLabel:            "true",
			},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: RunnerLabel, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
	}
	nodes := r.client.CoreV1().Nodes()
	created, err := nodes.Create(ctx, node, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // an earlier runner created it
		created, err = nodes.Get(ctx, node.Name, metav1.GetOptions{})
	}
	if err != nil {
		return fmt.Errorf("registering node %s: %w", node.Name, err)
	}
	return poll(ctx, "node "+node.Name, func(ctx context.Context) error {
		created.Status = r.nodeStatus()
		if _, err = nodes.UpdateStatus(ctx, created, metav1.UpdateOptions{}); err == nil {
			return nil
		}
		if latest, getErr := nodes.Get(ctx, node.Name, metav1.GetOptions{}); getErr == nil {
			created = latest
		}
		return err
	})
}

func (r *PodRunner) nodeStatus() corev1.NodeStatus {
	plenty := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("100"),
		corev1.ResourceMemory: resource.MustParse("1Ti"),
		corev1.ResourcePods:   resource.MustParse("1000"),
	}
	now := metav1.Now()
	return corev1.NodeStatus{
		Capacity:    plenty,
		Allocatable: plenty,
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: r.address.shown()},
			{Type: corev1.NodeHostName, Address: r.options.NodeName},
		},
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "PodRunnerReady",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}},
		NodeInfo: corev1.NodeSystemInfo{OperatingSystem: runtime.GOOS, Architecture: runtime.GOARCH},
	}
}

// heartbeat renews the node's lease; without it, the node would be taken for lost. A later renewal makes up for one that fails.
func (r *PodRunner) heartbeat() {
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		_ = r.renewLease()
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (r *PodRunner) renewLease() error {
	leases := r.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	lease, err := leases.Get(r.ctx, r.options.NodeName, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return err
	}
	if missing {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: r.options.NodeName}}
	}
	lease.Spec.HolderIdentity = ptr.To(r.options.NodeName)
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(leaseSeconds))
	lease.Spec.RenewTime = ptr.To(metav1.NowMicro())
	if missing {
		_, err = leases.Create(r.ctx, lease, metav1.CreateOptions{})
	} else {
		_, err = leases.Update(r.ctx, lease, metav1.UpdateOptions{})
	}
	return err
}
