package view_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// reader answers every read with one JSON text or one error, and notes the call.
type reader struct {
	client.Reader
	client.SubResourceClient
	answer string
	err    error
	calls  []string
}

func (r *reader) get(what string, into client.Object) error {
	r.calls = append(r.calls, what)
	if r.err != nil {
		return r.err
	}
	return json.Unmarshal([]byte(r.answer), into)
}

func (r *reader) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	kind := into.GetObjectKind().GroupVersionKind()
	if kind.Empty() {
		return r.get(fmt.Sprintf("%T %s", into, key), into)
	}
	return r.get(fmt.Sprintf("%T %s %s", into, kind, key), into)
}

func (r *reader) SubResource(name string) client.SubResourceClient { return subResource{r, name} }

type subResource struct {
	*reader
	name string
}

func (s subResource) Get(_ context.Context, o, into client.Object, _ ...client.SubResourceGetOption) error {
	return s.get(fmt.Sprintf("%s of %s %s into %s", s.name, o.GetObjectKind().GroupVersionKind(), client.ObjectKeyFromObject(o), into.GetObjectKind().GroupVersionKind()), into)
}

func settings() reference.Via { return reference.Via{Kind: "ConfigMap", Name: "settings"} }
func password() reference.Via { return reference.Via{Kind: "Secret", Name: "password"} }

func notFound() error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, "x")
}

