package reference

import (
	"regexp"
	"strings"
)

// corefile finds where the configuration of CoreDNS, and of what is made of it, answers one name with another, or sends the
// questions for a domain elsewhere.
func corefile(in *Input) []Reference {
	var out []Reference
	for _, d := range in.Data {
		if d.Key != "Corefile" && !strings.HasSuffix(d.Key, ".server") && !strings.HasSuffix(d.Key, ".override") || !in.spend(d.Value) {
			continue
		}
		c := nameServer{reader: in.reader, path: d.Path, text: d.Value}
		for l := range strings.Lines(d.Value) {
			c.line(strings.TrimSpace(l))
		}
		out = append(out, c.out...)
	}
	return out
}

// nameServer reads a Corefile line by line.
type nameServer struct {
	*reader
	path, text string
	// blocks are the names of the blocks that are open, and the words behind them.
	blocks [][]string
	out    []Reference
}

// maxBlocks is how deep the blocks of a Corefile lie within each other.
const maxBlocks = 8

func (c *nameServer) line(l string) {
	words := strings.Fields(l)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") || !c.budget.Spend(len(words)*tokenCost) {
		return
	}
	opens := words[len(words)-1] == "{"
	words = words[:len(words)-boolInt(opens)]
	switch {
	case len(words) == 0:
	case words[0] == "}":
		c.blocks = c.blocks[:max(0, len(c.blocks)-1)]
		return
	default:
		c.directive(words)
	}
	if opens && len(c.blocks) < maxBlocks {
		c.blocks = append(c.blocks, words)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// zones returns the domains that the server block answers for.
func (c *nameServer) zones() []string {
	if len(c.blocks) == 0 {
		return nil
	}
	return c.blocks[0]
}

func (c *nameServer) directive(words []string) {
	inner := ""
	if n := len(c.blocks); n > 1 {
		inner = c.blocks[n-1][0]
	}
	switch {
	case inner == "hosts" && len(words) > 1:
		for _, name := range words[1:] {
			c.answers(name, words[0], false)
		}
	case inner == "template":
		c.template(words)
	case inner == "rewrite":
		c.rewrite(words)
	case words[0] == "rewrite":
		c.rewrite(words[1:])
	case words[0] == "forward" && len(words) > 2:
		c.forward(words[1], words[2:])
	case words[0] == "file" && len(words) > 1:
		zones := words[2:]
		if len(zones) == 0 {
			zones = c.zones()
		}
		for _, z := range zones {
			c.answers(z, "", true)
		}
	}
}

// rewrite reads [continue|stop] [name] [exact|prefix|suffix|substring|regex] FROM TO.
func (c *nameServer) rewrite(words []string) {
	domain := false
	for len(words) > 2 {
		switch words[0] {
		case "continue", "stop", "name", "cname", "exact", "prefix", "substring", "regex":
		case "suffix":
			domain = true
		default:
			c.answers(words[0], words[1], domain)
			return
		}
		words = words[1:]
	}
	if len(words) == 2 {
		c.answers(words[0], words[1], domain)
	}
}

// forward: the questions for a domain, or for all of the block's, are somebody else's to answer.
func (c *nameServer) forward(from string, to []string) {
	domains := []string{from}
	if from == "." {
		domains = c.zones()
	}
	for _, d := range domains {
		for _, t := range to {
			c.answers(d, t, true)
		}
	}
}

// template reads match and answer of a template: its zone is what it answers for, unless match says it more precisely.
func (c *nameServer) template(words []string) {
	block := c.blocks[len(c.blocks)-1]
	switch words[0] {
	case "match":
		c.blocks[len(c.blocks)-1] = append(block[:1:1], words[1:]...)
	case "answer":
		text := strings.Trim(strings.Join(words[1:], " "), "\"")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			return
		}
		for _, zone := range block[1:] {
			if zone != "IN" && zone != "ANY" && zone != "A" && zone != "AAAA" && zone != "CNAME" {
				c.answers(zone, fields[len(fields)-1], true)
			}
		}
	}
}

// joinsService notes that a name, or with domain whatever lies below it, is answered with another; empty: by what cannot be seen.
func (c *nameServer) answers(from, to string, domain bool) {
	from = strings.Trim(unanchored(from), ".")
	if from == "" || strings.HasPrefix(from, "cluster.local") || strings.HasSuffix(from, ".arpa") {
		return
	}
	asked, ok := NormaliseHost(trimPort(from), true)
	if !ok {
		return
	}
	if domain {
		asked.Name = "*." + asked.Name
	}
	answer, ok := NormaliseHost(trimPort(strings.Trim(unanchored(to), ".")), true)
	if !ok {
		answer = Target{Name: elsewhere}
	} else if domain && !answer.Addr.IsValid() && strings.HasPrefix(to, ".") {
		answer.Name = "*." + answer.Name
	}
	answer.Unambiguous = true
	if !c.budget.Keep(len(c.out) + 1) {
		return
	}
	c.out = append(c.out, Reference{Target: answer, Use: Routes, Path: c.path, Text: c.text, Answers: &asked})
}

// elsewhere stands for an answer that nobody can see in the configuration.
const elsewhere = "elsewhere"

func trimPort(s string) string {
	for _, scheme := range []string{"dns://", "tls://"} {
		s = strings.TrimPrefix(s, scheme)
	}
	return dropPort(s)
}

// unanchored reads the simple sort of regular expression that names one host: ^orders\.example\.com\.$.
func unanchored(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(strings.Trim(s, "\""), "^"), "$")
	return escapedDot.ReplaceAllString(strings.TrimPrefix(strings.TrimPrefix(s, "(.*)"), ".*"), ".")
}

var escapedDot = regexp.MustCompile(`\\\.|\[\.\]`)
