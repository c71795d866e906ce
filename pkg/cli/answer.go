package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// answer asks a person to type an answer, unless a flag gave it already. If nobody can type, its error names the flag to use.
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

// line reads one line of standard input and trims the spaces around it. It is empty at the end of the input. It reads no further,
// since more answers may follow.
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
