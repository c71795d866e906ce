package reservations

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// quotaNamespace is production by its name.
const quotaNamespace = "prod-quota"

var cluster *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

func TestMain(m *testing.M) {
	// It is created before there is a boundary: afterwards a namespace of production needs a window.
	os.Exit(fixture.Main(m, stage.Options{}, &cluster, func(ctx context.Context, s *stage.Stage) error {
		for _, line := range []string{
			"create namespace " + quotaNamespace, "create clusterrole quotas --verb=create,delete --resource=resourcequotas", "create clusterrolebinding quotas --clusterrole=quotas --group=sre",
		} {
			if _, err := s.Kubectl(ctx, s.AdminConfig(), strings.Fields(line)...); err != nil {
				return err
			}
		}
		return nil
	}))
}

func people(t *testing.T) *fixture.People {
	t.Helper()
	return fixture.Everybody(t, cluster)
}

// all returns every record of a window, including those of slots that were given back.
func all(t *testing.T, p *fixture.People, w *v1alpha1.ChangeWindow) []v1alpha1.ChangeExecution {
	t.Helper()
	var l v1alpha1.ChangeExecutionList
	if err := p.Admin.List(t.Context(), &l, client.InNamespace(stage.Namespace), client.MatchingLabels{v1alpha1.LabelWindowUID: string(w.UID)}); err != nil {
		t.Fatal(err)
	}
	return l.Items
}

// becomes waits until the window has exactly one record, in a state.
func becomes(t *testing.T, p *fixture.People, w *v1alpha1.ChangeWindow, state v1alpha1.ExecutionState, patience time.Duration) v1alpha1.ChangeExecution {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := all(t, p, w)
		if len(got) == 1 && got[0].Status.State == state {
			return got[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the executions of %s are %+v, want one that is %s", w.Name, got, state)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func TestAccounting(t *testing.T) {
	zero := int32(0)
	cases := map[string]struct {
		reason string
		make   func(*batchv1.Job)
		after  func(context.Context, *testing.T, *fixture.People, *batchv1.Job)
	}{
		"a Job that stays": {
			reason: "its UID is seen by the watch",
		},
		"a Job that is removed as soon as it has ended": {
			reason: "ttlSecondsAfterFinished: 0 makes it vanish within seconds, and it ran all the same",
			make:   func(j *batchv1.Job) { j.Spec.TTLSecondsAfterFinished = &zero },
		},
		"a Job that is deleted at once": {
			reason: "what was admitted may have run, however short",
			after: func(ctx context.Context, t *testing.T, p *fixture.People, j *batchv1.Job) {
				if err := p.SRE.Delete(ctx, j, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
					t.Fatal(err)
				}
			},
		},
	}
	n := 0
	for name, tc := range cases {
		n++
		id := fmt.Sprintf("account-%d", n)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, ctx := people(t), t.Context()
			w, err := p.Approved(ctx, id, id+"-", 1)
			if err != nil {
				t.Fatal(err)
			}
			job := fixture.Job(id + "-1")
			if tc.make != nil {
				tc.make(job)
			}
			if err := p.SRE.Create(ctx, job); err != nil {
				t.Fatal(err)
			}
			if tc.after != nil {
				tc.after(ctx, t, p, job)
			}
			x := becomes(t, p, w, v1alpha1.ExecutionUsed, 30*time.Second)
			if x.Spec.Object.UID != job.UID {
				t.Errorf("the execution is of %s, want %s: %s", x.Spec.Object.UID, job.UID, tc.reason)
			}
			err = p.SRE.Create(ctx, fixture.Job(id+"-2"))
			if err == nil || !strings.Contains(err.Error(), "it has been used once, which is all that it allows") {
				t.Errorf("a second run: %v, want it refused as exhausted", err)
			}
		})
	}
}

// An object that a quota refuses after Firebreak admitted it never existed: its slot is given back after two minutes of unbroken
// watch, and its record stays.
func TestRefusedByAQuotaAfterwards(t *testing.T) {
	t.Parallel()
	p, ctx := people(t), t.Context()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "no-jobs", Namespace: quotaNamespace},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}},
	}
	if err := p.SRE.Create(ctx, quota); err != nil {
		t.Fatal(err)
	}
	w, err := fixture.Window("refused", "refused-", 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Namespace = quotaNamespace
	if err := p.SRE.Create(ctx, w); err != nil {
		t.Fatal(err)
	}
	if err := p.SecondSRE.Create(ctx, fixture.Word(w, v1alpha1.DecisionApprove)); err != nil {
		t.Fatal(err)
	}
	job := fixture.Job("refused-1")
	job.Namespace = quotaNamespace
	refusedBy(t, p, job, "exceeded quota: no-jobs")
	x := becomes(t, p, w, "", 5*time.Second)

	another := fixture.Job("refused-2")
	another.Namespace = quotaNamespace
	refusedBy(t, p, another, "it has been used once, which is all that it allows")

	record := becomes(t, p, w, v1alpha1.ExecutionReleased, 3*time.Minute)
	if record.Spec.Object.UID != x.Spec.Object.UID || record.Status.Result != "the object never came to exist" {
		t.Errorf("the record is %+v %+v, want the refused Job's", record.Spec, record.Status)
	}
	if waited := record.CreationTimestamp.Sub(x.CreationTimestamp.Time); waited < 2*time.Minute {
		t.Errorf("the slot was given back after %s, want two minutes of watch", waited)
	}
	if err := p.SRE.Delete(ctx, quota); err != nil {
		t.Fatal(err)
	}
	if err := p.SRE.Create(ctx, another); err != nil {
		t.Errorf("the slot that was given back: %v, want it to be free", err)
	}
}

// refusedBy repeats a request until the refusal is the expected one: a new quota takes a moment to hold.
func refusedBy(t *testing.T, p *fixture.People, job *batchv1.Job, says string) {
	t.Helper()
	err := p.SRE.Create(t.Context(), job.DeepCopy())
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Fatalf("create %s: %v, want %q", job.Name, err, says)
	}
}
