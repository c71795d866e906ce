package policy_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// hosts returns the names that the data of a ConfigMap names by the estate of the tests.
func hostsIn(s *stage, key, value string, word func(string, uint64, bool) bool) []string {
	in := reference.Input{Namespace: "dev", Known: s.cluster.Known("dev"), Word: word, Data: []reference.DataKey{{Path: "data", Key: key, Value: value}}}
	var out []string
	for _, r := range reference.Extract(in) {
		if !slices.Contains(out, r.Name) {
			out = append(out, r.Name)
		}
	}
	return out
}

// A text that begins as JSON and is not one document is read as a text: what was found before the error is not lost.
func TestBypassBrokenJSON(t *testing.T) {
	s := newStage(t)
	for _, text := range []string{
		`{"host":"orders.prod.db.example.com"}`, `{"host":"orders.prod.db.example.com",}`, `{"host":"orders.prod.db.example.com"} x`,
		"{\"host\":\"orders.prod.db.example.com\"}\n{\"a\":1}", "{\"host\":\"orders.prod.db.example.com\" // prod\n}",
		"[{\"host\":\"orders.prod.db.example.com\"},\n{{ .Values.x }}]", `{"a":"{\"host\":\"orders.prod.db.example.com\",}"}`,
	} {
		for _, key := range []string{"APP_CONFIG", "app.json"} {
			if got := hostsIn(s, key, text, nil); !slices.Contains(got, "orders.prod.db.example.com") {
				t.Errorf("%s: %s names %v", key, text, got)
			}
		}
	}
}

// A shell takes the signs of comments of other languages for paths; what stands behind them is run. A text of brackets is no document, and
// is not refused for its depth.
func TestBypassSignsOfComments(t *testing.T) {
	s := newStage(t)
	for _, text := range []string{
		"a\ncd // && psql -h orders.prod.db.example.com\n", "a\nls /* && psql -h orders.prod.db.example.com && ls */x\n",
		strings.Repeat("[", 300) + "\npsql -h orders.prod.db.example.com\n",
	} {
		if got := hostsIn(s, "steps", text, nil); !slices.Contains(got, "orders.prod.db.example.com") {
			t.Errorf("%.60q names %v", text, got)
		}
	}
	req := newRequest(t, s, by("dora"), documents(t, []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: dev}, data: {art: '"+strings.Repeat("[", 300)+"'}}")), now())
	if d, err := policy.Evaluate(*req, s.cluster, nil); err != nil || !d.Allowed {
		t.Errorf("a text of brackets: %v, %v", d, err)
	}
	if got := hostsIn(s, "app.js", "const host = 'x'; // not orders.prod.db.example.com\nf(); /* orders.prod.db.example.com */\n", nil); len(got) > 0 {
		t.Errorf("comments of JavaScript name %v", got)
	}
}

// The look at the words of a text is not deceived by what a shell, an encoder or a file hides them with.
func TestBypassTheShortCut(t *testing.T) {
	s := newStage(t)
	for text, want := range map[string]string{
		"#!/bin/sh\ncurl https://ord''ers.prod.db.example.com/\n": "orders.prod.db.example.com",
		"#!/bin/sh\nkube\"ctl\" -n pay\"ments\" delete pods x\n":  "payments",
		"b3JkZXJzLnByb2QuZGIuZXhhbXBsZS5jb20":                     "orders.prod.db.example.com",
		"postgres%253A%252F%252Forders.prod.db.example.com%252Fx": "orders.prod.db.example.com",
	} {
		for _, key := range []string{"run.sh", "X"} {
			read, looked := hostsIn(s, key, text, nil), hostsIn(s, key, text, s.cluster.Estate.MayName("dev"))
			if !slices.Equal(read, looked) {
				t.Errorf("%s: %q names %v, and with a look at its words %v", key, text, read, looked)
			}
			if key == "run.sh" && !slices.Contains(looked, want) {
				t.Errorf("%s: %q names %v, want %s", key, text, looked, want)
			}
		}
	}
}

// What is remembered of a ConfigMap by fingerprints is found again by whatever is declared or known.
func TestFingerprintsLoseNothing(t *testing.T) {
	s := newStage(t)
	known := s.cluster.Known("dev")
	for _, host := range []string{
		"orders.prod.db.example.com", "replica.orders.prod.db.example.com", "ledger.payments.svc.cluster.local", "ledger.payments.svc.k8s.acme.net", "ledger-0.ledger.payments",
		"10-1-2-3.payments.pod.k8s.acme.net",
	} {
		target := reference.Target{Name: host}
		if !known(target) {
			continue
		}
		c := reference.Remembered(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Data: map[string]string{"app.conf": "a\nuse " + host + " now\n"}})
		kept := slices.ContainsFunc(c.Keys[0].Targets, func(t reference.Target) bool { return t.Kind == reference.Host && t.Name == host })
		if !kept && !slices.ContainsFunc(c.Prints, s.cluster.Estate.Declares) {
			t.Errorf("%s is neither kept nor declared by its fingerprint: %+v", host, c)
		}
	}
}

// Readers of hostile texts stay linear: each of these took seconds, or all memory, before it was bounded.
func TestHostileReaders(t *testing.T) {
	s := newStage(t)
	const n = 30_000
	for name, text := range map[string]string{
		"escapes within escapes": "%" + strings.Repeat("25", n) + "2f",
		"braces":                 `a="b` + strings.Repeat("a{,", n) + "}",
		"comments of C":          "a: b\nx" + strings.Repeat(" /* */", n),
		"long keys":              "\"$" + strings.Repeat("a", n) + "\": \n" + strings.Repeat(" x.y\n", n) + "amespace\n",
	} {
		small := testing.AllocsPerRun(1, func() { hostsIn(s, "x", text[:len(text)/10], nil) })
		if large := testing.AllocsPerRun(1, func() { hostsIn(s, "x", text, nil) }); large > 20*small+100_000 {
			t.Errorf("%s: %.0f allocations for a text, %.0f for a tenth of it", name, large, small)
		}
	}
}
