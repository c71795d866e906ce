package workload

import (
	"errors"
	"iter"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Lookup returns the value of an environment variable, and whether it is known.
type Lookup func(name string) (string, bool)

// Unknown stands in a word for a part that is known only when the script runs. It cannot be part of a host name or a command
// name, so the text around it never matches by accident.
const Unknown = "\x01"

// maxNesting is how deeply scripts may be nested.
const maxNesting = 4

// Call is one simple command.
type Call struct {
	// Words are the words of the command, the program first. They are empty if there are only assignments.
	Words []string
	// Texts are assignments (`NAME=value`), here-documents and defaults of expansions (`${X:-this}`).
	Texts []string
}

// Calls yields the simple commands that a command line runs: itself and, if it passes a script to a shell, every command of
// the script, at any depth. A text that is not a valid script is read line by line, so that nothing is lost. When the budget
// is exceeded, Calls stops.
func Calls(words []string, env Lookup, b *budget.Budget) iter.Seq[Call] {
	return func(yield func(Call) bool) {
		c := commands{budget: b, yield: yield}
		c.command(words, env, 0)
	}
}

// commands reads the commands of one command line.
type commands struct {
	budget *budget.Budget
	yield  func(Call) bool
	// stopped is true if the caller wants no more commands.
	stopped bool
	// parsers are kept by depth: while one reads a script, another reads a script within that.
	parsers [maxNesting + 3]*syntax.Parser
}

// parser returns the parser of a depth. Parsers are reused, since each keeps buffers that are larger than most scripts.
func (c *commands) parser(depth int) *syntax.Parser {
	p := &c.parsers[min(depth, len(c.parsers)-1)]
	if *p == nil {
		*p = syntax.NewParser(syntax.Variant(syntax.LangBash))
	}
	return *p
}

func (c *commands) tell(call Call) {
	c.stopped = c.stopped || !c.yield(call)
}

func (c *commands) over() bool { return c.stopped || c.budget.Exceeded() != "" }

func (c *commands) command(words []string, env Lookup, depth int) {
	if len(words) == 0 || !c.budget.Spend(len(words)) || c.over() {
		return
	}
	c.tell(Call{Words: words})
	c.starts(words, env, depth+1)
}

// script reads the commands of a script. The variables that it sets are known to the scripts within it.
func (c *commands) script(script string, env Lookup, depth int) {
	if depth > maxNesting+1 {
		c.budget.TooDeep()
		return
	}
	if n := countWords(script); !c.budget.Spend(len(script)+n*wordCost) || !c.budget.Word(n) {
		return
	}
	if nesting(script) > maxDepth {
		c.lines(script, env, depth)
		return
	}
	r := reader{commands: c, text: script, env: env, vars: map[string]string{}, depth: depth}
	text := statements{Reader: strings.NewReader(script)}
	var err error
	for s, broken := range c.parser(depth).StmtsSeq(&text) {
		text.read = 0
		// The loop runs to its end, which is paid for: a parser that stops within a here-document then reports the script as
		// broken.
		if err = broken; err == nil && !c.over() {
			r.walk(s)
		}
	}
	switch {
	case errors.Is(err, errLong):
		c.budget.TooDeep()
	case err != nil:
		c.lines(script, env, depth)
	}
}

// lines reads a script that no parser accepts. It drops quotes, and splits words at blanks and operators.
func (c *commands) lines(script string, env Lookup, depth int) {
	if !c.budget.Spend(len(script)) {
		return
	}
	for line := range strings.FieldsFuncSeq(script, func(r rune) bool { return strings.ContainsRune("\n;|&()", r) }) {
		var words []string
		for w := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(" \t\r'\"`", r) }) {
			words = append(words, w)
		}
		if len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			c.command(words, env, depth)
		}
		if c.over() {
			return
		}
	}
}

type reader struct {
	*commands
	// text is the script itself.
	text string
	// files is the number of files that the script has printed into so far.
	files int
	env   Lookup
	vars  map[string]string
	// passes are the functions of the script that run their arguments.
	passes map[string]bool
	// depth is the depth of the script within scripts.
	depth int
}

