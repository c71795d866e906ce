package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

func TestRepeats(t *testing.T) {
	execution := func(name, key, slot string, state v1alpha1.ExecutionState) v1alpha1.ChangeExecution {
		x := v1alpha1.ChangeExecution{ObjectMeta: metav1.ObjectMeta{Name: name}}
		x.Spec.Window.UID, x.Spec.Key, x.Spec.Slot, x.Status.State = "w", key, slot, state
		return x
	}
	cases := map[string]struct {
		reason string
		all    []v1alpha1.ChangeExecution
		want   string
	}{
		"two keys":                        {"each is an execution of its own", []v1alpha1.ChangeExecution{execution("a", "1", "0", ""), execution("b", "2", "1", "")}, ""},
		"one key, two slots":              {"the higher one is released", []v1alpha1.ChangeExecution{execution("a", "1", "2", ""), execution("b", "1", "10", "")}, "b"},
		"one key, one of them given back": {"the record of a slot that was given back holds none", []v1alpha1.ChangeExecution{execution("a", "1", "0", "Released"), execution("b", "1", "1", "")}, ""},
		"one key, the lower one used":     {"the lower one stays, whatever its state", []v1alpha1.ChangeExecution{execution("a", "1", "0", "Used"), execution("b", "1", "1", "")}, "b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			all := map[string]v1alpha1.ChangeExecution{}
			for _, x := range tc.all {
				all[x.Name] = x
			}
			got := ""
			for _, x := range repeats(all) {
				got += x.Name
			}
			if got != tc.want {
				t.Errorf("released %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// settler returns a settler whose watch of Jobs is unbroken since an instant. If that is empty, the watch was interrupted.
func (s *stage) settler(since string) *ReservationSettler {
	out := NewReservationSettler(s.memory, s.client, s.log())
	if since != "" {
		out.watch[schema.GroupKind{Group: "batch", Kind: "Job"}].since = at(since)
	}
	return out
}

func job(name, uid string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "payments", UID: types.UID(uid)}}
}

// The reservation in these cases is from ten past two; the clock says when it is looked at.
func TestSettle(t *testing.T) {
	const waits, record = "", "x-1-12345678"
	usedAs := func(result, when string) string {
		out := `startedAt: "2026-11-28T` + when + `Z"` + "\n" + `state: "Used"`
		if result != "" {
			out = `result: "` + result + `"` + "\n" + out
		}
		return out
	}
	update := func(x *v1alpha1.ChangeExecution) { x.Spec.Operation = v1alpha1.OperationUpdate }
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ChangeExecution)
		since  string
		saw    types.UID
		there  []client.Object
		now    string
		want   string
		reason string
	}{
		"its object was seen":             {nil, "02:00:00", "job-1", nil, "02:10:01", usedAs("", "02:10:01"), "whether or not it is there now"},
		"another object was seen":         {nil, "02:00:00", "job-2", nil, "02:10:01", waits, "it may come yet"},
		"nothing was seen, a second less": {nil, "02:00:00", "", nil, "02:11:59", waits, "a request lasts up to a minute"},
		"nothing was seen":                {nil, "02:00:00", "", nil, "02:12:00", "gone", "it never existed"},
		"the watch began with it":         {nil, "02:10:00", "", nil, "02:12:00", "gone", "nothing can have been missed"},
		"the watch began later":           {nil, "02:10:01", "", nil, "02:12:00", usedAs("not seen, but the watch was interrupted, so it may have existed", "02:12:00"), "it may have existed before"},
		"the watch began later, early":    {nil, "02:10:01", "", nil, "02:11:59", waits, "it may be seen yet"},
		"the watch is interrupted":        {nil, "", "", nil, "02:12:00", usedAs("not seen, but the watch was interrupted, so it may have existed", "02:12:00"), ""},
		"it is there after all":           {nil, "02:00:00", "", []client.Object{job("reindex", "job-1")}, "02:12:00", usedAs("", "02:12:00"), "the last look has found it"},
		"another of its name is there":    {nil, "02:00:00", "", []client.Object{job("reindex", "job-2")}, "02:12:00", "gone", "that has another UID"},
		"an update":                       {update, "02:00:00", "", nil, "02:10:01", usedAs("admitted", "02:10:01"), "it leaves no UID behind"},
		"of a kind that is not watched": {func(x *v1alpha1.ChangeExecution) { x.Spec.Object.Group, x.Spec.Object.Kind = "", "Secret" }, "02:00:00", "", nil, "02:10:01",
			usedAs("admitted; objects of this kind are not watched", "02:10:01"), ""},
		"it says that it is pending": {func(x *v1alpha1.ChangeExecution) { x.Status.State = v1alpha1.ExecutionPending }, "02:00:00", "job-1", nil, "02:10:01", usedAs("", "02:10:01"), ""},
		"it is used already":         {func(x *v1alpha1.ChangeExecution) { x.Status.State = v1alpha1.ExecutionUsed }, "02:00:00", "", nil, "03:00:00", `state: "Used"`, "that is for good"},
	} {
		t.Run(name, func(t *testing.T) {
			x := execution(window(nil), "x-1", tc.change)
			s := newStage(t, production, append([]client.Object{x}, tc.there...)...)
			s.now = at(tc.now)
			settler := s.settler(tc.since)
			settler.watch[schema.GroupKind{Group: "batch", Kind: "Job"}].seen[tc.saw] = s.now
			settler.sweep(t.Context())
			if diff := cmp.Diff(tc.want, s.status(v1alpha1.KindChangeExecution, own, "x-1")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			wantRecord := "gone"
			if tc.want == "gone" {
				wantRecord = lines(`result: "the object never came to exist"`, `state: "Released"`)
				s.wantLogged(`"msg"="gave an execution back: its object never came to exist" "execution"="x-1" "kind"="Job" "namespace"="payments" "name"="reindex"`)
			}
			if diff := cmp.Diff(wantRecord, s.status(v1alpha1.KindChangeExecution, own, record)); diff != "" {
				t.Errorf("its record (-want +got):\n%s", diff)
			}
		})
	}
}

// A slot is given back whole, wherever the earlier attempt stopped: one record, and nothing in the slot's place.
func TestGiveBackGoesOnWhereItStopped(t *testing.T) {
	const record, slot = "x-1-12345678", "delete ChangeExecution x-1 of UID 12345678-uid-of-rebuild-1"
	for call, want := range map[string]string{
		"create ChangeExecution " + record:          "record that execution x-1 was given back: the API server is away",
		"patch status of ChangeExecution " + record: "record that execution " + record + " was given back: the API server is away",
		slot: "give execution x-1 back: the API server is away",
	} {
		t.Run(call, func(t *testing.T) {
			x := execution(window(nil), "x-1", nil)
			s := newStage(t, production, x.DeepCopy())
			settler := s.settler("02:00:00")
			s.broken[call] = errBroken
			if err := settler.giveBack(t.Context(), x); !errors.Is(err, errBroken) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if s.stored(v1alpha1.KindChangeExecution, own, "x-1") == nil {
				t.Error("the slot is free before all of its record is written")
			}
			s.broken = nil
			for range 2 {
				if err := settler.giveBack(t.Context(), x); err != nil {
					t.Error(err)
				}
			}
			var all v1alpha1.ChangeExecutionList
			if err := s.client.List(t.Context(), &all); err != nil || len(all.Items) != 1 {
				t.Fatalf("there are %d: %v", len(all.Items), err)
			}
			got := all.Items[0]
			labels := map[string]string{v1alpha1.LabelExecutionState: "Released", v1alpha1.LabelWindowUID: "rebuild-1"}
			if got.Name != record || got.Status.State != v1alpha1.ExecutionReleased || !maps.Equal(got.Labels, labels) || !cmp.Equal(got.Spec, x.Spec) {
				t.Errorf("the record is %+v", got)
			}
			if s.has(slot) != 1 {
				t.Errorf("the slot is freed %d times: %s", s.has(slot), s.calls)
			}
		})
	}
}

// A reservation whose object cannot be looked for stays as it is, which is logged; the next execution is settled all the
// same.
func TestSettleThatFails(t *testing.T) {
	w := window(nil)
	seen := execution(w, "x-2", func(x *v1alpha1.ChangeExecution) { x.Spec.Object.UID, x.Spec.Object.Name = "job-2", "other" })
	s := newStage(t, production, execution(w, "x-1", nil), seen)
	settler := s.settler("02:00:00")
	settler.watch[schema.GroupKind{Group: "batch", Kind: "Job"}].seen["job-2"] = s.now
	s.broken["get Job reindex"] = errBroken
	settler.sweep(t.Context())
	s.wantCalls("patch status of ChangeExecution x-2")
	s.wantLogged(`"msg"="could not settle an execution" "error"="look for Job payments/reindex: the API server is away" "execution"="x-1"`)
	s.learn(v1alpha1.KindChangeExecution, own, "x-2")
	s.broken = map[string]error{"patch status of ChangeExecution x-2": errBroken}
	if err := settler.use(t.Context(), seen, ""); !errors.Is(err, errBroken) || err.Error() != "mark execution x-2 used: the API server is away" {
		t.Errorf("got %v", err)
	}
	if err := settler.use(t.Context(), execution(w, "gone", nil), ""); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}

// A request that was sent twice holds one slot: the higher one is deleted, and not settled as well.
func TestSweepClearsRepeats(t *testing.T) {
	w := window(nil)
	low := execution(w, "x-0", func(x *v1alpha1.ChangeExecution) { x.UID, x.Spec.Key = "low", "k" })
	high := execution(w, "x-1", func(x *v1alpha1.ChangeExecution) { x.UID, x.Spec.Key, x.Spec.Slot = "high", "k", "1" })
	s := newStage(t, production, low, high)
	s.now = at("02:11:00")
	settler := s.settler("02:00:00")
	settler.watch[schema.GroupKind{Group: "batch", Kind: "Job"}].seen["job-1"] = s.now // so that whatever is settled is used
	s.broken["delete ChangeExecution x-1 of UID high"] = errBroken
	settler.sweep(t.Context())
	s.wantCalls("patch status of ChangeExecution x-0")
	s.learn(v1alpha1.KindChangeExecution, own, "x-0")
	s.wantLogged(`"msg"="could not clear a repeated reservation" "error"="the API server is away" "execution"="x-1"`)
	s.broken = nil
	settler.sweep(t.Context())
	settler.sweep(t.Context()) // the watch has not reported it yet
	s.wantCalls("delete ChangeExecution x-1 of UID high")
}

func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	environments := func(specs ...string) string {
		out := "{apiVersion: v1, kind: Namespace, metadata: {name: payments}}\n"
		for i, spec := range specs {
			out += "---\n{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: e-" + string(rune('a'+i)) + "}, spec: " + spec + "}\n"
		}
		return out
	}
	const short = "{tier: Production, namespaces: {names: [payments]}, changeControl: {executionRetention: 24h}}"
	const long = "{tier: Production, namespaces: {names: [pay*]}, changeControl: {executionRetention: 48h}}"
	const elsewhere = "{tier: Production, namespaces: {names: [billing]}, changeControl: {executionRetention: 72h}}"
	for name, tc := range map[string]struct {
		docs string
		kept time.Duration
	}{
		"what its environment asks for":                {environments(short, elsewhere), day},
		"the longest of two":                           {environments(short, long, elsewhere), 2 * day},
		"the longest of all where nothing claims it":   {environments(elsewhere), 3 * day},
		"a default where there is no Production":       {environments("{tier: NonProduction, namespaces: {names: [payments]}}"), 90 * day},
		"the default of an environment that is silent": {environments("{tier: Production, namespaces: {names: [payments]}}", elsewhere), 90 * day},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, tc.docs, execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) { x.Status.State = v1alpha1.ExecutionUsed }))
			s.now = at("02:10:00").Add(tc.kept)
			s.settler("").sweep(t.Context())
			s.wantCalls()
			s.now = s.now.Add(time.Second)
			s.settler("").sweep(t.Context())
			s.wantCalls("delete ChangeExecution x-1 of UID 12345678-uid-of-rebuild-1")
			s.settler("").sweep(t.Context()) // the watch has not reported it yet
			if len(s.logged) > 0 {
				t.Errorf("it says %s", s.logged)
			}
		})
	}
	s := newStage(t, "", execution(window(nil), "x-1", released))
	s.memory.est.Store(nil)
	s.now = s.now.AddDate(200, 0, 0)
	s.settler("").sweep(t.Context())
	s.wantCalls()
}

