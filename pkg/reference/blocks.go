package reference

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// blocks reads what the keys of a node say together.
func (w *walker) blocks(m map[string]any, p trail, key string) {
	w.placement(m, p)
	w.storeBlock(m, p, key)
	if name, _ := m["key"].(string); name == "source.namespace" {
		w.value(m["values"], trail{&p, "values", 0}, "namespaces", "", 1)
	}
	switch l := strings.ToLower(key); {
	case strings.HasSuffix(l, "namespacemapping"), strings.HasSuffix(l, "namespacemappings"):
		for from, to := range m {
			w.found(trail{&p, from, 0}, from, w.namespace(from))
			if to, ok := to.(string); ok {
				w.found(trail{&p, from, 0}, to, w.namespace(to))
			}
		}
	case w.kind == "postgresql" && l == "users":
		for user := range m {
			if ns, _, ok := strings.Cut(user, "."); ok { // its Secret is written there
				w.found(trail{&p, user, 0}, user, w.namespace(ns))
			}
		}
	case l == "byname" && below(p.above, "fromhost"):
		for from := range m {
			w.found(trail{&p, from, 0}, from, w.pair(from))
		}
	}
}

// placement reads a block by which an operator puts what it makes on certain nodes.
func (w *walker) placement(m map[string]any, p trail) {
	var spec map[string]any
	set := func(field string, v any) {
		if spec == nil { // most nodes place nothing
			spec = map[string]any{}
		}
		spec[field] = v
	}
	for _, field := range []string{"nodeSelector", "tolerations", "affinity", "nodeAffinity", "podAffinity", "priorityClassName", "schedulerName", "runtimeClassName"} {
		if v := m[field]; places(v) {
			set(field, v)
		}
	}
	if class, ok := m["podPriorityClassName"].(string); ok {
		set("priorityClassName", class)
	}
	if len(spec) == 0 || w.use == Stores {
		return
	}
	affinity, _ := spec["affinity"].(map[string]any)
	for _, field := range []string{"nodeAffinity", "podAffinity"} {
		if v, ok := spec[field]; ok && affinity == nil {
			delete(spec, field)
			spec["affinity"] = map[string]any{field: v}
		}
	}
	t := workload.Template{}
	for field, v := range spec { // one that has another form says nothing of the rest
		var one corev1.PodSpec
		if runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{field: v}, &one) != nil {
			continue
		}
		mergeSpec(&t.Spec, &one)
	}
	in := placed{reader: w.reader}
	in.template(&t)
	if len(in.out) == 0 || !w.budget.Spend(p.size()) {
		return
	}
	path := p.String()
	for i := range in.out {
		in.out[i].Path = path + in.out[i].Path
	}
	w.out = append(w.out, in.out...)
}

// places reports whether a value may be a field that places a Pod: a text, an object, or a list of objects.
func places(v any) bool {
	switch v := v.(type) {
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { _, object := item.(map[string]any); return !object })
	case map[string]any, string:
		return true
	}
	return false
}

func mergeSpec(to, from *corev1.PodSpec) {
	if from.NodeSelector != nil {
		to.NodeSelector = from.NodeSelector
	}
	if from.Tolerations != nil {
		to.Tolerations = from.Tolerations
	}
	if from.Affinity != nil {
		to.Affinity = from.Affinity
	}
	if from.RuntimeClassName != nil {
		to.RuntimeClassName = from.RuntimeClassName
	}
	to.PriorityClassName += from.PriorityClassName
	to.SchedulerName += from.SchedulerName
}

// storeBlock reads what some kinds say in two fields of where a secret store keeps something.
func (w *walker) storeBlock(m map[string]any, p trail, key string) {
	mount, _ := m["mount"].(string)
	path, _ := m["path"].(string)
	switch {
	case mount != "" && path != "":
		w.found(trail{&p, "path", 0}, path, w.stored(nil, mount+"/"+path))
	case mount != "" && w.kind == "VaultPKISecret":
		role, _ := m["role"].(string)
		w.found(trail{&p, "role", 0}, role, w.stored(nil, mount+"/issue/"+role))
	case path != "" && strings.HasPrefix(w.kind, "Vault") && key == "spec":
		w.found(trail{&p, "path", 0}, path, w.stored(nil, path))
	}
	if key == "find" {
		name, _ := m["name"].(map[string]any)
		pattern, _ := name["regexp"].(string)
		w.found(p, pattern, w.keep(nil, Target{Kind: StorePath, Name: searchGlob(path, pattern), Unambiguous: true}))
	}
}

// searchGlob returns what a search below a path finds, as a glob: everything that begins with the letters that the expression begins with.
func searchGlob(path, expression string) string {
	prefix := strings.TrimPrefix(expression, "^")
	prefix = prefix[:indexAny(prefix, `\.+*?()|[]{}^$`)]
	if path = strings.Trim(path, "/"); path != "" {
		path += "/"
	}
	return path + strings.TrimPrefix(prefix, "/") + "*"
}

// abroad reports whether a field names a namespace of another cluster: that of Argo CD's destination, or of a kubeconfig of Flux's.
func abroad(m map[string]any, key, parent string) bool {
	switch key {
	case "namespace":
		return (parent == "destination" || parent == "destinations") && otherCluster(m)
	case "targetNamespace", "storageNamespace":
		config, ok := m["kubeConfig"].(map[string]any)
		return ok && len(config) > 0
	}
	return false
}

func otherCluster(m map[string]any) bool {
	name, _ := m["name"].(string)
	server, _ := m["server"].(string)
	templated := strings.Contains(name+server, "{{") || strings.Contains(name+server, "*")
	own := name == "in-cluster" || strings.HasPrefix(server, "https://kubernetes.default.svc") || strings.HasPrefix(server, "https://kubernetes.default:")
	return name+server != "" && !templated && !own
}

// flags reads a list of words as those of a command line, where its name says so.
func (w *walker) flags(list []any, p trail, key string) {
	switch strings.ToLower(key) {
	case "flags", "args", "extraargs", "additionalargs", "extraarguments", "additionalarguments":
	default:
		return
	}
	words := make([]string, len(list))
	for i, v := range list {
		word, ok := v.(string)
		if !ok {
			return
		}
		words[i] = word
	}
	c := command{w.reader, func(i int, targets []Target) { w.found(trail{&p, "", i}, words[i], targets) }}
	c.namespaceFlags(words)
	if key == "flags" { // kubectl's, in a step of Argo Workflows
		c.namespaces(words, 0)
	}
}
