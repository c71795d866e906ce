package reference

import (
	"slices"
	"strings"
)

// guards reports whether a command only tells a firewall or the table of routes what is refused, or who may come in: it reaches nothing that it names.
// Rules that let traffic out, or send it on, do not count, and neither does a command that runs another one.
func guards(words []string) bool {
	program, begin := programOf(words)
	if !firewallProgram(program) {
		return false // as nearly every command
	}
	words = words[begin:]
	switch program {
	case "nft":
		return guardsRule(strings.Join(words, " "))
	case "ufw":
		return guardsHost(words)
	case "ip":
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") })
		return len(words) > 2 && words[0] == "route" && leadsNowhere(words[2])
	case "route":
		return len(words) > 0 && words[len(words)-1] == "reject"
	}
	return guardsChain(words)
}

// guardsChain reads a rule of iptables, as a command and as iptables-save writes it.
func guardsChain(words []string) bool {
	chain, target := "", ""
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "--to"), w == "-M", strings.HasPrefix(w, "--modprobe"):
			return false // where traffic is sent on to, and a command that is run
		case i == 0:
		case slices.Contains([]string{"-A", "--append", "-I", "--insert", "-R", "--replace", "-D", "--delete"}, words[i-1]):
			chain = w
		case words[i-1] == "-j" || words[i-1] == "--jump":
			target = w
		}
	}
	return chain != "" && (target == "DROP" || target == "REJECT") || chain == "INPUT" && target == "ACCEPT"
}

// guardsRule reads a rule of nftables, as a command and as a line of its file.
func guardsRule(rule string) bool {
	rule, _, _ = strings.Cut(strings.TrimSuffix(rule, ";"), " comment ")
	words := strings.Fields(rule)
	has := func(w string) bool { return slices.Contains(words, w) }
	switch {
	case strings.Contains(rule, ";"), slices.ContainsFunc(words, sendsOn):
		return false // of several rules
	case has("accept"):
		return has("saddr") && !has("daddr") && !has("drop") && !has("reject")
	}
	return has("drop") || has("reject")
}

// guardsHost reads a command of ufw.
func guardsHost(words []string) bool {
	verb := slices.IndexFunc(words, func(w string) bool { return slices.Contains([]string{"allow", "limit", "deny", "reject"}, w) })
	if verb < 0 || words[verb] == "deny" || words[verb] == "reject" {
		return verb >= 0
	}
	to := slices.Index(words, "to")
	return slices.Contains(words, "from") && !slices.Contains(words, "out") && (to < 0 || to+1 < len(words) && words[to+1] == "any")
}

// guardLine reports whether a line of a script, or of what a firewall reads, does no more than that.
func guardLine(line string) bool {
	first := line[:indexAny(line, " \t")]
	rule := ruleWord(first) && (strings.Contains(line, " daddr ") || strings.Contains(line, " saddr "))
	saved := first == "-A" || first == "-I"
	if !rule && !saved && first != "sudo" && first != "doas" && !firewallProgram(first[strings.LastIndexByte(first, '/')+1:]) {
		return false // as nearly every line
	}
	line = strings.TrimSuffix(line, ";")
	if strings.ContainsAny(line, "&|`;") || strings.Contains(line, "$(") {
		return false // of several commands
	}
	switch {
	case saved:
		return guardsChain(strings.Fields(line))
	case rule && guardsRule(line):
		return true
	}
	return guards(strings.Fields(line))
}

// exported reports whether a line says which clients of NFS may mount a folder: behind the folder stand clients alone, each with its options.
func exported(line string) bool {
	if !strings.HasPrefix(line, "/") || !strings.HasSuffix(line, ")") {
		return false
	}
	_, clients, _ := strings.Cut(line, " ")
	for w := range strings.FieldsSeq(clients) {
		_, options, ok := strings.Cut(w, "(")
		first, _, _ := strings.Cut(strings.TrimSuffix(options, ")"), ",")
		if !ok || first != "ro" && first != "rw" {
			return false
		}
	}
	return clients != ""
}

// letsIn reports whether a line of hosts.allow or hosts.deny says who may come in.
func letsIn(line string) bool {
	of, _, ok := strings.Cut(line, ":")
	return ok && daemon(strings.TrimSpace(of))
}
