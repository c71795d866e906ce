package policy_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// A look at the words of a text says that it names nothing declared, and then it is not read. That look never says no wrongly: the
// corpus is judged alike with and without it, by estates that declare what each document names.
func TestTheShortCutLosesNothing(t *testing.T) {
	for _, m := range manifests(t) {
		names := candidates(m.obj)
		if len(names) == 0 {
			continue
		}
		var stores []v1alpha1.DataStore
		for n, host := range names {
			d := v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("store-", n)}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{host}}}
			if _, domain, ok := strings.Cut(host, "."); ok && n%3 == 0 && strings.Contains(domain, ".") {
				d.Spec.Hosts = []string{"*." + domain}
			}
			stores = append(stores, d)
		}
		quick, whole := corpusWorld(stores...), corpusWorld(stores...)
		whole.Estate.ReadEverything()
		a, errA := m.from(quick)
		b, errB := m.from(whole)
		if errA != nil || errB != nil {
			t.Errorf("%s: %v, %v", m.file, errA, errB)
			continue
		}
		if diff := cmp.Diff(b.Findings, a.Findings, cmp.AllowUnexported(policy.Finding{}), cmpopts.IgnoreFields(policy.Finding{}, "line")); diff != "" {
			t.Errorf("%s %s %q: the look at the words loses a finding (-read, +looked at)\n%s", m.file, m.gvk.Kind, m.name, diff)
		}
	}
}

// The fixtures are judged alike, too.
func TestTheShortCutAgreesOnFixtures(t *testing.T) {
	quick, whole := newStage(t), newStage(t)
	whole.cluster.Estate.ReadEverything()
	for _, path := range glob(t, "testdata", "*", "*", "*.yaml") {
		if !strings.Contains(path, "/allow/") && !strings.Contains(path, "/deny/") {
			continue
		}
		f := readFixture(t, path)
		a, errA := policy.Evaluate(*f.request(t, quick), quick.cluster, quick.state(t, f.State...))
		b, errB := policy.Evaluate(*f.request(t, whole), whole.cluster, whole.state(t, f.State...))
		if fmt.Sprint(errA) != fmt.Sprint(errB) {
			t.Errorf("%s: %v and %v", path, errA, errB)
			continue
		}
		if errA == nil {
			if diff := cmp.Diff(b.Findings, a.Findings, cmp.AllowUnexported(policy.Finding{}), cmpopts.IgnoreFields(policy.Finding{}, "line")); diff != "" {
				t.Errorf("%s: the look at the words changes the findings (-read, +looked at)\n%s", path, diff)
			}
		}
	}
}

// FuzzShortCut reads texts with and without the look at their words, by the estate of the tests.
func FuzzShortCut(f *testing.F) {
	s := newStage(f)
	for _, text := range []string{
		"postgres://app@orders.prod.db.example.com:5432/orders", "10.20.3.4", "0x0a140304", "169082628", "::ffff:10.20.3.4", "b3JkZXJzLnByb2QuZGIuZXhhbXBsZS5jb20=",
		"-horders.prod.db.example.com", "ORDERS.PROD.DB.EXAMPLE.COM", "kubectl -n payments delete pods --all", "orders%2Eprod.db.example.com", "ｏrders.prod.db.example.com",
		"s3://orders-prod-backups/x", "arn:aws:rds:eu-west-1:1234:db:orders", "ledger.payments", "https://ledger.payments.svc:80/x", "database/creds/prod-orders",
		"{\"a\": [\"orders.prod.db.example.com\"]}", "a: b\nnamespace: payments\n", "x=${DB:-orders.prod.db.example.com}", "ip-10-20-3-4.eu-west-1.compute.internal", "iP-10-20-0-0.A.internAl",
	} {
		f.Add(text, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, how uint8) {
		found := func(word func(string, uint64, bool) bool) []string {
			in := reference.Input{Namespace: "dev", Known: s.cluster.Known("dev"), Word: word, Data: []reference.DataKey{{Path: "data[\"x\"]", Key: []string{"x", "url", "app.yaml", "run.sh"}[how%4], Value: text}}}
			names := map[string]bool{}
			for _, r := range reference.Extract(in) {
				names[fmt.Sprint(r.Kind, " ", r.Namespace, "/", r.Name)] = true
			}
			return slices.Sorted(maps.Keys(names))
		}
		if diff := cmp.Diff(found(nil), found(s.cluster.Estate.MayName("dev"))); diff != "" {
			t.Errorf("%q (-read, +looked at)\n%s", text, diff)
		}
	})
}

