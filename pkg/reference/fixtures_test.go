package reference_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

var update = flag.Bool("update", false, "write the golden files")

// fixture is one file of testdata/<source>: the object that is read, and after it the ConfigMaps that exist.
type fixture struct {
	object any
	input  reference.Input
}

func readFixture(t *testing.T, path string) fixture {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	docs := documents(t, raw)
	if len(docs) == 0 {
		t.Fatalf("%s: no object", path)
	}
	maps := map[string]reference.Contents{}
	for _, d := range docs[1:] {
		var cm corev1.ConfigMap
		if err := json.Unmarshal(d, &cm); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		maps[cm.Kind+"/"+cm.Namespace+"/"+cm.Name] = reduced(t, d, &cm)
	}
	f := fixture{input: inputOf(t, docs[0])}
	// A name without a form may be any word; what the words themselves are, other tests show.
	f.input.Known = func(t reference.Target) bool {
		return t.Kind != reference.Resource || reference.HasForm(t.Name) && strings.ContainsAny(t.Name, ":/")
	}
	f.input.ConfigMaps = func(ns, name string) (reference.Contents, bool) {
		c, ok := maps["ConfigMap/"+ns+"/"+name]
		return c, ok
	}
	f.input.Secrets = func(ns, name string) (reference.Contents, bool) { c, ok := maps["Secret/"+ns+"/"+name]; return c, ok }
	if err := json.Unmarshal(docs[0], &f.object); err != nil {
		t.Fatal(err)
	}
	return f
}

// reduced reads one of the ConfigMaps and Secrets that exist.
func reduced(t *testing.T, raw []byte, cm *corev1.ConfigMap) reference.Contents {
	t.Helper()
	if cm.Kind != "Secret" {
		return reference.Remembered(cm)
	}
	var s corev1.Secret
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return reference.RememberedSecret(&s)
}

func documents(t testing.TB, raw []byte) [][]byte {
	t.Helper()
	var out [][]byte
	for r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw))); ; {
		text, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		j, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if string(j) != "null" {
			out = append(out, j)
		}
	}
}

// inputOf decodes an object as pkg/policy does.
func inputOf(t testing.TB, raw []byte) reference.Input {
	t.Helper()
	var m metav1.PartialObjectMetadata
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	in := reference.Input{Namespace: m.Namespace, Kind: m.GroupVersionKind().GroupKind(), Annotations: m.Annotations}
	switch m.Kind {
	case "ConfigMap":
		var cm corev1.ConfigMap
		if err := json.Unmarshal(raw, &cm); err != nil {
			t.Fatal(err)
		}
		in.Data = reference.ConfigMapData(&cm)
	case "Secret":
		var s corev1.Secret
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		in.Data = reference.SecretData(&s)
	default:
		w, err := workload.Of(m.GroupVersionKind().GroupKind(), raw)
		if err != nil {
			t.Fatalf("%s: %v", m.Kind, err)
		}
		if w != nil {
			in.Template = &w.Template
			break
		}
		if err := json.Unmarshal(raw, &in.Object); err != nil {
			t.Fatal(err)
		}
		workload.Unfold(in.Object, budget.New())
		in.Embedded = workload.Embedded(in.Object, budget.New())
	}
	return in
}

// TestSources reads testdata/<source>/*.yaml with one source each and compares what it finds with the golden beside
// it: one line for each reference.
func TestSources(t *testing.T) {
	for _, source := range reference.Sources() {
		for _, path := range glob(t, source.Name) {
			t.Run(source.Name+"/"+strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
				f := readFixture(t, path)
				refs := source.Find(&f.input)
				for _, r := range refs {
					if err := resolves(f.object, r); err != nil {
						t.Error(err)
					}
				}
				compare(t, strings.TrimSuffix(path, ".yaml")+".golden", render(refs))
			})
		}
	}
}

func render(refs []reference.Reference) string {
	out := make([]string, 0, len(refs))
	for _, r := range refs {
		line := r.Path + ": " + r.Name
		if r.Kind != reference.Host {
			line += ", " + r.Kind.String()
		}
		if r.Namespace != "" {
			line += " of " + r.Namespace
		}
		if r.Unambiguous && r.Kind == reference.Host {
			line += ", strong"
		}
		if r.Answers != nil {
			line += ", the answer for " + r.Answers.Name
		}
		if r.Via != nil {
			line += fmt.Sprintf(", by key %s of %s %s", r.Via.Key, r.Via.Kind, r.Via.Name)
		}
		if r.Confidential {
			line += ", secret"
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), "\n") + "\n"
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./pkg/reference -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func glob(t *testing.T, source string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join("testdata", source, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEverySourceHasFixtures is red when a source has none, and when a file belongs to no source.
func TestEverySourceHasFixtures(t *testing.T) {
	known := map[string]bool{filepath.Join("testdata", "vocabulary.tsv"): true}
	names := map[string]bool{}
	for _, source := range reference.Sources() {
		if names[source.Name] {
			t.Errorf("two sources are called %s", source.Name)
		}
		names[source.Name] = true
		files := glob(t, source.Name)
		if len(files) == 0 {
			t.Errorf("source %s has no fixtures in testdata/%s", source.Name, source.Name)
		}
		for _, f := range files {
			known[f], known[strings.TrimSuffix(f, ".yaml")+".golden"] = true, true
		}
	}
	err := filepath.WalkDir("testdata", func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == "fuzz" {
			return filepath.SkipDir // what the fuzzer found lies there
		}
		if err == nil && !d.IsDir() && !known[path] {
			t.Errorf("%s belongs to no source in Sources()", path)
		}
		delete(known, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range known {
		if !*update {
			t.Errorf("%s is missing", path)
		}
	}
}

// resolves follows a reference's path through the object: there must stand its text.
func resolves(object any, r reference.Reference) error {
	path := r.Path
	v, err := follow(object, path)
	if r.Via != nil {
		// The field that names the other object.
		if v, err = follow(object, path+".name"); err != nil {
			v, err = follow(object, path+".secretName")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, several := v.(map[string]any); several && slices.Contains([]reference.Kind{reference.Taint, reference.NodeLabel, reference.NamespaceSelector}, r.Kind) {
		return nil // what these name stands in several fields
	}
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("%s is %T, no text", path, v)
	}
	if strings.HasPrefix(path, "binaryData[") || r.Confidential && strings.HasPrefix(path, "data[") {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		text = string(raw)
	}
	if text != r.Text {
		return fmt.Errorf("%s leads to %q, and the reference says %q", path, text, r.Text)
	}
	return nil
}

func follow(v any, path string) (any, error) {
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		if rest, ok := strings.CutPrefix(path, "["); ok {
			key, after, err := bracket(rest)
			if err != nil {
				return nil, err
			}
			if v, err = step(v, key); err != nil {
				return nil, err
			}
			path = after
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		var err error
		if v, err = step(v, path[:end]); err != nil {
			return nil, err
		}
		path = path[end:]
	}
	return v, nil
}

// bracket reads an index or a quoted key, up to the closing bracket.
func bracket(s string) (key any, after string, err error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, "", err
		}
		key, err := strconv.Unquote(quoted)
		return key, strings.TrimPrefix(s[len(quoted):], "]"), err
	}
	number, after, _ := strings.Cut(s, "]")
	i, err := strconv.Atoi(number)
	return i, after, err
}

func step(v, key any) (any, error) {
	switch key := key.(type) {
	case int:
		if list, ok := v.([]any); ok && key < len(list) {
			return list[key], nil
		}
	case string:
		if m, ok := v.(map[string]any); ok {
			if x, ok := m[key]; ok {
				return x, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no %v", key)
}
