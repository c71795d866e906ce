package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// plane is a control plane to run specs on.
type plane struct {
	*controlplane.ControlPlane
	firebreak *stage.Stage // nil without Firebreak
}

// starter starts a control plane.
type starter func(context.Context) (*plane, error)

// startPlain starts a control plane without Firebreak.
func startPlain(ctx context.Context) (*plane, error) {
	c, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	if err := addNodes(ctx, c); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &plane{ControlPlane: c}, nil
}

// startGuarded starts a control plane with Firebreak, installed with the chart's defaults, and with the sample estate, whose
// production is sealed. The namespaces that specs create belong to no environment.
func startGuarded(ctx context.Context) (*plane, error) {
	s, err := stage.Start(ctx, stage.Options{})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.Populate(ctx), addNodes(ctx, s.ControlPlane)); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return &plane{ControlPlane: s.ControlPlane, firebreak: s}, nil
}

// judged returns how many requests Firebreak has judged.
func (p *plane) judged(ctx context.Context) (int, error) {
	if p.firebreak == nil {
		return 0, nil
	}
	metrics, err := p.firebreak.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	var sum int
	for _, match := range judgedMetric.FindAllStringSubmatch(metrics, -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil {
			return 0, fmt.Errorf("read a metric: %w", err)
		}
		sum += n
	}
	return sum, nil
}

var judgedMetric = regexp.MustCompile(`(?m)^firebreak_admission_duration_seconds_count\{.*\} (\d+)$`)

// addNodes adds two nodes to the existing one: specs about spreading and eviction ask for more than one.
func addNodes(ctx context.Context, c *controlplane.ControlPlane) error {
	client, err := kubernetes.NewForConfig(c.AdminConfig())
	if err != nil {
		return err
	}
	for _, name := range []string{"kwok-1", "kwok-2"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			Labels:      map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"},
		}}
		if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("add node %s: %w", name, err)
		}
		if err := awaitNode(ctx, client, name); err != nil {
			return fmt.Errorf("wait for node %s: %w", name, err)
		}
	}
	return nil
}

func awaitNode(ctx context.Context, client kubernetes.Interface, name string) error {
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
}
