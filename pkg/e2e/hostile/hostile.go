package hostile

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Vocabulary returns every text in the sources of the readers: each delimiter, quote, escape, prefix and keyword of their grammar.
// So the texts contain a new word on the day it is added.
func Vocabulary(root string) ([]string, error) {
	words := map[string]bool{}
	for _, dir := range []string{"reference", "workload"} {
		files, err := filepath.Glob(filepath.Join(root, "pkg", dir, "*.go"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no sources of package %s below %s: %w", dir, root, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			if err := collect(name, words); err != nil {
				return nil, err
			}
		}
	}
	return slices.Sorted(maps.Keys(words)), nil
}

func collect(name string, into map[string]bool) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" && len(text) < 64 && !strings.Contains(text, "%") && strings.Count(text, " ") < 4 {
			into[text] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false // paths of packages, tags of fields
		case *ast.BasicLit:
			switch n.Kind {
			case token.STRING:
				text, err := strconv.Unquote(n.Value)
				if err != nil {
					return false // the parser has accepted it
				}
				add(text)
				if len(text) > 1 && strings.Trim(text, " \t\r\n\"'`,;|<>(){}[]&?=\\/@#.:-\x01") == "" {
					for _, r := range text { // a set of delimiters
						add(string(r))
					}
				}
			case token.CHAR:
				if r, _, _, err := strconv.UnquoteChar(strings.Trim(n.Value, "'"), '\''); err == nil {
					add(string(r))
				}
			default:
			}
		}
		return true
	})
	into["%2f"], into["\\u0061"], into["é."], into["a: &b "] = true, true, true, true
	return nil
}

// Patterns returns the ways in which a word becomes a part to repeat.
func Patterns() map[string]func(word string) string {
	return map[string]func(string) string{
		"repeated":            func(w string) string { return w },
		"with blanks":         func(w string) string { return w + " " },
		"in lines":            func(w string) string { return w + "\n" },
		"before a host":       func(w string) string { return w + "a.b" },
		"between hosts":       func(w string) string { return "a.b" + w + "c.d/" },
		"as a key":            func(w string) string { return w + "=x.y," },
		"quoted":              func(w string) string { return `"` + w + `" ` },
		"within a word":       func(w string) string { return "$(" + w },
		"before a blank word": func(w string) string { return "-" + w + " c " },
	}
}

// Place is an object that holds a text.
type Place struct {
	Kind     metav1.GroupVersionKind
	Resource string
	Object   func(text string) any
}

type m = map[string]any

func meta() m { return m{"name": "x", "namespace": "dev"} }

func pod(container, annotations m) any {
	return m{"metadata": meta(), "spec": m{"template": m{"metadata": m{"annotations": annotations}, "spec": m{"containers": []any{container}}}}}
}

//nolint:gochecknoglobals // names of kinds, which Go cannot make constants of
var (
	apps      = metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	configMap = metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	shop      = metav1.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Shop"}
)

// Places returns the objects of namespace dev that can hold a text.
func Places() map[string]Place {
	data := func(key string) func(string) any {
		return func(text string) any { return m{"metadata": meta(), "data": m{key: text}} }
	}
	return map[string]Place{
		"ConfigMap file":   {configMap, "configmaps", data("app.conf")},
		"ConfigMap script": {configMap, "configmaps", data("run.sh")},
		"variable":         {apps, "deployments", func(text string) any { return pod(m{"env": []any{m{"name": "SETTINGS", "value": text}}}, nil) }},
		"script":           {apps, "deployments", func(text string) any { return pod(m{"command": []any{"sh", "-c", text}}, nil) }},
		"words": {apps, "deployments", func(text string) any {
			return pod(m{"command": append([]any{"kubectl"}, anys(strings.Fields(text))...)}, nil)
		}},
		"annotation": {apps, "deployments", func(text string) any {
			return pod(m{"image": "x"}, m{"vault.hashicorp.com/agent-inject-template-a": text})
		}},
		"custom resource": {shop, "shops",
			func(text string) any { return m{"metadata": meta(), "spec": m{"values": text, "secretName": text}} }},
	}
}

// Forms returns objects that make very many parts of a text, or nest them.
func Forms() map[string]Place {
	out := aliases()
	maps.Copy(out, parts())
	return out
}

// aliases returns places that repeat a text by aliases of YAML.
func aliases() map[string]Place {
	return map[string]Place{
		"a text that aliases repeat": {shop, "shops", func(text string) any {
			half := len(text) / 2
			return m{"metadata": meta(), "spec": m{"values": "a: &a " + strconv.Quote(text[:half]) + "\nb: [" + strings.Repeat("*a,", half/3) + "*a]\n"}}
		}},
		"containers that aliases repeat": {shop, "shops", func(text string) any {
			half := len(text) / 2
			return m{"metadata": meta(), "spec": m{"values": "a: &a {image: x, args: [" + strings.Repeat("x,", half/2) + "x]}\ncontainers: [" + strings.Repeat("*a,", half/3) + "*a]\n"}}
		}},
	}
}

// parts returns places with many parts, or nested ones.
func parts() map[string]Place {
	return map[string]Place{
		"many keys": {configMap, "configmaps", func(text string) any { return m{"metadata": meta(), "data": keys(text)} }},
		"many variables": {apps, "deployments", func(text string) any {
			var env []any
			for k, v := range keys(text) {
				env = append(env, m{"name": k, "value": v})
			}
			return pod(m{"env": env}, nil)
		}},
		"many containers": {apps, "deployments", func(text string) any {
			var containers []any
			for k, v := range keys(text) {
				containers = append(containers, m{"name": k, "image": v, "args": []any{v}})
			}
			return m{"metadata": meta(), "spec": m{"template": m{"spec": m{"containers": containers}}}}
		}},
		"many items": {shop, "shops",
			func(text string) any { return m{"metadata": meta(), "spec": m{"items": anys(strings.Fields(text))}} }},
		"many empty containers": {shop, "shops", func(text string) any {
			containers := make([]any, len(strings.Fields(text)))
			for i := range containers {
				containers[i] = m{}
			}
			return m{"metadata": meta(), "spec": m{"containers": containers}}
		}},
		"containers within containers": {shop, "shops", func(text string) any {
			var inner any = anys(strings.Fields(text))
			for range 60 {
				inner = m{"containers": m{"tolerations": inner, "env": []any{m{"name": text[:1]}}}}
			}
			return m{"metadata": meta(), "spec": inner}
		}},
		"many hosts under a long key": {shop, "shops", func(text string) any {
			hosts := make([]any, len(text)/100)
			for i := range hosts {
				hosts[i] = "orders.prod.db.example.com"
			}
			return m{"metadata": meta(), "spec": m{text: hosts}}
		}},
		"texts within texts": {shop, "shops", func(text string) any {
			for range 3 {
				text = "a: b\nc: " + strconv.Quote(text) + "\n"
			}
			return m{"metadata": meta(), "spec": m{"values": text}}
		}},
		"nested": {shop, "shops", func(text string) any {
			var inner any = text
			for range len(text) / 100 {
				inner = m{"a": []any{inner}}
			}
			return m{"metadata": meta(), "spec": inner}
		}},
	}
}

// keys gives each word of a text a key of its own.
func keys(text string) map[string]any {
	out := map[string]any{}
	for i, w := range strings.Fields(text) {
		out[fmt.Sprintf("key%d", i)] = w
	}
	return out
}

func anys(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

// Fill makes a text of a size by repeating a part.
func Fill(part string, size int) string { return strings.Repeat(part, size/len(part)+1)[:size] }