// found yields a command of the script, and the commands that it runs.
func (r *reader) found(call Call) {
	if len(call.Texts) > 0 {
		r.tell(Call{Texts: call.Texts})
	}
	r.command(call.Words, r.lookup, r.depth)
	switch {
	case len(call.Words) < 2:
	case r.passes[call.Words[0]]:
		r.command(call.Words[1:], r.lookup, r.depth)
	case call.Words[0] == "set" && call.Words[1] == "--":
		r.vars["@"] = strings.Join(call.Words[2:], " ")
	}
}

func (r *reader) lookup(name string) (string, bool) {
	if v, ok := r.vars[name]; ok {
		return v, true
	}
	return r.env(name)
}

func (r *reader) walk(n syntax.Node) { syntax.Walk(n, r.node) }

func (r *reader) node(n syntax.Node) bool {
	if r.over() {
		return false
	}
	switch n := n.(type) {
	case *syntax.Stmt:
		r.fed(n)
	case *syntax.CallExpr:
		r.call(n.Args, n.Assigns)
	case *syntax.DeclClause:
		r.call(nil, n.Args)
	case *syntax.FuncDecl:
		r.function(n)
	case *syntax.Redirect:
		r.redirect(n)
	case *syntax.ForClause:
		if loop, ok := n.Loop.(*syntax.WordIter); ok {
			r.loop(loop, n.Do)
			return false
		}
	case *syntax.ParamExp:
		if n.Exp != nil && n.Exp.Word != nil {
			r.found(Call{Texts: []string{r.word(n.Exp.Word)}})
		}
	}
	return true
}

// function notes whether a function runs its arguments.
func (r *reader) function(f *syntax.FuncDecl) {
	syntax.Walk(f.Body, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.ParamExp); ok && p.Param != nil && (p.Param.Value == "@" || p.Param.Value == "*") {
			if r.passes == nil {
				r.passes = map[string]bool{}
			}
			r.passes[f.Name.Value] = true
		}
		return !r.over() && r.budget.Spend(1)
	})
}

// redirect reads here-documents, here-strings and the sockets that bash opens itself. Other files name no host.
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
		r.found(Call{Texts: []string{text}})
	}
}

// loop reads the values of a `for` loop, and its body once for each value: a command may be harmless with the first value but
// not with the second.
func (r *reader) loop(n *syntax.WordIter, body []*syntax.Stmt) {
	var values []string
	for _, item := range n.Items {
		values = append(values, r.values(item)...)
		r.walk(item) // substituted commands
	}
	for _, v := range values {
		r.found(Call{Texts: []string{v}})
	}
	if len(values) == 0 {
		values = []string{Unknown} // the script's own arguments
	}
	size := 0
	for _, s := range body {
		size += int(s.End().Offset() - s.Pos().Offset())
	}
	for i, v := range values {
		if i > 0 && !r.budget.Grow(size) {
			return
		}
		r.vars[n.Name.Value] = v
		for _, s := range body {
			r.walk(s)
		}
	}
}

func (r *reader) call(args []*syntax.Word, assigns []*syntax.Assign) {
	c := Call{Words: make([]string, 0, len(args))}
	for _, a := range assigns {
		if a.Name != nil && a.Array != nil {
			c.Texts = append(c.Texts, r.array(a)...)
		}
		if a.Name == nil || a.Value == nil {
			continue
		}
		value := r.word(a.Value)
		if before := r.vars[a.Name.Value]; a.Append && r.budget.Grow(len(before)) {
			value = before + value
		}
		r.vars[a.Name.Value] = value
		c.Texts = append(c.Texts, a.Name.Value+"="+value)
	}
	for _, w := range args {
		c.Words = append(c.Words, r.values(w)...)
	}
	r.found(c)
}

// array reads the elements of an array. A use of its variable alone means the first element.
func (r *reader) array(a *syntax.Assign) []string {
	var out, all []string
	for i, e := range a.Array.Elems {
		if e.Value == nil {
			continue
		}
		text := r.word(e.Value)
		if i == 0 {
			r.vars[a.Name.Value] = text
		}
		r.vars[a.Name.Value+"["+strconv.Itoa(i)+"]"] = text
		all = append(all, text)
		out = append(out, a.Name.Value+"="+text)
	}
	r.vars[a.Name.Value+"[@]"] = strings.Join(all, " ")
	return out
}
