package reference

import "strings"

// outline follows the keys of a file of settings, line by line: those of YAML and JSON by their indentation, and the sections of TOML
// and INI. It costs each line once.
type outline struct {
	levels []level
	// section of TOML or INI; empty before the first.
	section string
	// key and value of the present line; empty where it has none.
	key, value string
	// equals is true if the key stands before an equals sign.
	equals bool
	// alerts is true once a key at the top says that the file is about alerts or what is scraped.
	alerts bool
}

type level struct {
	indent int
	key    string
	// hush of the key, once somebody has asked.
	hush  hush
	asked bool
	// text is true if a text of several lines follows.
	text bool
}

// maxLevels is how many keys above a line are remembered.
const maxLevels = 32

// line takes the next line, given without its indentation.
func (o *outline) line(indent int, l string) {
	o.key, o.value = "", ""
	if strings.HasPrefix(l, "[") && strings.HasSuffix(l, "]") && !strings.ContainsAny(l, `",`) {
		o.section, o.levels = strings.Trim(l, "[] "), o.levels[:0]
		return
	}
	for strings.HasPrefix(l, "- ") {
		l, indent = strings.TrimLeft(l[2:], " "), indent+2
	}
	for n := len(o.levels); n > 0 && o.levels[n-1].indent >= indent; n = len(o.levels) {
		o.levels = o.levels[:n-1]
	}
	key, value, ok := keyOf(l)
	if !ok {
		return
	}
	o.alerts = o.alerts || indent == 0 && alerting(key)
	o.key, o.value, o.equals = key, value, strings.HasPrefix(strings.TrimLeft(l[min(len(l), len(key)):], " \t"), "=")
	if len(o.levels) < maxLevels {
		o.levels = append(o.levels, level{indent: indent, key: key, text: value != "" && (value[0] == '|' || value[0] == '>')})
	}
}

// keyOf reads `key: value`, `"key": value`, `key = value` and `key { `. A colon that a blank or the end of the line does not follow is
// part of the key.
func keyOf(l string) (key, value string, ok bool) {
	if strings.HasPrefix(l, `"`) {
		key, value, ok = strings.Cut(l[1:], `"`)
		value = strings.TrimLeft(value, " \t")
		if !ok || len(key) > maxKeyName || value == "" || value[0] != ':' && value[0] != '=' {
			return "", "", false
		}
		return key, strings.Trim(value[1:], " \t"), true
	}
	for i := range len(l) {
		switch c := l[i]; {
		case c == ':' && (i+1 == len(l) || l[i+1] == ' ' || l[i+1] == '\t'), c == '=':
			return strings.TrimRight(l[:i], " \t"), strings.Trim(l[i+1:], " \t"), i > 0
		case c == '{':
			return strings.TrimRight(l[:i], " \t"), "", i > 0
		case c == '"', c == '\'', c == '(', c == ';', c == ',', i > maxKeyName:
			return "", "", false
		}
	}
	return "", "", false
}

// ask finds out what a key holds back, once.
func (l *level) ask() {
	if !l.asked {
		if l.hush, l.asked = hushOf(l.key), true; strings.HasPrefix(l.key, "geo ") {
			l.hush |= hushNumbers // a block of nginx, with a range in each line
		}
	}
}

// tells reports whether a block tells of alerts and metrics, in a file about them.
func (l *level) tells() bool { return l.key == "annotations" || quietBlock(strings.ToLower(l.key)) }

// hush says what the present line holds back: its own key, and those above it. A key above holds back the items of a list, the lines of a
// text, and what stands under a word for hosts.
func (o *outline) hush() hush {
	var out hush
	own := len(o.levels) - 1
	if own < 0 || o.key == "" || o.levels[own].key != o.key {
		own = len(o.levels) // the line has no key
	}
	plain := own == len(o.levels) || neutral(strings.ToLower(o.key))
	for i := len(o.levels) - 1; i >= 0; i-- {
		l := &o.levels[i]
		l.ask()
		reaches := plain
		plain = plain && (i == own || neutral(strings.ToLower(l.key)))
		switch {
		case i == own && o.equals && strings.Contains(o.value, "="):
			out |= l.hush &^ hushAll // one pair among several
		case i == own, l.text, reaches:
			out |= l.hush
		case o.alerts && l.tells():
			out |= hushAll
		}
	}
	return out
}

// above yields the keys above the present line, the nearest first, and the section that it lies in.
func (o *outline) above(yield func(string) bool) {
	n := len(o.levels)
	if n > 0 && o.key != "" && o.levels[n-1].key == o.key {
		n--
	}
	for i := n - 1; i >= 0; i-- {
		if !yield(o.levels[i].key) {
			return
		}
	}
	if o.section != "" {
		yield(o.section)
	}
}

// aboveLast yields the keys above the nearest one.
func (o *outline) aboveLast(yield func(string) bool) {
	for i := len(o.levels) - 2; i >= 0; i-- {
		if !yield(o.levels[i].key) {
			return
		}
	}
}
