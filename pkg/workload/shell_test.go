package workload_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// environment is the environment of the container in these tests.
func environment(n string) (string, bool) {
	v, ok := map[string]string{"DOMAIN": "example.com", "EMPTY": ""}[n]
	return v, ok
}

// calls returns what a script calls: one line for each command, texts in braces, and a question mark for an unknown part.
func calls(script string) []string { return lines([]string{"sh", "-c", script})[1:] }

func lines(words []string) []string {
	var out []string
	for c := range workload.Calls(words, environment, budget.New()) {
		for _, text := range c.Texts {
			out = append(out, strings.ReplaceAll("{"+text+"}", workload.Unknown, "?"))
		}
		if len(c.Words) > 0 {
			out = append(out, strings.ReplaceAll(strings.Join(c.Words, " | "), workload.Unknown, "?"))
		}
	}
	return out
}

func TestCalls(t *testing.T) {
	for name, test := range map[string]struct {
		reason, script string
		want           []string
	}{
		"one command":              {"words", "psql -h db", []string{"psql | -h | db"}},
		"two":                      {"semicolons divide", "a b; c", []string{"a | b", "c"}},
		"lines":                    {"line ends divide", "a\nb\n", []string{"a", "b"}},
		"and, or":                  {"all may run", "a && b || c", []string{"a", "b", "c"}},
		"a pipe":                   {"both run", "a | b", []string{"a", "b"}},
		"in the background":        {"it runs", "a & b", []string{"a", "b"}},
		"a subshell":               {"it runs", "(a; b)", []string{"a", "b"}},
		"a group":                  {"it runs", "{ a; b; }", []string{"a", "b"}},
		"a condition":              {"all branches may run", "if a; then b; elif c; then d; else e; fi", []string{"a", "b", "c", "d", "e"}},
		"a loop":                   {"its body runs", "while a; do b; done; until c; do d; done", []string{"a", "b", "c", "d"}},
		"a loop over words":        {"its body runs with each of them", "for h in x y; do a $h; done", []string{"{x}", "{y}", "a | x", "a | y"}},
		"a loop over arguments":    {"nobody knows them", "for h; do a $h; done", []string{"a | ?"}},
		"a case":                   {"all branches may run", "case $1 in x) a;; *) b;; esac", []string{"a", "b"}},
		"a function":               {"its body is read where it stands", "f() { a $1; }; f x", []string{"a | ?", "f | x"}},
		"a negation":               {"it runs", "! a", []string{"a"}},
		"a comment":                {"it is none of it", "# a\nb # c", []string{"b"}},
		"single quotes":            {"nothing expands", `a 'b $DOMAIN'`, []string{"a | b $DOMAIN"}},
		"double quotes":            {"variables expand", `a "b $DOMAIN"`, []string{"a | b example.com"}},
		"ANSI quotes":              {"escapes", `a $'b\x2ec\056d\n'`, []string{"a | b.c.d\n"}},
		"ANSI quotes, broken":      {"what is no escape stands", `a $'\q'`, []string{`a | \q`}},
		"joined quotes":            {"one word", `a 'b'"c"d`, []string{"a | bcd"}},
		"a backslash":              {"it falls away", `a b\c`, []string{"a | bc"}},
		"a broken line":            {"one word", "a b\\\nc", []string{"a | bc"}},
		"a variable":               {"the container's", "a $DOMAIN", []string{"a | example.com"}},
		"braces":                   {"the same", "a ${DOMAIN}x", []string{"a | example.comx"}},
		"an empty variable":        {"nothing", "a x${EMPTY}y", []string{"a | xy"}},
		"an unknown variable":      {"nobody knows", "a x${NOBODY}y", []string{"a | x?y"}},
		"an assignment":            {"a text, and known from there on", "H=x; a $H", []string{"{H=x}", "a | x"}},
		"an assignment over it":    {"the last one counts", "H=x; H=y; a $H", []string{"{H=x}", "{H=y}", "a | y"}},
		"one over the container's": {"the script's own wins", "DOMAIN=x; a $DOMAIN", []string{"{DOMAIN=x}", "a | x"}},
		"an assignment that grows": {"it is appended", "H=x; H+=y; a $H", []string{"{H=x}", "{H=xy}", "a | xy"}},
		"one that grows unknown":   {"what was before is the container's, or nothing", "N+=y; a $N", []string{"{N=y}", "a | y"}},
		"one before a command":     {"a text", "H=x a", []string{"{H=x}", "a"}},
		"an exported one":          {"a text", "export H=x; a $H", []string{"{H=x}", "a | x"}},
		"a declared one":           {"a text", "declare -r H=x; a $H", []string{"{H=x}", "a | x"}},
		"a default":                {"it stands where nothing is set", "a ${N:-x}", []string{"a | x", "{x}"}},
		"a default of a known one": {"it does not stand, and may be read", "a ${DOMAIN:-x}", []string{"a | example.com", "{x}"}},
		"a default that assigns":   {"known from there on", "a ${N:=x}; b $N", []string{"a | x", "{x}", "b | x"}},
		"an error text":            {"it stands nowhere", "a ${N:?x}", []string{"a | ?", "{x}"}},
		"a substitution":           {"what it calls is called; what it prints nobody knows", "a $(b c)", []string{"a | ?", "b | c"}},
		"backquotes":               {"the same", "a `b c`", []string{"a | ?", "b | c"}},
		"arithmetic":               {"nobody computes", "a $((1+1))", []string{"a | ?"}},
		"a here-document":          {"a text", "a <<E\nx $DOMAIN\nE", []string{"{x example.com\n}", "a"}},
		"a quoted here-document":   {"nothing expands", "a <<'E'\nx $DOMAIN\nE", []string{"{x $DOMAIN\n}", "a"}},
		"a here-string":            {"a text", "a <<< x$DOMAIN", []string{"{xexample.com}", "a"}},
		"a file":                   {"it names no host", "a < x > y", []string{"a"}},
		"a socket of bash":         {"it is opened", "a < /dev/tcp/$DOMAIN/80", []string{"{/dev/tcp/example.com/80}", "a"}},
		"a shell in the shell":     {"at any depth", `sh -c "a 'b c'"`, []string{"sh | -c | a 'b c'", "a | b c"}},
		"three shells":             {"at any depth", `sh -c "sh -c \"sh -c a\""`, []string{`sh | -c | sh -c "sh -c a"`, "sh | -c | sh -c a", "sh | -c | a", "a"}},
		"a variable of words":      {"without quotes the shell splits it", `H="x y"; a $H`, []string{"{H=x y}", "a | x | y"}},
		"one of words in quotes":   {"in quotes it does not", `H="x y"; a "$H"`, []string{"{H=x y}", "a | x y"}},
		"an empty one alone":       {"it stays, as a word that names nothing", "a $EMPTY b", []string{"a |  | b"}},
		"a list in braces":         {"the shell makes words of it", "a {x,y}", []string{"a | x | y"}},
		"braces within a word":     {"nobody puts them together", "a {x,y}$DOMAIN", []string{"a | {x,y}example.com"}},
		"braces around one word":   {"they are no list", "a {x}", []string{"a | {x}"}},
		"arguments that are set":   {"each is a word", `set -- x y; a "$@"`, []string{"set | -- | x | y", "a | x | y"}},
		"an array":                 {"each element by its number, and the first without one", `h=(x y); a $h; b ${h[1]}; c ${h[7]}`, []string{"{h=x}", "{h=y}", "a | x", "b | y", "c | x"}},
		"all of an array":          {"each is a word", `h=(x y); a "${h[@]}"`, []string{"{h=x}", "{h=y}", "a | x | y"}},
		"a function that runs":     {"its arguments are a command", `run() { "$@"; }; run psql -h db; other x`, []string{"?", "run | psql | -h | db", "psql | -h | db", "other | x"}},
		"one that runs all as one": {"the same", `run() { sudo $*; }; run a b`, []string{"sudo | ?", "run | a | b", "a | b"}},
		"an echo":                  {"its word is known", "a $(echo b)", []string{"a | b", "echo | b"}},
		"an echo of two words":     {"nobody puts them together", "a $(echo b c)", []string{"a | ?", "echo | b | c"}},
		"an echo of nothing":       {"nothing is known", "a $(echo)", []string{"a | ?", "echo"}},
		"a path by which":          {"its name is its last part", "$(which psql) -h db", []string{"psql | -h | db", "which | psql"}},
		"two substitutions in one": {"nobody puts them together", "a $(echo b; echo c)", []string{"a | ?", "echo | b", "echo | c"}},
		"a pipe into a shell":      {"the shell runs the words", `echo "psql -h db" | sh`, []string{"echo | psql -h db", "psql | -h | db", "psql | -h | db", "sh"}},
		"both pipes into one":      {"the shell runs the words", `echo "psql -h db" |& sh`, []string{"echo | psql -h db", "psql | -h | db", "psql | -h | db", "sh"}},
		"a pipe elsewhere":         {"nothing runs it", `echo "psql -h db" | wc`, []string{"echo | psql -h db", "wc"}},
		"a file that is run":       {"the shell runs the words in it", `echo "psql -h db" > f; sh f`, []string{"echo | psql -h db", "psql | -h | db", "psql | -h | db", "sh | f"}},
		"one that is added to":     {"the same", `echo "psql -h db" >> f; . f`, []string{"echo | psql -h db", "psql | -h | db", "psql | -h | db", ". | f"}},
		"one with its errors":      {"the same", `echo "psql -h db" &> f; source f`, []string{"echo | psql -h db", "psql | -h | db", "psql | -h | db", "source | f"}},
		"a file that is not run":   {"nothing runs it", `echo "psql -h db" > f; cat f`, []string{"echo | psql -h db", "cat | f"}},
		"a file that is read":      {"nothing is printed into it", `echo "psql -h db" < f; sh f`, []string{"echo | psql -h db", "sh | f"}},
		"words about a shell":      {"they are printed, and nothing runs them", `echo bash "psql -h db"`, []string{"echo | bash | psql -h db"}},
		"eval":                     {"its words are a script", `eval "a b"`, []string{"eval | a b", "a | b"}},
		"no script":                {"line by line, quotes fall away", "if a 'b'; then (((", []string{"if | a | b", "then"}},
		"no script, comments":      {"they are none of it", "((( \n# a b\nc", []string{"c"}},
		"nothing":                  {"nothing", "", nil},
		"blanks":                   {"nothing", " \n\t", nil},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := slices.Sorted(slices.Values(test.want)), slices.Sorted(slices.Values(calls(test.script)))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %q (-want +got):\n%s", test.reason, test.script, diff)
			}
		})
	}
}