// The end of a Job is written into its execution, once. A Job that runs, or has no execution, changes nothing.
func TestHowJobsEnded(t *testing.T) {
	ended := func(kind batchv1.JobConditionType, status corev1.ConditionStatus) *batchv1.JobStatus {
		return &batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: kind, Status: status, LastTransitionTime: *instant("02:20:00")}}}
	}
	for name, tc := range map[string]struct {
		uid    types.UID
		status *batchv1.JobStatus
		change func(*v1alpha1.ChangeExecution)
		want   string
	}{
		"it completed":           {"job-1", ended(batchv1.JobComplete, "True"), nil, lines(`finishedAt: "2026-11-28T02:20:00Z"`, `result: "Complete"`, `state: "Used"`)},
		"it failed":              {"job-1", ended(batchv1.JobFailed, "True"), nil, lines(`finishedAt: "2026-11-28T02:20:00Z"`, `result: "Failed"`, `state: "Used"`)},
		"it has not failed":      {"job-1", ended(batchv1.JobFailed, "False"), nil, ""},
		"it is suspended":        {"job-1", ended(batchv1.JobSuspended, "True"), nil, ""},
		"it is nobody's":         {"job-2", ended(batchv1.JobComplete, "True"), nil, ""},
		"it has said so already": {"job-1", ended(batchv1.JobFailed, "True"), func(x *v1alpha1.ChangeExecution) { x.Status.FinishedAt = instant("02:15:00") }, `finishedAt: "2026-11-28T02:15:00Z"`},
		"nothing is said of it":  {"job-1", nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, production, execution(window(nil), "x-1", tc.change))
			s.settler("").observe(t.Context(), "Job", jobOf(tc.uid, tc.status))
			if diff := cmp.Diff(tc.want, s.status(v1alpha1.KindChangeExecution, own, "x-1")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	s := newStage(t, production, execution(window(nil), "x-1", nil))
	s.broken["patch status of ChangeExecution x-1"] = errBroken
	s.settler("").observe(t.Context(), "Job", jobOf("job-1", ended(batchv1.JobComplete, "True")))
	s.wantLogged(`"msg"="could not record how an execution ended" "error"="the API server is away" "execution"="x-1"`)
}

func jobOf(uid types.UID, status *batchv1.JobStatus) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: string(uid), Namespace: "payments", UID: uid}}
	if status != nil {
		j.Status = *status
	}
	return j
}

