package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// consequences prints what a window for the boundary would change of who belongs where.
func (s *screen) consequences(ctx context.Context) {
	if !slices.ContainsFunc(s.w.Spec.Scope.Resources, func(r v1alpha1.ScopedResource) bool { return movesMembers(r.Group, r.Kind) || binds(r.Group, r.Kind) }) {
		return
	}
	before, err := s.declared(ctx)
	if err != nil {
		s.line("consequence", plain(fmt.Sprintf("not known, since you may not see all that is declared: %v", err)))
		return
	}
	after, err := declaredUnder(&s.w.Spec, before)
	if err != nil {
		s.line("consequence", plain(fmt.Sprintf("not known: %v", err)))
		return
	}
	told := append(estate.Consequences(before, after), bound(&s.w.Spec, s.w.Namespace, before)...)
	if len(told) == 0 {
		told = []string{"no namespace, identity or data store changes sides"}
	}
	for _, l := range told {
		s.line("consequence", plain(l))
	}
}

// movesMembers reports whether objects of a kind say what belongs to which environment.
func movesMembers(group, kind string) bool {
	return group == v1alpha1.GroupName && (kind == v1alpha1.KindEnvironment || kind == v1alpha1.KindDataStore) || group == "" && kind == "Namespace"
}

// declared reads what the cluster declares.
func (s *screen) declared(ctx context.Context) (estate.Input, error) {
	var environments v1alpha1.EnvironmentList
	var stores v1alpha1.DataStoreList
	var namespaces corev1.NamespaceList
	in := estate.Input{Namespaces: map[string]map[string]string{}}
	if err := s.c.List(ctx, &environments); err != nil {
		return in, fmt.Errorf("list environments: %w", err)
	}
	if err := s.c.List(ctx, &stores); err != nil {
		return in, fmt.Errorf("list data stores: %w", err)
	}
	if err := s.c.List(ctx, &namespaces); err != nil {
		return in, fmt.Errorf("list namespaces: %w", err)
	}
	in.Environments, in.DataStores = environments.Items, stores.Items
	for i := range namespaces.Items {
		in.Namespaces[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	return in, nil
}

// declaredUnder returns what would be declared if all was done that a window permits.
func declaredUnder(w *v1alpha1.ChangeWindowSpec, before estate.Input) (estate.Input, error) {
	after := estate.Input{Environments: slices.Clone(before.Environments), DataStores: slices.Clone(before.DataStores), Namespaces: map[string]map[string]string{}}
	for name, labels := range before.Namespaces {
		after.Namespaces[name] = labels
	}
	if slices.Contains(w.Scope.Operations, v1alpha1.OperationDelete) && !planned(w.Scope.Operations) {
		for _, r := range w.Scope.Resources {
			withdraw(&after, &r)
		}
	}
	if w.Plan == nil {
		return after, nil
	}
	for i := range w.Plan.Workloads {
		p := &w.Plan.Workloads[i]
		if p.Rollback || !movesMembers(p.Group, p.Kind) {
			continue
		}
		if err := declare(&after, p); err != nil {
			return after, fmt.Errorf("%s %s: %w", p.Kind, join(p.Names), err)
		}
	}
	return after, nil
}

// withdraw takes deleted objects out.
func withdraw(in *estate.Input, r *v1alpha1.ScopedResource) {
	named := func(name string) bool { return slices.Contains(r.Names, v1alpha1.Glob(name)) }
	switch r.Kind {
	case v1alpha1.KindEnvironment:
		in.Environments = slices.DeleteFunc(in.Environments, func(e v1alpha1.Environment) bool { return named(e.Name) })
	case v1alpha1.KindDataStore:
		in.DataStores = slices.DeleteFunc(in.DataStores, func(d v1alpha1.DataStore) bool { return named(d.Name) })
	case "Namespace":
		for _, n := range r.Names {
			delete(in.Namespaces, string(n))
		}
	}
}

// declare puts in what an entry pins.
func declare(in *estate.Input, p *v1alpha1.PlannedWorkload) error {
	object, err := pinnedObject(p)
	if err != nil || len(p.Names) != 1 {
		return err
	}
	name := string(p.Names[0])
	switch p.Kind {
	case v1alpha1.KindEnvironment:
		var e v1alpha1.Environment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &e); err != nil {
			return fmt.Errorf("read what the window pins: %w", err)
		}
		e.Name = name
		in.Environments = append(slices.DeleteFunc(in.Environments, func(o v1alpha1.Environment) bool { return o.Name == name }), e)
	case v1alpha1.KindDataStore:
		var d v1alpha1.DataStore
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &d); err != nil {
			return fmt.Errorf("read what the window pins: %w", err)
		}
		d.Name = name
		in.DataStores = append(slices.DeleteFunc(in.DataStores, func(o v1alpha1.DataStore) bool { return o.Name == name }), d)
	case "Namespace":
		labels := map[string]string{}
		said, _ := object["labels"].(map[string]any)
		for k, v := range said {
			labels[k], _ = v.(string)
		}
		in.Namespaces[name] = labels
	}
	return nil
}

