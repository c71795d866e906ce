package policy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// now returns the instant at which requests of the tests are judged, unless a case gives another one.
func now() time.Time { return time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) }

// stage is the cluster that all tests of this package share: testdata/estate.yaml and testdata/requesters.yaml.
type stage struct {
	cluster    *policy.ClusterView
	contents   map[string]map[string][]byte
	requesters map[string]requester
}

// requester is one entry of testdata/requesters.yaml.
type requester struct {
	Username string   `json:"username"`
	UID      string   `json:"uid"`
	Groups   []string `json:"groups"`
	// Token is that of a service account: genuine (the default), long-lived or impersonated.
	Token string `json:"token"`
}

func (r requester) user() authenticationv1.UserInfo {
	u := authenticationv1.UserInfo{Username: r.Username, UID: r.UID, Groups: append([]string{"system:authenticated"}, r.Groups...)}
	if _, _, account := estate.ServiceAccount(r.Username); !account {
		return u
	}
	switch r.Token {
	case "impersonated":
		u.UID = ""
	case "long-lived":
	default:
		u.Extra = map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=1"}}
	}
	return u
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{contents: map[string]map[string][]byte{}}
	if err := yaml.UnmarshalStrict(read(t, "testdata/requesters.yaml"), &s.requesters); err != nil {
		t.Fatalf("testdata/requesters.yaml: %v", err)
	}
	in := estate.Input{
		Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system", FirebreakAccount: "firebreak",
		Namespaces: map[string]map[string]string{}, Services: map[string]estate.Service{},
		Volumes: map[string]estate.Volume{}, Nodes: map[string]estate.Node{}, Priorities: map[string]estate.PriorityClass{},
	}
	p := pieces{input: &in, stage: s, configMaps: map[string]reference.Contents{}, owners: map[string]owner{}, accounts: map[string]string{},
		roles: map[string]policy.Role{}, bindings: map[string][]policy.Binding{}}
	for _, d := range documents(t, read(t, "testdata/estate.yaml")) {
		p.add(t, d)
	}
	s.cluster = p.cluster()
	if problems := s.cluster.Estate.Problems(); len(problems) > 0 {
		t.Fatalf("testdata/estate.yaml: %v", problems)
	}
	return s
}

// as returns a user of testdata/requesters.yaml.
func (s *stage) as(t testing.TB, name string) authenticationv1.UserInfo {
	t.Helper()
	r, ok := s.requesters[name]
	if !ok {
		t.Fatalf("testdata/requesters.yaml has no %q", name)
	}
	return r.user()
}

// pieces gathers the objects from which the estate is compiled.
type pieces struct {
	input      *estate.Input
	stage      *stage
	configMaps map[string]reference.Contents
	owners     map[string]owner
	accounts   map[string]string
	roles      map[string]policy.Role
	bindings   map[string][]policy.Binding
	claims     []document
}

type owner struct {
	uid  string
	work *workload.Workload
}

func (p *pieces) add(t testing.TB, d document) {
	t.Helper()
	key := d.Metadata.Namespace + "/" + d.Metadata.Name
	switch d.Kind {
	case "Environment":
		p.input.Environments = append(p.input.Environments, decode[v1alpha1.Environment](t, d))
	case "DataStore":
		p.input.DataStores = append(p.input.DataStores, decode[v1alpha1.DataStore](t, d))
	case "Exemption":
		p.input.Exemptions = append(p.input.Exemptions, decode[v1alpha1.Exemption](t, d))
	case "Namespace":
		p.input.Namespaces[d.Metadata.Name] = d.Metadata.Labels
	case "Service":
		svc := decode[corev1.Service](t, d)
		p.input.Services[key] = estate.ServiceOf(&svc)
	case "PersistentVolumeClaim", "ConfigMap", "ReplicaSet", "StatefulSet":
		p.addHeld(t, d, key)
	case "PersistentVolume":
		pv := decode[corev1.PersistentVolume](t, d)
		p.input.Volumes[d.Metadata.Name] = estate.VolumeOf(&pv)
	case "Node":
		n := decode[corev1.Node](t, d)
		p.input.Nodes[d.Metadata.Name] = estate.NodeOf(&n)
	case "PriorityClass":
		pc := decode[schedulingv1.PriorityClass](t, d)
		p.input.Priorities[d.Metadata.Name] = estate.PriorityClassOf(&pc)
	case "ServiceAccount":
		p.accounts[d.Metadata.Name] = string(d.Metadata.UID)
	case "ClusterRole":
		r := decode[rbacv1.ClusterRole](t, d)
		p.roles[d.Metadata.Name] = policy.RoleOf(&r)
	case "RoleBinding", "ClusterRoleBinding":
		b := decode[rbacv1.RoleBinding](t, d)
		role := b.RoleRef.Name
		if b.RoleRef.Kind == "Role" {
			role = b.Namespace + "/" + role
		}
		p.bindings[role] = append(p.bindings[role], policy.Binding{Namespace: b.Namespace, Name: b.Name, Subjects: b.Subjects})
	default:
		t.Fatalf("testdata/estate.yaml: nothing reads a %s", d.Kind)
	}
}

