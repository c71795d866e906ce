package reference

import (
	"encoding/base64"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// command finds hosts in the words of commands, arguments, exec probes and hooks, and in the scripts among them.
func command(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
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
			out = append(out, at(path, cmd.Words[i], script(plain[:i+1], lookup))...)
			if strings.ContainsAny(plain[i], " \t\n;") {
				continue
			}
			// One word may be the value of a flag that only looks like -c.
		}
		if i == 0 && cmd.HasProgram() && !strings.Contains(plain[i], "://") {
			continue
		}
		out = append(out, at(path, cmd.Words[i], wordTargets(plain, i))...)
	}
	for _, t := range append(called(plain), namespaceFlags(plain)...) {
		i := wordWith(plain, t.Name)
		out = append(out, at(cmd.WordPath(i), cmd.Words[i], []Target{t})...)
	}
	return out
}

// wordWith returns the index of the last word that holds a name.
func wordWith(words []string, name string) int {
	for i := len(words) - 1; i > 0; i-- {
		if strings.Contains(strings.ToLower(words[i]), strings.ToLower(name)) {
			return i
		}
	}
	return 0
}

// namespaceFlags reads the flags by which controllers are told which namespaces to act in, whatever they are called.
func namespaceFlags(words []string) []Target {
	var out []Target
	switch program, _ := programOf(words); program {
	case "temporal", "tctl", "aws", "nomad", "vault", "consul":
		return nil // theirs are namespaces of other systems
	}
	for i := range words {
		if ns, ok := flag(words, i, "--namespace", "--namespaces", "--watch-namespace", "--watch-namespaces", "--target-namespace", "--target-namespaces"); ok {
			out = append(out, NamespaceTargets(ns)...)
		}
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

// script reads the commands of a script that the last word is, at any depth.
func script(words []string, lookup workload.Lookup) []Target {
	var out []Target
	for n, call := range workload.Calls(words, lookup) {
		for _, t := range call.Texts {
			key, value, ok := strings.Cut(t, "=")
			if !ok || !isKey(key) {
				key, value = "", t
			}
			out = append(out, Find(value, key, Value)...)
			out = append(out, namespaceVariable(key, value)...)
			out = append(out, texted(value)...)
		}
		if n == 0 {
			continue // the shell itself, whose last word is the script as a whole
		}
		for i, w := range call.Words {
			if i > 0 || strings.Contains(w, "://") {
				out = append(out, wordTargets(call.Words, i)...)
			}
			out = append(out, texted(w)...)
		}
		out = append(out, called(call.Words)...)
	}
	return out
}

// scriptText reads a text that is a script by itself, as ConfigMaps and custom resources hold them.
func scriptText(text string) []Target {
	return script([]string{"sh", "-c", text}, func(string) (string, bool) { return "", false })
}

// isScript reports whether the text of a key is a script for a shell.
func isScript(key, text string) bool {
	if strings.HasPrefix(text, "#!") {
		line, _, _ := strings.Cut(text, "\n")
		line = strings.TrimPrefix(strings.TrimPrefix(line, "#!/usr/bin/env"), " -S")
		return strings.HasSuffix(strings.TrimSpace(strings.SplitN(line, " -", 2)[0]), "sh")
	}
	switch strings.ToLower(key) {
	case "script", "source", "run", "cmd", "command", "inline":
		return true
	}
	return strings.HasSuffix(key, ".sh") || strings.HasSuffix(key, ".bash")
}

// wordTargets reads one word of a command line; behind a host flag it is a host, whatever it looks like. A word with
// blanks in it is a text of its own.
func wordTargets(words []string, i int) []Target {
	w, pos, hint := words[i], Word, ""
	switch {
	case i > 0 && hostFlag(words[i-1]):
		pos = HostPosition
	case i > 0 && strings.HasPrefix(words[i-1], "-") && mute(strings.TrimLeft(words[i-1], "-")):
		pos, hint = Value, strings.TrimLeft(words[i-1], "-")
	case strings.ContainsAny(w, " \n\t"):
		pos = Value
	}
	out := append(Find(w, hint, pos), Find(unwrapped(w), hint, Value)...)
	if rest, ok := joinedHost(w); ok {
		out = append(out, Find(rest, "", HostPosition)...)
	}
	for _, alternative := range braces(w) {
		out = append(out, Find(alternative, hint, pos)...)
	}
	return out
}

// joinedHost reads -hHOST, as many clients of databases take it.
func joinedHost(w string) (string, bool) {
	if len(w) < 4 || w[0] != '-' || (w[1] != 'h' && w[1] != 'H' && w[1] != 'S') || !strings.ContainsAny(w, ".") {
		return "", false
	}
	return strings.TrimPrefix(w[2:], "="), true
}

// braces returns what a word with one pair of braces stands for, as shells and curl read it.
func braces(w string) []string {
	open := strings.IndexByte(w, '{')
	end := strings.IndexByte(w, '}')
	if open < 0 || end < open || !strings.Contains(w[open:end], ",") || len(w) > maxHost*2 || open > 0 && w[open-1] == '$' {
		return nil
	}
	var out []string
	for _, part := range strings.SplitN(w[open+1:end], ",", 8) {
		out = append(out, w[:open]+part+w[end+1:])
	}
	return out
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
