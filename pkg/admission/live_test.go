package admission_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// caseOf returns Sam's request for an object, ready to be judged.
func caseOf(t *testing.T, op policy.Operation, gvk schema.GroupVersionKind, resource, ns, object string) *policy.PreparedRequest {
	t.Helper()
	c, err := policy.Prepare(policy.Request{
		Operation: op, Kind: gvk, Resource: gvk.GroupVersion().WithResource(resource), Namespace: ns, Now: night(),
		User: authenticationv1.UserInfo{Username: "sam", UID: "sam-1", Groups: []string{"sre"}}, Object: []byte(object),
	}, guarded())
	if err != nil || c.Missing() != nil {
		t.Fatalf("%v %v", err, c)
	}
	return c
}

func jobCase(t *testing.T, object string) *policy.PreparedRequest {
	t.Helper()
	return caseOf(t, policy.Create, schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}, "jobs", "payments", object)
}

func configured() string {
	return strings.Replace(reindexJob, `"image":"postgres:17"`, `"image":"postgres:17","envFrom":[{"configMapRef":{"name":"settings"}},{"configMapRef":{"name":"gone"}}]`, 1)
}

// emergency returns an emergency window of Sam's.
func emergency() *v1alpha1.ChangeWindow {
	w := window("w")
	w.Spec.Type = v1alpha1.WindowEmergency
	return w
}

// planned returns a window with a plan.
func planned() *v1alpha1.ChangeWindow {
	w := window("w")
	w.Spec.Plan = &v1alpha1.Plan{Workloads: []v1alpha1.PlannedWorkload{{ScopedResource: w.Spec.Scope.Resources[0], Digest: "d"}}}
	return w
}

func freeze() *v1alpha1.ChangeFreeze {
	return &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: "holidays", UID: "f-1"},
		Spec: v1alpha1.ChangeFreezeSpec{
			Environments: []string{"production"}, Level: v1alpha1.FreezeChanges, Reason: "holidays",
			Schedule: &v1alpha1.Schedule{Start: &metav1.Time{Time: night().Add(-time.Hour)}, End: &metav1.Time{Time: night().Add(time.Hour)}},
		},
	}
}

const (
	settingsMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"payments"},"data":{"level":"debug"}}`
	anApproval  = `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeApproval","metadata":{"name":"yes","namespace":"payments"},"spec":{"window":{"name":"w","uid":"uid-of-w"},"decision":"Approve"}}`
)

// The live reads follow from what the request needs and from the results of the first reads, and each is made once.
func TestWhatIsRead(t *testing.T) {
	job := func(t *testing.T) *policy.PreparedRequest { t.Helper(); return jobCase(t, reindexJob) }
	mapped := func(t *testing.T) *policy.PreparedRequest { t.Helper(); return jobCase(t, configured()) }
	config := func(t *testing.T) *policy.PreparedRequest {
		t.Helper()
		return caseOf(t, policy.Create, corev1.SchemeGroupVersion.WithKind("ConfigMap"), "configmaps", "payments", settingsMap)
	}
	approving := func(t *testing.T) *policy.PreparedRequest {
		t.Helper()
		return caseOf(t, policy.Create, v1alpha1.GVK(v1alpha1.KindChangeApproval), "changeapprovals", "payments", anApproval)
	}
	for name, tc := range map[string]struct {
		reason  string
		objects []client.Object
		of      func(t *testing.T) *policy.PreparedRequest
		calls   []string
	}{
		"no window":                 {"there is nothing that could be approved or used", nil, job, []string{readFreeze, readHome, readNear}},
		"a window in scope":         {"its words and uses count", []client.Object{window("w"), approval(window("w"))}, job, stateReads()},
		"an unapproved window":      {"there is nobody to ask about", []client.Object{window("w")}, job, slices.DeleteFunc(stateReads(), func(c string) bool { return c == askOfKim })},
		"an emergency":              {"whether it is the second lies in any namespace", []client.Object{emergency()}, job, []string{readFreeze, readHome, readNear, "list ChangeWindow in ", "list ChangeApproval in ", readUses, notThere}},
		"a plan":                    {"it pins the ConfigMaps too", []client.Object{planned(), approval(planned())}, mapped, also("get ConfigMap payments/settings", "get ConfigMap payments/gone")},
		"ConfigMaps without a plan": {"nothing compares them", []client.Object{window("w"), approval(window("w"))}, mapped, stateReads()},
		"a change without a freeze": {"it wants no window", nil, config, []string{readFreeze}},
		"a change during a freeze":  {"an emergency may override it", []client.Object{freeze()}, config, []string{readFreeze, readHome, readNear}},
		"an approval":               {"only its window's namespace matters", nil, approving, []string{readNear}},
		"an approval in somebody's stead": {"the delegation lies in that namespace", nil, func(t *testing.T) *policy.PreparedRequest {
			t.Helper()
			return caseOf(t, policy.Create, v1alpha1.GVK(v1alpha1.KindChangeApproval), "changeapprovals", "payments", strings.Replace(anApproval, `"decision"`, `"onBehalfOf":{"name":"d","uid":"d-1"},"decision"`, 1))
		}, []string{readNear, "list ChangeDelegation in payments"}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrial(t, tc.objects...)
			if _, err := x.Live.State(t.Context(), tc.of(t), "payments"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(tc.calls)), x.api.sorted()); diff != "" {
				t.Errorf("the calls differ: %s: %s", tc.reason, diff)
			}
		})
	}
}