// addHeld adds objects that workloads use, and objects that own them.
func (p *pieces) addHeld(t testing.TB, d document, key string) {
	t.Helper()
	switch d.Kind {
	case "PersistentVolumeClaim":
		p.claims = append(p.claims, d)
	case "ConfigMap":
		cm := decode[corev1.ConfigMap](t, d)
		p.configMaps[key] = reference.Remembered(&cm)
		p.stage.contents[key] = change.ConfigMapContent(&cm)
	default:
		w, err := workload.Of(d.gvk().GroupKind(), d.json)
		if err != nil {
			t.Fatal(err)
		}
		p.owners[d.Kind+"/"+key] = owner{string(d.Metadata.UID), w}
	}
}

func (p *pieces) cluster() *policy.ClusterView {
	configMaps := func(ns, name string) (reference.Contents, bool) { cm, ok := p.configMaps[ns+"/"+name]; return cm, ok }
	w := policy.NewClusterView(estate.Compile(*p.input))
	w.ConfigMaps = configMaps
	w.Owners = func(ns string, ref metav1.OwnerReference) (policy.ScaledWorkload, bool) {
		o, ok := p.owners[ref.Kind+"/"+ns+"/"+ref.Name]
		if !ok || o.uid != string(ref.UID) {
			return policy.ScaledWorkload{}, false
		}
		return policy.ParentOf(reference.Input{Namespace: ns, Template: &o.work.Template, ConfigMaps: configMaps}), true
	}
	w.Roles = func(ns, name string) (policy.Role, bool) {
		r, ok := p.roles[strings.TrimPrefix(ns+"/"+name, "/")]
		return r, ok
	}
	w.Dependents = p.owned
	w.ClusterRoles = func() map[string]policy.Role { return p.roles }
	w.VolumeClaim = func(ns, name string) (policy.Dependent, bool) {
		for _, d := range p.claims {
			if d.Metadata.Namespace == ns && d.Metadata.Name == name {
				return policy.Dependent{UID: d.Metadata.UID, Labels: d.Metadata.Labels}, true
			}
		}
		return policy.Dependent{}, false
	}
	w.Bindings = func(ns, role string) []policy.Binding { return p.bindings[strings.TrimPrefix(ns+"/"+role, "/")] }
	w.BindingsOf = p.bindingsOf
	w.ControllerUID = func(name string) (string, bool) { uid, ok := p.accounts[name]; return uid, ok }
	return w
}

func (p *pieces) bindingsOf(namespace, account string) []policy.BoundRole {
	var out []policy.BoundRole
	for role, all := range p.bindings {
		for _, b := range all {
			if policy.Holds(b.Subjects, b.Namespace, namespace, account) {
				ns, name, ok := strings.Cut(role, "/")
				if !ok {
					ns, name = "", role
				}
				out = append(out, policy.BoundRole{Namespace: b.Namespace, RoleNamespace: ns, Role: name})
			}
		}
	}
	return out
}

func (p *pieces) owned(owner types.UID) []policy.Dependent {
	var out []policy.Dependent
	for _, d := range p.claims {
		for _, ref := range d.Metadata.OwnerReferences {
			if ref.UID == owner {
				out = append(out, policy.Dependent{GroupVersionKind: d.gvk(), Namespace: d.Metadata.Namespace, Name: d.Metadata.Name, UID: d.Metadata.UID, Labels: d.Metadata.Labels})
			}
		}
	}
	return out
}

// document is one YAML document, with the fields that every object has.
type document struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	json            []byte
}

func (d document) gvk() schema.GroupVersionKind { return d.GroupVersionKind() }

func documents(t testing.TB, raw []byte) []document {
	t.Helper()
	var out []document
	for r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw))); ; {
		text, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		j, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if string(j) == "null" {
			continue
		}
		d := document{json: j}
		if err := json.Unmarshal(j, &d); err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
}

