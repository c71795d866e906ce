package reference

import (
	"encoding/base64"
	"iter"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// commands finds hosts in the words of commands, arguments, exec probes and hooks, and in the scripts among them.
func commands(in *Input) []Reference {
	var out []Reference
	if len(in.Command) > 0 {
		out = in.words(workload.CommandOf(in.Command), func(string) (string, bool) { return "", false })
	}
	for _, c := range in.containers() {
		var vars map[string]string
		lookup := func(n string) (string, bool) {
			if vars == nil { // most commands name no variable
				vars = in.Environment(c)
			}
			v, ok := vars[n]
			return v, ok
		}
		for _, cmd := range c.Commands() {
			out = append(out, in.words(cmd, lookup)...)
		}
	}
	return out
}

func (in *Input) words(cmd workload.Command, lookup workload.Lookup) []Reference {
	var out []Reference
	plain := in.Expanded(cmd, lookup)
	if cmd.HasProgram() && guards(plain) {
		return nil // arguments alone say nothing of the program that reads them
	}
	add := func(i int, targets []Target) {
		path := ""
		if len(targets) > 0 {
			path = cmd.WordPath(i)
		}
		out = append(out, in.at(path, cmd.Words[i], targets)...)
	}
	scripts := workload.Scripts(plain)
	for i := range plain {
		if slices.Contains(scripts, i) {
			add(i, in.script(plain[i], lookup))
			if strings.ContainsAny(plain[i], " \t\n;") {
				continue
			}
			// One word may be the value of a flag that only looks like -c.
		}
		if i == 0 && cmd.HasProgram() && !strings.Contains(plain[i], "://") {
			continue
		}
		add(i, append(in.wordTargets(plain, i), in.commandTextTargets(plain[i])...))
	}
	c := command{in.reader, add}
	c.read(plain, 0)
	c.namespaceFlags(plain)
	return out
}

// namespaceFlags reads the flags by which controllers are told which namespaces to act in, whatever they are called.
func (c command) namespaceFlags(words []string) {
	if program, _ := programOf(words); namespacesOfItsOwn(program) {
		return
	}
	for i := range words {
		if ns, at, ok := flag(words, i, "--namespace", "--namespaces"); ok {
			c.out(at, c.namespace(ns))
		} else if name, _, _ := strings.Cut(words[i], "="); strings.HasPrefix(name, "--") && namespaceKey(name) {
			if ns, at, ok := flag(words, i, name); ok {
				c.out(at, c.namespace(ns))
			}
		}
		name, value, joined := strings.Cut(words[i], "=")
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		if ns, of, ok := namespacedName(value); ok && pairFlag(name) {
			at := i
			if !joined {
				at++
			}
			c.out(at, c.keep(c.namespace(ns), Target{Name: of + "." + ns + ".svc", Unambiguous: true}))
		}
	}
}

// pairFlag reports whether a flag takes namespace/name, as those of ingress controllers do.
func pairFlag(name string) bool {
	if !strings.HasPrefix(name, "-") {
		return false
	}
	for _, end := range []string{"certificate", "configmap", "publish-service", "secret", "default-backend-service"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// Expanded returns the words of a command as the kubelet makes them.
func (in *Input) Expanded(cmd workload.Command, lookup workload.Lookup) []string {
	in.begin()
	out := make([]string, len(cmd.Words))
	for i, w := range cmd.Words {
		out[i] = expand(w, lookup, in.budget)
	}
	return out
}

// Calls yields the simple commands that a command line runs, within the budget of the input.
func (in *Input) Calls(words []string, lookup workload.Lookup) iter.Seq[workload.Call] {
	in.begin()
	return workload.Calls(words, lookup, in.budget)
}

// unquoted takes the quotes out of a script: they may stand within words.
func unquoted(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\'' || c == '"' {
			return -1
		}
		return c
	}, text)
}

// script reads the commands of a script, at any depth.
func (r *reader) script(text string, lookup workload.Lookup) []Target {
	if !r.mayName(text) && (!strings.ContainsAny(text, `'"`) || !r.mayName(unquoted(text))) {
		return nil
	}
	var out []Target
	itself, steady := true, steadiness{text: text}
	for call := range workload.Calls([]string{"sh", "-c", text}, lookup, r.budget) {
		for _, t := range call.Texts {
			key, value, ok := strings.Cut(t, "=")
			if !ok || !isKey(key) {
				key, value = "", t
			}
			out = append(out, r.find(value, key, Value)...)
			out = append(out, r.namespaceVariable(key, value)...)
			out = append(out, r.commandTextTargets(value)...)
			out = append(out, r.namespacePairs(value)...)
		}
		if itself {
			itself = false // the shell, whose last word is the script as a whole
			continue
		}
		if (compares(call.Words) || guards(call.Words)) && steady.holds() {
			continue // what is compared, or refused, is not reached; what runs to find it out is a command of its own
		}
		for i, w := range call.Words {
			if i > 0 || strings.Contains(w, "://") {
				out = append(out, r.wordTargets(call.Words, i)...)
			}
			out = append(out, r.commandTextTargets(w)...)
		}
		out = append(out, r.commandTargets(call.Words)...)
	}
	return out
}

// compares reports whether a command only compares its words.
func compares(words []string) bool {
	return len(words) > 0 && (words[0] == "[" || words[0] == "[[" || words[0] == "test")
}

// steadiness tells whether the words of a script mean what they mean elsewhere. A script is looked at once, however many commands ask.
type steadiness struct {
	text          string
	asked, steady bool
}

func (s *steadiness) holds() bool {
	if !s.asked {
		s.asked = true
		s.steady = !slices.ContainsFunc([]string{"()", "function ", "alias ", "PATH="}, func(sign string) bool { return strings.Contains(s.text, sign) })
	}
	return s.steady
}

// scriptText reads a text that is a script by itself, as ConfigMaps and custom resources hold them.
func (r *reader) scriptText(text string) []Target {
	return r.script(text, func(string) (string, bool) { return "", false })
}

// wordTargets reads one word of a command line; behind a host flag it is a host, whatever it looks like. A word with
// blanks in it is a text of its own.
func (r *reader) wordTargets(words []string, i int) []Target {
	w, pos, hint := words[i], Word, ""
	before, of := "", ""
	if i > 0 {
		before, of = words[i-1], flagName(words[i-1])
	}
	switch {
	case of != "" && (hushOf(of) != 0 || bucketHint(strings.ToLower(of))):
		hint = of
	case hostFlag(before), i > 0 && i+1 < len(words) && len(words[i+1]) > 2 && port(words[i+1]):
		pos = HostPosition // behind a host flag, or before a port
	case of != "" && namesNoHost(of):
		pos, hint = Value, of
	case strings.ContainsAny(w, " \n\t"):
		pos = Value
	}
	out := append(r.find(w, hint, pos), r.find(unwrapped(w), hint, Value)...)
	if rest, ok := joinedHost(w); ok {
		out = append(out, r.find(rest, "", HostPosition)...)
	}
	for _, alternative := range braces(w) {
		out = append(out, r.find(alternative, hint, pos)...)
	}
	return out
}

// flagName returns the name of a flag whose value is the next word; empty: the word is none.
func flagName(w string) string {
	if !strings.HasPrefix(w, "-") || strings.Contains(w, "=") {
		return ""
	}
	return strings.TrimLeft(w, "-")
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

// unwrapped decodes a word that is a text in base64, as base64 prints it or as URLs have it: scripts pass such words to base64 -d.
// Empty: it is none.
func unwrapped(w string) string {
	if before, after, ok := strings.Cut(w, ";base64,"); ok && strings.HasPrefix(before, "data:") {
		w = after
	}
	w = strings.TrimRight(strings.TrimSpace(w), "=")
	if len(w) < minWrapped || strings.ContainsAny(w, " .:@\t") {
		return ""
	}
	return decodes(w)
}

// decodes decodes a text that may be base64. Empty: it is a key or a picture, or no base64.
func decodes(w string) string {
	if strings.ContainsAny(w, "-_\n\r") {
		w = strings.Map(standard, w)
	}
	if len(w)%4 == 1 {
		return ""
	}
	allowed := base64.RawStdEncoding.DecodedLen(len(w)) / maxOdd
	var begin [48]byte // most texts that are no base64 show it at once
	n, err := base64.RawStdEncoding.Decode(begin[:], []byte(w[:min(len(w), base64.RawStdEncoding.EncodedLen(len(begin)))]))
	if err != nil || blankOdd(begin[:n]) > allowed {
		return ""
	}
	raw, err := base64.RawStdEncoding.DecodeString(w)
	if err != nil || blankOdd(raw) > allowed {
		return ""
	}
	return string(raw)
}

// blankOdd blanks the characters that nobody types in English, and returns how many they were.
func blankOdd(raw []byte) int {
	odd := 0
	for i, c := range raw {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			raw[i], odd = ' ', odd+1
		}
	}
	return odd
}

// minWrapped is the shortest text in base64 that is decoded.
const minWrapped = 11

// standard makes base64 for URLs and in lines base64 as the standard has it.
func standard(c rune) rune {
	switch c {
	case '-':
		return '+'
	case '_':
		return '/'
	case '\n', '\r':
		return -1
	}
	return c
}

// maxOdd is one in how many characters of a text may be none that people type in English.
const maxOdd = 10
