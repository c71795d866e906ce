package change_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// at returns an instant in the night of the windows of these tests.
func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05.999999999", "2026-11-28 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func instant(clock string) *metav1.Time { return &metav1.Time{Time: at(clock)} }

func hours(n int) *metav1.Duration { return &metav1.Duration{Duration: time.Duration(n) * time.Hour} }

func ptr[T any](v T) *T { return &v }

func bob() *v1alpha1.Stamp {
	return &v1alpha1.Stamp{Username: "oidc:sre-bob", UID: "bob-1", Groups: []string{"sre"}}
}

func alice() *v1alpha1.Stamp {
	return &v1alpha1.Stamp{Username: "oidc:sre-alice", UID: "alice-1", Groups: []string{"sre"}}
}

func carol() *v1alpha1.Stamp {
	return &v1alpha1.Stamp{Username: "oidc:dba-carol", UID: "carol-1", Groups: []string{"dba"}}
}

func releaser() *v1alpha1.Stamp {
	return &v1alpha1.Stamp{Username: "system:serviceaccount:ci:releaser", UID: "releaser-1"}
}

func party(s *v1alpha1.Stamp) change.Party {
	return change.Party{Username: s.Username, UID: s.UID, Groups: s.Groups, Person: isPerson(s)}
}

// isPerson stands in for the estate: service accounts and jenkins are not persons.
func isPerson(s *v1alpha1.Stamp) bool {
	return !strings.HasPrefix(s.Username, "system:serviceaccount:") && s.Username != "jenkins"
}

// unfit stands in for the estate's check of approvers: mallory has left the environment.
func unfit(environment string, s *v1alpha1.Stamp) string {
	switch {
	case !isPerson(s):
		return s.Username + " is not a person"
	case s.Username == "oidc:sre-mallory":
		return s.Username + " is not a member of environment " + strconv.Quote(environment)
	}
	return ""
}

// plannedJob returns the plan that the window of these tests was approved for.
func plannedJob() *change.Plan {
	return &change.Plan{
		Digest: "v1:sha256:" + strings.Repeat("a", 64),
		Fields: []v1alpha1.PlannedField{
			{Path: `containers["reindex"].args`, Digest: "0123456789abcdef0123"},
			{Path: `containers["reindex"].image`, Digest: "1111111111111111", Text: "reindex@sha256:1"},
		},
	}
}

// window returns an approved window that covers question().
func window() *v1alpha1.ChangeWindow {
	p := plannedJob()
	jobs := v1alpha1.ScopedResource{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"reindex-*"}}
	return &v1alpha1.ChangeWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "rebuild", Namespace: "payments", UID: "rebuild-1"},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowNormal, Environment: "production", Reason: "rebuild the index",
			Schedule:    v1alpha1.Schedule{Start: instant("02:00:00"), End: instant("04:00:00")},
			Scope:       v1alpha1.Scope{Operations: []v1alpha1.Operation{v1alpha1.OperationCreate}, Resources: []v1alpha1.ScopedResource{jobs}},
			Plan:        &v1alpha1.Plan{Workloads: []v1alpha1.PlannedWorkload{{ScopedResource: jobs, Digest: p.Digest, Fields: p.Fields}}},
			RequestedBy: bob(),
		},
	}
}

// approval returns one approval of a window, given at noon of the day before.
func approval(w *v1alpha1.ChangeWindow, by *v1alpha1.Stamp) v1alpha1.ChangeApproval {
	name := "unstamped"
	if by != nil {
		name = by.UID
	}
	return v1alpha1.ChangeApproval{
		ObjectMeta: metav1.ObjectMeta{
			Name: w.Name + "-" + name, Namespace: w.Namespace,
			CreationTimestamp: metav1.NewTime(at("12:00:00").AddDate(0, 0, -1)),
		},
		Spec: v1alpha1.ChangeApprovalSpec{
			Window:   &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)},
			Digest:   change.WindowDigest(&w.Spec),
			Decision: v1alpha1.DecisionApprove,
			Approver: by,
		},
	}
}

func rejection(w *v1alpha1.ChangeWindow, by *v1alpha1.Stamp, comment string) v1alpha1.ChangeApproval {
	a := approval(w, by)
	a.Name += "-reject"
	a.Spec.Decision, a.Spec.Comment, a.Spec.Digest = v1alpha1.DecisionReject, comment, ""
	return a
}

func execution(w *v1alpha1.ChangeWindow, slot, key string, state v1alpha1.ExecutionState) v1alpha1.ChangeExecution {
	return v1alpha1.ChangeExecution{
		Spec: v1alpha1.ChangeExecutionSpec{
			Window: v1alpha1.ExecutedWindow{ObjectReference: v1alpha1.ObjectReference{Namespace: w.Namespace, Name: w.Name, UID: w.UID}},
			Slot:   slot, Key: key,
		},
		Status: v1alpha1.ChangeExecutionStatus{State: state},
	}
}

// question returns bob's query, inside the window: may this Job be created?
func question() *change.Query {
	return &change.Query{
		At: at("02:30:00"), Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system",
		Environments: []string{"production"}, Controls: estate.ControlsOf(nil),
		Group: "batch", Kind: "Job", Namespace: "payments", Name: "reindex-orders",
		Operations: []v1alpha1.Operation{v1alpha1.OperationCreate}, Requester: party(bob()), Plan: plannedJob(), Key: "job-1", Unfit: unfit,
	}
}

// work decodes a manifest.
func work(t testing.TB, manifest string) *workload.Workload {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, manifest)
	}
	var m metav1.TypeMeta
	if err := yaml.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	gvk := schema.FromAPIVersionAndKind(m.APIVersion, m.Kind)
	w, err := workload.Of(gvk.GroupKind(), raw)
	if err != nil || w == nil {
		t.Fatalf("%v in:\n%s", err, manifest)
	}
	return w
}

func uid(s string) types.UID { return types.UID(s) }
