package change

import (
	"fmt"
	"math"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// prolongs adds what multiplies or prolongs the runs of a Job, unless it is the default.
func (b *builder) prolongs(w *workload.Workload) {
	if d := w.Template.Spec.ActiveDeadlineSeconds; d != nil {
		b.add("podActiveDeadlineSeconds", *d, "")
	}
	for i := range w.Claims { // what they are filled with is what the Pods find
		c := w.Claims[i].DeepCopy()
		omit(&c.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
		b.add(fmt.Sprintf("volumeClaimTemplates[%q]", c.Name), c.Spec, "")
	}
	j := w.Job
	if j == nil {
		return
	}
	if j.ActiveDeadlineSeconds != nil {
		b.add("activeDeadlineSeconds", *j.ActiveDeadlineSeconds, "")
	}
	if j.PodFailurePolicy != nil {
		b.add("podFailurePolicy", undefaultFailures(j.PodFailurePolicy), "")
	}
	b.add("successPolicy", j.SuccessPolicy, "")
	if j.BackoffLimitPerIndex != nil {
		b.add("backoffLimitPerIndex", fmt.Sprint(*j.BackoffLimitPerIndex), "")
		if n := j.BackoffLimit; n != nil && *n == math.MaxInt32 {
			delete(b.fields, "backoffLimit") // the API server fills it in
		}
	}
	if j.ManagedBy != nil && *j.ManagedBy != batchv1.JobControllerName {
		b.add("managedBy", *j.ManagedBy, "")
	}
	if j.MaxFailedIndexes != nil {
		b.add("maxFailedIndexes", fmt.Sprint(*j.MaxFailedIndexes), "")
	}
}

func undefaultFailures(p *batchv1.PodFailurePolicy) *batchv1.PodFailurePolicy {
	p = p.DeepCopy()
	for i := range p.Rules {
		for k := range p.Rules[i].OnPodConditions {
			if c := &p.Rules[i].OnPodConditions[k]; c.Status == corev1.ConditionTrue {
				c.Status = ""
			}
		}
	}
	return p
}

// placement adds where a workload may run, when it may start, who pulls its images, and the annotations and labels that make webhooks inject
// containers.
func (b *builder) placement(t *workload.Template) {
	s := &t.Spec
	b.add("nodeSelector", s.NodeSelector, "")
	b.add("affinity", s.Affinity, "")
	b.add("tolerations", slices.DeleteFunc(slices.Clone(s.Tolerations), ofEveryPod), "")
	b.add("schedulingGates", s.SchedulingGates, "")
	b.add("priorityClassName", s.PriorityClassName, "")
	b.add("resourceClaims", s.ResourceClaims, "")
	if t.Path != "" { // into a bare Pod, the API server writes those of its service account
		b.add("imagePullSecrets", s.ImagePullSecrets, "")
	}
	for key, value := range t.Annotations {
		if injects(key) {
			b.value(fmt.Sprintf("metadata.annotations[%q]", key), value)
		}
	}
	for key, value := range t.Labels {
		if injects(key) {
			b.value(fmt.Sprintf("metadata.labels[%q]", key), value)
		}
	}
}

// ofEveryPod reports whether the API server adds a toleration to every Pod.
func ofEveryPod(t corev1.Toleration) bool {
	return (t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable) && t.Effect == corev1.TaintEffectNoExecute &&
		t.Operator == corev1.TolerationOpExists && t.TolerationSeconds != nil && *t.TolerationSeconds == 300
}

// injects reports whether an annotation or label tells a webhook to put something into the Pod, or what.
func injects(key string) bool {
	domain, name, ok := strings.Cut(key, "/")
	if !ok {
		domain, name = "", key
	}
	if strings.Contains(name, "inject") || strings.Contains(domain, "inject") || strings.Contains(domain, "sidecar") {
		return true
	}
	return slices.ContainsFunc([]string{
		"vault.hashicorp.com", "consul.hashicorp.com", "istio.io", "linkerd.io", "dapr.io", "admission.datadoghq.com", "instrumentation.opentelemetry.io",
		"k8s.v1.cni.cncf.io", "bank-vaults.io", "akeyless", "newrelic.com", "dynatrace.com", "kuma.io", "appmesh.k8s.aws", "azure.workload.identity",
	}, func(d string) bool { return domain == d || strings.HasSuffix(domain, "."+d) })
}
