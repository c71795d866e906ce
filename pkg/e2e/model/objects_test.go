package model

import (
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// windowOf returns the window of a draft, from an instant on.
func windowOf(name string, d draft, at time.Time) *v1alpha1.ChangeWindow {
	w := &v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Name: d.key(name), Namespace: payments}}
	w.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindChangeWindow))
	start := metav1.NewTime(at.Add(d.after))
	end := metav1.NewTime(start.Add(d.length))
	if d.tooLong {
		end = metav1.NewTime(start.Add(24 * time.Hour))
	}
	w.Spec = v1alpha1.ChangeWindowSpec{
		Type: v1alpha1.WindowNormal, Environment: "production", Reason: "as the model has it",
		Schedule: v1alpha1.Schedule{Start: &start, End: &end},
		Scope: v1alpha1.Scope{
			Operations: []v1alpha1.Operation{v1alpha1.OperationCreate},
			Resources:  []v1alpha1.ScopedResource{{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"n*"}}},
		},
		Overrun: v1alpha1.OverrunFinish,
	}
	if d.of != "" {
		w.Spec.Scope.Resources[0] = v1alpha1.ScopedResource{Group: "apps", Kind: "Deployment", Names: []v1alpha1.Glob{v1alpha1.Glob(d.of)}}
	}
	if d.within > 0 {
		w.Spec.RollbackWithin = &metav1.Duration{Duration: d.within}
	}
	if d.updates {
		w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.OperationUpdate)
	}
	if d.team {
		w.Spec.Subjects = v1alpha1.Subjects{Groups: []v1alpha1.Glob{"sre"}}
	}
	switch {
	case d.apart && d.total > 0:
		w.Spec.MaxExecutions = &d.total
	case !d.apart && d.max > 0:
		w.Spec.MaxExecutions = &d.max
	}
	if d.plan != "" || d.back != "" {
		w.Spec.Plan = planned(w.Spec.Scope.Resources[0], d)
	}
	switch {
	case d.emergency:
		w.Spec.Type, w.Spec.OverridesFreeze = v1alpha1.WindowEmergency, d.overrides
		w.Spec.Scope.Resources = append(w.Spec.Scope.Resources, v1alpha1.ScopedResource{Group: "apps", Kind: "Deployment", Names: []v1alpha1.Glob{every}})
	case d.boundary:
		w.Namespace = stage.Namespace
		w.Spec.Scope = v1alpha1.Scope{
			Operations: []v1alpha1.Operation{v1alpha1.OperationUpdate}, Clusters: []string{stage.Cluster},
			Resources: []v1alpha1.ScopedResource{{Group: v1alpha1.GroupName, Kind: v1alpha1.KindEnvironment, Names: []v1alpha1.Glob{"production"}}},
		}
	}
	return w
}

// planned pins the plan of a draft, or both plans, each with a count of its own, and the way back, which may be used once.
func planned(r v1alpha1.ScopedResource, d draft) *v1alpha1.Plan {
	out := &v1alpha1.Plan{}
	pin := func(plan string, times *int32, back bool) {
		e := v1alpha1.PlannedWorkload{ScopedResource: r, Rollback: back}
		p := planOf(r.Kind, plan)
		e.Executions, e.Digest, e.Fields = times, p.Digest, p.Fields
		out.Workloads = append(out.Workloads, e)
	}
	for _, plan := range []string{"a", "b"} {
		switch {
		case d.apart:
			pin(plan, &d.max, false)
		case plan == d.plan:
			pin(plan, nil, false)
		}
	}
	if d.back != "" {
		once := int32(1)
		pin(d.back, &once, true)
	}
	return out
}

// extending returns a window that goes on for another from an instant on.
func extending(w *v1alpha1.ChangeWindow, at time.Time, length time.Duration) *v1alpha1.ChangeWindow {
	start, end := metav1.NewTime(at), metav1.NewTime(at.Add(length))
	out := &v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Name: w.Name + longer, Namespace: w.Namespace}, Spec: *w.Spec.DeepCopy()}
	out.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindChangeWindow))
	out.Spec.Schedule, out.Spec.RequestedBy = v1alpha1.Schedule{Start: &start, End: &end}, nil
	if out.Spec.Extends == nil {
		out.Spec.Extends = &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)}
	}
	return out
}

