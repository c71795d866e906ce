package reference

import (
	goflag "flag"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//nolint:gochecknoglobals // a flag of the test program
var update = goflag.Bool("update-vocabulary", false, "write testdata/vocabulary.tsv anew")

// lists of vocabulary.go, by name.
func lists() map[string]func(string) bool {
	return map[string]func(string) bool{
		"isIgnoredField": isIgnoredField, "keptOut": keptOut, "handleKey": handleKey, "credential": credential, "muteWord": muteWord, "hostWord": hostWord,
		"changesObjects": changesObjects, "documents": documents, "bucketScheme": func(w string) bool { return bucketScheme(w) != "" },
		"hostField": hostField, "namespaceField": namespaceField, "nameWord": nameWord, "ownWord": ownWord, "article": article, "link": link, "metricLabel": metricLabel, "siteWord": siteWord, "protocol": protocol, "quietBlock": quietBlock, "alerting": alerting, "neutral": neutral, "inbound": inbound, "authenticates": authenticates, "firewallWord": firewallWord, "firewallProgram": firewallProgram, "ruleWord": ruleWord, "sendsOn": sendsOn, "leadsNowhere": leadsNowhere, "daemon": daemon,
		"hushOnlyWord": func(w string) bool { return hushOnlyWord(w) != 0 },
		"hushWord":     func(w string) bool { return hushWord(w) != 0 }, "hushLastWord": func(w string) bool { return hushLastWord(w) != 0 }, "clientOf": func(w string) bool { return clientOf(w) != noClient },
		"namespacesOfItsOwn": namespacesOfItsOwn, "namespaceKind": namespaceKind,
	}
}

// written returns the words of each list as they stand in the source.
func written(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(gotoken.NewFileSet(), "vocabulary.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					if lit, ok := e.(*ast.BasicLit); ok {
						if w, err := strconv.Unquote(lit.Value); err == nil {
							out = append(out, fn.Name.Name+"\t"+w)
						}
					}
				}
			}
			return true
		})
	}
	slices.Sort(out)
	return out
}

// TestEveryWordHasARow: a word that is taken away, or added without a row, is noticed; each is on its list, and the list takes no word for
// another that merely begins like it.
func TestEveryWordHasARow(t *testing.T) {
	const file = "testdata/vocabulary.tsv"
	have := written(t)
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(have, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for _, row := range rows {
		list, word, _ := strings.Cut(row, "\t")
		is := lists()[list]
		switch {
		case is == nil:
			t.Errorf("there is no list %s", list)
		case !is(word):
			t.Errorf("%q is not on the list %s", word, list)
		case is(word + "-of-another"):
			t.Errorf("the list %s takes %q for %q", list, word+"-of-another", word)
		}
	}
	for _, w := range have {
		if !slices.Contains(rows, w) {
			t.Errorf("%q has no row", w)
		}
	}
	if len(rows) != len(have) || len(rows) < 200 {
		t.Errorf("%d rows, and %d words", len(rows), len(have))
	}
}
