package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// answer has somebody type an answer; an answer that a flag gave already is taken as it is. Its error says which flag to use where nobody
// can type.
func (e *env) answer(question, flag, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	fmt.Fprintf(e.ErrOut, "%s: ", question)
	line, err := e.line()
	if err != nil {
		return "", err
	}
	if line == "" {
		return "", fmt.Errorf("nothing was typed; where nobody can type, use %s", flag)
	}
	return line, nil
}

// line reads one line of standard input, without the spaces around it; empty at the end. It reads no further, since more may be asked.
func (e *env) line() (string, error) {
	if e.answers == nil {
		e.answers = bufio.NewReader(e.In)
	}
	line, err := e.answers.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read what is typed: %w", err)
	}
	return strings.TrimSpace(line), nil
}
