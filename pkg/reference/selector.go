package reference

import (
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// AllNamespaces is the name of a selector that selects every namespace.
const AllNamespaces = "*"

// selector reports whether a field selects namespaces, as namespaceSelector and its many siblings do.
func selector(key string) bool {
	l := strings.ToLower(key)
	return strings.HasSuffix(l, "namespaceselector") || strings.HasSuffix(l, "namespaceselectors")
}

// selects reads a selector of namespaces, of labels or by names. One that is empty selects them all, where routes and monitors are
// concerned; elsewhere it often stands for "not set".
func (w *walker) selects(m map[string]any, p trail) {
	if names, ok := m["matchNames"]; ok {
		w.value(names, trail{&p, "matchNames", 0}, "matchNames", "", 1)
		return
	}
	if all, _ := m["any"].(bool); all {
		w.selected(p, AllNamespaces)
		return
	}
	var s metav1.LabelSelector
	if runtime.DefaultUnstructuredConverter.FromUnstructured(m, &s) != nil {
		return
	}
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		if w.use == Routes || w.group == "monitoring.coreos.com" {
			w.selected(p, AllNamespaces)
		}
		return
	}
	w.selected(p, metav1.FormatLabelSelector(&s))
}

func (w *walker) selected(p trail, selector string) {
	if !w.pattern() {
		selector = AllNamespaces
	}
	w.found(p, selector, w.keep(nil, Target{Kind: NamespaceSelector, Name: selector, Unambiguous: true}))
}

// allowed reads the namespaces that a Gateway takes routes from.
func (w *walker) allowed(m map[string]any, p trail) bool {
	from, ok := m["from"].(string)
	if !ok {
		return false
	}
	switch selector, _ := m["selector"].(map[string]any); from {
	case "All":
		w.selected(trail{&p, "from", 0}, AllNamespaces)
	case "Selector":
		w.selects(selector, trail{&p, "selector", 0})
	}
	return true
}

// podNamespace returns the label of a namespace that a label of Pods stands for, by which some policies choose the namespace of Pods.
func podNamespace(key string) (label string, ok bool) {
	_, rest, prefixed := strings.Cut(key, ":")
	if !prefixed {
		rest = key
	}
	switch rest {
	case "io.kubernetes.pod.namespace", "kubernetes.io/metadata.name", "projectcalico.org/namespace":
		return "kubernetes.io/metadata.name", true
	}
	return strings.CutPrefix(rest, "io.cilium.k8s.namespace.labels.")
}

// podLabels reads the labels by which some policies choose the namespace of Pods.
func (w *walker) podLabels(m map[string]any, p trail) {
	for key, v := range m {
		if label, ok := podNamespace(key); ok {
			if value, ok := v.(string); ok {
				w.labelled(trail{&p, key, 0}, label, value)
			}
		}
	}
}

// requirement reads one expression of a selector of Pods that is about their namespace.
func (w *walker) requirement(m map[string]any, p trail) {
	key, _ := m["key"].(string)
	operator, _ := m["operator"].(string)
	label, ok := podNamespace(key)
	if !ok {
		return
	}
	switch values, _ := m["values"].([]any); operator {
	case "In":
		for i, v := range values {
			if value, ok := v.(string); ok {
				values := trail{&p, "values", 0}
				w.labelled(trail{&values, "", i}, label, value)
			}
		}
	case "Exists":
		w.selected(trail{&p, "key", 0}, label)
	case "DoesNotExist":
		w.selected(trail{&p, "key", 0}, "!"+label)
	case "NotIn":
		var names []string
		for _, v := range values {
			if value, ok := v.(string); ok {
				names = append(names, value)
			}
		}
		w.selected(trail{&p, "values", 0}, label+" notin ("+strings.Join(names, ",")+")")
	}
}

// labelled reads the value of a label of namespaces.
func (w *walker) labelled(p trail, label, value string) {
	if label == "kubernetes.io/metadata.name" {
		w.found(p, value, w.namespace(value))
		return
	}
	w.selected(p, label+"="+value)
}

// expression reads a selector as Calico writes it: a text such as `tier == "sandbox" && has(team)`. What cannot be read selects
// everything.
func (w *walker) expression(text string, p trail) {
	if len(text) > maxExpression || !w.spend(text) {
		w.selected(p, AllNamespaces)
		return
	}
	for alternative := range strings.SplitSeq(text, "||") {
		terms := make([]string, 0, 4)
		for term := range strings.SplitSeq(alternative, "&&") {
			term = strings.Trim(term, " \t()")
			if glob, ok := calicoGlob(term); ok {
				w.found(p, glob, w.namespaceList(glob))
				continue
			}
			t, ok := calicoTerm(term)
			if !ok {
				terms = terms[:0]
				break
			}
			if t != "" {
				terms = append(terms, t)
			}
		}
		if len(terms) == 0 && calicoNamed.MatchString(alternative) {
			continue
		}
		if len(terms) == 0 {
			w.selected(p, AllNamespaces)
			return
		}
		w.selected(p, strings.Join(terms, ","))
	}
}

// maxExpression is the longest selector in words that is read.
const maxExpression = 4096

var (
	calicoCompared = regexp.MustCompile(`^([A-Za-z0-9./_-]+)\s*(==|!=)\s*["']([^"']*)["']$`)
	calicoListed   = regexp.MustCompile(`^([A-Za-z0-9./_-]+)\s+(in|not in)\s*\{([^}]*)\}$`)
	calicoNamed    = regexp.MustCompile(`projectcalico\.org/name(?:space)?\s+(starts with|ends with|contains)\s*["']([^"']*)["']`)
	calicoHas      = regexp.MustCompile(`^(!?)has\(?\s*([A-Za-z0-9./_-]+)$`)
)

// calicoGlob gives a term about a part of a namespace's name as a glob.
func calicoGlob(t string) (string, bool) {
	m := calicoNamed.FindStringSubmatch(t)
	if m == nil {
		return "", false
	}
	return map[string]string{"starts with": m[2] + "*", "ends with": "*" + m[2], "contains": "*" + m[2] + "*"}[m[1]], true
}

// calicoTerm gives one term in kubectl's notation; empty: it says nothing.
func calicoTerm(t string) (string, bool) {
	label := func(s string) string {
		if s == "projectcalico.org/name" || s == "projectcalico.org/namespace" {
			return "kubernetes.io/metadata.name"
		}
		return s
	}
	switch {
	case t == "all", t == "":
		return "", true
	case calicoCompared.MatchString(t):
		m := calicoCompared.FindStringSubmatch(t)
		return label(m[1]) + strings.TrimPrefix(m[2], "=") + m[3], true
	case calicoListed.MatchString(t):
		m := calicoListed.FindStringSubmatch(t)
		op := map[string]string{"in": "in", "not in": "notin"}[m[2]]
		return label(m[1]) + " " + op + " (" + strings.NewReplacer(`"`, "", "'", "", " ", "").Replace(m[3]) + ")", true
	case calicoHas.MatchString(t):
		m := calicoHas.FindStringSubmatch(t)
		return m[1] + label(m[2]), true
	}
	return "", false
}
