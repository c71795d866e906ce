package policy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// corpora returns the directories of manifests: a small corpus of the project's own, as teams write them, and a large one of public
// repositories beside the project, which is not part of it and need not be there.
func corpora() []string { return []string{"testdata/corpus", "../../../shared/corpus/dev"} }

// manifest is one document of the corpus.
type manifest struct {
	file string
	raw  []byte
	obj  map[string]any
	gvk  schema.GroupVersionKind
	name string
}

func manifests(t *testing.T) []manifest {
	t.Helper()
	var out []manifest
	for _, corpus := range corpora() {
		if _, err := os.Stat(corpus); errors.Is(err, os.ErrNotExist) {
			t.Logf("%s is not there", corpus)
			continue
		}
		before := len(out)
		out = append(out, manifestsIn(t, corpus)...)
		t.Logf("%s: %d documents", corpus, len(out)-before)
	}
	if len(out) == 0 {
		t.Fatal("there is no corpus")
	}
	return out
}

func manifestsIn(t *testing.T, corpus string) []manifest {
	t.Helper()
	var out []manifest
	err := filepath.WalkDir(corpus, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw))); ; {
			text, err := r.Read()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			out = append(out, documentsOf(path, text)...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// documentsOf decodes one YAML document; for a List it returns the items. A document that is not an object of Kubernetes is left out.
func documentsOf(path string, text []byte) []manifest {
	var obj map[string]any
	raw, err := yaml.YAMLToJSON(text)
	if err != nil || json.Unmarshal(raw, &obj) != nil || obj == nil {
		return nil
	}
	if items, ok := obj["items"].([]any); ok {
		var out []manifest
		for _, item := range items {
			if part, err := json.Marshal(item); err == nil {
				out = append(out, documentsOf(path, part)...)
			}
		}
		return out
	}
	version, _ := obj["apiVersion"].(string)
	kind, _ := obj["kind"].(string)
	gv, err := schema.ParseGroupVersion(version)
	if err != nil || kind == "" || version == "" {
		return nil
	}
	metadata, _ := obj["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	return []manifest{{file: path, raw: raw, obj: obj, gvk: gv.WithKind(kind), name: name}}
}

// from judges a manifest as a developer would send it to a development namespace.
func (m *manifest) from(w *policy.ClusterView) (*policy.Decision, error) {
	plural, _ := meta.UnsafeGuessKindToResource(m.gvk)
	req := &policy.Request{
		Operation: policy.Create, Kind: m.gvk, Resource: plural, Namespace: "fb-dev", Name: m.name, Object: m.raw, Now: now(), Facts: policy.Facts{NamespaceRead: true},
		User: authenticationv1.UserInfo{Username: "dana", Groups: []string{"fb-developers", "system:authenticated"}},
	}
	if m.gvk.Kind == "Namespace" {
		req.Namespace = m.name
	}
	return policy.Evaluate(*req, w, nil)
}

// corpusWorld returns a view with a Production environment, a development one and the given data stores. No namespace of the cluster is
// production's, so a binding in the whole cluster gives nothing of production.
func corpusWorld(stores ...v1alpha1.DataStore) *policy.ClusterView {
	env := func(name string, tier v1alpha1.Tier, ns, group v1alpha1.Glob) v1alpha1.Environment {
		return v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{
			Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{ns}}, Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{group}},
		}}
	}
	w := policy.NewClusterView(estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{
			env("production", v1alpha1.TierProduction, "fb-prod", "fb-sre"), env("development", v1alpha1.TierNonProduction, "fb-dev", "fb-developers"),
		},
		DataStores: stores, Namespaces: map[string]map[string]string{"fb-dev": nil}, FirebreakNamespace: "firebreak-system",
	}))
	w.Roles = func(string, string) (policy.Role, bool) { return policy.Role{}, true } // the rules of a role do not matter here
	return w
}

// TestCorpusIsLeftAlone checks that real manifests which have nothing to do with production pass without a finding.
func TestCorpusIsLeftAlone(t *testing.T) {
	all := manifests(t)
	w := corpusWorld(v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{
		Environment: "production", Hosts: []string{"orders.prod.fb.example.com", "*.prod.fb.example.com"}, CIDRs: []string{"198.18.7.0/24"},
		ResourceNames: []string{"arn:aws:rds:eu-west-1:1:db:fb", "fb-orders-1"}, Services: []v1alpha1.ServiceReference{{Namespace: "fb-prod", Name: "orders-db"}},
		Credentials: &v1alpha1.Credentials{Secrets: []v1alpha1.Glob{"fb-orders-*"}, VaultPaths: []string{"fb/prod/*"}, RoleNames: []string{"arn:aws:iam::1:role/fb-*"}},
	}})
	for i := range all {
		m := &all[i]
		d, err := m.from(w)
		switch {
		case err != nil:
			t.Errorf("%s: %s %q could not be judged: %v", m.file, m.gvk.Kind, m.name, err)
		case !d.Allowed || len(d.Findings) > 0:
			t.Errorf("%s: %s %q: %v", m.file, m.gvk.Kind, m.name, policy.WarningMessages(d.Findings))
		}
	}
	t.Logf("%d documents judged", len(all))
}