// planOf returns the plan of a Job or a Deployment.
func planOf(kind, plan string) *change.Plan {
	var o client.Object = jobOf("n", plan, false)
	if kind == "Deployment" {
		o = deploymentOf("n", plan)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // plain data can always be encoded
	}
	w, err := workload.Of(o.GetObjectKind().GroupVersionKind().GroupKind(), raw)
	if err != nil {
		panic(err)
	}
	return change.PlanOf(w, nil)
}

func wordAbout(w *v1alpha1.ChangeWindow, rejects bool) *v1alpha1.ChangeApproval {
	a := &v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{GenerateName: w.Name + "-", Namespace: w.Namespace}}
	a.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindChangeApproval))
	a.Spec = v1alpha1.ChangeApprovalSpec{
		Window: &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)}, Digest: change.WindowDigest(&w.Spec), Decision: v1alpha1.DecisionApprove,
	}
	if rejects {
		a.Spec.Decision = v1alpha1.DecisionReject
	}
	return a
}

// agreement is a person's word that a freeze ends.
func agreement(f *v1alpha1.ChangeFreeze) *v1alpha1.ChangeApproval {
	a := &v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{GenerateName: f.Name + "-", Namespace: stage.Namespace}}
	a.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindChangeApproval))
	a.Spec = v1alpha1.ChangeApprovalSpec{Freeze: &v1alpha1.LocalReference{Name: f.Name, UID: string(f.UID)}, Decision: v1alpha1.DecisionLift}
	return a
}

func freezeOf(s step, at time.Time) *v1alpha1.ChangeFreeze {
	f := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	f.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindChangeFreeze))
	f.Spec = v1alpha1.ChangeFreezeSpec{
		Environments: s.environments(), Level: v1alpha1.FreezeChanges, Reason: "as the model has it", LiftedBy: v1alpha1.LiftedByAnyone,
	}
	if s.only != "" {
		f.Spec.Namespaces = []v1alpha1.Glob{v1alpha1.Glob(s.only)}
	}
	if s.everything {
		f.Spec.Level = v1alpha1.FreezeEverything
	}
	if s.two {
		f.Spec.LiftedBy = v1alpha1.LiftedByTwoPersons
	}
	start, end := metav1.NewTime(at.Add(s.begins)), metav1.NewTime(at.Add(s.begins+s.lasts))
	if s.begins > 0 || s.lasts > 0 {
		f.Spec.Schedule = &v1alpha1.Schedule{}
	}
	if s.begins > 0 {
		f.Spec.Schedule.Start = &start
	}
	if s.lasts > 0 {
		f.Spec.Schedule.End = &end
	}
	return f
}

// pinning has a window of the boundary pin every spec of the Environment that a step may write.
func pinning(w *v1alpha1.ChangeWindow, environment any) *v1alpha1.ChangeWindow {
	if w.Spec.Scope.Resources[0].Kind != v1alpha1.KindEnvironment {
		return w
	}
	w.Spec.Plan = &v1alpha1.Plan{}
	for n := range int64(3) {
		u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(environment)
		if err == nil {
			err = unstructured.SetNestedField(u, n, "spec", "changeControl", "requiredApprovals")
		}
		if err != nil {
			panic(err) // plain data can always be converted
		}
		spec, _, _ := unstructured.NestedMap(u, "spec")
		p := change.SpecPlan(v1alpha1.KindEnvironment, spec)
		w.Spec.Plan.Workloads = append(w.Spec.Plan.Workloads, v1alpha1.PlannedWorkload{ScopedResource: w.Spec.Scope.Resources[0], Digest: p.Digest, Fields: p.Fields})
	}
	return w
}
