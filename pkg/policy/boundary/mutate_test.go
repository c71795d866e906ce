package boundary_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// mutations returns the names of all mutations, in the order in which decided lists them.
func mutations() []string {
	return []string{"Allow", "Audit", "Labeled", "Maintenance", "NonProduction", "Shared", "add", "less", "longer", "more", "nil", "other", "remove", "shorter", "Workloads"}
}

// mutate changes a field, and returns false if the mutation does not apply to its type.
func mutate(v reflect.Value, how string) bool {
	switch f := v.Addr().Interface().(type) {
	case *v1alpha1.Tier:
		return set(f, how, "NonProduction", "Shared")
	case *v1alpha1.Action:
		return set(f, how, "Audit")
	case *map[v1alpha1.RuleName]v1alpha1.Action:
		if how == "Audit" {
			*f = map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleBlastRadius: v1alpha1.ActionAudit}
		}
		return how == "Audit" || how == "nil" && zero(v)
	case *metav1.Time:
		return shift(how, func(d time.Duration) { f.Time = f.Add(d) })
	case *metav1.Duration:
		return shift(how, func(d time.Duration) { f.Duration += d })
	}
	return mutateChoice(v, how)
}

// mutateChoice changes a field whose zero value stands for one of its values.
func mutateChoice(v reflect.Value, how string) bool {
	switch f := v.Addr().Interface().(type) {
	case *v1alpha1.ChangeScope:
		return set(f, how, "Maintenance", "Workloads") || how == "nil" && zero(v)
	case *v1alpha1.MaintenanceMode:
		return set(f, how, "Labeled") || how == "nil" && zero(v)
	case *v1alpha1.InteractiveAccess:
		return set(f, how, "Allow") || how == "nil" && zero(v)
	}
	return mutatePointer(v, how)
}

func mutatePointer(v reflect.Value, how string) bool {
	switch f := v.Addr().Interface().(type) {
	case **metav1.Duration:
		return how == "nil" && zero(v) || shift(how, func(d time.Duration) { (*f).Duration += d })
	case **metav1.LabelSelector:
		if how == "other" {
			*f = &metav1.LabelSelector{MatchLabels: map[string]string{"another": "label"}}
		}
		return how == "other" || how == "nil" && zero(v)
	}
	return mutateKind(v, how)
}

func mutateKind(v reflect.Value, how string) bool {
	switch v.Kind() {
	case reflect.String:
		if how == "other" {
			v.SetString(v.String() + "-other")
		}
		return how == "other"
	case reflect.Bool:
		v.SetBool(v.Bool() != (how == "other"))
		return how == "other"
	case reflect.Int32:
		return number(how, func(d int64) { v.SetInt(v.Int() + d) })
	case reflect.Pointer:
		return how == "nil" && zero(v) || v.Elem().Kind() != reflect.Struct && mutateKind(v.Elem(), how)
	case reflect.Slice:
		switch how {
		case "add":
			one := reflect.New(v.Type().Elem()).Elem()
			populate(one)
			if one.Kind() == reflect.String {
				one.SetString("added.example.com")
			} else {
				one.Field(0).SetString("added.example.com")
			}
			v.Set(reflect.Append(v, one))
		case "remove":
			v.Set(v.Slice(1, v.Len()))
		}
		return how == "add" || how == "remove"
	}
	return false
}

func set[T ~string](f *T, how string, values ...string) bool {
	if slices.Contains(values, how) {
		*f = T(how)
		return true
	}
	return false
}

func zero(v reflect.Value) bool { v.SetZero(); return true }

func shift(how string, f func(time.Duration)) bool {
	d := map[string]time.Duration{"longer": time.Minute, "shorter": -time.Minute}[how]
	f(d)
	return d != 0
}

func number(how string, f func(int64)) bool {
	d := map[string]int64{"more": 1, "less": -1}[how]
	f(d)
	return d != 0
}

// walk visits the paths of all fields that mutate can change.
func walk(v reflect.Value, path string, visit func(string)) {
	switch v.Interface().(type) {
	case metav1.Time, *metav1.Time, metav1.Duration, *metav1.Duration, *metav1.LabelSelector, map[v1alpha1.RuleName]v1alpha1.Action:
		visit(path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			walk(v.Field(i), strings.TrimPrefix(path+"."+name, "."), visit)
		}
	case reflect.Pointer:
		if v.Elem().Kind() == reflect.Struct {
			if !strings.Contains(path, "changeControl") { // required, and nil stands for the defaults of its fields
				visit(path)
			}
			walk(v.Elem(), path, visit)
			return
		}
		visit(path)
	case reflect.Slice:
		visit(path)
		if v.Type().Elem().Kind() == reflect.Struct {
			walk(v.Index(0), path+"[0]", visit)
		}
	default:
		visit(path)
	}
}

// field finds a field by its path.
func field(v reflect.Value, path string) reflect.Value {
	for _, name := range strings.Split(path, ".") {
		name, element := strings.CutSuffix(name, "[0]")
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		for i := range v.NumField() {
			if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name {
				v = v.Field(i)
				break
			}
		}
		if element {
			v = v.Index(0)
		}
	}
	return v
}

// populate sets all fields below a value, each to a value in the middle of its range.
func populate(v reflect.Value) {
	switch f := v.Addr().Interface().(type) {
	case *v1alpha1.Action:
		*f = v1alpha1.ActionWarn
		return
	case *metav1.Time:
		f.Time = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		return
	case **metav1.Duration:
		*f = &metav1.Duration{Duration: 10000 * time.Hour}
		return
	case **metav1.LabelSelector:
		*f = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
		return
	case *map[v1alpha1.RuleName]v1alpha1.Action:
		*f = map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleBlastRadius: v1alpha1.ActionWarn}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("some.example.com")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32:
		v.SetInt(5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem())
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), 2, 2)
		for i := range 2 {
			populate(s.Index(i))
			if e := s.Index(i); e.Kind() == reflect.String {
				e.SetString(fmt.Sprintf("some%d.example.com", i))
			} else {
				e.Field(0).SetString(fmt.Sprintf("some%d.example.com", i))
			}
		}
		v.Set(s)
	case reflect.Struct:
		for i := range v.NumField() {
			populate(v.Field(i))
		}
	default:
	}
}
