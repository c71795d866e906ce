package workload

import (
	"encoding/json"
	"maps"
	"slices"
)

// usual returns a field of a container or pod spec in the form of Kubernetes. Custom resources write lists as maps by name,
// images as their parts, and words as numbers.
func usual(key string, v any) any {
	switch key {
	case "command", "args":
		return words(v)
	case "env":
		return variables(v)
	case "image":
		return imageOf(v)
	case "containers", "initContainers":
		return named(v)
	}
	return v
}

// words returns a list of words as texts, however they were written.
func words(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	out := make([]any, 0, len(list))
	for _, w := range list {
		switch w := w.(type) {
		case string, Text, map[string]any, []any:
			out = append(out, w)
		default:
			raw, err := json.Marshal(w)
			if err != nil {
				return v
			}
			out = append(out, string(raw))
		}
	}
	return out
}

// variables returns a map of variables as a list of names and values.
func variables(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make([]any, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		switch value := m[name].(type) {
		case string, Text:
			out = append(out, map[string]any{"name": name, "value": value})
		case map[string]any:
			out = append(out, map[string]any{"name": name, "valueFrom": value})
		}
	}
	if len(out) == 0 {
		return v
	}
	return out
}

// imageOf returns a repository and its tag as one text.
func imageOf(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	repository, ok := m["repository"].(string)
	if !ok {
		return v
	}
	if tag, ok := m["tag"].(string); ok {
		return repository + ":" + tag
	}
	return repository
}

// named returns a map of containers by name as a list.
func named(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make([]any, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		c, ok := m[name].(map[string]any)
		if !ok {
			return v
		}
		c = maps.Clone(c)
		c["name"] = name
		out = append(out, c)
	}
	return out
}
