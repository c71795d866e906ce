package reference

import (
	"path"
	"slices"
	"strings"
)

// called returns what the words of one command name by the meaning that its program gives them: namespaces that a
// client of Kubernetes acts in, instances that a cloud's command line acts on, paths that are read from a secret store.
func called(words []string) []Target {
	program, rest := programOf(words)
	var out []Target
	if i := slices.Index(rest, "--"); i >= 0 {
		out, rest = called(rest[i+1:]), rest[:i] // what kubectl exec runs
	}
	switch program {
	case "kubectl", "oc", "k3s", "microk8s", "helm", "helmfile", "flux", "stern", "velero", "istioctl", "linkerd", "kustomize", "k9s", "argo", "argocd", "tkn", "kn",
		"cmctl", "kubefwd", "skaffold", "kapp", "tilt", "telepresence", "kubectl-firebreak":
		out = append(out, namespaces(rest)...)
	case "kubens":
		for _, w := range rest {
			out = append(out, NamespaceTargets(w)...)
		}
	case "aws", "gcloud", "gsutil", "az", "bq", "aliyun", "oci", "ibmcloud", "doctl":
		out = append(out, instances(program, rest)...)
	case "vault", "bao", "op", "chamber", "doppler", "conjur":
		out = append(out, secretWords(rest)...)
	}
	return out
}

// programOf skips what only runs another program, with its options, and variables that are set for it.
func programOf(words []string) (program string, rest []string) {
	for i, w := range words {
		base := path.Base(w)
		switch base {
		case "sudo", "env", "nohup", "exec", "time", "nice", "ionice", "timeout", "xargs", "command", "eval", "then", "do", "if", "while", "!", "tini", "dumb-init", "k3s":
			if base != "k3s" {
				continue
			}
		}
		if i > 0 && (strings.HasPrefix(w, "-") || strings.Trim(w, "0123456789.smh") == "") || strings.Contains(w, "=") {
			continue
		}
		return base, words[i+1:]
	}
	return "", nil
}

// texted reads commands that stand in a text which some shell will run: here-documents, aliases, what eval is given.
func texted(text string) []Target {
	if !strings.ContainsAny(text, " \t") || len(text) > maxStoreText {
		return nil
	}
	var out []Target
	for l := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("\n;|&()", r) }) {
		out = append(out, called(strings.Fields(strings.Trim(strings.TrimSpace(l), "\"'`")))...)
	}
	return out
}

// flag returns the value of the flag at index i, as --name=value, --name value or -nvalue, if it is one of the names.
func flag(words []string, i int, names ...string) (string, bool) {
	name, value, joined := strings.Cut(words[i], "=")
	if slices.Contains(names, name) {
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		return value, value != ""
	}
	for _, n := range names {
		if rest, ok := strings.CutPrefix(words[i], n); ok && len(n) == 2 && rest != "" {
			return strings.TrimPrefix(rest, "="), true
		}
	}
	return "", false
}

func namespaces(words []string) []Target {
	var out []Target
	for i := range words {
		if ns, ok := flag(words, i, "-n", "--namespace", "--namespaces", "--target-namespace", "--dest-namespace", "--as-namespace", "--include-namespaces", "--into-ns"); ok {
			out = append(out, NamespaceTargets(ns)...)
			continue
		}
		switch words[i] {
		case "namespace", "namespaces", "ns", "project":
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				out = append(out, NamespaceTargets(words[i+1])...)
			}
		}
		if ns, rest, ok := strings.Cut(words[i], "/"); ok && i > 0 && slices.Contains(words[:i], "cp") && strings.Contains(rest, ":") && isLabel(ns) {
			out = append(out, NamespaceTargets(ns)...)
		}
		if as, ok := flag(words, i, "--as"); ok {
			if rest, ok := strings.CutPrefix(as, "system:serviceaccount:"); ok {
				ns, _, _ := strings.Cut(rest, ":")
				out = append(out, NamespaceTargets(ns)...)
			}
		}
	}
	return out
}

// NamespaceTargets reads a list of names of namespaces, divided by commas.
func NamespaceTargets(list string) []Target {
	var out []Target
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); isLabel(name) {
			out = append(out, Target{Kind: Namespace, Name: name, Strong: true})
		}
	}
	return out
}

// isLabel reports whether a name can be a namespace's.
func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-'
}

// instances reads the identifiers that a cloud's command line is given.
func instances(program string, words []string) []Target {
	var out []Target
	add := func(v string) {
		if v != "" && !strings.HasPrefix(v, "-") {
			out = append(out, Target{Kind: Instance, Name: strings.ToLower(v), Strong: true})
		}
	}
	for i, w := range words {
		name, value, joined := strings.Cut(w, "=")
		if !identifierFlag(program, name) {
			continue
		}
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		for v := range strings.SplitSeq(value, ",") {
			add(v)
		}
		if strings.Contains(name, "secret") || strings.Contains(name, "parameter") || name == "--vault-name" {
			out = stored(out, value)
		}
	}
	for _, v := range positional(program, words) {
		add(v)
		if slices.Contains(words, "secrets") {
			out = stored(out, v)
		}
	}
	return out
}

// identifierFlag: flags whose value is the identifier of an instance, a cluster, a table or a store.
func identifierFlag(program, name string) bool {
	if !strings.HasPrefix(name, "-") {
		return false
	}
	n := strings.TrimLeft(name, "-")
	switch program {
	case "az":
		return slices.Contains([]string{"name", "n", "server", "server-name", "s", "account-name", "ids", "namespace-name", "vault-name"}, n)
	case "gcloud", "bq":
		return slices.Contains([]string{"instance", "i", "source-instance", "destination-instance", "restore-instance", "backup-instance", "master-instance-name", "cluster", "database", "secret"}, n)
	}
	for _, suffix := range []string{"identifier", "identifiers", "-cluster-id", "cluster-name", "group-id", "table-name", "domain-name", "stream-name", "bucket", "secret-id", "broker-id", "cluster-arn", "cluster", "name", "names", "resource-name", "db-system-id", "instance-id", "autonomous-database-id"} {
		if strings.HasSuffix(n, suffix) {
			return true
		}
	}
	return false
}

// positional returns the identifiers that gcloud and aliyun take without a flag: the word after the verb.
func positional(program string, words []string) []string {
	if program != "gcloud" && program != "doctl" && program != "ibmcloud" {
		return nil
	}
	verbs := []string{"connect", "patch", "delete", "describe", "restart", "failover", "clone", "export", "import", "sql", "csv", "bak", "promote-replica", "reset-ssl-config", "create", "update", "restore", "execute-sql", "access", "add-iam-policy-binding", "get", "resize", "get-credentials", "latest"}
	var out []string
	for i := 0; i+1 < len(words); i++ {
		next := words[i+1]
		if i > 0 && slices.Contains(verbs, words[i]) && !strings.HasPrefix(next, "-") && !slices.Contains(verbs, next) {
			out = append(out, next)
		}
	}
	return out
}

// secretWords reads the paths that a client of a secret store is given.
func secretWords(words []string) []Target {
	var out []Target
	for _, w := range words {
		w = strings.TrimPrefix(w, "op://")
		if !strings.HasPrefix(w, "-") && strings.Contains(w, "/") && !strings.Contains(w, "://") {
			out = stored(out, w)
		}
	}
	return out
}