// pinnedObject returns the fields that an entry pins as an object again. The error says that the window does not say them all.
func pinnedObject(p *v1alpha1.PlannedWorkload) (map[string]any, error) {
	out := map[string]any{}
	for _, f := range p.Fields {
		var value any
		path, ok := parts(f.Path)
		if !ok || json.Unmarshal([]byte(f.Value), &value) != nil {
			return nil, fmt.Errorf("the window does not say %s", f.Path)
		}
		at := out
		for _, key := range path[:len(path)-1] {
			below, ok := at[key].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[key] = below
			}
			at = below
		}
		at[path[len(path)-1]] = value
	}
	if len(p.Fields) == 0 {
		return nil, fmt.Errorf("the window says the digest alone")
	}
	return out, nil
}

// parts splits the path of a field into its keys, such as labels["a/b"] and spec.tier.
func parts(path string) ([]string, bool) {
	var out []string
	for path != "" {
		if rest, ok := strings.CutPrefix(path, "["); ok {
			if i := strings.IndexByte(rest, ']'); i > 0 && strings.Trim(rest[:i], "0123456789") == "" {
				out, path = append(out, rest[:i]), strings.TrimPrefix(rest[i+1:], ".")
				continue
			}
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil || !strings.HasPrefix(rest[len(quoted):], "]") {
				return nil, false // the key is shortened to its digest
			}
			key, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, false
			}
			out, path = append(out, key), strings.TrimPrefix(rest[len(quoted)+1:], ".")
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		out, path = append(out, path[:end]), strings.TrimPrefix(path[end:], ".")
	}
	return out, len(out) > 0
}

// binds reports whether objects of a kind give rights to subjects.
func binds(group, kind string) bool {
	return group == "rbac.authorization.k8s.io" && (kind == "RoleBinding" || kind == "ClusterRoleBinding")
}

// bound says which rights bindings of a plan give to whom, and where.
func bound(w *v1alpha1.ChangeWindowSpec, namespace string, in estate.Input) []string {
	if w.Plan == nil {
		return nil
	}
	var out []string
	for i := range w.Plan.Workloads {
		p := &w.Plan.Workloads[i]
		if p.Rollback || !binds(p.Group, p.Kind) {
			continue
		}
		object, err := pinnedObject(p)
		if err != nil {
			out = append(out, fmt.Sprintf("what %s %s gives is not known: %v", p.Kind, join(p.Names), err))
			continue
		}
		role, _ := object["roleRef"].(map[string]any)
		all, _ := object["subjects"].(map[string]any)
		var subjects []string
		for _, item := range all {
			s, _ := item.(map[string]any)
			name := fmt.Sprint(s["name"])
			if ns, ok := s["namespace"]; ok {
				name = fmt.Sprintf("%v/%s", ns, name)
			}
			subjects = append(subjects, fmt.Sprintf("%v %s", s["kind"], name))
		}
		slices.Sort(subjects)
		place := "namespace " + namespace
		if p.Kind == "ClusterRoleBinding" {
			place = fmt.Sprintf("all %s, %d of them in production", estate.Counted(len(in.Namespaces), "namespace"), production(in))
		}
		out = append(out, fmt.Sprintf("%s: %v %v is given to %s in %s: %s", join(p.Names), role["kind"], role["name"], estate.Counted(len(subjects), "subject"), place, strings.Join(subjects, ", ")))
	}
	return out
}

// production counts the namespaces that are production's.
func production(in estate.Input) int {
	return len(estate.Compile(in).InTier(v1alpha1.TierProduction))
}
