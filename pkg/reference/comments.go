package reference

import "strings"

// commentPairs are the signs between which a file says something to people, in the line or over several.
func commentPairs() [][2]string {
	return [][2]string{{"<!--", "-->"}, {"{{/*", "*/}}"}, {"{#", "#}"}, {"<#", "#>"}, {"--[[", "]]"}, {"=begin", "=end"}}
}

// withoutPairs takes the closed comments out of a text. A sign without its other half stays, with all that follows.
func withoutPairs(text string) string {
	for _, p := range commentPairs() {
		if !strings.Contains(text, p[0]) {
			continue
		}
		var b strings.Builder
		for {
			before, after, ok := strings.Cut(text, p[0])
			inside, rest, closed := strings.Cut(after, p[1])
			if !ok || !closed {
				break
			}
			b.WriteString(before)
			b.WriteString(strings.Repeat("\n", strings.Count(inside, "\n"))) // lines stay lines
			text = rest
		}
		b.WriteString(text)
		text = b.String()
	}
	return text
}

// withoutSlashes takes the comment of a language like C off the end of a line. A shell takes the same signs for paths, as in `cd // &&` and
// `ls /* && rm */x`; so they count only where a statement or a value ends before them, and the line ends with them.
func withoutSlashes(l string) string {
	if i := strings.Index(l, " // "); i > 0 && endsStatement(l[i-1]) {
		l = l[:i]
	}
	if i := strings.LastIndex(l, " /* "); i > 0 && endsStatement(l[i-1]) && strings.HasSuffix(l, "*/") {
		l = l[:i]
	}
	return l
}

// endsStatement reports whether a statement or a value ends with a sign.
func endsStatement(c byte) bool { return strings.IndexByte(`;,{}()[]"'`, c) >= 0 }

// withoutSelectors takes out the selectors of queries of Prometheus and Loki: {instance="host:9187"} asks for what is known of a host.
func withoutSelectors(s string) string {
	if !strings.Contains(s, "{") || !strings.Contains(s, `="`) && !strings.Contains(s, `=\"`) && !strings.Contains(s, `=~`) {
		return s
	}
	var b strings.Builder
	done := 0
	for open, i := -1, 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			open = i // the innermost
		case '}':
			if open >= 0 && followsMetric(s[:open]) && i-open <= maxSelector && selectsMetrics(s[open+1:i]) {
				b.WriteString(s[done:open])
				done = i + 1
			}
			open = -1
		}
	}
	b.WriteString(s[done:])
	return b.String()
}

// maxSelector is the longest selector of a query that is taken for one.
const maxSelector = 4096

// followsMetric reports whether a text ends with the name of a metric, or where a query may begin.
func followsMetric(before string) bool {
	if before == "" {
		return false
	}
	c := before[len(before)-1]
	return inWord(c) || c == '('
}

// selectsMetrics reports whether a text in braces compares labels that metrics have.
func selectsMetrics(s string) bool {
	for part := range strings.SplitSeq(s, ",") {
		name, _, ok := strings.Cut(strings.Trim(part, " \t\n"), "=")
		if ok && metricLabel(strings.TrimRight(name, "!~ ")) {
			return true
		}
	}
	return false
}
