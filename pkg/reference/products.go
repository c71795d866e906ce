package reference

import (
	"encoding/base64"
	"strings"
)

// products reads the spellings that single products have for a host, a Secret or a namespace, wherever they stand in a text.
func (r *reader) products(text string) []Target {
	var out []Target
	if strings.Contains(text, "${secrets:") || strings.Contains(text, "${configmaps:") {
		out = append(out, r.provided(text)...)
	}
	if strings.Contains(text, "/invoke/") {
		out = append(out, r.invoked(text)...)
	}
	if strings.Contains(text, "@kubernetescrd") {
		out = append(out, r.middlewares(text)...)
	}
	if strings.Contains(text, "/ns/") {
		out = append(out, r.meshIdentities(text)...)
	}
	if strings.Contains(text, "AccountName=") {
		out = append(out, r.accounts(text)...)
	}
	if i := strings.IndexByte(text, ':'); i > 0 && len(text)-i > minEncoded && len(text) < maxResource && !strings.ContainsAny(text, " /\n") {
		out = append(out, r.cloudID(text[i+1:])...)
	}
	return out
}

// provided reads ${secrets:namespace/name:key}, as Kafka Connect on Strimzi has it.
func (r *reader) provided(text string) []Target {
	var out []Target
	for r.budget.Spend(tokenCost) {
		_, after, ok := strings.Cut(text, "${")
		if !ok {
			return out
		}
		text = after
		kind, rest, ok := strings.Cut(after[:min(len(after), maxResource)], ":")
		if !ok || kind != "secrets" && kind != "configmaps" {
			continue
		}
		if ns, name, ok := namespacedName(rest[:indexAny(rest, ":}")]); ok && kind == "secrets" {
			out = r.keep(out, Target{Kind: Secret, Namespace: ns, Name: name, Unambiguous: true})
		} else if ok {
			out = append(out, r.namespace(ns)...)
		}
	}
	return out
}

// invoked reads /invoke/app.namespace/method, as Dapr's sidecar takes it.
func (r *reader) invoked(text string) []Target {
	var out []Target
	for r.budget.Spend(tokenCost) {
		_, after, ok := strings.Cut(text, "/invoke/")
		if !ok {
			return out
		}
		text = after
		if app, _, ok := strings.Cut(after[:min(len(after), maxHost)], "/"); ok {
			if _, ns, ok := strings.Cut(app, "."); ok {
				out = append(out, r.namespace(ns)...)
			}
		}
	}
	return out
}

// middlewares reads namespace-name@kubernetescrd, as Traefik has it: where the namespace ends, only the namespaces that exist tell.
func (r *reader) middlewares(text string) []Target {
	var out []Target
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(" ,\"'\n`", c) }) {
		name, ok := strings.CutSuffix(word, "@kubernetescrd")
		if !ok || len(name) > maxHost || !r.budget.Spend(len(name)) {
			continue
		}
		for i := range len(name) {
			if name[i] == '-' {
				out = append(out, r.namespace(name[:i])...)
			}
		}
	}
	return out
}

// cloudID reads the identifier of a deployment of Elastic Cloud: name:base64(domain$elasticsearch$kibana).
func (r *reader) cloudID(encoded string) []Target {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || strings.Count(string(raw), "$") == 0 || len(raw) > maxHost*3 {
		return nil
	}
	domain, rest, _ := strings.Cut(string(raw), "$")
	domain, _, _ = strings.Cut(domain, ":")
	var out []Target
	for part := range strings.SplitSeq(rest, "$") {
		part, _, _ = strings.Cut(part, ":")
		if h, ok := NormaliseHost(part+"."+domain, false); ok && part != "" {
			h.Unambiguous = true
			out = r.keep(out, h)
		}
	}
	return out
}

// pair reads namespace/name, or namespace/*, as the Service or Secret that it is.
func (r *reader) pair(value string) []Target {
	ns, name, ok := strings.Cut(strings.TrimSpace(value), "/")
	if !ok || !isLabel(ns) || name == "" {
		return nil
	}
	name, _, _ = strings.Cut(name, ":")
	if isLabel(name) {
		return r.keep(r.namespace(ns), Target{Name: name + "." + ns + ".svc", Unambiguous: true})
	}
	return r.namespace(ns)
}
