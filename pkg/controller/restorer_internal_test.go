package controller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

// cluster is an API server that answers a restorer's calls, and fails where it is told to.
type cluster struct {
	client.Client // what is not overridden is not called

	rendered   *corev1.ConfigMap
	deployment *appsv1.Deployment
	stored     map[string]*unstructured.Unstructured
	broken     map[string]error // by name
	applied    []string
}

func missing(name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, name)
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	switch o := o.(type) {
	case *corev1.ConfigMap:
		if c.rendered == nil {
			return missing(key.Name)
		}
		c.rendered.DeepCopyInto(o)
	case *appsv1.Deployment:
		if c.deployment == nil {
			return missing(key.Name)
		}
		c.deployment.DeepCopyInto(o)
	case *unstructured.Unstructured:
		found, ok := c.stored[key.Name]
		if !ok {
			return missing(key.Name)
		}
		found.DeepCopyInto(o)
	}
	return nil
}

func (c *cluster) Apply(_ context.Context, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	u, ok := o.(interface{ UnstructuredContent() map[string]any })
	if !ok {
		return errors.New("no object")
	}
	object := &unstructured.Unstructured{Object: u.UnstructuredContent()}
	var options client.ApplyOptions
	options.ApplyOptions(opts)
	if len(options.DryRun) > 0 {
		return nil
	}
	if err := c.broken[object.GetName()]; err != nil {
		return err
	}
	c.applied = append(c.applied, object.GetName())
	c.stored[object.GetName()] = object.DeepCopy()
	return nil
}

const twoPolicies = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: firebreak-a}
spec: {failurePolicy: Fail}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: firebreak-b}
spec: {failurePolicy: Fail}
`

// restorerOf returns a restorer in a cluster without any of the rendered objects, the cluster, and its clock.
func restorerOf(t *testing.T) (*RegistrationRestorer, *cluster, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC)
	c := &cluster{
		rendered:   &corev1.ConfigMap{Data: map[string]string{registrations.Key: twoPolicies}},
		deployment: &appsv1.Deployment{}, stored: map[string]*unstructured.Unstructured{}, broken: map[string]error{},
	}
	m := &Cache{clock: func() time.Time { return now }}
	return NewRegistrationRestorer(m, c, client.ObjectKey{Name: "r"}, client.ObjectKey{Name: "d"}, record.NewFakeRecorder(1000), prometheus.NewRegistry(), logr.Discard()), c, &now
}

// looks makes the restorer check several times, some seconds apart.
func looks(t *testing.T, s *RegistrationRestorer, now *time.Time, times int) (failed error) {
	t.Helper()
	for range times {
		failed = s.once(t.Context())
		*now = now.Add(s.every)
	}
	return failed
}

func TestRestorerWaitsForASecondLook(t *testing.T) {
	s, c, now := restorerOf(t)
	if err := looks(t, s, now, 1); err != nil || len(c.applied) > 0 {
		t.Fatalf("at the first look it has put back %v: %v", c.applied, err)
	}
	if err := looks(t, s, now, 1); err != nil || strings.Join(c.applied, " ") != "firebreak-a firebreak-b" {
		t.Fatalf("at the second it has put back %v: %v", c.applied, err)
	}
}

// A person who deletes Firebreak, or scales it to nothing, is rid of it, even while it still runs.
func TestRestorerLeavesAloneWhatGoes(t *testing.T) {
	zero, gone := int32(0), metav1.Now()
	for name, d := range map[string]*appsv1.Deployment{
		"it is deleted":           nil,
		"it is being deleted":     {ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &gone}},
		"it is scaled to nothing": {Spec: appsv1.DeploymentSpec{Replicas: &zero}},
	} {
		t.Run(name, func(t *testing.T) {
			s, c, now := restorerOf(t)
			c.deployment = d
			if err := looks(t, s, now, 5); err != nil || len(c.applied) > 0 {
				t.Errorf("it has put back %v: %v", c.applied, err)
			}
		})
	}
}

// A person who means to switch Firebreak off would first delete the ConfigMap that it restores from.
func TestRestorerRemembersWhatWasRendered(t *testing.T) {
	s, c, now := restorerOf(t)
	_ = looks(t, s, now, 2)
	c.rendered, c.stored, c.applied = nil, map[string]*unstructured.Unstructured{}, nil
	if err := looks(t, s, now, 2); err != nil || len(c.applied) != 2 {
		t.Errorf("without its ConfigMap it has put back %v: %v", c.applied, err)
	}
}

func TestRestorerGoesOnAfterAFailure(t *testing.T) {
	s, c, now := restorerOf(t)
	c.broken["firebreak-a"] = errors.New("no")
	if err := looks(t, s, now, 2); err == nil || strings.Join(c.applied, " ") != "firebreak-b" {
		t.Errorf("it has put back %v: %v", c.applied, err)
	}
	c.broken = nil
	if err := looks(t, s, now, 1); err != nil || strings.Join(c.applied, " ") != "firebreak-b firebreak-a" {
		t.Errorf("and then %v: %v", c.applied, err)
	}
}

// A person with equal rights deletes a restored object again and again: attempts come later and later.
func TestRestorerDoesNotFightForEver(t *testing.T) {
	s, c, now := restorerOf(t)
	c.rendered.Data[registrations.Key] = strings.Split(twoPolicies, "---")[0]
	began := *now
	for now.Sub(began) < 2*time.Hour {
		_ = looks(t, s, now, 1)
		c.stored = map[string]*unstructured.Unstructured{}
	}
	if n := len(c.applied); n < 200 || n > 300 {
		t.Errorf("in two hours what was taken away was put back %d times, want every half minute", n)
	}
	if got := (attempts{n: 200}).patience(); got != 10*time.Minute {
		t.Errorf("what was changed is mended after %s", got)
	}
}

// The stored form is requested under names that nobody uses: an object that somebody has stored there must not be mixed into
// it.
func TestRestorerTrustsNoSample(t *testing.T) {
	s, c, now := restorerOf(t)
	c.stored["firebreak-a"+sampleSuffix] = &unstructured.Unstructured{Object: map[string]any{}}
	if err := looks(t, s, now, 3); err == nil || !strings.Contains(err.Error(), `"firebreak-a-as-stored" must not exist`) || len(c.applied) > 0 {
		t.Errorf("it has put back %v: %v", c.applied, err)
	}
}
