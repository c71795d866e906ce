package workload

import (
	"errors"
	"io"
	"strings"
)

const (
	// maxDepth bounds the nesting that the parser is given. The parser calls itself for every bracket, and a program whose stack
	// overflows cannot recover.
	maxDepth = 100
	// wordCost is the cost of one word of a script, in units: the parser builds a small tree for it.
	wordCost = 16
)

// nesting returns how deeply a script nests brackets and the words that open a command within a command.
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

// opens returns by how much a word at the beginning of a command changes the nesting, and whether a command begins after it.
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

// statements passes a script to the parser, but no more than maxStatement bytes of a single statement. The parser calls
// itself for each operator, and a program whose stack overflows cannot recover.
type statements struct {
	io.Reader
	// read counts the bytes since the last statement ended.
	read int
}

// maxStatement is how many bytes one statement of a script may have, including its here-documents.
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
				n += 3 // a shell within the shell, and its command
			case '|', '&':
				n += 2 // the node that joins two commands
			}
		case '$':
			n += 3 // the parser makes a part of a word, a variable and a name
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
