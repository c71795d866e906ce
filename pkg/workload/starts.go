package workload

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Scripts returns the indexes of the words that are scripts for a shell, rather than plain words.
func Scripts(words []string) []int {
	var out []int
	if len(words) > 1 && isScriptFlag(words[0]) {
		out = append(out, 1) // the script of the container's own program
	}
	for at, w := range words {
		if !isShell(Program(w)) {
			continue
		}
		if i := scriptOfShell(words, at); i > 0 && (len(out) == 0 || out[len(out)-1] != i) {
			out = append(out, i)
		}
	}
	return out
}

// maxBefore is how many words after a shell its script is looked for.
const maxBefore = 32

// scriptOfShell returns the index of the script of the shell at an index: the first plain word, if a flag says that it is a
// script. It returns -1 if there is none.
func scriptOfShell(words []string, shell int) int {
	given := false
	for i := shell + 1; i < min(len(words), shell+maxBefore); i++ {
		w := words[i]
		switch {
		case w == "--" && given:
			return min(i+1, len(words)-1)
		case len(w) > 1 && (w[0] == '-' || w[0] == '+'):
			given = given || isScriptFlag(w)
			if setsOption(w) {
				i++ // the option that it sets
			}
		case given:
			return i
		case !takesOperands(Program(words[shell])):
			return -1 // a file
		}
	}
	return -1
}

// setsOption matches -o and +O, and flags that end with them, such as -ceo.
func setsOption(w string) bool {
	return !strings.HasPrefix(w, "--") && strings.ContainsRune("oO", rune(w[len(w)-1]))
}

// takesOperands reports whether a program takes, before its script, words that say as whom or where it runs.
func takesOperands(shell string) bool {
	return slices.Contains([]string{"su", "runuser", "chroot", "busybox", "script", "flock"}, shell)
}

// isScriptFlag matches -c and its combinations, such as -ec, -lc and -ceu, and the long flags of some shells.
func isScriptFlag(w string) bool {
	if w == "--command" || w == "-Command" || w == "--session-command" {
		return true
	}
	if len(w) < 2 || len(w) > 8 || w[0] != '-' || w[1] == '-' {
		return false
	}
	return strings.HasSuffix(w, "c") || strings.Contains(w, "c") && strings.Trim(w, "-aceilnouvx") == ""
}

// starts reads what a command runs of its own words: a script for the shell, with its arguments, or a command.
func (c *commands) starts(words []string, env Lookup, depth int) {
	if l, ok := launcherOf(Program(words[0])); ok {
		c.launched(l, words, env, depth)
	}
	for _, w := range words[1:] {
		if script, ok := strings.CutPrefix(w, "--command="); ok && isShell(Program(words[0])) {
			c.script(script, env, depth)
		}
	}
	for _, i := range Scripts(words) {
		c.script(words[i], env, depth)
		c.arguments(words[i], words[i+1:], env, depth)
	}
	if len(words) == 1 {
		return
	}
	switch Program(words[0]) {
	case "find":
		for i, w := range words {
			if slices.Contains([]string{"-exec", "-execdir", "-ok", "-okdir"}, w) {
				c.command(words[i+1:], env, depth)
			}
		}
	case "alias":
		for _, w := range words[1:] {
			if _, script, ok := strings.Cut(w, "="); ok {
				c.script(script, env, depth)
			}
		}
	}
	c.interpreted(words, env, depth)
}

// launched reads the command that a launcher starts, if it is a script or passes one to a shell.
func (c *commands) launched(l launcher, words []string, env Lookup, depth int) {
	for i, w := range words[1:] { // env -S
		value, joined := strings.CutPrefix(w, "--split-string=")
		if !joined && Program(words[0]) == "env" && len(w) > 2 {
			value, joined = strings.CutPrefix(w, "-S")
		}
		switch {
		case joined:
			c.script(value, env, depth)
		case (w == "-S" || w == "--split-string") && Program(words[0]) == "env" && i+2 < len(words):
			c.script(words[i+2], env, depth)
		}
	}
	begin, ok := l.command(words, 1)
	if !ok || begin >= len(words) {
		return
	}
	if l.joins {
		c.script(strings.Join(words[begin:], " "), env, depth)
		return
	}
	if at := Starts(words); at > 0 && at < len(words) {
		c.again(words[at:], env, depth)
	}
}

// again reads a command that another one starts; its words were already yielded with that one.
func (c *commands) again(words []string, env Lookup, depth int) {
	if _, launches := launcherOf(Program(words[0])); launches || Program(words[0]) == "find" || interprets(Program(words[0])) {
		if depth >= maxNesting {
			c.budget.TooDeep()
			return
		}
		c.starts(words, env, depth+1)
	}
}

