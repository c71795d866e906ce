package reference

import (
	"slices"
	"strings"
)

// guards reports whether a command only tells a firewall or the table of routes what is refused, or who may come in: it reaches nothing that it names.
// Rules that let traffic out, or send it on, do not count.
func guards(words []string) bool {
	program, begin := programOf(words)
	words = words[begin:]
	switch program {
	case "nft":
		return guardsRule(strings.Join(words, " "))
	case "ufw":
		return guardsHost(words)
	case "ip":
		return slices.Contains(words, "route") && slices.ContainsFunc(words, leadsNowhere)
	case "route":
		return len(words) > 0 && words[len(words)-1] == "reject"
	}
	return firewallProgram(program) && guardsChain(words)
}

// guardsChain reads a rule of iptables, as a command and as iptables-save writes it.
func guardsChain(words []string) bool {
	chain, target := "", ""
	for i, w := range words {
		switch {
		case strings.HasPrefix(w, "--to"):
			return false // where traffic is sent on to
		case i == 0:
		case slices.Contains([]string{"-A", "--append", "-I", "--insert", "-R", "--replace", "-D", "--delete"}, words[i-1]):
			chain = w
		case words[i-1] == "-j" || words[i-1] == "--jump":
			target = w
		}
	}
	return target == "DROP" || target == "REJECT" || target == "ACCEPT" && chain == "INPUT"
}

// guardsRule reads a rule of nftables, as a command and as a line of its file.
func guardsRule(rule string) bool {
	words := strings.Fields(strings.TrimSuffix(rule, ";"))
	has := func(w string) bool { return slices.Contains(words, w) }
	switch {
	case strings.Contains(strings.TrimSuffix(rule, ";"), ";"), slices.ContainsFunc(words, sendsOn):
		return false // of several rules
	case has("drop"), has("reject"):
		return true
	}
	return has("accept") && has("saddr") && !has("daddr")
}

// sendsOn: what rules of nftables do with traffic but to accept or refuse it, and where they say that by a table.
func sendsOn(w string) bool {
	return slices.Contains([]string{"dnat", "snat", "redirect", "dup", "fwd", "tproxy", "vmap", "map"}, w)
}

// guardsHost reads a command of ufw.
func guardsHost(words []string) bool {
	if slices.Contains(words, "deny") || slices.Contains(words, "reject") {
		return true
	}
	to := slices.Index(words, "to")
	return slices.Contains(words, "from") && !slices.Contains(words, "out") && (to < 0 || to+1 < len(words) && words[to+1] == "any")
}

// leadsNowhere: the types of routes that refuse.
func leadsNowhere(w string) bool { return w == "blackhole" || w == "unreachable" || w == "prohibit" }

// guardLine reports whether a line of a script, or of what a firewall reads, does no more than that.
func guardLine(line string) bool {
	first := line[:indexAny(line, " \t")]
	rule := strings.Contains(line, " daddr ") || strings.Contains(line, " saddr ")
	if !rule && !firewallProgram(first[strings.LastIndexByte(first, '/')+1:]) {
		return false // as nearly every line
	}
	line = strings.TrimSuffix(line, ";")
	if strings.ContainsAny(line, "&|`;") || strings.Contains(line, "$(") {
		return false // of several commands
	}
	switch {
	case first == "-A" || first == "-I":
		return guardsChain(strings.Fields(line))
	case rule && guardsRule(line):
		return true
	}
	return guards(strings.Fields(line))
}

// exported reports whether a line says which clients of NFS may mount a folder.
func exported(line string) bool {
	if !strings.HasPrefix(line, "/") || !strings.Contains(line, "(r") {
		return false
	}
	for w := range strings.FieldsSeq(line) {
		if _, options, ok := strings.Cut(strings.TrimSuffix(w, ")"), "("); ok {
			first, _, _ := strings.Cut(options, ",")
			return first == "ro" || first == "rw"
		}
	}
	return false
}

// letsIn reports whether a line of hosts.allow or hosts.deny says who may come in.
func letsIn(line string) bool {
	daemon, _, ok := strings.Cut(line, ":")
	switch strings.TrimSpace(daemon) {
	case "ALL", "sshd", "vsftpd", "rpcbind", "portmap", "mountd", "slapd":
		return ok
	}
	return false
}
