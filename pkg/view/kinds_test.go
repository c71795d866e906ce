package view_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/scheme"
	"github.com/firebreak-dev/firebreak/pkg/view"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// TestEveryOwnerIsWatched checks that a workload whose Pods are compared with it is watched, in the version of the table, and
// that nothing else is watched as one.
func TestEveryOwnerIsWatched(t *testing.T) {
	var watched, owners []schema.GroupVersionKind
	for _, k := range view.New(view.Settings{}, time.Now).Kinds() {
		if k.Uses {
			watched = append(watched, k.GroupVersionKind)
		}
	}
	for _, k := range workload.Kinds() {
		if k.Owns() {
			owners = append(owners, k.GroupVersionKind())
		}
	}
	for _, gvk := range owners {
		if !slices.Contains(watched, gvk) {
			t.Errorf("workload.Kinds() has %s as an owner, and the view does not watch it: what its controller makes would be judged as nobody's", gvk)
		}
	}
	for _, gvk := range watched {
		if !slices.Contains(owners, gvk) {
			t.Errorf("the view watches %s as an owner, and workload.Kinds() has no such owner", gvk)
		}
	}
}

// TestWhatIsWatchedIsTheKind checks that the sample and the list of each kind are of that kind: their types decide what the
// API server is asked for, not the name beside them.
func TestWhatIsWatchedIsTheKind(t *testing.T) {
	known, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range view.New(view.Settings{ReadSecrets: true}, time.Now).Kinds() {
		list, err := k.NewList()
		if err != nil {
			t.Fatal(err)
		}
		if want := k.Kind + "List"; list.GetObjectKind().GroupVersionKind().Kind == want {
			continue // metadata alone names its own kind
		}
		of, _, err := known.ObjectKinds(k.Sample())
		lists, _, listErr := known.ObjectKinds(list)
		if err != nil || listErr != nil || !slices.Contains(of, k.GroupVersionKind) || !slices.Contains(lists, k.GroupVersion().WithKind(k.Kind+"List")) {
			t.Errorf("%s is watched as %v, in lists %v: %v %v", k.GroupVersionKind, of, lists, err, listErr)
		}
	}
}

// TestTheChartLetsEveryWorkloadBeRead checks that the rights of the chart name every kind of the table: created objects are
// looked for, and owners are watched.
func TestTheChartLetsEveryWorkloadBeRead(t *testing.T) {
	var role rbacv1.ClusterRole
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for doc := range strings.SplitSeq(string(raw), "\n---\n") {
		if !strings.Contains(doc, "\nkind: ClusterRole\n") {
			continue
		}
		if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
			t.Fatal(err)
		}
		break
	}
	allows := func(group, resource, verb string) bool {
		return slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.APIGroups, group) && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, verb)
		})
	}
	for _, k := range workload.Kinds() {
		for _, verb := range []string{"get", "list", "watch"} {
			if !allows(k.Group, k.Resource, verb) {
				t.Errorf("the chart's ClusterRole does not let Firebreak %s %s.%s", verb, k.Resource, k.Group)
			}
		}
	}
}