// mentions reports whether a text of an object holds a host as a whole, in a place that does not only speak.
func mentions(v any, host string) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if !unread(k) && (k == host || mentions(item, host)) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return mentions(item, host) })
	case string:
		for line := range strings.Lines(strings.ToLower(v)) {
			line, _, _ = strings.Cut(line, " # ")
			words := strings.FieldsFunc(line, func(c rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-_", c) })
			if !strings.HasPrefix(strings.TrimSpace(line), "#") && (slices.Contains(words, host) || slices.Contains(words, "-h"+host)) {
				return true
			}
		}
	}
	return false
}

// tally counts what is found in the corpus, and what is not.
type tally struct{ found, wrong, hosts, missed int }

// TestCorpusPrecision declares, of each repository, every host that it names as production's, and judges all that the repository holds.
// What is found where the test's own reading finds nothing is listed.
func TestCorpusPrecision(t *testing.T) {
	byRepository := map[string][]manifest{}
	for _, m := range manifests(t) {
		parts := strings.SplitN(strings.TrimPrefix(filepath.ToSlash(m.file), "../../../shared/corpus/dev/"), "/", 2)
		if !refersToNothing(m.gvk.Kind) {
			byRepository[parts[0]] = append(byRepository[parts[0]], m)
		}
	}
	var sum tally
	for _, repository := range slices.Sorted(maps.Keys(byRepository)) {
		own := map[string]bool{}
		for _, m := range byRepository[repository] {
			for _, h := range candidates(m.obj) {
				if strings.Count(h, ".") >= 2 {
					own[h] = true
				}
			}
		}
		var stores []v1alpha1.DataStore
		for _, h := range slices.Sorted(maps.Keys(own)) {
			stores = append(stores, v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: h}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{h}}})
		}
		w := corpusWorld(stores...)
		for i := range byRepository[repository] {
			sum.count(t, &byRepository[repository][i], w, own)
		}
	}
	precision, recall := 1-float64(sum.wrong)/float64(max(sum.found, 1)), 1-float64(sum.missed)/float64(max(sum.hosts, 1))
	t.Logf("%+v: precision %.4f, recall %.4f", sum, precision, recall)
	if sum.found == 0 || precision < 0.995 || recall < 0.998 {
		t.Error("precision must be 0.995 and recall 0.998")
	}
}

// count judges one manifest by the hosts that its repository owns.
func (sum *tally) count(t *testing.T, m *manifest, w *policy.ClusterView, own map[string]bool) {
	t.Helper()
	d, err := m.from(w)
	if err != nil {
		t.Errorf("%s: %v", m.file, err)
		return
	}
	named := slices.DeleteFunc(candidates(m.obj), func(h string) bool { return !own[h] })
	seen := map[string]bool{}
	for _, f := range d.Findings {
		if seen[f.Target] || !own[f.Target] {
			continue
		}
		seen[f.Target] = true
		if sum.found++; !slices.Contains(named, f.Target) && !strings.HasPrefix(f.Value, "*.") && !mentions(m.obj, f.Target) {
			sum.wrong++
			t.Logf("only here: %s %s %q: %s at %s", m.file, m.gvk.Kind, m.name, f.Target, f.Path)
		}
	}
	for _, h := range named {
		if sum.hosts++; !seen[h] {
			sum.missed++
			t.Logf("missed: %s %s %q: %s", m.file, m.gvk.Kind, m.name, h)
		}
	}
}