// candidates returns the hosts that a careless but independent reader sees in a manifest: it knows nothing of how the project reads texts,
// only what a URL, a host with a port and the name of a Service look like.
func candidates(obj map[string]any) []string {
	r := reader{found: map[string]bool{}}
	for k, v := range obj {
		if k != "status" && k != "metadata" {
			r.read(k, v)
		}
	}
	return slices.Sorted(maps.Keys(r.found))
}

type reader struct{ found map[string]bool }

func (r *reader) read(key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		name, _ := v["name"].(string)
		for k, item := range v {
			switch {
			case unread(k), k == "value" && (unread(name) || strings.HasSuffix(strings.ToLower(name), "image")):
			case k == "value" && name != "":
				r.read(name, item)
			default:
				r.read(k, item)
			}
		}
	case []any:
		for _, item := range v {
			r.read(key, item)
		}
	case string:
		for line := range strings.Lines(inXML.ReplaceAllString(v, "")) {
			line, _, _ = strings.Cut(line, " # ")
			if !skipLine.MatchString(line) {
				r.line(key, strings.TrimSpace(line))
			}
		}
	}
}

func (r *reader) line(key, line string) {
	if hostKey.MatchString(key) && onlyHost.MatchString(line) {
		r.found[strings.ToLower(line)] = true
	}
	for _, re := range []*regexp.Regexp{urlHost, serviceHost, portHost, shortPort} {
		for _, m := range re.FindAllStringSubmatch(line, -1) {
			if m[1] != "tcp" { // a port's protocol, as in =tcp:3306
				r.found[strings.ToLower(m[1])] = true
			}
		}
	}
}

// unread reports whether a host in a field is not a reference, for the reason beside each field.
func unread(field string) bool {
	switch field {
	case "image": // pulled by the kubelet; a registry is not a data store
		return true
	case "description", "summary", "message": // written for people
		return true
	case "runbook_url", "dashboard_url", "expr": // an alert says where to read on, and asks a monitor
		return true
	case "labels", "matchLabels": // they tell, and lead nowhere
		return true
	case "hostname": // a Pod's own name
		return true
	}
	return false
}

// refersToNothing reports whether hosts in objects of a kind are documentation: a schema only describes fields.
func refersToNothing(kind string) bool { return kind == "CustomResourceDefinition" }

var (
	inXML       = regexp.MustCompile(`(?s)<!--.*?-->`)
	skipLine    = regexp.MustCompile(`^\s*(#|//|;|--|\*|<!--)`)
	urlHost     = regexp.MustCompile(`[a-z][a-z0-9+.-]*://(?:[^@/\s"']*@)?([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)`)
	serviceHost = regexp.MustCompile(`(?:^|[\s"'=/@,(:])([a-z0-9-]+(?:\.[a-z0-9-]+)+\.svc(?:\.cluster\.local)?)(?:$|[\s"':,/)])`)
	hostKey     = regexp.MustCompile(`(?i)(^|[_.-])(host|hostname|server|broker|endpoint|dbhost)s?$|Host$`)
	onlyHost    = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9](\.[a-z0-9-]+)*$`)
	shortPort   = regexp.MustCompile(`(?:^|[\s"'=,/@])([a-z][a-z0-9-]*[a-z0-9](?:\.[a-z][a-z0-9-]*)?):[0-9]{4,5}(?:$|[\s"',;/)])`)
	portHost    = regexp.MustCompile(`(?:^|[\s"'=,(])([a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|local|svc|internal)):[0-9]{2,5}\b`)
)

// TestCorpusRecall declares the hosts that real manifests use as production's, and wants each to be found again.
func TestCorpusRecall(t *testing.T) {
	all := manifests(t)
	judged, hosts := 0, 0
	var missed []string
	for i := range all {
		m := &all[i]
		names := candidates(m.obj)
		if len(names) == 0 || refersToNothing(m.gvk.Kind) {
			continue
		}
		var stores []v1alpha1.DataStore
		for n, host := range names {
			stores = append(stores, v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("store-", n)},
				Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{host}}})
		}
		d, err := m.from(corpusWorld(stores...))
		if err != nil {
			t.Errorf("%s: %v", m.file, err)
			continue
		}
		seen := map[string]bool{}
		for _, f := range d.Findings {
			seen[f.Target] = true
		}
		judged++
		for n, host := range names {
			hosts++
			if !seen[fmt.Sprint("store-", n)] {
				missed = append(missed, fmt.Sprintf("%s %s %s: %s", m.file, m.gvk.Kind, m.name, host))
			}
		}
	}
	t.Logf("%d hosts in %d documents", hosts, judged)
	if hosts < 15 {
		t.Error("the corpus names next to nothing")
	}
	for _, m := range missed {
		t.Errorf("missed: %s", m)
	}
}
