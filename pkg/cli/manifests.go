package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// document is one object of a manifest, and its position.
type document struct {
	File string
	// Index of the document within its file, from 0.
	Index int
	// Line is where the document begins, from 1; it is 0 if that is not known, as of what was rendered.
	Line   int
	Object *unstructured.Unstructured
	// Values are the chart's values, if the document holds values; they declare an estate.
	Values map[string]any
	// Err says why the document cannot be read as an object; Object is then nil.
	Err error
	// raw is the document's text; it is empty for what kustomize made.
	raw []byte
}

// readAll reads manifests from files, folders (at any depth) and, for "-", standard input.
func readAll(paths []string, stdin io.Reader) ([]document, error) {
	var out []document
	for _, p := range paths {
		if p == "-" {
			docs, err := read("-", stdin)
			if err != nil {
				return nil, err
			}
			out = append(out, docs...)
			continue
		}
		files, err := filesIn(p)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			docs, err := readFile(f)
			if err != nil {
				return nil, err
			}
			out = append(out, docs...)
		}
	}
	return out, nil
}

func filesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var out []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && manifestName(p) {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	slices.Sort(out)
	return out, nil
}

func manifestName(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}

func readFile(path string) ([]document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	defer func() { _ = f.Close() }()
	return read(path, f)
}

func read(name string, in io.Reader) ([]document, error) {
	all, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	all = append(bytes.ReplaceAll(all, []byte("\r\n"), []byte("\n")), '\n') // the reader ends every line so
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(all)))
	var out []document
	rest, line := all, 1
	for i := 0; ; i++ {
		raw, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		docs := parse(name, i, raw)
		if at := bytes.Index(rest, raw); at >= 0 {
			line += bytes.Count(rest[:at], []byte("\n"))
			for j := range docs {
				docs[j].Line, docs[j].raw = line, raw
			}
			rest, line = rest[at+len(raw):], line+bytes.Count(raw, []byte("\n"))
		} else {
			rest = nil // it is not looked for again, so that reading stays linear
		}
		out = append(out, docs...)
	}
}

// parse reads one document. It returns the items of a List, and nothing for an empty document.
func parse(file string, index int, raw []byte) []document {
	if len(bytes.TrimSpace(stripComments(raw))) == 0 {
		return nil
	}
	var m map[string]any
	if err := yaml.Unmarshal(raw, &m); err != nil {
		return []document{{File: file, Index: index, Err: fmt.Errorf("it is not valid YAML: %w", err)}}
	}
	if len(m) == 0 {
		return nil
	}
	u := &unstructured.Unstructured{Object: m}
	if u.GetKind() == "" || u.GetAPIVersion() == "" {
		return []document{{File: file, Index: index, Values: declares(m), Err: errors.New("it has no apiVersion and kind")}}
	}
	items, isList := m["items"].([]any)
	if !isList || !strings.HasSuffix(u.GetKind(), "List") {
		return []document{{File: file, Index: index, Object: u}}
	}
	var out []document
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			out = append(out, document{File: file, Index: index, Object: &unstructured.Unstructured{Object: o}})
		}
	}
	return out
}

func stripComments(raw []byte) []byte {
	var out []byte
	for line := range bytes.Lines(raw) {
		if t := bytes.TrimSpace(line); !bytes.HasPrefix(t, []byte("#")) && !bytes.Equal(t, []byte("---")) {
			out = append(out, line...)
		}
	}
	return out
}
