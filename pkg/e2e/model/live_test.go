package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const liveReplicas = 2

// One control plane serves the tests of this package that need one.
//
//nolint:gochecknoglobals // TestMain stops what the first of them starts
var lazy = fixture.Lazy{
	Options: stage.Options{Replicas: liveReplicas, Users: []controlplane.User{
		{Name: "alex", UID: "u-alex", Groups: []string{"sre"}}, {Name: "kim", UID: "u-kim", Groups: []string{"sre"}},
	}},
	Prepare: func(ctx context.Context, s *stage.Stage) error {
		file := filepath.Join(s.Dir(), "rights.yaml")
		if err := os.WriteFile(file, []byte(rights), 0o600); err != nil {
			return err
		}
		_, err := s.Kubectl(ctx, s.AdminConfig(), "apply", "-f", file)
		return err
	},
}

// rights let everybody, including the developers, approve and break the glass as far as RBAC goes: Firebreak must refuse them.
const rights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: model-approve}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-approve}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: model-breakglass}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-breakglass}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}
`

func TestMain(m *testing.M) { os.Exit(lazy.Main(m)) }

const liveSteps = 300

func TestModelOnTheRealOne(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	seen := map[string]int{}
	play(t, newLive(t), rand.New(rand.NewPCG(seed, 0)), liveSteps, scale{soon: 4 * time.Second, short: 6 * time.Second, long: time.Hour}, seen)
	report(t, seen)
}

// live is a real control plane, and clients of the people with their own credentials.
type live struct {
	t      testing.TB
	people map[string]client.Client
	admin  client.Client
	bursts int
}

func newLive(t testing.TB) *live {
	theStage := lazy.Stage(t)
	l := &live{t: t, people: map[string]client.Client{}}
	connect := func(name string) client.Client {
		cfg := theStage.UserConfig(name)
		if name == "" {
			cfg = theStage.AdminConfig()
		}
		c, err := theStage.Client(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, p := range append(members(), developer) {
		l.people[p] = connect(p)
	}
	l.admin = connect("")
	return l
}

// margin is how long a step may take, and how far two clocks on one machine may differ in whole seconds.
const margin = 1200 * time.Millisecond

func (l *live) now(boundaries []time.Time) time.Time {
	for {
		at, wait := time.Now(), time.Duration(0)
		for _, b := range boundaries {
			if d := b.Sub(at); d > -margin && d < margin {
				wait = max(wait, d+margin)
			}
		}
		if wait == 0 {
			return at.Truncate(time.Second).UTC()
		}
		time.Sleep(wait)
	}
}

// came turns an error into an outcome, as its sender would read it.
func (l *live) came(err error) outcome {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return outcome{kind: admitted}
	case apierrors.IsNotFound(err):
		return outcome{kind: missing}
	case !errors.As(err, &status):
		l.t.Fatal(err)
	}
	s := status.Status()
	out := outcomeOf(false, &s)
	if out.kind == invalid && !strings.Contains(s.Message, "firebreak.dev") {
		l.t.Fatalf("something else refused it: %v", err)
	}
	return out
}

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
		return l.create(c, freezeOf(s.name, at, s.lasts))
	case lift:
		return l.came(c.Delete(ctx, freezeOf(s.name, at, 0)))
	case run:
		var opts []client.CreateOption
		if s.dry {
			opts = append(opts, client.DryRunAll)
		}
		return l.create(c, jobOf(s.name, s.plan, s.suspended), opts...)
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

func (l *live) patch(c client.Client, o client.Object, patch string) outcome {
	return l.came(c.Patch(l.t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch))))
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
