package reference

import (
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

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
	hint := key
	if hushOf(key) != 0 && (isFile(value) || isFileName(key)) {
		hint = "" // the name of a file says nothing of what stands in it
	}
	out := append(r.find(value, hint, Value), r.namespaceVariable(key, value)...)
	out = append(out, r.find(unwrapped(strings.TrimSpace(value)), hint, Value)...)
	if digits(key) {
		out = append(out, r.portMapping(value)...)
	}
	if workload.IsScript(key, value) {
		out = append(out, r.scriptText(value)...)
	}
	return out
}

// isFileName reports whether a key is the name of a file of settings.
func isFileName(key string) bool {
	switch ext := key[strings.LastIndexByte(key, '.')+1:]; strings.ToLower(ext) {
	case "conf", "cfg", "cnf", "config", "ini", "properties", "yaml", "yml", "json", "toml", "xml", "txt", "env", "sh", "py", "sql", "list", "rules", "lua", "hcl", "tf":
		return len(ext) < len(key)
	}
	return false
}

// portMapping reads namespace/service:port, as ingress controllers take it for a port of TCP or UDP that they open.
func (r *reader) portMapping(value string) []Target {
	namespace, rest, ok := strings.Cut(strings.TrimSpace(value), "/")
	service, port, valid := strings.Cut(rest, ":")
	if !ok || !valid || port == "" || !isLabel(namespace) || !isLabel(service) {
		return nil
	}
	return r.keep(nil, Target{Name: service + "." + namespace + ".svc", Unambiguous: true})
}
