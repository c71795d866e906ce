package workload

import (
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Lookup gives the value of an environment variable, and whether it is known.
type Lookup func(name string) (string, bool)

// Unknown stands in a word for what cannot be known before it runs. It is part of no host name and of no command
// name, so what surrounds it never matches by accident.
const Unknown = "\x01"

// maxNesting bounds scripts within scripts; what lies deeper is read as plain words.
const maxNesting = 4

// Call is one simple command.
type Call struct {
	// Words of the command, the program first. Empty where there are only assignments.
	Words []string
	// Texts are assignments (`NAME=value`), here-documents and defaults of expansions (`${X:-this}`).
	Texts []string
}

// Calls returns the simple commands that a command line runs: itself or, where it gives a script to a shell, every
// command of the script, at any depth. What is no valid script is read line by line, so that nothing is lost.
func Calls(words []string, env Lookup) []Call { return calls(words, env, 0) }

func calls(words []string, env Lookup, depth int) []Call {
	if len(words) == 0 {
		return nil
	}
	out := []Call{{Words: words}}
	if depth >= maxNesting {
		return out
	}
	if script, ok := scriptOf(words); ok {
		inner, vars := parse(script, env)
		for _, c := range inner {
			out = append(out, Call{Texts: c.Texts})
			out = append(out, calls(c.Words, vars, depth+1)...)
		}
	}
	return out
}

// Script reports whether the word at index i is a script that a shell is given, rather than a plain word.
func Script(words []string, i int) bool {
	return i > 0 && isScriptFlag(words[i-1]) && (i == 1 || hasShell(words[:min(i-1, maxBefore)]))
}

// maxBefore is among how many words the shell is looked for that a script is given to.
const maxBefore = 32

func scriptOf(words []string) (string, bool) {
	for i := range words {
		if i > 0 && Script(words, i) {
			return words[i], true
		}
	}
	return "", false
}

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

const (
	// maxScript and maxDepth bound what is given to the parser, which calls itself for every bracket: a program whose
	// stack overflows cannot recover.
	maxScript = 64 << 10
	maxDepth  = 100
	// maxGrowth bounds what the words of one script may grow to when its variables are put in.
	maxGrowth = 256 << 10
)

// depth returns how deep brackets are nested, and words that open a command within a command.
func depth(script string) int {
	deepest, d := 0, 0
	for i := 0; i < len(script); i++ {
		switch script[i] {
		case '(', '{', '[', '`':
			d++
		case ')', '}', ']', '\n', ';':
			if script[i] == ')' || script[i] == '}' || script[i] == ']' {
				d = max(0, d-1)
			}
		}
		deepest = max(deepest, d)
	}
	for _, w := range []string{"if", "while", "until", "for", "case", "select", "!", "time", "coproc", "function"} {
		deepest = max(deepest, strings.Count(script, w+" "+w+" "))
	}
	return deepest
}

// parse returns the commands of a script, and the variables that shells within it may have been given.
func parse(script string, env Lookup) ([]Call, Lookup) {
	if len(script) > maxScript || depth(script) > maxDepth {
		return lines(script), env
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil {
		return lines(script), env
	}
	r := reader{env: env, vars: map[string]string{}}
	syntax.Walk(file, r.node)
	if r.grown > maxGrowth {
		// Words that were cut short may hide something: the script is read line by line as well.
		r.out = append(r.out, lines(script)...)
	}
	return r.out, r.lookup
}

// lines reads a script that no parser accepts: quotes fall away, words are what blanks and operators separate.
func lines(script string) []Call {
	var out []Call
	for _, line := range strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune("\n;|&()", r) }) {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r'\"`", r) })
		if len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			out = append(out, Call{Words: words})
		}
	}
	return out
}

type reader struct {
	env  Lookup
	vars map[string]string
	out  []Call
	// grown is what all words have grown to.
	grown int
}

func (r *reader) lookup(name string) (string, bool) {
	if v, ok := r.vars[name]; ok {
		return v, true
	}
	return r.env(name)
}

