package workload

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// values returns the words that the shell makes of a word in a list: one, unless a variable or a list in braces holds
// several.
func (r *reader) values(w *syntax.Word) []string {
	text := r.word(w)
	if len(w.Parts) == 1 && splits(w.Parts[0]) {
		if several := strings.Fields(text); len(several) > 0 && r.budget.Grow(len(text)) {
			return several
		}
	}
	if inner, open := strings.CutPrefix(text, "{"); open && len(w.Parts) == 1 {
		if inner, closed := strings.CutSuffix(inner, "}"); closed && strings.Contains(inner, ",") && !strings.ContainsAny(inner, "{} ") && r.budget.Grow(len(text)) {
			return strings.Split(inner, ",")
		}
	}
	return []string{text}
}

// splits reports whether the shell makes several words of a part of a word: of a variable without quotes, and of all
// arguments within quotes.
func splits(part syntax.WordPart) bool {
	switch p := part.(type) {
	case *syntax.ParamExp, *syntax.CmdSubst:
		return true
	case *syntax.DblQuoted:
		if len(p.Parts) == 1 {
			inner, ok := p.Parts[0].(*syntax.ParamExp)
			return ok && inner.Param != nil && (inner.Param.Value == "@" || indexOf(inner.Index) == "@")
		}
	}
	return false
}

func indexOf(i syntax.ArithmExpr) string {
	if w, ok := i.(*syntax.Word); ok {
		return w.Lit()
	}
	return ""
}

// word joins the parts of a shell word as the shell would, with Unknown for the parts that are known only when it runs.
func (r *reader) word(w *syntax.Word) string {
	if len(w.Parts) == 1 {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok {
			return unescape(lit.Value)
		}
	}
	var b strings.Builder
	r.parts(&b, w.Parts)
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
			if v := r.param(p); r.budget.Grow(len(v)) {
				b.WriteString(v)
			}
		case *syntax.CmdSubst:
			b.WriteString(r.printedBy(p))
		default:
			b.WriteString(Unknown)
		}
	}
}

// printedBy returns the output of a command that shows it itself: echo, and which.
func (r *reader) printedBy(p *syntax.CmdSubst) string {
	if len(p.Stmts) != 1 {
		return Unknown
	}
	call, ok := p.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) < 2 || len(call.Args) > maxBefore {
		return Unknown
	}
	last := r.word(call.Args[len(call.Args)-1])
	switch call.Args[0].Lit() {
	case "echo", "printf":
		if len(call.Args) == 2 && r.budget.Grow(len(last)) {
			return last
		}
	case "which", "command", "type":
		return last
	}
	return Unknown
}

func (r *reader) param(p *syntax.ParamExp) string {
	if p.Param == nil {
		return Unknown
	}
	if i := indexOf(p.Index); i != "" {
		if v, ok := r.vars[p.Param.Value+"["+i+"]"]; ok {
			return v
		}
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

// ansi decodes the escapes of $'…'.
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
