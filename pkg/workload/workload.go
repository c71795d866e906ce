package workload

import (
	"fmt"
	"reflect"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Template is one pod template of an object.
type Template struct {
	// Path leads from the object's root to the template. It is empty for a Pod, and `spec.template` for a Deployment.
	Path string
	// Labels and Annotations are those of the future Pods.
	Labels, Annotations map[string]string
	// Spec is that of the future Pods.
	Spec corev1.PodSpec

	// at is the path of the spec if it is not below Path. loose are containers outside of any pod spec.
	at    string
	loose []Container
}

// SpecPath returns the path of the pod spec.
func (t *Template) SpecPath() string {
	switch {
	case t.at != "":
		return t.at
	case t.Path == "":
		return "spec"
	case t.Path == inController:
		return inController + ".spec"
	case t.Path == inCronJob:
		return inCronJob + ".spec"
	}
	return t.Path + ".spec"
}

// Workload holds the parts that matter of an object that runs Pods.
type Workload struct {
	// Meta is the object's own metadata.
	Meta metav1.ObjectMeta
	// Template is the template of its Pods.
	Template Template
	// Wanted is how many Pods the object asks for at once. It is 0 while the object is suspended or scaled to zero, so that a
	// staged object is seen when it is released.
	Wanted int64
	// Deadline is the activeDeadlineSeconds of a Job. It is nil if the Job has none, or if the object is not a Job.
	Deadline *int64
	// Completions and BackoffLimit are those of a Job, or of a CronJob's Jobs, as given. Indexed is true for Jobs whose Pods
	// each have a number.
	Completions, BackoffLimit *int32
	Indexed                   bool
	// Job is the spec of a Job, or of a CronJob's Jobs; nil: neither.
	Job *batchv1.JobSpec
	// Claims are the templates of the claims that a StatefulSet makes for its Pods.
	Claims []corev1.PersistentVolumeClaim
	// RunsToCompletion is true for Jobs and CronJobs, and for Pods, which may run to completion.
	RunsToCompletion bool
}

// Of decodes an object of a kind, however many parts it has. It returns nil for a kind without a pod template or for empty JSON. It returns
// an error for JSON that is not such an object: the caller then cannot decide.
func Of(gk schema.GroupKind, raw []byte) (*Workload, error) { return OfWithin(gk, raw, nil) }

// OfWithin decodes an object of a kind like Of, as far as the budget pays for its parts; nil: it pays for all.
func OfWithin(gk schema.GroupKind, raw []byte, b *budget.Budget) (*Workload, error) {
	k, ok := KindOf(gk)
	if !ok || len(raw) == 0 {
		return nil, nil
	}
	w, err := k.decode(raw, b)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", gk.Kind, err)
	}
	return w, nil
}

// Debuggers returns a Pod reduced to the ephemeral containers that it did not have before. These are what a debugger adds to
// a running Pod, and cannot be removed again. before may be nil.
func Debuggers(w, before *Workload) *Workload {
	out := &Workload{Template: Template{Path: w.Template.Path}}
	for _, c := range w.Template.Spec.EphemeralContainers {
		had := before != nil && slices.ContainsFunc(before.Template.Spec.EphemeralContainers, func(o corev1.EphemeralContainer) bool {
			return reflect.DeepEqual(o, c)
		})
		if !had {
			out.Template.Spec.EphemeralContainers = append(out.Template.Spec.EphemeralContainers, c)
		}
	}
	return out
}

func of(path string, meta metav1.ObjectMeta, spec corev1.PodSpec) Template {
	return Template{Path: path, Labels: meta.Labels, Annotations: meta.Annotations, Spec: spec}
}

// inController and inCronJob are the paths of the templates of most kinds.
const inController, inCronJob = "spec.template", "spec.jobTemplate.spec.template"

func fromTemplate(t corev1.PodTemplateSpec) Template {
	return of(inController, t.ObjectMeta, t.Spec)
}

func or1(n *int32) int64 {
	if n == nil {
		return 1
	}
	return int64(*n)
}

func unless(suspended *bool, n int64) int64 {
	if suspended != nil && *suspended {
		return 0
	}
	return n
}

// object is what is read of an object. Its status is left out.
type object[S any] struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              S `json:"spec"`
}

// controlled is the spec of an object of which a controller makes Pods.
type controlled struct {
	Replicas             *int32                         `json:"replicas"`
	Template             *corev1.PodTemplateSpec        `json:"template"`
	VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
}

// scheduled is the spec of a CronJob.
type scheduled struct {
	Suspend     *bool `json:"suspend"`
	JobTemplate struct {
		Spec batchv1.JobSpec `json:"spec"`
	} `json:"jobTemplate"`
}

func pod(raw []byte, b *budget.Budget) (*Workload, error) {
	o, err := decode[object[corev1.PodSpec]](raw, b)
	if err != nil {
		return nil, err
	}
	return &Workload{Meta: o.ObjectMeta, Template: of("", o.ObjectMeta, o.Spec), Wanted: 1, RunsToCompletion: true}, nil
}

func job(raw []byte, b *budget.Budget) (*Workload, error) {
	o, err := decode[object[batchv1.JobSpec]](raw, b)
	if err != nil {
		return nil, err
	}
	w := ofJob(o.ObjectMeta, fromTemplate(o.Spec.Template), o.Spec.Suspend, &o.Spec)
	w.Deadline = o.Spec.ActiveDeadlineSeconds
	return w, nil
}

func cronJob(raw []byte, b *budget.Budget) (*Workload, error) {
	o, err := decode[object[scheduled]](raw, b)
	if err != nil {
		return nil, err
	}
	t := fromTemplate(o.Spec.JobTemplate.Spec.Template)
	t.Path = inCronJob
	return ofJob(o.ObjectMeta, t, o.Spec.Suspend, &o.Spec.JobTemplate.Spec), nil
}

func ofJob(meta metav1.ObjectMeta, t Template, suspended *bool, s *batchv1.JobSpec) *Workload {
	return &Workload{
		Meta: meta, Template: t, Wanted: unless(suspended, or1(s.Parallelism)), RunsToCompletion: true,
		Completions: s.Completions, BackoffLimit: s.BackoffLimit, Job: s,
		Indexed: s.CompletionMode != nil && *s.CompletionMode == batchv1.IndexedCompletion,
	}
}

// replicated reads a kind that can be scaled.
func replicated(raw []byte, b *budget.Budget) (*Workload, error) {
	o, err := decode[object[controlled]](raw, b)
	if err != nil {
		return nil, err
	}
	w := &Workload{Meta: o.ObjectMeta, Template: Template{Path: inController}, Wanted: or1(o.Spec.Replicas), Claims: o.Spec.VolumeClaimTemplates}
	if o.Spec.Template != nil {
		w.Template = fromTemplate(*o.Spec.Template)
	}
	return w, nil
}

func stateless(raw []byte, b *budget.Budget) (*Workload, error) {
	w, err := replicated(raw, b)
	if err == nil {
		w.Claims = nil // a field of StatefulSets
	}
	return w, err
}

func daemonSet(raw []byte, b *budget.Budget) (*Workload, error) {
	w, err := stateless(raw, b)
	if err == nil {
		w.Wanted = 1 // it has no number of replicas
	}
	return w, err
}
