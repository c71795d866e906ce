package view_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// add puts objects into a view; a text that is not an object is a mistake of the test.
func add(v *view.View, objects ...string) {
	for _, o := range objects {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(o), &u.Object); err != nil {
			panic(err)
		}
		if err := v.Add(u); err != nil {
			panic(err)
		}
	}
}

// drop makes a view forget an object, as a watch does.
func drop(v *view.View, kind, key string) {
	for _, k := range v.Kinds() {
		if k.Kind == kind {
			k.Drop(key)
		}
	}
}

func night() time.Time { return time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) }

func seeing(objects ...string) (*view.View, *policy.ClusterView) {
	v := view.New(view.Settings{Cluster: "prod-eu-1", Namespace: "firebreak-system", ReadSecrets: true}, night)
	add(v, objects...)
	return v, v.ClusterView(v.Compile())
}

func pod(ns, name, node, rest string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {namespace: %s, name: %s}, spec: {nodeName: %s}, status: {podIPs: [{ip: %s}]}}`, ns, name, node, rest)
}

// A node has the tenants whose Pods run on it, each once; an address has the namespace of its Pod.
func TestTenants(t *testing.T) {
	v, w := seeing(
		pod("payments", "a", "n-1", `"10.0.0.1"`), pod("payments", "b", "n-1", `"::ffff:10.0.0.2"`), pod("dev", "c", "n-1", `"fd00::3"`), pod("dev", "d", "n-2", `"no address"`),
		`{apiVersion: v1, kind: Pod, metadata: {namespace: kube-system, name: proxy}, spec: {nodeName: n-2, hostNetwork: true}, status: {podIPs: [{ip: 192.0.2.7}]}}`,
	)
	for node, want := range map[string][]string{"n-1": {"dev", "payments"}, "n-2": {"dev", "kube-system"}, "n-3": nil} {
		if diff := cmp.Diff(want, w.Tenants(node)); diff != "" {
			t.Errorf("the tenants of %s differ: %s", node, diff)
		}
	}
	for address, want := range map[string]string{"10.0.0.1": "payments", "10.0.0.2": "payments", "fd00::3": "dev", "192.0.2.7": "", "10.0.0.9": ""} {
		if got, ok := w.PodAt(netip.MustParseAddr(address)); got != want || ok != (want != "") {
			t.Errorf("%s is of %q (%t), want %q", address, got, ok, want)
		}
	}
	drop(v, "Pod", "payments/a")
	drop(v, "Pod", "payments/b")
	if diff := cmp.Diff([]string{"dev"}, w.Tenants("n-1")); diff != "" {
		t.Errorf("the tenants once they are gone differ: %s", diff)
	}
	if got, ok := w.PodAt(netip.MustParseAddr("10.0.0.1")); ok {
		t.Errorf("the address of a Pod that is gone is of %q", got)
	}
}

func bindingTo(kind, ns, name, roleKind, role, subject string) string {
	return fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: %s, metadata: {name: %s, namespace: %q}, roleRef: {kind: %s, name: %s}, subjects: [%s]}`, kind, name, ns, roleKind, role, subject)
}

// The bindings of a role, and the roles of an account, tell Roles and ClusterRoles of one name apart.
func TestBindings(t *testing.T) {
	const ci = `{kind: ServiceAccount, name: ci, namespace: dev}`
	_, w := seeing(
		bindingTo("RoleBinding", "payments", "near", "Role", "writer", ci), bindingTo("RoleBinding", "payments", "also", "ClusterRole", "writer", ci),
		bindingTo("RoleBinding", "edge", "far", "Role", "writer", `{kind: User, name: robin}`), bindingTo("ClusterRoleBinding", "", "all", "ClusterRole", "writer", ci),
		bindingTo("RoleBinding", "dev", "own", "Role", "reader", `{kind: ServiceAccount, name: ci}`),
	)
	for name, tc := range map[string]struct {
		namespace string
		want      []string
	}{
		"a Role of a namespace": {"payments", []string{"payments/near"}}, "its namesake": {"edge", []string{"edge/far"}},
		"the ClusterRole": {"", []string{"/all", "payments/also"}}, "none": {"dev", nil},
	} {
		var got []string
		for _, b := range w.Bindings(tc.namespace, "writer") {
			got = append(got, b.Namespace+"/"+b.Name)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: the bindings differ: %s", name, diff)
		}
	}
	roles := map[policy.BoundRole]bool{}
	for _, r := range w.BindingsOf("dev", "ci") {
		roles[r] = true
	}
	want := map[policy.BoundRole]bool{
		{Namespace: "payments", RoleNamespace: "payments", Role: "writer"}: true, {Namespace: "payments", Role: "writer"}: true,
		{Role: "writer"}: true, {Namespace: "dev", RoleNamespace: "dev", Role: "reader"}: true,
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("the roles of the account differ: %s", diff)
	}
	if got := w.BindingsOf("payments", "ci"); len(got) != 0 {
		t.Errorf("an account of the same name elsewhere has %v", got)
	}
}