// What a controller makes of a custom resource is written into the execution that the resource was created with, each object once, and no more of
// them than the status holds. What a Deployment makes, and what is made of something else, is not.
func TestWhatIsMadeOfACustomResource(t *testing.T) {
	s := newStage(t, production, execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) {
		x.Spec.Object.Group, x.Spec.Object.Kind, x.Spec.Object.UID = "argoproj.io", "Workflow", "wf-1"
	}))
	settler := s.settler("")
	sees := func(name, apiVersion, kind string, uid types.UID) {
		controls := true
		settler.observe(t.Context(), "Pod", &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "payments", OwnerReferences: []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "o", UID: uid, Controller: &controls}},
		}})
	}
	sees("b", "argoproj.io/v1alpha1", "Workflow", "wf-1")
	sees("a", "argoproj.io/v1alpha1", "Workflow", "wf-1")
	sees("b", "argoproj.io/v1alpha1", "Workflow", "wf-1")
	sees("c", "argoproj.io/v1alpha1", "Workflow", "wf-2")
	sees("d", "apps/v1", "ReplicaSet", "wf-1")
	if diff := cmp.Diff(`made: ["Pod/b","Pod/a"]`, s.status(v1alpha1.KindChangeExecution, own, "x-1")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for i := range 100 {
		sees(fmt.Sprintf("more-%d", i), "argoproj.io/v1alpha1", "Workflow", "wf-1")
	}
	if got := strings.Count(s.status(v1alpha1.KindChangeExecution, own, "x-1"), "Pod/"); got != 64 {
		t.Errorf("%d are listed, want 64", got)
	}
	broken := newStage(t, production, execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) { x.Spec.Object.UID = "wf-1" }))
	broken.broken["patch status of ChangeExecution x-1"] = errBroken
	s, settler = broken, broken.settler("")
	sees("b", "argoproj.io/v1alpha1", "Workflow", "wf-1")
	s.wantLogged(`"msg"="could not record what was made of a custom resource" "error"="the API server is away" "execution"="x-1" "made"="Pod/b"`)
	delete(s.broken, "patch status of ChangeExecution x-1")
	sees("b", "argoproj.io/v1alpha1", "Workflow", "wf-1") // a relist shows it again
	if got := s.status(v1alpha1.KindChangeExecution, own, "x-1"); !strings.Contains(got, "Pod/b") {
		t.Errorf("the status is %q, want what was seen again", got)
	}
}