func decode[T any](t testing.TB, d document) T {
	t.Helper()
	var out T
	if err := yaml.UnmarshalStrict(d.json, &out); err != nil {
		t.Fatalf("%s %q: %v", d.Kind, d.Metadata.Name, err)
	}
	return out
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Annotations by which a window of testdata/state says what the tests compute for it.
const (
	// planOf names manifests in testdata/state/plans that the window's plan pins, as `request` would.
	planOf = "fixture/plan-of"
	// planWith names further ConfigMaps, from testdata/state/plans, that were in the cluster when the plan was computed.
	planWith = "fixture/plan-with"
)

// state reads files of testdata/state. Plans are computed, and approvals without a digest get the one of their window:
// pinned digests are another test's business.
func (s *stage) state(t testing.TB, names ...string) *change.State {
	t.Helper()
	out := &change.State{ConfigMaps: map[string]map[string][]byte{}}
	for k, v := range s.contents {
		out.ConfigMaps[k] = v
	}
	for _, name := range names {
		for _, d := range documents(t, read(t, "testdata/state/"+name+".yaml")) {
			switch d.Kind {
			case "ChangeWindow":
				w := decode[v1alpha1.ChangeWindow](t, d)
				s.plan(t, &w)
				out.Windows = append(out.Windows, w)
			case "ChangeApproval":
				out.Approvals = append(out.Approvals, decode[v1alpha1.ChangeApproval](t, d))
			case "ChangeExecution":
				out.Executions = append(out.Executions, decode[v1alpha1.ChangeExecution](t, d))
			case "ChangeFreeze":
				out.Freezes = append(out.Freezes, decode[v1alpha1.ChangeFreeze](t, d))
			case "ConfigMap":
				cm := decode[corev1.ConfigMap](t, d)
				out.ConfigMaps[cm.Namespace+"/"+cm.Name] = change.ConfigMapContent(&cm)
			default:
				t.Fatalf("testdata/state/%s.yaml: nothing reads a %s", name, d.Kind)
			}
		}
	}
	fillDigests(out)
	return out
}

func fillDigests(s *change.State) {
	for i := range s.Approvals {
		a := &s.Approvals[i]
		for j := range s.Windows {
			if w := &s.Windows[j]; a.Spec.Digest == "" && a.Spec.Window != nil && a.Spec.Window.UID == string(w.UID) {
				a.Spec.Digest = change.WindowDigest(&w.Spec)
			}
		}
	}
}

func (s *stage) plan(t testing.TB, w *v1alpha1.ChangeWindow) {
	t.Helper()
	file, ok := w.Annotations[planOf]
	if !ok {
		return
	}
	contents := s.contents
	if with, ok := w.Annotations[planWith]; ok {
		contents = map[string]map[string][]byte{}
		for _, d := range documents(t, read(t, "testdata/state/plans/"+with)) {
			cm := decode[corev1.ConfigMap](t, d)
			contents[cm.Namespace+"/"+cm.Name] = change.ConfigMapContent(&cm)
		}
	}
	w.Spec.Plan = &v1alpha1.Plan{}
	for _, d := range documents(t, read(t, "testdata/state/plans/"+file)) {
		work, err := workload.Of(d.gvk().GroupKind(), d.json)
		if err != nil || work == nil {
			t.Fatalf("%s: %v", file, err)
		}
		p := change.PlanOf(work, func(name string) (map[string][]byte, bool) {
			c, ok := contents[d.Metadata.Namespace+"/"+name]
			return c, ok
		})
		w.Spec.Plan.Workloads = append(w.Spec.Plan.Workloads, v1alpha1.PlannedWorkload{
			ScopedResource: v1alpha1.ScopedResource{Group: d.gvk().Group, Kind: d.Kind, Names: []v1alpha1.Glob{v1alpha1.Glob(d.Metadata.Name)}},
			Digest:         p.Digest, Fields: p.Fields,
		})
	}
}

// render returns a decision in the form of the goldens.
func render(req *policy.Request, d *policy.Decision) string {
	var b bytes.Buffer
	denied := d.Denied()
	switch {
	case !d.Allowed && len(denied) > 0:
		fmt.Fprintf(&b, "denied: %s\n", policy.DenialMessage(*req, denied))
	case !d.Allowed:
		fmt.Fprint(&b, "invalid\n")
	case d.Use != nil:
		w := d.Use.Verdict.Window
		fmt.Fprintf(&b, "admitted under window %s/%s\n", w.Namespace, w.Name)
	default:
		fmt.Fprint(&b, "admitted\n")
	}
	for _, e := range d.Invalid {
		fmt.Fprintf(&b, "invalid: %s\n", e)
	}
	for _, w := range policy.WarningMessages(d.Warned()) {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for _, f := range d.Findings {
		if f.Action == v1alpha1.ActionAudit {
			fmt.Fprintf(&b, "audit: %s: %s %s\n", f.Rule, f.Path, f.Message)
		}
	}
	return b.String()
}
