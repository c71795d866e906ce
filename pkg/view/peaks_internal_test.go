package view

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

var web = Workload{"payments", "Deployment", "web"} //nolint:gochecknoglobals // the workload of these tests

// A number of replicas counts for an hour after the workload stopped asking for it, in however many steps it went down.
func TestPeaks(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var p Peaks
	for i, n := range []int64{10, 6, 4, 2} {
		p.Note(web, n, at.Add(time.Duration(i)*10*time.Minute))
	}
	for name, tc := range map[string]struct {
		after time.Duration
		want  int64
	}{
		"at once":                    {30 * time.Minute, 10},
		"an hour after the first":    {70 * time.Minute, 6},
		"an hour after the last":     {90 * time.Minute, 2},
		"a day later":                {24 * time.Hour, 2},
		"a moment before it expires": {70*time.Minute - 1, 10},
	} {
		if got := p.Of(web, at.Add(tc.after)); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	if got := p.Of(Workload{"payments", "Deployment", "other"}, at); got != 0 {
		t.Errorf("of what was never seen: %d", got)
	}
}

// However often a workload is scaled, and however many workloads there are, the memory of Peaks stays bounded and holds the
// peak.
func TestPeaksAreBounded(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var p Peaks
	p.Note(web, 100, at)
	for i := range 1000 {
		p.Note(web, int64(i%7), at.Add(time.Duration(i)*time.Second))
	}
	if n := len(p.all[web]); n > maxAsked || p.Of(web, at.Add(1000*time.Second)) != 100 {
		t.Errorf("%d changes are remembered, and the peak is %d", n, p.Of(web, at.Add(1000*time.Second)))
	}
	for i := range 20_000 {
		p.Note(Workload{"payments", "Deployment", fmt.Sprint("gone-", i)}, 1, at)
	}
	if len(p.all) > 2*4096 {
		t.Errorf("%d workloads are remembered", len(p.all))
	}
}

// Peaks from before a restart count after it, in the steps in which they went down, and no longer.
func TestPeaksOutliveARestart(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var before, after Peaks
	for i, n := range []int64{10, 6, 4} {
		before.Note(web, n, at.Add(time.Duration(i)*20*time.Minute))
	}
	now := at.Add(45 * time.Minute)
	written := Recorded(before.Past(now)["payments"])
	if len(written) != 2 {
		t.Fatalf("written are %v, want the ten and the six", written)
	}
	after.Note(web, 4, now) // what the first list says
	after.Recall(written, now)
	after.Recall(written, now) // each change of the Environment recalls it again
	for name, tc := range map[string]struct {
		after time.Duration
		want  int64
	}{
		"at once":                   {0, 10},
		"an hour after the ten":     {35 * time.Minute, 6},
		"an hour after the six":     {55 * time.Minute, 4},
		"a moment before the first": {35*time.Minute - 1, 10},
	} {
		if got := after.Of(web, now.Add(tc.after)); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	if again := Recorded(after.Past(now)["payments"]); !reflect.DeepEqual(again, written) {
		t.Errorf("written are then %v, want %v: nothing has changed", again, written)
	}
}

// A peak in a status that a person wrote, or a replica with a clock ahead of this one, counts for an hour and no longer.
func TestRecalledPeaksEnd(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var p Peaks
	p.Recall([]v1alpha1.ReplicaPeak{{Namespace: "payments", Kind: "Deployment", Name: "web", Replicas: 50, Until: metav1.NewTime(at.AddDate(10, 0, 0))}}, at)
	p.Recall([]v1alpha1.ReplicaPeak{{Namespace: "payments", Kind: "Deployment", Name: "old", Replicas: 50, Until: metav1.NewTime(at.Add(-2 * time.Hour))}}, at)
	if got := p.Of(web, at.Add(time.Hour-1)); got != 50 {
		t.Errorf("within the hour: %d, want 50", got)
	}
	if got := p.Of(web, at.Add(time.Hour)); got != 0 {
		t.Errorf("after it: %d, want none", got)
	}
	if _, known := p.all[Workload{"payments", "Deployment", "old"}]; known {
		t.Error("what ended two hours ago is remembered")
	}
}

// The replicas of a deleted workload count for an hour from its deletion, not from when another of its name is made.
func TestPeaksOfDeletedWorkloadsEnd(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var p Peaks
	p.Note(web, 10, at)
	p.Gone(web, at.Add(time.Minute))
	if got := p.Of(web, at.Add(30*time.Minute)); got != 10 {
		t.Errorf("half an hour later: %d, want 10", got)
	}
	p.Note(web, 1, at.Add(2*time.Hour))
	if got := p.Of(web, at.Add(2*time.Hour)); got != 1 {
		t.Errorf("two hours later: %d, want 1", got)
	}
}

// A status holds a bounded number of peaks: those that ended last.
func TestRecordedPeaksAreBounded(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var all []v1alpha1.ReplicaPeak
	for i := range 2 * v1alpha1.MaxReplicaPeaks {
		all = append(all, v1alpha1.ReplicaPeak{Namespace: "payments", Kind: "Deployment", Name: fmt.Sprintf("w-%04d", i), Replicas: 2, Until: metav1.NewTime(at.Add(time.Duration(i) * time.Second))})
	}
	got := Recorded(all)
	if len(got) != v1alpha1.MaxReplicaPeaks || got[0].Name != "w-0500" {
		t.Errorf("%d peaks, the first of %s; want %d, the first of w-0500", len(got), got[0].Name, v1alpha1.MaxReplicaPeaks)
	}
}

// However small the steps before a large one are, the number of a moment ago is not forgotten.
func TestManySmallSteps(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	var p Peaks
	for i := range 40 {
		p.Note(web, int64(1000-i), at.Add(time.Duration(i)*time.Minute))
	}
	p.Note(web, 700, at.Add(40*time.Minute))
	for minutes, least := range map[int]int64{41: 1000, 70: 970, 99: 961} {
		if got := p.Of(web, at.Add(time.Duration(minutes)*time.Minute)); got < least {
			t.Errorf("after %d minutes: %d, want %d at least", minutes, got, least)
		}
	}
	if got := p.Of(web, at.Add(3*time.Hour)); got != 700 {
		t.Errorf("three hours later: %d, want 700", got)
	}
}

// An autoscaler of another group's kind says nothing about a workload of the same name.
func TestKindsOfTheSameName(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	v := New(Settings{}, func() time.Time { return at })
	replicas := int32(100)
	v.deployment(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "web"}, Spec: appsv1.DeploymentSpec{Replicas: &replicas}})
	v.scaledBy(&autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "decoy"},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "example.com/v1", Kind: "Deployment", Name: "web"}},
	})
	at = at.Add(2 * time.Hour)
	if got := v.peak("payments", "Deployment.apps", "web"); got != 100 {
		t.Errorf("the Deployment's peak is %d, want 100", got)
	}
	if got := v.peak("payments", "Deployment.example.com", "web"); got != 0 {
		t.Errorf("the decoy's peak is %d, want 0", got)
	}
}