func TestCommandLines(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		words  []string
		want   []string
	}{
		"no shell":               {"words are words", []string{"psql", "-c", "a b"}, []string{"psql | -c | a b"}},
		"a shell and a file":     {"the file cannot be read", []string{"sh", "run.sh"}, []string{"sh | run.sh"}},
		"a shell by its path":    {"the last part names it", []string{"/usr/bin/bash", "-c", "a"}, []string{"/usr/bin/bash | -c | a", "a"}},
		"combined flags":         {"-c among others", []string{"bash", "-euxc", "a"}, []string{"bash | -euxc | a", "a"}},
		"combined, c first":      {"-c among others", []string{"bash", "-ceu", "a"}, []string{"bash | -ceu | a", "a"}},
		"arguments behind":       {"they are words", []string{"sh", "-c", "a $1", "_", "x"}, []string{"sh | -c | a $1 | _ | x", "a | ?"}},
		"behind a starter":       {"the shell comes later", []string{"tini", "--", "sh", "-c", "a"}, []string{"tini | -- | sh | -c | a", "a"}},
		"su":                     {"it starts a shell", []string{"su", "postgres", "-c", "a"}, []string{"su | postgres | -c | a", "a"}},
		"as many flags":          {"eight characters are still flags", []string{"bash", "-eeuuxxc", "a"}, []string{"bash | -eeuuxxc | a", "a"}},
		"more flags":             {"nine are a word", []string{"bash", "-eeuuxxxc", "a"}, []string{"bash | -eeuuxxxc | a"}},
		"a flag alone":           {"no script stands behind it", []string{"-c"}, []string{"-c"}},
		"arguments that run":     {"the script makes a command of them", []string{"sh", "-c", `exec "$@"`, "_", "psql", "-h", "db"}, []string{`sh | -c | exec "$@" | _ | psql | -h | db`, "exec | ?", "psql | -h | db"}},
		"a name that runs":       {"the first of them is the program", []string{"sh", "-c", `exec $0 "$@"`, "psql", "-h", "db"}, []string{`sh | -c | exec $0 "$@" | psql | -h | db`, "exec | ? | ?", "psql | -h | db"}},
		"env -S":                 {"it splits the next word", []string{"env", "-S", "psql -h db"}, []string{"env | -S | psql -h db", "psql | -h | db"}},
		"env -S, joined":         {"it splits the rest", []string{"env", "-Spsql -h db"}, []string{"env | -Spsql -h db", "psql | -h | db"}},
		"env, the long flag":     {"it splits its value", []string{"env", "--split-string=psql -h db"}, []string{"env | --split-string=psql -h db", "psql | -h | db"}},
		"sudo -S":                {"to others it means something else", []string{"sudo", "-Spsql -h db"}, []string{"sudo | -Spsql -h db"}},
		"find":                   {"it runs a command for each file", []string{"find", "/", "-exec", "psql", "-h", "db", ";"}, []string{"find | / | -exec | psql | -h | db | ;", "psql | -h | db | ;"}},
		"find, behind a starter": {"the same", []string{"sudo", "find", "/", "-ok", "psql", ";"}, []string{"sudo | find | / | -ok | psql | ;", "psql | ;"}},
		"an alias":               {"it stands for a command", []string{"alias", "q=psql -h db"}, []string{"alias | q=psql -h db", "psql | -h | db"}},
		"an interpreter":         {"it may give a text of its script to a shell", []string{"python3", "-c", "os.system('psql -h db')"}, []string{"python3 | -c | os.system('psql -h db')", "psql | -h | db"}},
		"a line of Ruby":         {"its flag is another", []string{"ruby", "-e", `system("psql -h db")`}, []string{`ruby | -e | system("psql -h db")`, "psql | -h | db"}},
		"a line of PHP":          {"its flag is another", []string{"php", "-r", `exec("psql -h db");`}, []string{`php | -r | exec("psql -h db");`, "psql | -h | db"}},
		"a program of awk":       {"it needs no flag, and the files behind it are no programs", []string{"awk", `{ system("psql -h db") }`, `"a b"`}, []string{`awk | { system("psql -h db") } | "a b"`, "psql | -h | db"}},
		"a text behind a sign":   {"the text begins behind its quote", []string{"python3", "-c", `run="psql -h db"`}, []string{`python3 | -c | run="psql -h db"`, "psql | -h | db"}},
		"a text with escapes":    {"an escaped quote does not end it", []string{"python3", "-c", `run("psql -h \"db\"")`}, []string{`python3 | -c | run("psql -h \"db\"")`, `psql | -h | "db"`}},
		"a text without an end":  {"the interpreter refuses it", []string{"python3", "-c", `run("psql -h db`}, []string{`python3 | -c | run("psql -h db`}},
		"a flag without a line":  {"nothing stands behind it", []string{"python3", "-c"}, []string{"python3 | -c"}},
		"arguments alone":        {"the image's entry point may be a shell", []string{"-c", "a b"}, []string{"-c | a b", "a | b"}},
		"a long flag":            {"--c is no -c", []string{"sh", "--c", "a"}, []string{"sh | --c | a"}},
		"nothing behind":         {"nothing to read", []string{"sh", "-c"}, []string{"sh | -c"}},
		"nothing":                {"nothing runs", nil, nil},
		"as deep as is read":     {"what lies deeper ends the budget", []string{"sh", "-c", "sh -c 'sh -c \"sh -c a\"'"}, []string{"sh | -c | sh -c 'sh -c \"sh -c a\"'", "sh | -c | sh -c \"sh -c a\"", "sh | -c | sh -c a", "sh | -c | a", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := lines(test.words)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestFilesOfAScript: for sixteen files the reader looks whether the script runs them; it takes each further file for one that runs.
func TestFilesOfAScript(t *testing.T) {
	for files, want := range map[int]bool{16: false, 17: true} {
		script := strings.Repeat("echo x > f\n", files-1) + `echo "psql -h db" > f`
		if got := slices.Contains(calls(script), "psql | -h | db"); got != want {
			t.Errorf("of %d files, the words in the last are read: %t, want %t", files, got, want)
		}
	}
}

// TestLongSubstitutions: a substitution of up to 32 words tells of a program.
func TestLongSubstitutions(t *testing.T) {
	for words, want := range map[int]string{32: "psql | -h | db", 33: "? | -h | db"} {
		script := "$(which" + strings.Repeat(" x", words-2) + " psql) -h db"
		if got := calls(script); !slices.Contains(got, want) {
			t.Errorf("of %d words: %v, want %s", words, got, want)
		}
	}
}

// TestNestedShells: the reader follows five shells within each other, and the budget says so where there are six.
func TestNestedShells(t *testing.T) {
	for shells, want := range map[int]budget.Limit{5: "", 6: budget.Depth} {
		script := "psql"
		for range shells - 1 {
			script = "sh -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'"
		}
		b, found := budget.New(), false
		for c := range workload.Calls([]string{"sh", "-c", script}, environment, b) {
			found = found || slices.Equal(c.Words, []string{"psql"})
		}
		if b.Exceeded() != want || found != (want == "") {
			t.Errorf("of %d shells the last command is found: %t; too much is %q, want %q", shells, found, b.Exceeded(), want)
		}
	}
}

func TestScript(t *testing.T) {
	words := strings.Fields("tini -- bash -ec script -c other x")
	var got []string
	for _, i := range workload.Scripts(words) {
		got = append(got, words[i])
	}
	if diff := cmp.Diff([]string{"script", "other"}, got); diff != "" {
		t.Errorf("what stands behind -c of a shell (-want +got):\n%s", diff)
	}
}

// FuzzCalls checks that no script makes the reader panic, and that none grows beyond bounds.
func FuzzCalls(f *testing.F) {
	for _, s := range []string{
		"psql -h db", "a && b | c & (d) { e; }", "if a; then b; fi", "for h in x y; do a $h; done", "case $1 in x) a;; esac", "f() { a; }; f",
		"H=x; H+=y; export H; a ${H:-z} ${N:=w}", "a $(b `c`) $((1+1))", "a <<E\nx\nE", "a <<< x", "exec 3<>/dev/tcp/a/80", `sh -c "sh -c 'a b'"`,
		`a $'\x2e\056\q' 'b'"c"\d`, "(((", "a=(b c); echo ${a[0]} ${#a} ${a/b/c} ${a%x}", "[[ a == b ]] && ((x++)); let y=1; select z in a; do b; done", "\x00", "a\\", "$", "`", "coproc a", "declare -A m=([a]=b)",
	} {
		f.Add(s, "-c")
		f.Add(s, "-ceu")
	}
	f.Fuzz(func(t *testing.T, script, flag string) {
		words := []string{"sh", flag, script}
		all := slices.Collect(workload.Calls(words, environment, budget.New()))
		if len(all) == 0 || !slices.Equal(all[0].Words, words) {
			t.Fatalf("the first call is the command line itself: %v", all)
		}
		size := 0
		for _, c := range all {
			if len(c.Words)+len(c.Texts) == 0 {
				t.Error("a call has words or texts")
			}
			for _, w := range append(slices.Clone(c.Words), c.Texts...) {
				size += len(w)
			}
		}
		if size > 8<<20 {
			t.Errorf("a script of %d bytes became %d", len(script), size)
		}
	})
}