// interpreted reads the texts in a script of an interpreter, since it may pass any of them to a shell.
func (c *commands) interpreted(words []string, env Lookup, depth int) {
	program := Starts(words)
	for at := range words[:min(program+1, len(words))] {
		name := Program(words[at])
		if !interprets(name) {
			continue
		}
		for i := at + 1; i < len(words); i++ {
			awk := strings.HasSuffix(name, "awk")
			if flag := words[i-1]; flag == "-c" || flag == "-e" || flag == "-r" || awk && i == at+1 {
				for text := range quotedIn(words[i]) {
					c.script(text, env, depth)
				}
			}
		}
		return
	}
}

// quotedIn yields the quoted texts of a script in any language.
func quotedIn(script string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i < len(script); i++ {
			quote := script[i]
			if quote != '"' && quote != '\'' && quote != '`' {
				continue
			}
			end := i + 1
			for end < len(script) && script[end] != quote {
				if script[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(script) {
				return
			}
			if text := script[i+1 : end]; text != "" && !yield(text) {
				return
			}
			i = end
		}
	}
}

// arguments reads the words after a script as the command that the script makes of them: exec "$@".
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

// fed reads the input that a shell is given to run: a here-document, a file that the script writes, or the output of a pipe
// or another process.
func (r *reader) fed(s *syntax.Stmt) {
	_, loop := s.Cmd.(*syntax.WhileClause)
	switch {
	case r.runsShell(s):
		r.printed(s)
	case loop: // each line that it reads may be a command
		for _, d := range s.Redirs {
			r.document(d)
		}
	case r.fills(s):
		r.printed(s)
	}
	pipe, ok := s.Cmd.(*syntax.BinaryCmd)
	if !ok || pipe.Op != syntax.Pipe && pipe.Op != syntax.PipeAll || !r.runsShell(pipe.Y) {
		return
	}
	r.printed(pipe.X)
	for _, d := range s.Redirs {
		r.document(d)
	}
}

// fills reports whether a statement prints into a file that the script runs.
func (r *reader) fills(s *syntax.Stmt) bool {
	return slices.ContainsFunc(s.Redirs, func(d *syntax.Redirect) bool {
		if d.Op != syntax.RdrOut && d.Op != syntax.AppOut && d.Op != syntax.RdrAll || d.Word == nil {
			return false
		}
		if r.files++; r.files > maxFiles {
			return true // one of so many may be run
		}
		if !r.budget.Spend(len(r.text)) {
			return false
		}
		file := r.word(d.Word)
		return file != "" && slices.ContainsFunc([]string{"sh ", ". ", "source ", "+x ", "eval "}, func(runs string) bool { return strings.Contains(r.text, runs+file) })
	})
}

// maxFiles is the number of files for which a script is searched for commands that run them.
const maxFiles = 16

// printed reads what a statement prints as a script: the words of its commands, and their here-documents.
func (r *reader) printed(s *syntax.Stmt) {
	shell := r.runsShell(s)
	syntax.Walk(s, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Redirect:
			r.document(n)
		case *syntax.CallExpr:
			if shell && len(n.Args) > 0 && n == s.Cmd {
				return true // the shell itself
			}
			var words []string
			for _, w := range n.Args {
				words = append(words, r.word(w))
			}
			if len(words) > 1 && slices.Contains([]string{"echo", "printf", "cat", "print"}, Program(words[0])) {
				r.script(strings.Join(words[1:], "\n"), r.lookup, r.depth+1)
				r.script(strings.ReplaceAll(strings.Join(words[1:], " "), `\n`, "\n"), r.lookup, r.depth+1)
			}
		}
		return !r.over()
	})
}

func (r *reader) runsShell(s *syntax.Stmt) bool {
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok {
		return false
	}
	words := make([]string, 0, min(len(call.Args), maxBefore))
	for _, w := range call.Args[:min(len(call.Args), maxBefore)] {
		words = append(words, r.word(w))
	}
	if len(words) == 0 {
		return false
	}
	if words[0] == "source" || words[0] == "." {
		return true
	}
	return slices.ContainsFunc(words, func(w string) bool { return isShell(Program(w)) })
}

// document reads a here-document or a here-string as a script.
func (r *reader) document(d *syntax.Redirect) {
	switch {
	case d.Hdoc != nil:
		r.script(r.word(d.Hdoc), r.lookup, r.depth+1)
	case d.Op == syntax.WordHdoc && d.Word != nil:
		r.script(r.word(d.Word), r.lookup, r.depth+1)
	}
}
