package reference

import (
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// command is one simple command whose words are read by the meaning that its program gives them.
type command struct {
	*reader
	// out gets what a word names, with the word's index.
	out func(word int, targets []Target)
}

// commandTargets returns what the words of one command name by the meaning that its program gives them.
func (r *reader) commandTargets(words []string) []Target {
	var out []Target
	c := command{r, func(_ int, t []Target) { out = append(out, t...) }}
	c.read(words, 0)
	return out
}

// read reads the words of a command that begins at the index first: namespaces that a client of Kubernetes acts in, instances
// that a cloud's command line acts on, paths that are read from a secret store.
func (c command) read(words []string, first int) {
	for len(words) > 0 {
		program, begin := programOf(words)
		own, next := words[begin:], len(words)
		if i := slices.Index(own, "--"); i >= 0 {
			own, next = own[:i], begin+i+1 // what kubectl exec runs
		}
		if !c.budget.Spend(next) {
			return
		}
		c.program(program, own, first+begin)
		words, first = words[next:], first+next
	}
}

func (c command) program(program string, rest []string, first int) {
	switch clientOf(program) {
	case ofCluster:
		c.namespaces(rest, first)
	case ofCloud:
		c.instances(program, rest, first)
	case ofSecretStore:
		c.secretWords(rest, first)
	case mark, noClient:
		if program == "kubens" {
			for i, w := range rest {
				c.out(first+i, c.namespace(w))
			}
		}
	}
}

// client says what a program is a client of.
type client uint8

const (
	noClient client = iota
	ofCluster
	ofCloud
	ofSecretStore
	// mark is a word beside which short names have a meaning.
	mark
)

// programOf returns the program that a command runs, and the index of the first of its words.
func programOf(words []string) (program string, begin int) {
	i := workload.Starts(words)
	if i >= len(words) {
		return "", len(words)
	}
	return workload.Program(words[i]), i + 1
}

// commandTextTargets reads commands that stand in a text which some shell will run: here-documents, aliases, what eval is given.
func (r *reader) commandTextTargets(text string) []Target {
	if !strings.ContainsAny(text, " \t") || !r.mayName(text) || !r.spend(text) {
		return nil
	}
	var out []Target
	for l := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("\n;|&()", r) }) {
		out = append(out, r.commandTargets(strings.Fields(strings.Trim(strings.TrimSpace(l), "\"'`")))...)
	}
	return out
}

// flag returns the value of the flag at index i, as --name=value, --name value or -nvalue, if it is one of the names, and the
// index of the word that holds it.
func flag(words []string, i int, names ...string) (value string, at int, ok bool) {
	name, value, joined := strings.Cut(words[i], "=")
	if slices.Contains(names, name) {
		if !joined && i+1 < len(words) {
			return words[i+1], i + 1, words[i+1] != ""
		}
		return value, i, value != ""
	}
	for _, n := range names {
		if rest, ok := strings.CutPrefix(words[i], n); ok && len(n) == 2 && rest != "" {
			return strings.TrimPrefix(rest, "="), i, true
		}
	}
	return "", i, false
}

// namespaces reads the namespaces that a client of Kubernetes is told to act in.
func (c command) namespaces(words []string, first int) {
	copies, changes := false, slices.ContainsFunc(words, changesObjects)
	for i, w := range words {
		copies = copies || w == "cp"
		if ns, at, ok := flag(words, i, "-n", "--namespace", "--namespaces", "--target-namespace", "--dest-namespace", "--as-namespace", "--include-namespaces", "--into-ns"); ok {
			c.out(first+at, c.namespace(ns))
			continue
		}
		if pairs, at, ok := flag(words, i, "--namespace-mappings", "--namespace-mapping"); ok {
			c.out(first+at, c.namespace(strings.ReplaceAll(pairs, ":", ",")))
		}
		switch w {
		case "namespace", "namespaces", "ns", "project":
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				c.out(first+i+1, c.namespace(words[i+1]))
			}
		case "-A", "--all-namespaces", "--all-namespaces=true", "-A=true":
			if changes {
				c.out(first+i, c.keep(nil, Target{Kind: Namespace, Name: "*", Unambiguous: true}))
			}
		}
		if kind, name, ok := strings.Cut(w, "/"); ok {
			c.slashed(first+i, kind, name, copies)
		}
		if as, at, ok := flag(words, i, "--as"); ok {
			if rest, ok := strings.CutPrefix(as, "system:serviceaccount:"); ok {
				ns, _, _ := strings.Cut(rest, ":")
				c.out(first+at, c.namespace(ns))
			}
		}
	}
}

