package workload

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Script reports whether the word at index i is a script that a shell is given, rather than a plain word.
func Script(words []string, i int) bool {
	if i > 1 && words[i-1] == "--" {
		i-- // the end of the shell's own flags
	}
	return i > 0 && isScriptFlag(words[i-1]) && (i == 1 || hasShell(words[:min(i-1, maxBefore)]))
}

// maxBefore is among how many words the shell is looked for that a script is given to.
const maxBefore = 32

// isScriptFlag matches -c and its combinations, such as -ec, -lc and -ceu.
func isScriptFlag(w string) bool {
	if len(w) < 2 || len(w) > 8 || w[0] != '-' || w[1] == '-' {
		return false
	}
	return strings.HasSuffix(w, "c") || strings.Contains(w, "c") && strings.Trim(w, "-aceilnuvx") == ""
}

func hasShell(words []string) bool {
	for _, w := range words {
		switch path.Base(w) {
		case "sh", "bash", "ash", "dash", "zsh", "ksh", "mksh", "busybox", "su", "runuser", "chroot", "script":
			return true
		}
	}
	return false
}

// starts reads what a command makes of its own words: a script for the shell, with its arguments, or a command.
func (c *commands) starts(words []string, env Lookup, depth int) {
	for i := 0; i < len(words); i++ {
		if !Script(words, i) {
			continue
		}
		c.script(words[i], env, depth)
		c.arguments(words[i], words[i+1:], env, depth)
	}
	if len(words) == 1 {
		return
	}
	switch path.Base(words[0]) {
	case "eval":
		c.script(strings.Join(words[1:], " "), env, depth)
	case "find":
		for i, w := range words {
			if slices.Contains([]string{"-exec", "-execdir", "-ok", "-okdir"}, w) {
				c.command(words[i+1:], env, depth)
			}
		}
	}
}

// arguments reads the words behind a script as the command that the script makes of them: exec "$@".
func (c *commands) arguments(script string, words []string, env Lookup, depth int) {
	switch {
	case strings.Contains(script, "$0"):
	case (strings.Contains(script, "$@") || strings.Contains(script, "$*")) && len(words) > 0:
		words = words[1:] // the first is the name of the script
	default:
		return
	}
	c.command(words, env, depth)
}

// fed reads what a shell is given to run as its input: a here-document, or what a pipe prints into it.
func (r *reader) fed(s *syntax.Stmt) {
	if r.runsShell(s) {
		r.input(s.Redirs)
	}
	if pipe, ok := s.Cmd.(*syntax.BinaryCmd); ok && (pipe.Op == syntax.Pipe || pipe.Op == syntax.PipeAll) && r.runsShell(pipe.Y) {
		r.input(pipe.X.Redirs)
		if prints, ok := pipe.X.Cmd.(*syntax.CallExpr); ok && len(prints.Args) > 1 {
			words := make([]string, 0, len(prints.Args))
			for _, w := range prints.Args[1:] {
				words = append(words, r.word(w))
			}
			r.script(strings.Join(words, " "), r.lookup, r.depth+1)
		}
	}
}

func (r *reader) runsShell(s *syntax.Stmt) bool {
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || r.depth >= maxNesting {
		return false
	}
	words := make([]string, 0, min(len(call.Args), maxBefore))
	for _, w := range call.Args[:min(len(call.Args), maxBefore)] {
		words = append(words, r.word(w))
	}
	return hasShell(words)
}

func (r *reader) input(redirects []*syntax.Redirect) {
	for _, d := range redirects {
		switch {
		case d.Hdoc != nil:
			r.script(r.word(d.Hdoc), r.lookup, r.depth+1)
		case d.Op == syntax.WordHdoc && d.Word != nil:
			r.script(r.word(d.Word), r.lookup, r.depth+1)
		}
	}
}