// Every replica marks the objects that its reviews have shown to exist: pending reservations of that very object.
func TestMarker(t *testing.T) {
	w := window(nil)
	for name, tc := range map[string]struct {
		uid    types.UID
		change func(*v1alpha1.ChangeExecution)
		want   string
	}{
		"its object exists":           {"job-1", nil, lines(`startedAt: "2026-11-28T02:30:00Z"`, `state: "Used"`)},
		"another object exists":       {"job-2", nil, ""},
		"it is given back":            {"job-1", released, `state: "Released"`},
		"it is used already":          {"job-1", func(x *v1alpha1.ChangeExecution) { x.Status.State = v1alpha1.ExecutionUsed }, `state: "Used"`},
		"it is a change of an object": {"job-1", func(x *v1alpha1.ChangeExecution) { x.Spec.Operation = v1alpha1.OperationUpdate }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, production, execution(w, "x-1", tc.change))
			NewUseMarker(s.memory, s.client, s.log()).mark(t.Context(), tc.uid)
			if diff := cmp.Diff(tc.want, s.status(v1alpha1.KindChangeExecution, own, "x-1")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	s := newStage(t, production, execution(w, "x-1", nil))
	s.broken["patch status of ChangeExecution x-1"] = errBroken
	NewUseMarker(s.memory, s.client, s.log()).mark(t.Context(), "job-1")
	s.wantLogged(`"msg"="could not mark an execution used" "error"="mark execution x-1 used: the API server is away" "execution"="x-1"`)
}

// An object that a review has seen is marked while the marker runs, in every replica.
func TestMarkerRuns(t *testing.T) {
	s := newStage(t, production, execution(window(nil), "x-1", nil))
	s.memory.await()
	marker := NewUseMarker(s.memory, s.client, s.log())
	var every manager.LeaderElectionRunnable = marker
	if every.NeedLeaderElection() {
		t.Error("only the leading replica marks what it sees")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- marker.Start(ctx) }()
	s.memory.Seen("job-2")
	s.memory.Seen("job-1")
	eventually(t, "the mark", func() bool { return s.has("patch status of ChangeExecution x-1") == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The leading replica watches every kind of workload, and sweeps.
func TestSettlerRuns(t *testing.T) {
	s := newStage(t, production, execution(window(nil), "x-1", nil), job("reindex", "job-1"))
	settler := NewReservationSettler(s.memory, s.client, s.log())
	var leads manager.LeaderElectionRunnable = settler
	if !leads.NeedLeaderElection() || settler.patience != 2*time.Minute {
		t.Errorf("every replica settles, or after %s", settler.patience)
	}
	var kinds []string
	for k := range settler.watch {
		kinds = append(kinds, k.Kind)
	}
	slices.Sort(kinds)
	want := []string{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("it watches (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- settler.Start(ctx) }()
	eventually(t, "the Job is seen, and so its reservation used", func() bool { return s.has("patch status of ChangeExecution x-1") > 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
