// Command mutate runs the mutation tester over packages, one after the other. It prints the share of mutants that the packages'
// tests notice, and the survivors. A survivor that no test can notice, since the program does the same, is in equivalent.tsv with
// the reason.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// report is the tester's report on one package.
type report struct {
	Files []struct {
		Name      string `json:"file_name"`
		Mutations []struct {
			Line   int    `json:"line"`
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"mutations"`
	} `json:"files"`
}

// survivor is a mutant that no test noticed. It holds the text of the line, since the number changes with every edit above it.
type survivor struct{ file, kind, line string }

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mutate GREMLINS PACKAGE…")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(tester string, packages []string, out io.Writer) error {
	reasons, err := equivalents(filepath.Join("hack", "mutate", "equivalent.tsv"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-24s %8s %8s %11s %12s %7s\n", "package", "noticed", "survive", "not covered", "out of time", "score")
	var alive []survivor
	for _, p := range packages {
		r, err := mutate(tester, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		counts, survivors, err := count(p, r)
		if err != nil {
			return err
		}
		alive = append(alive, survivors...)
		// A mutant that loops for ever counts as noticed, too.
		noticed := counts["KILLED"] + counts["TIMED OUT"]
		fmt.Fprintf(out, "%-24s %8d %8d %11d %12d %6.1f%%\n", p, counts["KILLED"], counts["LIVED"], counts["NOT COVERED"], counts["TIMED OUT"],
			100*float64(noticed)/float64(max(1, noticed+counts["LIVED"])))
	}
	for _, s := range alive {
		why := "no test notices it"
		if reason, ok := reasons[s]; ok {
			why = reason
		}
		fmt.Fprintf(out, "\n%s %s: %s\n    %s\n", s.file, s.kind, why, s.line)
	}
	return nil
}

// mutate has one package tested. It allows much time, since the tester counts compilation in the time of a test.
func mutate(tester, of string) (*report, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "report.json")
	cmd := exec.Command(tester, "unleash", of, "--timeout-coefficient", "20", "--silent", "--output", file)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run the tester: %w", err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out report
	return &out, json.Unmarshal(raw, &out)
}

func count(of string, r *report) (map[string]int, []survivor, error) {
	counts := map[string]int{}
	var alive []survivor
	for _, f := range r.Files {
		path := filepath.Join(of, filepath.Base(f.Name))
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		lines := strings.Split(string(raw), "\n")
		for _, m := range f.Mutations {
			counts[m.Status]++
			if m.Status == "LIVED" && m.Line <= len(lines) {
				alive = append(alive, survivor{filepath.ToSlash(path), m.Type, strings.TrimSpace(lines[m.Line-1])})
			}
		}
	}
	return counts, alive, nil
}

// equivalents reads the survivors that no test can notice, each with its reason.
func equivalents(file string) (map[survivor]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	out := map[survivor]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		parts := strings.Split(s.Text(), "\t")
		if len(parts) == 4 {
			out[survivor{parts[0], parts[1], parts[2]}] = parts[3]
		}
	}
	return out, nil
}