// Roles are found by their namespace, and ClusterRoles are those without a namespace.
func TestRoles(t *testing.T) {
	const rule = `rules: [{verbs: [%s], apiGroups: [""], resources: [pods]}]`
	_, w := seeing(
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {namespace: payments, name: writer}, `+fmt.Sprintf(rule, "create")+`}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: writer, labels: {a: b}}, `+fmt.Sprintf(rule, "delete")+`}`,
	)
	for ns, want := range map[string]string{"payments": "[create]", "": "[delete]"} {
		if r, ok := w.Roles(ns, "writer"); !ok || len(r.Rules) != 1 || fmt.Sprint(r.Rules[0].Verbs) != want {
			t.Errorf("the role of namespace %q is %+v, want %s", ns, r, want)
		}
	}
	if r, ok := w.Roles("dev", "writer"); ok {
		t.Errorf("a role that is not there is %+v", r)
	}
	all := w.ClusterRoles()
	if r := all["writer"]; len(all) != 1 || r.Labels["a"] != "b" || fmt.Sprint(r.Rules[0].Verbs) != "[delete]" {
		t.Errorf("the ClusterRoles are %+v", all)
	}
}

// Only accounts in kube-system count. The result of a live read is remembered, also that an account does not exist.
func TestControllerAccounts(t *testing.T) {
	v, w := seeing(
		`{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: kube-system, name: job-controller, uid: j-1}}`,
		`{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: dev, name: cronjob-controller, uid: c-1}}`,
	)
	if uid, ok := w.ControllerUID("job-controller"); !ok || uid != "j-1" {
		t.Errorf("%q %t", uid, ok)
	}
	if uid, ok := w.ControllerUID("cronjob-controller"); ok {
		t.Errorf("an account of another namespace counts: %q", uid)
	}
	v.Remember("cronjob-controller", "")
	if uid, ok := w.ControllerUID("cronjob-controller"); !ok || uid != "" {
		t.Errorf("%q %t, want that it is known not to be there", uid, ok)
	}
}

// The targets that ConfigMaps and Secrets name are kept, by namespace; those of Secrets only where Firebreak is told to read
// them.
func TestContentsOfTheCluster(t *testing.T) {
	objects := []string{
		`{apiVersion: v1, kind: ConfigMap, metadata: {namespace: payments, name: x}, data: {host: orders.prod.db.example.com}}`,
		`{apiVersion: v1, kind: Secret, metadata: {namespace: payments, name: x}, data: {host: b3JkZXJzLnByb2QuZGIuZXhhbXBsZS5jb20=}}`,
	}
	_, w := seeing(objects...)
	for kind, get := range map[string]func() (string, bool){
		"ConfigMap": func() (string, bool) { c, ok := w.ConfigMaps("payments", "x"); return hosts(c), ok },
		"Secret":    func() (string, bool) { c, ok := w.Secrets("payments", "x"); return hosts(c), ok },
	} {
		if got, ok := get(); !ok || got != "[orders.prod.db.example.com]" {
			t.Errorf("the %s names %s (%t)", kind, got, ok)
		}
	}
	if _, ok := w.ConfigMaps("dev", "x"); ok {
		t.Error("a ConfigMap is found in another namespace")
	}
	blind := view.New(view.Settings{}, night)
	add(blind, objects...)
	if _, ok := blind.ClusterView(blind.Compile()).Secrets("payments", "x"); ok {
		t.Error("a Secret is remembered though Firebreak is not to read any")
	}
}
