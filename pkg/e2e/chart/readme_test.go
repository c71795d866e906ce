package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mvdan.cc/sh/v3/shell"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// The chart's README promises a first denial from an empty cluster in four commands, exactly as they are written there. The test
// does not clone the chart, and adds the webhook's address to the second command.
func TestTheReadmesFourCommands(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(the.Root, "charts", "firebreak", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)## Install.*?```console\n(.*?)```.*?is denied \\(.*?\\):\n\n(.*?)\n\n").FindStringSubmatch(string(raw))
	if block == nil {
		t.Fatal("the README has no commands to install it")
	}
	commands := strings.Split(strings.TrimSpace(block[1]), "\n")
	if len(commands) > 4 {
		t.Fatalf("it takes %d commands", len(commands))
	}
	want := strings.Join(strings.Fields(strings.ReplaceAll(block[2], "> ", " ")), " ")
	s := installedBy(t, commands[1])
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) { // as long as a person takes to type the next command
		if out, err := s.Kubectl(t.Context(), s.AdminConfig(), "get", "datastore", "orders", "-o", "jsonpath={.status.tier}"); err == nil && out == "Production" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the estate of the values is not in force after a minute")
		}
	}
	var last error
	for i, line := range commands[2:] {
		if last = typed(t, s, line); i < len(commands)-3 && last != nil {
			t.Fatalf("%s: %v", line, last)
		}
	}
	if last == nil || !strings.Contains(last.Error(), want) {
		t.Errorf("the last command says %v\nand the README promises\n%s", last, want)
	}
}

// typed runs a command as it is written, and repeats it for a while if the API server is not ready for it.
func typed(t *testing.T, s *stage.Stage, line string) error {
	t.Helper()
	words := fields(t, line)
	if words[0] != "kubectl" {
		t.Fatalf("what is %s?", words[0])
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		_, err := s.Kubectl(t.Context(), s.AdminConfig(), words[1:]...)
		if err == nil || strings.Contains(err.Error(), "denied the request") {
			return err
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func fields(t *testing.T, line string) []string {
	t.Helper()
	words, err := shell.Fields(strings.TrimPrefix(line, "$ "), nil)
	if err != nil {
		t.Fatal(err)
	}
	return words
}

// installedBy starts a cluster with the chart installed as a command says.
func installedBy(t *testing.T, line string) *stage.Stage {
	t.Helper()
	words := fields(t, line)
	o := stage.Options{}
	for i, w := range words {
		switch {
		case w == "-f":
			o.Files = append(o.Files, filepath.Join(the.Root, words[i+1]))
		case w == "--set" && !strings.HasPrefix(words[i+1], "image."): // the binary of the working tree replaces the image
			o.Values = append(o.Values, words[i+1])
		}
	}
	s, err := stage.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}