// A missing fact is read by one call. The result, or that nothing is there, becomes a fact; a failure does not.
func TestWhatIsMissingIsRead(t *testing.T) {
	errDown, notFound := errors.New("the API server does not answer"), notFound()
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "x", errDown)
	unserved := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "Database"}}
	settings, password := settings(), password()
	ofBinding := &policy.Missing{Role: &policy.MissingRole{Namespace: "payments", Name: "writer"}}
	ofEverywhere := &policy.Missing{Role: &policy.MissingRole{Name: "writer"}}
	ofNamespace := &policy.Missing{Namespace: "brand-new"}
	ofSettings := &policy.Missing{Contents: &policy.MissingContents{Namespace: "payments", Of: []reference.Via{settings}}}
	ofPassword := &policy.Missing{Contents: &policy.MissingContents{Namespace: "payments", Of: []reference.Via{password}}}
	ofOwner := &policy.Missing{Owner: &policy.MissingOwner{Namespace: "payments", OwnerReference: metav1.OwnerReference{APIVersion: "db.example.com/v1", Kind: "Database", Name: "orders"}}}
	ofScale := &policy.Missing{Scale: &policy.MissingScale{Namespace: "payments", ScaleTarget: policy.ScaleTarget{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}}
	rules := []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}
	const aRole = `{"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`
	for name, tc := range map[string]struct {
		reason  string
		missing *policy.Missing
		answer  string
		err     error
		call    string
		want    policy.Facts
		fails   string
	}{
		"a role":                     {"its rules count", ofBinding, aRole, nil, "*v1.Role payments/writer", policy.Facts{RoleRead: true, Role: &policy.Role{Rules: rules}}, ""},
		"a role that is not there":   {"it was looked for", ofBinding, "", notFound, "*v1.Role payments/writer", policy.Facts{RoleRead: true}, ""},
		"a role that fails":          {"nobody knows it", ofBinding, "", errDown, "*v1.Role payments/writer", policy.Facts{}, `get role "writer": the API server does not answer`},
		"a role that is forbidden":   {"nobody knows it", ofBinding, "", forbidden, "*v1.Role payments/writer", policy.Facts{}, `get role "writer": ` + forbidden.Error()},
		"a ClusterRole":              {"it lies in no namespace", ofEverywhere, aRole, nil, "*v1.ClusterRole /writer", policy.Facts{RoleRead: true, Role: &policy.Role{Rules: rules}}, ""},
		"a ClusterRole not there":    {"it was looked for", ofEverywhere, "", notFound, "*v1.ClusterRole /writer", policy.Facts{RoleRead: true}, ""},
		"a namespace":                {"its labels say whose it is", ofNamespace, `{"metadata":{"labels":{"env":"prod"}}}`, nil, "*v1.PartialObjectMetadata /v1, Kind=Namespace /brand-new", policy.Facts{NamespaceRead: true, NamespaceLabels: map[string]string{"env": "prod"}}, ""},
		"a namespace not there":      {"it has no labels", ofNamespace, "", notFound, "*v1.PartialObjectMetadata /v1, Kind=Namespace /brand-new", policy.Facts{NamespaceRead: true}, ""},
		"a namespace that fails":     {"unknown is not unassigned", ofNamespace, "", errDown, "*v1.PartialObjectMetadata /v1, Kind=Namespace /brand-new", policy.Facts{}, `get namespace "brand-new": the API server does not answer`},
		"a ConfigMap not there":      {"it names nothing", ofSettings, "", notFound, "*v1.ConfigMap payments/settings", policy.Facts{Contents: map[reference.Via]reference.Contents{settings: {}}}, ""},
		"a ConfigMap that fails":     {"nobody knows what it names", ofSettings, "", errDown, "*v1.ConfigMap payments/settings", policy.Facts{}, "get ConfigMap payments/settings: the API server does not answer"},
		"a Secret not there":         {"it names nothing", ofPassword, "", notFound, "*v1.Secret payments/password", policy.Facts{Contents: map[reference.Via]reference.Contents{password: {}}}, ""},
		"a Secret that is forbidden": {"nobody knows what it names", ofPassword, "", forbidden, "*v1.Secret payments/password", policy.Facts{}, "get Secret payments/password: " + forbidden.Error()},
		"an owner not there":         {"it asked for nothing", ofOwner, "", notFound, ownerCall, policy.Facts{Owner: &policy.OwnerObject{}}, ""},
		"an owner that is forbidden": {"others have judged it when it was written", ofOwner, "", forbidden, ownerCall, policy.Facts{Owner: &policy.OwnerObject{Unreadable: true}}, ""},
		"an owner of no served kind": {"others have judged it when it was written", ofOwner, "", unserved, ownerCall, policy.Facts{Owner: &policy.OwnerObject{Unreadable: true}}, ""},
		"an owner that fails":        {"nobody knows it", ofOwner, "", errDown, ownerCall, policy.Facts{}, `get Database "orders": the API server does not answer`},
		"an owner":                   {"it is judged whole", ofOwner, `{"apiVersion":"db.example.com/v1","kind":"Database","spec":{"size":3}}`, nil, ownerCall, policy.Facts{Owner: &policy.OwnerObject{JSON: []byte("{\"apiVersion\":\"db.example.com/v1\",\"kind\":\"Database\",\"spec\":{\"size\":3}}\n")}}, ""},
		"a scale":                    {"so many run", ofScale, `{"apiVersion":"autoscaling/v1","kind":"Scale","spec":{"replicas":7}}`, nil, scaleCall, policy.Facts{Scale: &policy.TargetScale{Replicas: 7}}, ""},
		"a scale that says nothing":  {"none run", ofScale, `{"apiVersion":"autoscaling/v1","kind":"Scale"}`, nil, scaleCall, policy.Facts{Scale: &policy.TargetScale{}}, ""},
		"a scale not there":          {"none run", ofScale, "", notFound, scaleCall, policy.Facts{Scale: &policy.TargetScale{}}, ""},
		"a scale that is forbidden":  {"nobody can tell", ofScale, "", forbidden, scaleCall, policy.Facts{Scale: &policy.TargetScale{Unreadable: true}}, ""},
		"a scale of no served kind":  {"nobody can tell", ofScale, "", unserved, scaleCall, policy.Facts{Scale: &policy.TargetScale{Unreadable: true}}, ""},
		"a scale that fails":         {"nobody knows it", ofScale, "", errDown, scaleCall, policy.Facts{}, `get the scale of Deployment "web": the API server does not answer`},
		"a scale that is no number":  {"nobody knows it", ofScale, `{"apiVersion":"autoscaling/v1","kind":"Scale","spec":{"replicas":"7"}}`, nil, scaleCall, policy.Facts{}, `read the scale of Deployment "web": .spec.replicas accessor error: 7 is of the type string, expected int64`},
		"a controller, by mistake":   {"its UID goes elsewhere", &policy.Missing{Controller: "job-controller"}, "", nil, "", policy.Facts{}, "nothing reads that service account kube-system/job-controller is not known yet"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &reader{answer: tc.answer, err: tc.err}
			var got policy.Facts
			err := view.Read(t.Context(), r, tc.missing, cluster(), &got)
			if (err != nil || tc.fails != "") && fmt.Sprint(err) != tc.fails {
				t.Errorf("%v, want %q: %s", err, tc.fails, tc.reason)
			}
			if tc.err != nil && tc.fails != "" && !errors.Is(err, tc.err) {
				t.Errorf("%v hides what failed", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("the facts differ: %s: %s", tc.reason, diff)
			}
			var calls []string
			if tc.call != "" {
				calls = []string{tc.call}
			}
			if diff := cmp.Diff(calls, r.calls); diff != "" {
				t.Errorf("the calls differ: %s", diff)
			}
		})
	}
}

