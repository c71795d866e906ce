package discover

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// environments groups namespaces by their labels and, where these say nothing, by their names.
func (f *finder) environments() {
	members, evidence := map[string][]string{}, map[string][]string{}
	var sharedOnes, open []string
	seen := map[string]bool{}
	for _, u := range f.in.Objects {
		if u.GetAPIVersion() == "v1" && u.GetKind() == "Service" {
			f.services[u.GetNamespace()+"/"+u.GetName()] = true
		}
		if u.GetAPIVersion() != "v1" || u.GetKind() != "Namespace" || isSystem(u.GetName()) || u.GetName() == f.in.Home {
			continue
		}
		name := u.GetName()
		if seen[name] {
			continue
		}
		seen[name] = true
		s, why := stageOfNamespace(u)
		switch {
		case s != "":
			f.stage[name] = s
			members[s], evidence[s] = append(members[s], name), append(evidence[s], why)
		case slices.Contains(shared(), name):
			sharedOnes = append(sharedOnes, name)
		default:
			open = append(open, name)
		}
	}
	for _, s := range stages() {
		if len(members[s.name]) > 0 {
			slices.Sort(members[s.name])
			f.out.Environments = append(f.out.Environments, Environment{Name: s.name, Tier: string(s.tier), Namespaces: members[s.name], Evidence: evidence[s.name]})
		}
	}
	f.askAboutNamespaces(sharedOnes, open, len(members["production"]) > 0)
}

// stageOfNamespace returns the stage that a namespace is of, and why; empty: neither its labels nor its name say.
func stageOfNamespace(u *unstructured.Unstructured) (stage, why string) {
	if s, key := stageOfLabels(u.GetLabels()); s != "" {
		return s, fmt.Sprintf("%s has the label %s=%s", u.GetName(), key, u.GetLabels()[key])
	}
	return stageOf(u.GetName()), u.GetName() + " speaks of it"
}

// askAboutNamespaces proposes what is commonly shared, and asks about the rest.
func (f *finder) askAboutNamespaces(sharedOnes, open []string, production bool) {
	if slices.Sort(sharedOnes); len(sharedOnes) > 0 {
		f.out.Environments = append(f.out.Environments, Environment{Name: "platform", Tier: string(v1alpha1.TierShared), Namespaces: sharedOnes, Evidence: []string{"these commonly serve all environments"}})
		f.out.Questions = append(f.out.Questions, fmt.Sprintf("Do the namespaces %s serve production and non-production alike? Then they are Shared, as proposed.", strings.Join(sharedOnes, ", ")))
	}
	if slices.Sort(open); len(open) > 0 {
		f.out.Questions = append(f.out.Questions, fmt.Sprintf("To which environment do the namespaces %s belong? Until one claims them they count as NonProduction.", strings.Join(open, ", ")))
	}
	if !production {
		f.out.Questions = append(f.out.Questions, "Which namespaces are production? No label or name says so.")
	}
}

// writes reports whether rules let somebody change what runs.
func writes(rules []rbacv1.PolicyRule) bool {
	has := func(list []string, wanted ...string) bool {
		return slices.Contains(list, "*") || slices.ContainsFunc(wanted, func(s string) bool { return slices.Contains(list, s) })
	}
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return len(r.ResourceNames) == 0 && has(r.Verbs, "create", "update", "patch") && has(r.APIGroups, "apps", "batch") && has(r.Resources, "deployments", "statefulsets", "jobs")
	})
}

// identities says who may write in the namespaces of each environment, by their bindings, and which programs have.
func (f *finder) identities() {
	roles := map[string][]rbacv1.PolicyRule{}
	for _, u := range f.in.Objects {
		if u.GroupVersionKind().Group == rbacv1.GroupName && strings.HasSuffix(u.GetKind(), "Role") {
			var r rbacv1.ClusterRole // a Role has the same rules
			if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &r) == nil {
				roles[u.GetKind()+"|"+u.GetNamespace()+"|"+u.GetName()] = r.Rules
			}
		}
	}
	by := map[string]*Environment{}
	for i := range f.out.Environments {
		by[f.out.Environments[i].Name] = &f.out.Environments[i]
	}
	var everywhere []string
	for _, u := range f.in.Objects {
		env := by[f.stage[u.GetNamespace()]]
		if env != nil {
			for _, m := range u.GetManagedFields() {
				env.Managers = insert(env.Managers, m.Manager)
			}
		}
		for _, s := range writers(u, roles) {
			switch {
			case u.GetKind() == "ClusterRoleBinding":
				everywhere = insert(everywhere, strings.ToLower(s.Kind)+" "+qualified(s, u))
			case env != nil:
				env.take(s, u)
			}
		}
	}
	if len(everywhere) > 0 {
		f.out.Questions = append(f.out.Questions, fmt.Sprintf("These may write in every namespace, production's among them: %s. Which of them are members of production?", strings.Join(everywhere, ", ")))
	}
}

// writers returns the subjects of a binding that lets them change what runs, but for Kubernetes' own; it returns none for any other object.
func writers(u *unstructured.Unstructured, roles map[string][]rbacv1.PolicyRule) []rbacv1.Subject {
	var b rbacv1.ClusterRoleBinding // a RoleBinding has the same fields
	if u.GroupVersionKind().Group != rbacv1.GroupName || !strings.HasSuffix(u.GetKind(), "RoleBinding") || runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &b) != nil {
		return nil
	}
	ns := ""
	if b.RoleRef.Kind == "Role" {
		ns = u.GetNamespace()
	}
	if !writes(roles[b.RoleRef.Kind+"|"+ns+"|"+b.RoleRef.Name]) {
		return nil
	}
	return slices.DeleteFunc(b.Subjects, func(s rbacv1.Subject) bool {
		return strings.HasPrefix(s.Name, "system:") || s.Kind == rbacv1.ServiceAccountKind && isSystem(s.Namespace)
	})
}

func qualified(s rbacv1.Subject, binding *unstructured.Unstructured) string {
	if s.Kind != rbacv1.ServiceAccountKind {
		return s.Name
	}
	ns := s.Namespace
	if ns == "" {
		ns = binding.GetNamespace()
	}
	return ns + "/" + s.Name
}

// take adds a subject to those who may write in an environment. Accounts of its own namespaces are members anyway.
func (e *Environment) take(s rbacv1.Subject, binding *unstructured.Unstructured) {
	switch name := qualified(s, binding); s.Kind {
	case rbacv1.GroupKind:
		e.Groups = insert(e.Groups, name)
	case rbacv1.UserKind:
		e.Users = insert(e.Users, name)
	case rbacv1.ServiceAccountKind:
		if ns, _, _ := strings.Cut(name, "/"); !slices.Contains(e.Namespaces, ns) {
			e.ServiceAccounts = insert(e.ServiceAccounts, name)
		}
	}
}

// insert adds a text to a sorted list, once.
func insert(list []string, s string) []string {
	i, there := slices.BinarySearch(list, s)
	if there || s == "" {
		return list
	}
	return slices.Insert(list, i, s)
}
