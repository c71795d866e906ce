package reference

import "strings"

// commentPairs are the signs between which a file says something to people, in the line or over several.
func commentPairs() [][2]string {
	return [][2]string{{"<!--", "-->"}, {"{{/*", "*/}}"}, {"{{- /*", "*/ -}}"}, {"{#", "#}"}, {"<#", "#>"}, {"--[[", "]]"}, {"=begin", "=end"}}
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

// afterSlashes cuts off what follows two slashes that stand between blanks, and takes out comments of C that are closed in the line.
func withoutSlashes(l string) string {
	if i := strings.Index(l, " // "); i >= 0 {
		l = l[:i]
	}
	for {
		i := strings.Index(l, " /* ")
		if i < 0 {
			return l
		}
		j := strings.Index(l[i:], "*/")
		if j < 0 {
			return l
		}
		l = l[:i] + " " + l[i+j+2:]
	}
}

// withoutSelectors takes out the selectors of queries of Prometheus and Loki: {instance="host:9187"} asks for what is known of a host.
func withoutSelectors(s string) string {
	if !strings.Contains(s, "{") || !strings.Contains(s, `="`) && !strings.Contains(s, `=\"`) && !strings.Contains(s, `=~`) {
		return s
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "{")
		inside, rest, closed := strings.Cut(after, "}")
		if !ok || !closed {
			break
		}
		b.WriteString(before)
		if before == "" || !inWord(before[len(before)-1]) && before[len(before)-1] != '(' || !selectsMetrics(inside) {
			b.WriteByte('{')
			s = after
			continue
		}
		s = rest
	}
	b.WriteString(s)
	return b.String()
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
