package model

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

func (l *live) do(s step, at time.Time) outcome {
	ctx, c := l.t.Context(), l.people[s.person]
	switch s.op {
	case request:
		var env unstructured.Unstructured
		env.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindEnvironment))
		if err := l.admin.Get(ctx, client.ObjectKey{Name: "production"}, &env); err != nil {
			l.t.Fatal(err)
		}
		return l.create(c, pinning(windowOf(s.name, s.draft, at), &env))
	case extend:
		var w v1alpha1.ChangeWindow
		if err := l.admin.Get(ctx, client.ObjectKey{Namespace: payments, Name: s.name}, &w); err != nil {
			return l.came(err)
		}
		return l.create(c, extending(&w, at, s.length))
	case approve, reject:
		var w v1alpha1.ChangeWindow
		key := client.ObjectKey{Namespace: windowOf(s.name, s.draft, at).Namespace, Name: s.key(s.name)}
		if err := l.admin.Get(ctx, key, &w); err != nil {
			return l.came(err)
		}
		a := wordAbout(&w, s.op == reject)
		out := l.create(c, a)
		out.uid = a.Name
		return out
	case forget:
		for _, ns := range []string{payments, stage.Namespace} {
			a := &v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: s.name}}
			if out := l.came(c.Delete(ctx, a)); out.kind != missing {
				return out
			}
		}
		return outcome{kind: missing}
	case shut:
		w := windowOf(s.name, s.draft, at)
		return l.came(c.Delete(ctx, w))
	case freeze:
		return l.create(c, freezeOf(s, at))
	case lift:
		return l.came(c.Delete(ctx, freezeOf(s, at)))
	case agree:
		return l.agree(c, s)
	case run:
		var opts []client.CreateOption
		if s.dry {
			opts = append(opts, client.DryRunAll)
		}
		return l.create(c, jobOf(s.name, s.plan, s.suspended), opts...)
	case roll, label:
		return l.roll(c, s)
	case remove:
		return l.came(c.Delete(ctx, jobOf(s.name, "a", false), client.PropagationPolicy(metav1.DeletePropagationBackground)))
	case resume:
		return l.patch(c, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: payments, Name: s.name}}, `{"spec":{"suspend":false}}`)
	case require:
		env := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}}
		out := l.patch(c, env, fmt.Sprintf(`{"spec":{"changeControl":{"requiredApprovals":%d}}}`, s.number))
		time.Sleep(time.Second) // every replica reads it from its own watch
		return out
	case pass:
		time.Sleep(s.lasts)
	case restart:
		l.restart(s.number)
	case burst:
		return l.burst(c, s)
	}
	return outcome{kind: admitted}
}

func (l *live) create(c client.Client, o client.Object, opts ...client.CreateOption) outcome {
	out := l.came(c.Create(l.t.Context(), o, opts...))
	if out.kind == admitted {
		out.uid = string(o.GetUID())
	}
	return out
}

func (l *live) patch(c client.Client, o client.Object, patch string, opts ...client.PatchOption) outcome {
	return l.came(c.Patch(l.t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch)), opts...))
}

// roll changes the template of a Deployment, or a label of it.
func (l *live) roll(c client.Client, s step) outcome {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: payments, Name: s.name}}
	if s.op == label {
		l.labels++
		return l.patch(c, d, fmt.Sprintf(`{"metadata":{"labels":{"look":"%d"}}}`, l.labels))
	}
	var opts []client.PatchOption
	if s.dry {
		opts = append(opts, client.DryRunAll)
	}
	containers, err := json.Marshal(deploymentOf(s.name, s.plan).Spec.Template.Spec.Containers)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.patch(c, d, fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":%s}}}}`, containers), opts...)
}

func (l *live) agree(c client.Client, s step) outcome {
	var f v1alpha1.ChangeFreeze
	if err := l.admin.Get(l.t.Context(), client.ObjectKey{Name: s.name}, &f); err != nil {
		return l.came(err)
	}
	a := agreement(&f)
	out := l.create(c, a)
	out.uid = a.Name
	return out
}

// freezes waits for those that are wanted, since the leading replica lifts a freeze after it has seen the second word.
func (l *live) freezes(want []string) []string {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		var all v1alpha1.ChangeFreezeList
		if err := l.admin.List(l.t.Context(), &all); err != nil {
			l.t.Fatal(err)
		}
		var got []string
		for i := range all.Items {
			got = append(got, all.Items[i].Name)
		}
		if slices.Sort(got); slices.Equal(got, want) || time.Now().After(deadline) {
			return got
		}
	}
}

func (l *live) restart(n int) {
	theStage := lazy.Stage(l.t)
	pods := theStage.Pods.Pods()
	if err := theStage.Pods.Kill(pods[n%len(pods)].Name); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	if err := theStage.Pods.WaitReady(ctx, liveReplicas); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) burst(c client.Client, s step) outcome {
	l.bursts++
	return atOnce(s.number, func(i int) outcome {
		return l.create(c, jobOf(fmt.Sprintf("n-%d-%d", l.bursts, i), s.plan, false))
	})
}

func (l *live) executions() []v1alpha1.ChangeExecution {
	var all v1alpha1.ChangeExecutionList
	if err := l.admin.List(l.t.Context(), &all, client.InNamespace(stage.Namespace)); err != nil {
		l.t.Fatal(err)
	}
	var out []v1alpha1.ChangeExecution
	for _, x := range all.Items {
		if x.Status.State != v1alpha1.ExecutionReleased {
			out = append(out, x)
		}
	}
	return out
}
