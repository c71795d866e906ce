package reference

import "strings"

// data finds hosts in the keys of ConfigMaps and Secrets.
func data(in *Input) []Reference {
	var out []Reference
	for _, d := range in.Data {
		refs := in.at(d.Path, d.Value, in.dataTargets(d.Key, d.Value))
		for i := range refs {
			refs[i].Confidential = d.Secret
		}
		out = append(out, refs...)
	}
	return out
}

// dataTargets reads one key of a ConfigMap or Secret: a value, a file, or a script.
func (r *reader) dataTargets(key, value string) []Target {
	out := append(r.find(value, key, Value), r.namespaceVariable(key, value)...)
	out = append(out, r.find(unwrapped(strings.TrimSpace(value)), key, Value)...)
	if isScript(key, value) {
		out = append(out, r.scriptText(value)...)
	}
	return out
}
