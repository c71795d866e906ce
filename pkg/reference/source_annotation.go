package reference

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// annotation finds what the annotations of an object and of its Pods name: injectors, identities of clouds, replicators
// and ingress controllers all act on them.
func annotation(in *Input) []Reference {
	out := in.annotations("metadata.annotations", in.Annotations, in.Kind.Kind)
	for _, t := range in.templates() {
		if t.Path != "" {
			out = append(out, in.annotations(t.Path+".metadata.annotations", t.Annotations, "Pod")...)
		}
	}
	return out
}

func (r *reader) annotations(path string, all map[string]string, kind string) []Reference {
	var out []Reference
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if value := all[key]; value != "" && !documentation(key) {
			targets, at := r.annotated(key, value, kind), ""
			if len(targets) > 0 {
				at = fmt.Sprintf("%s[%q]", path, key)
			}
			out = append(out, r.at(at, value, targets)...)
		}
	}
	return append(out, r.reflected(path, all)...)
}

// Acting returns the annotations of an object that something may act on.
func Acting(annotations map[string]string) map[string]string {
	out := make(map[string]string, len(annotations))
	for key, value := range annotations {
		if !documentation(key) {
			out[key] = value
		}
	}
	return out
}

// Replicating returns the annotations by which something copies an object to other namespaces, or from one.
func Replicating(annotations map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range annotations {
		if _, name, _ := strings.Cut(strings.ToLower(key), "/"); replicates(name) {
			out[key] = value
		}
	}
	return out
}

// documentation: annotations that tell people or tools something about the object, and that nothing acts on.
func documentation(key string) bool {
	domain, name, ok := strings.Cut(strings.ToLower(key), "/")
	if !ok {
		domain, name = "", domain
	}
	for _, d := range []string{"artifacthub.io", "meta.helm.sh", "docs.", "catalog.", "category."} {
		if strings.HasPrefix(domain, d) {
			return true
		}
	}
	if strings.Contains(domain, "vault") || strings.Contains(domain, "ingress") || strings.Contains(name, "inject") || strings.Contains(name, "secret") || strings.Contains(name, "template") {
		return false // an agent acts on it, and the rest of its name is a file's
	}
	for _, words := range []string{"last-applied", "source-url", "change-cause", "release-name"} {
		if strings.Contains(name, words) {
			return true
		}
	}
	return slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool { return !isWordRune(r) || r == '-' || r == '_' }), documents)
}

func (r *reader) annotated(key, value, kind string) []Target {
	domain, name, _ := strings.Cut(strings.ToLower(key), "/")
	switch {
	case identity(domain, name):
		return r.keep(nil, Target{Kind: Role, Name: value, Unambiguous: true})
	case replicates(name):
		return r.replicated(name, value, kind)
	case strings.Contains(name, "secret") && strings.Contains(value, "/") && !strings.Contains(domain, "vault"):
		if ns, s, ok := namespacedName(value); ok {
			return r.keep(nil, Target{Kind: Secret, Namespace: ns, Name: s, Unambiguous: true})
		}
	}
	out := slices.DeleteFunc(r.find(value, name, Value), func(t Target) bool { return isPlainTitle(t, value) })
	if strings.Contains(domain, "vault") || domain == "avp.kubernetes.io" {
		out = append(out, r.storePaths(value, "vault")...)
	}
	if ns, _, ok := namespacedName(value); ok && pointsElsewhere(name) {
		out = append(out, r.namespace(ns)...)
	}
	return append(out, r.meshIdentities(value)...)
}

// identity: the annotations by which a workload becomes somebody in a cloud.
func identity(domain, name string) bool {
	switch {
	case strings.HasSuffix(name, "role-arn"), name == "gcp-service-account", name == "vault-role", domain == "iam.amazonaws.com":
		return true
	case name == "client-id":
		return strings.HasPrefix(domain, "azure.")
	}
	return strings.HasSuffix(name, "role") && strings.Contains(domain, "vault")
}

// isPlainTitle: a word or two as the whole of an annotation are a team, a tier, a name.
func isPlainTitle(t Target, value string) bool {
	return t.Kind == Host && !t.Addr.IsValid() && strings.Count(t.Name, ".") <= 1 && strings.EqualFold(t.Name, value)
}

// replicates: what copies Secrets and ConfigMaps from one namespace to others.
func replicates(name string) bool {
	return strings.HasPrefix(name, "replicat") || strings.HasPrefix(name, "reflect") || name == "sync" || strings.HasPrefix(name, "copy-")
}

