package reference

import (
	"encoding/base64"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// command finds hosts in the words of commands, arguments, exec probes and hooks, and in the scripts among them.
func command(in *Input) []Reference {
	if in.Template == nil {
		return nil
	}
	var out []Reference
	for _, c := range in.Template.Containers() {
		vars := in.Environment(c.Container)
		lookup := func(n string) (string, bool) { v, ok := vars[n]; return v, ok }
		for _, cmd := range c.Commands() {
			out = append(out, words(cmd, lookup, in.budget)...)
		}
	}
	return out
}

func words(cmd workload.Command, lookup workload.Lookup, b *budget) []Reference {
	var out []Reference
	plain := expandAll(cmd.Words, lookup, b)
	for i := range plain {
		path := cmd.WordPath(i)
		if workload.Script(plain, i) {
			out = append(out, script(path, cmd.Words[i], plain[:i+1], lookup)...)
			if strings.ContainsAny(plain[i], " \t\n;") {
				continue
			}
			// One word may be the value of a flag that only looks like -c.
		}
		if i == 0 && cmd.HasProgram() && !strings.Contains(plain[i], "://") {
			continue
		}
		out = append(out, at(path, cmd.Words[i], wordHosts(plain, i))...)
	}
	return out
}

// Expanded returns the words of a command as the kubelet makes them.
func (in *Input) Expanded(cmd workload.Command, lookup workload.Lookup) []string {
	return expandAll(cmd.Words, lookup, in.budget)
}

func expandAll(words []string, lookup workload.Lookup, b *budget) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = expand(w, lookup, b)
	}
	return out
}

func script(path, text string, words []string, lookup workload.Lookup) []Reference {
	var out []Reference
	for n, call := range workload.Calls(words, lookup) {
		for _, t := range call.Texts {
			key, value, ok := strings.Cut(t, "=")
			if !ok || !isKey(key) {
				key, value = "", t
			}
			out = append(out, at(path, text, Hosts(value, key, Value))...)
		}
		if n == 0 {
			continue // the shell itself, whose last word is the script as a whole
		}
		for i, w := range call.Words {
			if i > 0 || strings.Contains(w, "://") {
				out = append(out, at(path, text, wordHosts(call.Words, i))...)
			}
		}
	}
	return out
}

// wordHosts reads one word of a command line; behind a host flag it is a host, whatever it looks like. A word with
// blanks in it is a text of its own.
func wordHosts(words []string, i int) []Host {
	w, pos, hint := words[i], Word, ""
	if i > 0 && hostFlag(words[i-1]) {
		pos = HostPosition
	} else if strings.ContainsAny(w, " \n\t") {
		pos = Value
	}
	return append(Hosts(w, hint, pos), Hosts(unwrapped(w), hint, Value)...)
}

// unwrapped decodes a word that is a text in base64: scripts pass such words to base64 -d. Empty: it is none.
func unwrapped(w string) string {
	if len(w) < 12 || len(w)%4 != 0 || strings.ContainsAny(w, " .:-_@") {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(w)
	if err != nil {
		return ""
	}
	for _, c := range raw {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return ""
		}
	}
	return string(raw)
}