// slashed reads kind/name, and the namespace/pod:path that kubectl cp takes.
func (c command) slashed(word int, kind, name string, copies bool) {
	switch {
	case namespaceKind(strings.ToLower(kind)):
		c.out(word, c.namespace(name))
	default:
		if copies && strings.Contains(name, ":") && isLabel(kind) {
			c.out(word, c.namespace(kind))
		}
	}
}

// namespace reads a list of names of namespaces, divided by commas.
func (r *reader) namespace(list string) []Target {
	var out []Target
	if !r.spend(list) {
		return nil
	}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); isLabel(name) {
			out = r.keep(out, Target{Kind: Namespace, Name: name, Unambiguous: true})
		}
	}
	return out
}

// maxLabel is the longest label of a DNS name, and so the longest name of a namespace.
const maxLabel = 63

// isLabel reports whether a name can be a namespace's.
func isLabel(s string) bool {
	return s != "" && len(s) <= maxLabel && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-'
}

// instances reads the identifiers that a cloud's command line is given.
func (c command) instances(program string, words []string, first int) {
	secrets := slices.Contains(words, "secrets")
	for i, w := range words {
		name, value, joined := strings.Cut(w, "=")
		if !identifierFlag(program, name) {
			continue
		}
		at := first + i
		if !joined && i+1 < len(words) {
			value, at = words[i+1], at+1
		}
		for v := range strings.SplitSeq(value, ",") {
			c.instance(at, v)
		}
		if strings.Contains(name, "secret") || strings.Contains(name, "parameter") || name == "--vault-name" {
			c.out(at, c.stored(nil, value))
		}
	}
	for _, i := range positional(program, words) {
		c.instance(first+i, words[i])
		if secrets {
			c.out(first+i, c.stored(nil, words[i]))
		}
	}
}

func (c command) instance(word int, name string) {
	if name != "" && !strings.HasPrefix(name, "-") {
		c.out(word, c.keep(nil, Target{Kind: Instance, Name: strings.ToLower(name), Unambiguous: true}))
	}
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

// positional returns the words that gcloud and its like take as identifiers without a flag: the word after the verb.
func positional(program string, words []string) []int {
	if program != "gcloud" && program != "doctl" && program != "ibmcloud" {
		return nil
	}
	verbs := []string{"connect", "patch", "delete", "describe", "restart", "failover", "clone", "export", "import", "sql", "csv", "bak", "promote-replica", "reset-ssl-config", "create", "update", "restore", "execute-sql", "access", "add-iam-policy-binding", "get", "resize", "get-credentials", "latest"}
	var out []int
	for i := 1; i+1 < len(words); i++ {
		next := words[i+1]
		if slices.Contains(verbs, words[i]) && !strings.HasPrefix(next, "-") && !slices.Contains(verbs, next) {
			out = append(out, i+1)
		}
	}
	return out
}

// secretWords reads the paths that a client of a secret store is given.
func (c command) secretWords(words []string, first int) {
	for i, w := range words {
		w = strings.TrimPrefix(w, "op://")
		if !strings.HasPrefix(w, "-") && strings.Contains(w, "/") && !strings.Contains(w, "://") {
			c.out(first+i, c.stored(nil, w))
		}
	}
}
