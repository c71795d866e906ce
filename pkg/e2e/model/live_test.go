package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
		// The first environment of production ends the time in which everybody's rights and what runs may be chosen freely.
		if err := cmp.Or(s.Staff(ctx), s.Apply(ctx, rights)); err != nil {
			return err
		}
		c, err := s.Client(s.AdminConfig())
		if err != nil {
			return err
		}
		for i := range threeWide {
			if err := c.Create(ctx, deploymentOf(fmt.Sprintf("n%d", i), first)); err != nil {
				return err
			}
		}
		return c.Create(ctx, warehouseOf())
	},
}

// rights let everybody, including the developers, approve and break the glass as far as RBAC goes: Firebreak must refuse them.
const rights = `
apiVersion: v1
kind: Namespace
metadata: {name: depot}
---
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
metadata: {name: model-freeze}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-freeze}
subjects:
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

func TestMain(m *testing.M) { os.Exit(judgedAgain(m)) }

// judgedAgain runs the tests. What the API server's audit log tells of them is judged again afterwards, and replay must agree with the webhook about every state
// that the model came to.
func judgedAgain(m *testing.M) int {
	audit, err := fixture.NewAudit()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = audit.Remove() }()
	lazy.Options.APIServerArgs = audit.Args()
	lazy.Options.After = func(ctx context.Context, s *stage.Stage) error { return audit.Agrees(ctx, s, nil) }
	return lazy.Main(m)
}

const liveSteps = 300

func TestModelOnTheRealOne(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	seen, met := occurs{}, occurs{}
	sc := scale{soon: 4 * time.Second, short: 6 * time.Second, long: time.Hour}
	back, frozen := waysBack(sc), freezings(sc)
	next := slices.Concat(back[0], frozen[3], frozen[0]) // those that a few hundred random steps seldom come to
	play(t, newLive(t), &generator{Rand: rand.New(rand.NewPCG(seed, 0)), scale: sc, next: next}, liveSteps, seen, met)
	report(t, seen, met, liveSteps)
}

// live is a real control plane, and clients of the people with their own credentials.
type live struct {
	t      testing.TB
	people map[string]client.Client
	admin  client.Client
	bursts int
	labels int
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