func (r *reader) node(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.CallExpr:
		r.call(n.Args, n.Assigns)
	case *syntax.DeclClause:
		r.call(nil, n.Args)
	case *syntax.Redirect:
		r.redirect(n)
	case *syntax.WordIter:
		r.loop(n)
	case *syntax.ParamExp:
		if n.Exp != nil && n.Exp.Word != nil {
			r.out = append(r.out, Call{Texts: []string{r.word(n.Exp.Word)}})
		}
	}
	return true
}

// redirect reads here-documents, here-strings and the sockets that bash opens by itself. Other files name no host.
func (r *reader) redirect(n *syntax.Redirect) {
	word := n.Hdoc
	if word == nil {
		word = n.Word
	}
	if word == nil {
		return
	}
	text := r.word(word)
	if n.Hdoc != nil || n.Op == syntax.WordHdoc || strings.HasPrefix(text, "/dev/tcp/") || strings.HasPrefix(text, "/dev/udp/") {
		r.out = append(r.out, Call{Texts: []string{text}})
	}
}

// loop reads what `for` goes through. In its body the variable is the first of them.
func (r *reader) loop(n *syntax.WordIter) {
	for i, item := range n.Items {
		text := r.word(item)
		if i == 0 {
			r.vars[n.Name.Value] = text
		}
		r.out = append(r.out, Call{Texts: []string{text}})
	}
}

func (r *reader) call(args []*syntax.Word, assigns []*syntax.Assign) {
	var c Call
	for _, a := range assigns {
		if a.Name != nil && a.Array != nil {
			c.Texts = append(c.Texts, r.array(a)...)
		}
		if a.Name == nil || a.Value == nil {
			continue
		}
		value := r.word(a.Value)
		if a.Append {
			value = r.vars[a.Name.Value] + value
		}
		r.vars[a.Name.Value] = value
		c.Texts = append(c.Texts, a.Name.Value+"="+value)
	}
	for _, w := range args {
		c.Words = append(c.Words, r.word(w))
	}
	r.out = append(r.out, c)
}

// array reads the elements of an array. Where its variable is used, it is the first of them.
func (r *reader) array(a *syntax.Assign) []string {
	var out []string
	for i, e := range a.Array.Elems {
		if e.Value == nil {
			continue
		}
		text := r.word(e.Value)
		if i == 0 {
			r.vars[a.Name.Value] = text
		}
		out = append(out, a.Name.Value+"="+text)
	}
	return out
}

// word joins the parts of a shell word as the shell would, with Unknown for what only a run can tell.
func (r *reader) word(w *syntax.Word) string {
	if r.grown > maxGrowth {
		return Unknown
	}
	var b strings.Builder
	r.parts(&b, w.Parts)
	r.grown += b.Len()
	return b.String()
}

func (r *reader) parts(b *strings.Builder, parts []syntax.WordPart) {
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(unescape(p.Value))
		case *syntax.SglQuoted:
			if p.Dollar {
				b.WriteString(ansi(p.Value))
			} else {
				b.WriteString(p.Value)
			}
		case *syntax.DblQuoted:
			r.parts(b, p.Parts)
		case *syntax.ParamExp:
			b.WriteString(r.param(p))
		default:
			b.WriteString(Unknown)
		}
	}
}

func (r *reader) param(p *syntax.ParamExp) string {
	if p.Param == nil {
		return Unknown
	}
	if v, ok := r.lookup(p.Param.Value); ok {
		return v
	}
	if p.Exp == nil || p.Exp.Word == nil {
		return Unknown
	}
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		return r.word(p.Exp.Word)
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		v := r.word(p.Exp.Word)
		r.vars[p.Param.Value] = v
		return v
	}
	return Unknown
}

// ansi reads the escapes of $'…'.
func ansi(s string) string {
	var b strings.Builder
	for s != "" {
		c, _, rest, err := strconv.UnquoteChar(s, 0)
		if err != nil {
			c, rest = rune(s[0]), s[1:]
		}
		b.WriteRune(c)
		s = rest
	}
	return b.String()
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