func (r *reader) replicated(name, value, kind string) []Target {
	if ns, of, ok := namespacedName(value); ok {
		if kind == secretKind {
			return r.keep(nil, Target{Kind: Secret, Namespace: ns, Name: of, Unambiguous: true})
		}
		return r.namespace(ns)
	}
	if strings.HasSuffix(name, "-matching") || name == "sync" && strings.Contains(value, "=") {
		return r.keep(nil, Target{Kind: NamespaceSelector, Name: strings.ReplaceAll(value, ", ", ","), Unambiguous: true})
	}
	if !strings.Contains(name, "namespaces") && !strings.HasSuffix(name, "-to") && !strings.Contains(name, "allowed") {
		return nil
	}
	return r.namespaceList(value)
}

// reflected reads the annotations of Reflector: without a list of namespaces it copies into all of them.
func (r *reader) reflected(path string, all map[string]string) []Reference {
	const prefix = "reflector.v1.k8s.emberstack.com/reflection-"
	if all[prefix+"auto-enabled"] != "true" || strings.TrimSpace(all[prefix+"auto-namespaces"]) != "" {
		return nil
	}
	return r.at(fmt.Sprintf("%s[%q]", path, prefix+"auto-enabled"), "true", r.keep(nil, Target{Kind: NamespaceSelector, Name: AllNamespaces, Unambiguous: true}))
}

// maxPattern is the longest pattern of names of namespaces that is read.
const maxPattern = 4 * maxLabel

// namespaceList reads names and patterns of namespaces. A regular expression is read as globs that match no less.
func (r *reader) namespaceList(value string) []Target {
	var out []Target
	if !r.spend(value) {
		return nil
	}
	for item := range strings.SplitSeq(value, ",") {
		if len(item) > maxPattern || strings.Contains(item, "{{") || strings.Contains(item, "${") || strings.Contains(item, "$(") {
			continue // what is put in its place is read where it stands
		}
		for _, glob := range globs(strings.ToLower(strings.TrimSpace(item))) {
			switch {
			case glob == AllNamespaces:
				out = r.keep(out, Target{Kind: NamespaceSelector, Name: AllNamespaces, Unambiguous: true})
			case strings.ContainsAny(glob, "*?") && !r.pattern():
				return r.keep(out, Target{Kind: NamespaceSelector, Name: AllNamespaces, Unambiguous: true})
			case isLabel(strings.NewReplacer("*", "x", "?", "x").Replace(glob)):
				out = r.keep(out, Target{Kind: Namespace, Name: glob, Unambiguous: true})
			}
		}
	}
	return out
}

var (
	repeated = regexp.MustCompile(`(\\[a-z]|\[[^\]]*\]|\.)([*+]|\{[0-9,]*\})|\.\*`)
	single   = regexp.MustCompile(`\\[a-z]|\[[^\]]*\]`)
	group    = regexp.MustCompile(`^([^()]*)\(([^()]*)\)([^()]*)$`)
)

// globs returns the globs that a pattern of names comes to: a glob is one, and a regular expression is one for each alternative.
func globs(pattern string) []string {
	pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$")
	var out []string
	if m := group.FindStringSubmatch(pattern); m != nil {
		for part := range strings.SplitSeq(strings.TrimPrefix(m[2], "?:"), "|") {
			out = append(out, globs(m[1]+part+m[3])...)
			if len(out) > maxParts {
				return []string{AllNamespaces}
			}
		}
		return out
	}
	for part := range strings.SplitSeq(pattern, "|") {
		part = strings.TrimSuffix(strings.TrimPrefix(part, "^"), "$")
		part = single.ReplaceAllString(repeated.ReplaceAllString(part, "*"), "?")
		if strings.ContainsAny(part, `()[]{}+\^$`) {
			part = AllNamespaces // no less than it matches
		}
		out = append(out, strings.ReplaceAll(part, "**", "*"))
	}
	return out
}

// namespacedName splits namespace/name.
func namespacedName(value string) (namespace, name string, ok bool) {
	namespace, name, ok = strings.Cut(strings.TrimSpace(value), "/")
	if !ok || !isLabel(namespace) || name == "" || strings.ContainsAny(name, "/ :") {
		return "", "", false
	}
	return namespace, name, true
}

// pointsElsewhere: fields and annotations whose value is namespace/name.
func pointsElsewhere(name string) bool {
	l := strings.ToLower(name)
	for _, word := range []string{"secret", "gateway", "middleware", "networks", "backend", "upstream", "configmap", "issuer", "clonerequest", "authref", "serviceaccounts"} {
		if strings.Contains(l, word) {
			return true
		}
	}
	return false
}

// meshIdentities reads cluster.local/ns/<namespace>/sa/<account>, as meshes and SPIFFE write who may call.
func (r *reader) meshIdentities(value string) []Target {
	var out []Target
	for r.budget.Spend(tokenCost) {
		_, after, ok := strings.Cut(value, "/ns/")
		if !ok {
			return out
		}
		ns, rest, ok := strings.Cut(after[:min(len(after), maxLabel+len("/sa/"))], "/")
		if ok && (strings.HasPrefix(rest, "sa/") || rest == "*") {
			out = append(out, r.namespace(ns)...)
		}
		value = after
	}
	return out
}