const (
	ownerCall = "*unstructured.Unstructured db.example.com/v1, Kind=Database payments/orders"
	scaleCall = "scale of apps/v1, Kind=Deployment payments/web into autoscaling/v1, Kind=Scale"
)

// cluster returns a view in which production has a data store.
func cluster() *policy.ClusterView {
	v := view.New(view.Settings{Cluster: "prod-eu-1", Namespace: "firebreak-system"}, time.Now)
	add(v, `{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production, namespaces: {names: [payments]}}}`)
	add(v, `{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [orders.prod.db.example.com]}}`)
	return v.ClusterView(v.Compile())
}

// Of large contents only the targets that matter are read, with one call for each object.
func TestContentsAreRead(t *testing.T) {
	settings, password := settings(), password()
	r := &reader{answer: `{"data":{"url":"aHR0cDovL29yZGVycy5wcm9kLmRiLmV4YW1wbGUuY29t"},"binaryData":{}}`}
	m := &policy.Missing{Contents: &policy.MissingContents{Namespace: "payments", Of: []reference.Via{password}}}
	var f policy.Facts
	if err := view.Read(t.Context(), r, m, cluster(), &f); err != nil {
		t.Fatal(err)
	}
	if got := hosts(f.Contents[password]); got != "[orders.prod.db.example.com]" {
		t.Errorf("the Secret names %s", got)
	}
	r = &reader{answer: `{"data":{"a":"postgres://orders.prod.db.example.com/x","b":"https://harmless.example.org/"}}`}
	m.Contents.Of = []reference.Via{settings, {Kind: "ConfigMap", Name: "more"}}
	if err := view.Read(t.Context(), r, m, cluster(), &f); err != nil {
		t.Fatal(err)
	}
	if got := hosts(f.Contents[settings]); got != "[orders.prod.db.example.com]" || len(f.Contents) != 2 {
		t.Errorf("the ConfigMap names %s, %d were read", got, len(f.Contents))
	}
	if diff := cmp.Diff([]string{"*v1.ConfigMap payments/settings", "*v1.ConfigMap payments/more"}, r.calls); diff != "" {
		t.Errorf("the calls differ: %s", diff)
	}
}

func hosts(c reference.Contents) string {
	out := []string{}
	for _, k := range c.Keys {
		for _, t := range k.Targets {
			out = append(out, t.Name)
		}
	}
	return fmt.Sprint(out)
}

// The UID of a controller's account is read, and empty means that there is none.
func TestControllerUID(t *testing.T) {
	for name, tc := range map[string]struct {
		answer      string
		err         error
		want, fails string
	}{
		"there":     {`{"metadata":{"uid":"j-1"}}`, nil, "j-1", ""},
		"not there": {"", notFound(), "", ""},
		"it fails":  {"", errors.New("the API server does not answer"), "", "get service account kube-system/job-controller: the API server does not answer"},
	} {
		r := &reader{answer: tc.answer, err: tc.err}
		uid, err := view.ControllerUID(t.Context(), r, "job-controller")
		if (err != nil || tc.fails != "") && fmt.Sprint(err) != tc.fails || uid != tc.want {
			t.Errorf("%s: %q %v, want %q %q", name, uid, err, tc.want, tc.fails)
		}
		if diff := cmp.Diff([]string{"*v1.PartialObjectMetadata /v1, Kind=ServiceAccount kube-system/job-controller"}, r.calls); diff != "" {
			t.Errorf("%s: the calls differ: %s", name, diff)
		}
	}
}
