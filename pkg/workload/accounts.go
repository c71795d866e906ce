package workload

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Accounts returns the service accounts that a custom resource names to run as, or to act as, sorted. An account without a
// namespace is in the namespace of the object that names it.
func Accounts(tree map[string]any, namespace string) []types.NamespacedName {
	found := map[types.NamespacedName]bool{}
	for key, v := range tree {
		if key != "metadata" && key != "status" {
			accountsIn(v, accountKey(key), namespace, found, 1)
		}
	}
	out := make([]types.NamespacedName, 0, len(found))
	for account := range found {
		out = append(out, account)
	}
	slices.SortFunc(out, func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// accountsIn looks at one value. named is true if the value stands under a key of accounts.
func accountsIn(v any, named bool, namespace string, found map[types.NamespacedName]bool, depth int) {
	if depth > maxEmbedded {
		return // Embedded reports such depths as too deep
	}
	switch v := v.(type) {
	case Text:
		for _, tree := range v.Trees {
			accountsIn(tree, named, namespace, found, depth+1)
		}
	case []any:
		for _, item := range v {
			accountsIn(item, named, namespace, found, depth+1)
		}
	case string:
		if named && v != "" {
			found[account(v, namespace)] = true
		}
	case map[string]any:
		namespace = cmp.Or(textAt(v, "namespace"), textAt(v, "targetNamespace"), textAt(v, "metadata", "namespace"), namespace)
		if name := cmp.Or(textAt(v, "name"), textAt(v, "metadata", "name")); named && name != "" {
			found[account(name, namespace)] = true
		}
		for key, value := range v {
			accountsIn(value, accountKey(key), namespace, found, depth+1)
		}
	}
}

func textAt(m map[string]any, keys ...string) string {
	for _, key := range keys[:len(keys)-1] {
		m, _ = m[key].(map[string]any)
	}
	text, _ := m[keys[len(keys)-1]].(string)
	return text
}

// account reads the name of a service account, with or without its namespace before it.
func account(name, namespace string) types.NamespacedName {
	name = strings.TrimPrefix(name, "system:serviceaccount:")
	if ns, of, ok := strings.Cut(name, ":"); ok {
		return types.NamespacedName{Namespace: ns, Name: of}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// accountKey reports whether a key is that of a field for one or more service accounts.
func accountKey(key string) bool {
	if len(key) > maxKey {
		return false
	}
	l := strings.TrimSuffix(strings.Map(smallLetter, key), "s")
	return strings.HasSuffix(l, "serviceaccountname") || strings.HasSuffix(l, "serviceaccount") || strings.HasSuffix(l, "serviceaccountref") ||
		l == "serviceaccounttemplate" || l == "saname"
}

// smallLetter maps the letters of serviceAccount, service_account and service-account to one spelling.
func smallLetter(c rune) rune {
	switch {
	case c == '_' || c == '-':
		return -1
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}

// NamesAccount reports whether a custom resource names, in its spec or in the spec of its one template, the service account
// of all its Pods.
func NamesAccount(tree map[string]any) bool {
	spec, _ := tree["spec"].(map[string]any)
	for _, m := range []map[string]any{spec, below(spec, "template", "spec"), below(spec, "workflowSpec"), below(spec, "taskRunTemplate")} {
		for key, v := range m {
			if name, ok := v.(string); ok && name != "" && accountKey(key) {
				return true
			}
		}
	}
	return false
}

func below(m map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		m, _ = m[key].(map[string]any)
	}
	return m
}
