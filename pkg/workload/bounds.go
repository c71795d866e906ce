package workload

import (
	"errors"
	"io"
	"strings"
)

const (
	// maxDepth bounds what is given to the parser, which calls itself for every bracket: a program whose stack overflows
	// cannot recover.
	maxDepth = 100
	// wordCost is what one word of a script costs in units: the parser makes a small tree of it.
	wordCost = 16
)

// nesting returns how deep brackets, and the words that open a command within a command, lie within each other.
func nesting(script string) int {
	deepest, brackets, open := 0, 0, 0
	start := true // a command begins here
	for i := 0; i < len(script); i++ {
		switch script[i] {
		case '(', '{', '[', '`':
			brackets++
			start = true
		case ')', '}', ']':
			brackets = max(0, brackets-1)
		case '\n', ';', '|', '&':
			start = true
		case ' ', '\t':
		default:
			if !start {
				continue
			}
			n := wordLength(script[i:])
			var by int
			by, start = opens(script[i : i+n])
			open = max(0, open+by)
			i += n - 1
		}
		deepest = max(deepest, brackets+open)
	}
	return deepest
}

func wordLength(s string) int {
	n := strings.IndexAny(s[:min(len(s), 16)], " \t\n;|&(){}[]`")
	switch {
	case n > 0:
		return n
	case n == 0:
		return 1
	}
	return min(len(s), 16)
}

// opens says by how many a word at the beginning of a command makes commands lie deeper, and whether a command begins behind
// it.
func opens(w string) (by int, start bool) {
	switch w {
	case "if", "while", "until", "!", "time", "coproc":
		return 1, true
	case "for", "case", "select", "function":
		return 1, false
	case "fi", "done", "esac":
		return -1, false
	case "then", "do", "else", "elif":
		return 0, true
	}
	return 0, false
}

// statements gives the parser a script, and no more than maxStatement of a single statement: the parser calls itself for each
// operator, and a program whose stack overflows cannot recover.
type statements struct {
	io.Reader
	// read since the last statement ended.
	read int
}

// maxStatement is how many bytes one statement of a script may have, a here-document included.
const maxStatement = 64 << 10

var errLong = errors.New("a statement is longer than can be read")

// Read implements io.Reader.
func (s *statements) Read(p []byte) (int, error) {
	if s.read > maxStatement {
		return 0, errLong
	}
	n, err := s.Reader.Read(p)
	s.read += n
	return n, err
}

// countWords returns how many words a script can hold at most.
func countWords(script string) int {
	n, in := 0, false
	for i := 0; i < len(script); i++ {
		switch script[i] {
		case '\n', ';', '|', '&', '(', '`':
			if n++; in {
				n += 2 // a command of its own
			}
			in = false
			switch script[i] {
			case '(':
				n += 3 // a shell within the shell, and what it runs
			case '|', '&':
				n += 2 // the node that joins two commands
			}
		case '$':
			n += 3 // the parser makes a part of a word, a variable and its name of it
			in = false
		case ' ', '\t', '\r', ')', '<', '>', '{', '}', '[', ']', '"', '\'', '=':
			if in || script[i] != ' ' {
				n++
			}
			in = false
		default:
			in = true
		}
	}
	return n + 1
}