// The request is judged by the state that was read: whole, and of the right namespaces.
func TestTheStateThatWasRead(t *testing.T) {
	w, far := planned(), window("far")
	far.Namespace = home
	far.Spec.Scope.Clusters = []string{"prod-eu-1"}
	elsewhere := window("elsewhere")
	elsewhere.Namespace = "edge"
	foreign := taken("0", "job-2")
	foreign.Name, foreign.Labels = "foreign", map[string]string{v1alpha1.LabelWindowUID: "uid-of-elsewhere"}
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "settings"}, Data: map[string]string{"level": "debug"}}
	x := newTrial(t, w, far, elsewhere, approval(w), approval(elsewhere), taken("0", "job-1"), foreign, freeze(), settings)
	s, err := x.Live.State(t.Context(), jobCase(t, configured()), "payments")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, o := range s.Windows {
		got["windows"] = append(got["windows"], o.Name)
	}
	slices.Sort(got["windows"])
	for _, o := range s.Approvals {
		got["approvals"] = append(got["approvals"], o.Name)
	}
	for _, o := range s.Executions {
		got["executions"] = append(got["executions"], o.Name)
	}
	for _, o := range s.Freezes {
		got["freezes"] = append(got["freezes"], o.Name)
	}
	for name := range s.ConfigMaps {
		got["configMaps"] = append(got["configMaps"], name+"="+string(s.ConfigMaps[name]["level"]))
	}
	want := map[string][]string{"windows": {"far", "w"}, "approvals": {"w-kim"}, "executions": {slot}, "freezes": {"holidays"}, "configMaps": {"payments/settings=debug"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the state differs: %s", diff)
	}
}

// If any read fails, all fail, and the error says what could not be read.
func TestAFailedRead(t *testing.T) {
	for call, want := range map[string]string{
		readFreeze:                        "list freezes: the API server does not answer",
		readHome:                          "list change windows: the API server does not answer",
		readNear:                          "list change windows: the API server does not answer",
		readWords:                         "list approvals: the API server does not answer",
		readUses:                          "list executions: the API server does not answer",
		"get ConfigMap payments/settings": "get ConfigMap payments/settings: the API server does not answer",
	} {
		t.Run(call, func(t *testing.T) {
			x := newTrial(t, planned())
			x.api.meanwhile = func(c string) error {
				if c == call {
					return errDown
				}
				return nil
			}
			_, err := x.Live.State(t.Context(), jobCase(t, configured()), "payments")
			if err == nil || err.Error() != want || !errors.Is(err, errDown) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
	t.Run("windows during a freeze", func(t *testing.T) {
		x := newTrial(t, freeze())
		x.api.meanwhile = func(c string) error {
			if c == readHome {
				return errDown
			}
			return nil
		}
		c := caseOf(t, policy.Create, corev1.SchemeGroupVersion.WithKind("ConfigMap"), "configmaps", "payments", settingsMap)
		if s, err := x.Live.State(t.Context(), c, "payments"); err == nil || s != nil {
			t.Errorf("%v %v: nobody knows whether an emergency overrides the freeze", s, err)
		}
	})
}

// Approvals that are read again take the place of those of their namespace, and of no other.
func TestApprovalsReadAgain(t *testing.T) {
	w := window("w")
	x := newTrial(t, approval(w))
	old, other := *approval(w), *approval(w)
	old.Name, other.Name, other.Namespace = "withdrawn", "elsewhere", "edge"
	s := &change.State{Approvals: []v1alpha1.ChangeApproval{old, other}}
	if err := x.Live.Again(t.Context(), s, night(), "payments", "payments", nil); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range s.Approvals {
		names = append(names, a.Name)
	}
	if diff := cmp.Diff([]string{"elsewhere", "w-kim"}, names); diff != "" {
		t.Errorf("the approvals differ: %s", diff)
	}
	x.api.meanwhile = func(string) error { return errDown }
	if err := x.Live.Again(t.Context(), s, night(), "payments", "payments", nil); !errors.Is(err, errDown) || len(s.Approvals) != 2 {
		t.Errorf("%v, %d approvals", err, len(s.Approvals))
	}
	if diff := cmp.Diff([]string{readWords, readWords}, x.api.sorted()); diff != "" {
		t.Errorf("the calls differ: %s", diff)
	}
}
