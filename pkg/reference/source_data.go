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
	out := append(r.find(value, key, Value), r.namespaceVariable(key, value)...)
	out = append(out, r.find(unwrapped(strings.TrimSpace(value)), key, Value)...)
	if digits(key) {
		out = append(out, r.portMapping(value)...)
	}
	if workload.IsScript(key, value) {
		out = append(out, r.scriptText(value)...)
	}
	return out
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
