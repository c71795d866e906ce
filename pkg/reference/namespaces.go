package reference

import "strings"

// namespaceLine reads a line of a manifest, a kubeconfig or a module by which a file says in which namespace it acts. A label of a
// metric is called so too, but stands in no line of its own.
func (r *reader) namespaceLine(keys *outline, l string) []Target {
	if strings.Contains(keys.key, "/") && below(keys.above, "fromhost") {
		return r.pair(keys.key)
	}
	value := strings.Trim(strings.TrimSuffix(keys.value, ","), `"' `)
	switch placeOf("", keys.key, keys.above) {
	case foreignNamespace:
		return nil
	case namespacePlace:
		return r.namespaceList(strings.Trim(value, "[]"))
	case pairPlace:
		return r.pair(value)
	}
	if keys.key == "" && strings.HasPrefix(l, "- ") && listItem(keys) {
		return r.namespaceList(strings.Trim(l[2:], `"' `))
	}
	if keys.key != "namespace" && (!strings.Contains(keys.key, "kubernetes") || !namespaceKey(strings.ToLower(keys.key))) || !isLabel(value) {
		return nil
	}
	return r.keep(nil, Target{Kind: Namespace, Name: value, Unambiguous: true})
}

// listItem reports whether the present line is an item of a list of namespaces.
func listItem(keys *outline) bool {
	n := len(keys.levels)
	return n > 0 && placeOf("", keys.levels[n-1].key, keys.aboveLast) == namespacePlace
}

// namespacePairs reads namespace: name within a pair of braces, as YAML in flow style and JSON have it.
func (r *reader) namespacePairs(text string) []Target {
	const word = "namespace"
	var out []Target
	for rest := text; r.spend(word); {
		i := strings.Index(rest, word)
		if i < 0 {
			break
		}
		before := strings.TrimRight(rest[max(0, i-maxLabel):i], " \t\r\n\"'")
		rest = rest[i+len(word):]
		if !strings.HasSuffix(before, "{") && !strings.HasSuffix(before, ",") {
			continue
		}
		value, ok := strings.CutPrefix(strings.TrimLeft(rest[:min(len(rest), 2*maxLabel)], " \t\"'"), ":")
		if !ok {
			continue
		}
		value = strings.TrimLeft(value, " \t\"'")
		end := strings.IndexAny(value, " \t\r\n\"',}")
		if end > 0 && isLabel(value[:end]) {
			out = r.keep(out, Target{Kind: Namespace, Name: value[:end], Unambiguous: true})
		}
	}
	return out
}

// apiPaths reads /namespaces/<name>/ in paths of the API server, whoever is asked for them.
func (r *reader) apiPaths(text string) []Target {
	var out []Target
	for {
		_, after, ok := strings.Cut(text, "/namespaces/")
		if !ok || !r.budget.Spend(tokenCost) {
			return out
		}
		end := min(len(after), maxLabel+1)
		out = append(out, r.namespace(after[:indexAny(after[:end], "/ \t\r\n\"'?&")])...)
		text = after
	}
}
