package change_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// unpinned returns the fields of a pod spec and of a container that no plan pins, each with the reason. Every other field
// must change the digest: if Kubernetes adds a field, this test is red until somebody has decided about it.
func unpinned() map[string]string {
	const (
		placement = "where it runs, not what"
		lifetime  = "how long it runs, not what"
		amount    = "how much it may use, not what runs"
		gates     = "when it is ready, not what runs"
		naming    = "its own name"
	)
	return map[string]string{
		"SchedulerName":             placement,
		"TopologySpreadConstraints": placement, "Priority": placement, "PreemptionPolicy": placement,
		"WorkloadRef": placement, "SchedulingGroup": placement,
		"RestartPolicy": lifetime, "TerminationGracePeriodSeconds": lifetime,
		"Overhead": amount, "Resources": amount,
		"ReadinessGates":    gates,
		"SetHostnameAsFQDN": naming, "HostnameOverride": naming,
		"EnableServiceLinks": "names of Services, which are judged where they are used",
		"OS":                 "an image is for one system",

		"Container.ImagePullPolicy": "an image by digest is the same wherever it lies",
		"Container.Resources":       amount, "Container.ResizePolicy": amount,
		"Container.TerminationMessagePath": "where the last words go", "Container.TerminationMessagePolicy": "where the last words go",
		"Container.Stdin": "sessions are judged when they are opened", "Container.StdinOnce": "sessions are judged when they are opened",
		"Container.TTY": "sessions are judged when they are opened",
	}
}

// spelled returns values for fields where the general value is the default or decides nothing.
func spelled() map[string]any {
	return map[string]any{
		"AutomountServiceAccountToken": ptr(false),
		"HostUsers":                    ptr(false),
		"Container.Ports":              []corev1.ContainerPort{{ContainerPort: 80, HostPort: 22}},
	}
}

func TestEveryPodFieldIsDecidedOn(t *testing.T) {
	base := func() *workload.Workload { return work(t, plainJob) }
	digest := func(w *workload.Workload) string { return change.PlanOf(w, settings).Digest }
	var got []string
	check := func(prefix string, typ reflect.Type, target func(*workload.Workload) reflect.Value) {
		for i := range typ.NumField() {
			name := prefix + typ.Field(i).Name
			w := base()
			field := target(w).Field(i)
			if v, ok := spelled()[name]; ok {
				field.Set(reflect.ValueOf(v))
			} else {
				fill(field, 0)
			}
			if digest(w) == digest(base()) {
				got = append(got, name)
			}
		}
	}
	check("", reflect.TypeFor[corev1.PodSpec](), func(w *workload.Workload) reflect.Value { return reflect.ValueOf(&w.Template.Spec).Elem() })
	check("Container.", reflect.TypeFor[corev1.Container](), func(w *workload.Workload) reflect.Value {
		return reflect.ValueOf(&w.Template.Spec.Containers[0]).Elem()
	})
	want := slices.DeleteFunc(slices.Sorted(maps.Keys(unpinned())), func(name string) bool { return !exists(name) })
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields that no plan pins, without a reason (+), or that are pinned all the same (-):\n%s", diff)
	}
}

// exists reports whether this version of Kubernetes has a field, since the list may name fields of newer and older versions.
func exists(name string) bool {
	typ := reflect.TypeFor[corev1.PodSpec]()
	if n, ok := strings.CutPrefix(name, "Container."); ok {
		name, typ = n, reflect.TypeFor[corev1.Container]()
	}
	_, ok := typ.FieldByName(name)
	return ok
}

// fill sets everything below a value to something other than its zero value.
func fill(v reflect.Value, depth int) {
	if depth > 6 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("filled-" + v.String())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), 1, 1)
		fill(s.Index(0), depth+1)
		v.Set(s)
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		m.SetMapIndex(key, value)
		v.Set(m)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	default:
	}
}
