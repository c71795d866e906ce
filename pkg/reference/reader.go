package reference

import "github.com/firebreak-dev/firebreak/pkg/budget"

// reader reads texts for what they name. Every source reads through one, so that one place holds the budget of the request,
// and one place decides what is kept.
type reader struct {
	budget *budget.Budget
	// known reports whether anybody must look at a target; nil: at each.
	known func(Target) bool
	// spare is a scanner that is not in use: a file has many lines, and each is read by one.
	spare *scanner
	// patterns counts the patterns and selectors of namespaces: each is compared with every namespace.
	patterns int
	// depth is how many documents the text that is read lies in.
	depth int
	// base is what the place of the text that is read holds back, besides what its name does.
	base hush
	// word reports whether a word is one of a declared name's; nil: nobody can tell, and every text is read.
	word func(word string, hash uint64, dotted bool) bool
	// prints are the fingerprints of what is only found by chance; nil: such targets are kept like others.
	prints map[Print]struct{}
	// seen are the targets of the text that is read, each once.
	seen map[Target]struct{}
	// unread are the ConfigMaps and Secrets that were too large to be remembered.
	unread []Via
}

func newReader(b *budget.Budget, known func(Target) bool) *reader {
	if b == nil {
		b = budget.New()
	}
	return &reader{budget: b, known: known}
}

// targetCost is what looking a target up costs, in units.
const targetCost = 8

// maxSeen is how many targets a set may have held that is emptied and used again: emptying a large one costs as much as it
// once held.
const maxSeen = 64

// keep adds a target to those of a text, once, if anybody must look at it.
func (r *reader) keep(out []Target, targets ...Target) []Target {
	for _, t := range targets {
		if t.Name == "" || !r.budget.Spend(targetCost) || r.known != nil && !r.known(t) {
			continue
		}
		if _, again := r.seen[t]; again {
			continue
		}
		if !r.budget.Keep(len(r.seen) + 1) {
			return out
		}
		if r.seen == nil {
			r.seen = map[Target]struct{}{}
		}
		r.seen[t] = struct{}{}
		out = append(out, t)
	}
	return out
}

// maxPatterns is how many patterns and selectors of namespaces are told apart; more are taken for all of them.
const maxPatterns = 256

// pattern counts a pattern or selector of namespaces, and reports whether it is told apart.
func (r *reader) pattern() bool {
	r.patterns++
	return r.patterns <= maxPatterns
}

// at makes references of what a text at a path names. It ends the reading of that text.
func (r *reader) at(path, text string, targets []Target) []Reference {
	if len(r.seen) > maxSeen {
		r.seen = nil
	}
	clear(r.seen)
	if len(targets) == 0 {
		return nil
	}
	return refer(path, text, targets)
}

// in does the same for a field at a path, which is only composed where the text names something.
func (r *reader) in(path, field, text string, targets []Target) []Reference {
	if len(targets) > 0 {
		path += field
	}
	return r.at(path, text, targets)
}

func refer(path, text string, targets []Target) []Reference {
	out := make([]Reference, 0, len(targets))
	for _, t := range targets {
		if t.Name != "" {
			out = append(out, Reference{Target: t, Path: path, Text: text})
		}
	}
	return out
}

// spend charges the reading of a text once, from one end to the other.
func (r *reader) spend(text string) bool { return r.budget.Spend(len(text)) }

// Find returns everything that a text names: hosts, and cloud resources, roles and paths of secret stores by the shape of
// their names. hint is the name of the variable, flag or key that the text is the value of; it may be empty.
func Find(text, hint string, pos Position) []Target { return newReader(nil, nil).find(text, hint, pos) }

// Hosts returns the hosts that a text names. Lines are read one by one, comments skipped.
func Hosts(text, hint string, pos Position) []Target {
	return newReader(nil, nil).hosts(text, hint, pos)
}
