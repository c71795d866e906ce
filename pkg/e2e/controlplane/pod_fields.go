package controlplane

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// field evaluates a fieldRef of the downward API.
func (w *podWorker) field(path string) (string, error) {
	pod := w.current()
	if name, key, ok := subscript(path); ok {
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return quotedPairs(pod.Labels), nil
	case "metadata.annotations":
		return quotedPairs(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return w.address.local(), nil // so that the process can listen there
	case "status.hostIP", "status.hostIPs":
		return w.runner.address.local(), nil
	}
	return "", fmt.Errorf("the field %s is not supported", path)
}

// subscript splits metadata.labels['key'].
func subscript(path string) (name, key string, ok bool) {
	name, rest, ok := strings.Cut(path, "['")
	if !ok || !strings.HasSuffix(rest, "']") {
		return "", "", false
	}
	return name, strings.TrimSuffix(rest, "']"), true
}

// quotedPairs is the format of labels and annotations in a downwardAPI volume.
func quotedPairs(pairs map[string]string) string {
	var lines []string
	for key, value := range pairs {
		lines = append(lines, key+"="+strconv.Quote(value))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// resourceField evaluates a resourceFieldRef, rounding up. A limit that is not set is what the node has allocatable.
func resourceField(c *corev1.Container, allocatable corev1.ResourceList, ref *corev1.ResourceFieldSelector) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	var amount resource.Quantity
	switch kind {
	case "limits":
		var found bool
		if amount, found = c.Resources.Limits[corev1.ResourceName(name)]; !found {
			amount = allocatable[corev1.ResourceName(name)]
		}
	case "requests":
		amount = c.Resources.Requests[corev1.ResourceName(name)]
	default:
		return "", fmt.Errorf("the resource %s is not supported", ref.Resource)
	}
	if name == string(corev1.ResourceCPU) {
		return roundUp(amount.MilliValue(), ref.Divisor.MilliValue(), 1000), nil
	}
	return roundUp(amount.Value(), ref.Divisor.Value(), 1), nil
}

// roundUp divides, rounding up. Without a divisor it divides by the unit.
func roundUp(amount, divisor, unit int64) string {
	if divisor == 0 {
		divisor = unit
	}
	return strconv.FormatInt((amount+divisor-1)/divisor, 10)
}
