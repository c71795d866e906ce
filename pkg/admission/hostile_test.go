package admission_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/e2e/hostile"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

func vocabulary(t testing.TB) []string {
	t.Helper()
	words, err := hostile.Vocabulary(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return words
}

var long = flag.Bool("long", false, "judge every hostile text at a megabyte too, which takes minutes")

// cost is the cost of judging one text.
type cost struct {
	units, bytes, input float64
	code                int32
}

// judge judges texts through the whole handler.
type judge struct {
	t        testing.TB
	handler  *admission.Handler
	registry *prometheus.Registry
}

func newHostile(t testing.TB) *judge {
	h := &judge{t: t, registry: prometheus.NewRegistry()}
	h.handler = newHandler(memory{small(), nil}, live{})
	h.handler.Metrics, h.handler.Log = admission.NewMetrics(h.registry), logr.Discard()
	return h
}

func (h *judge) units() float64 {
	families, err := h.registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "firebreak_admission_work_units" {
			return f.GetMetric()[0].GetHistogram().GetSampleSum()
		}
	}
	h.t.Fatal("the work is not measured")
	return 0
}

func (h *judge) judge(p hostile.Place, text string) cost {
	h.t.Helper()
	raw, err := json.Marshal(p.Object(text))
	if err != nil {
		h.t.Fatal(err)
	}
	req := review("dana", "developers", "dev", admissionv1.Create, string(raw))
	req.Kind = p.Kind
	req.Resource = metav1.GroupVersionResource{Group: p.Kind.Group, Version: p.Kind.Version, Resource: p.Resource}
	var before, after runtime.MemStats
	units := h.units()
	runtime.ReadMemStats(&before)
	resp := h.handler.Handle(context.Background(), req)
	runtime.ReadMemStats(&after)
	out := cost{units: h.units() - units, bytes: float64(after.TotalAlloc - before.TotalAlloc), input: float64(len(raw)), code: http.StatusOK}
	if resp.Result != nil {
		out.code = resp.Result.Code
	}
	return out
}

const (
	small5, middle50, large1000 = 5_000, 50_000, 1_000_000
	// maxRatio is how much more a byte of a large text may cost than one of a small text. A text whose words tell that it names nothing
	// is passed once, and any other some five times: which of the two it is may hang on where it is cut off.
	maxRatio = 6
	// maxAlloc is how many bytes may be allocated for each byte of the input, beside allocBase, which every request costs.
	maxAlloc, allocBase = 48, 4 << 20
)

// Any text costs work and memory in proportion to its length. A text that costs more is refused unread, which is counted too.
func TestHostileTexts(t *testing.T) {
	h := newHostile(t)
	words, all, where := vocabulary(t), hostile.Patterns(), hostile.Places()
	if len(words) < 300 {
		t.Fatalf("only %d words were found in the sources", len(words))
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(where)) {
		for _, pattern := range slices.Sorted(maps.Keys(all)) {
			for i, w := range words {
				part := all[pattern](w)
				// Every word meets every pattern, in one place after the other; short words and patterns meet in several.
				turn := (i + len(pattern) + len(name)) % len(where)
				if turn > 0 && (len(w) > 1 || turn > 1) && !*long {
					continue
				}
				n++
				big := middle50
				if *long || n%97 == 0 {
					big = large1000
				}
				h.check(where[name], fmt.Sprintf("%s: %q %s", name, w, pattern), part, big)
			}
		}
	}
	t.Logf("%d texts of %d words", n, len(words))
}

func (h *judge) check(p hostile.Place, name, part string, big int) {
	h.t.Helper()
	few, many := h.judge(p, hostile.Fill(part, small5)), h.judge(p, hostile.Fill(part, big))
	if ratio := (many.units / many.input) / (few.units / few.input); ratio > maxRatio {
		h.t.Errorf("%s: a byte of %d costs %.1f units, and one of %d %.1f", name, big, many.units/many.input, small5, few.units/few.input)
	}
	for _, c := range []cost{few, many} {
		if !raceDetector && c.bytes > maxAlloc*c.input+allocBase {
			h.t.Errorf("%s: %.0f bytes allocated for %.0f, %.1f times as many", name, c.bytes, c.input, c.bytes/c.input)
		}
	}
}

// An object of very many parts is no worse than a long text.
func TestHostileForms(t *testing.T) {
	h := newHostile(t)
	words, all, where := vocabulary(t), hostile.Patterns(), hostile.Forms()
	for _, name := range slices.Sorted(maps.Keys(where)) {
		for i := 0; i < len(words); i += 50 {
			pattern := slices.Sorted(maps.Keys(all))[i/50%len(all)]
			big := middle50
			if i == 0 {
				big = large1000
			}
			h.check(where[name], fmt.Sprintf("%s: %q %s", name, words[i], pattern), all[pattern](words[i]), big)
		}
	}
}

// A text that is sent to wear the reader out ends with a production host, and is never admitted unread.
func TestHostileTextsAreNotAdmitted(t *testing.T) {
	h := newHostile(t)
	for name, p := range hostile.Places() {
		for _, w := range vocabulary(t) {
			if strings.ContainsAny(w, "#") || strings.Contains(w, "<!--") || strings.HasPrefix(w, "/*") {
				continue // the rest of the line is a comment
			}
			text := hostile.Fill(w+" ", 2_000) + "\npostgres://orders.prod.db.example.com:5432/orders\n"
			if got := h.judge(p, text); got.code == http.StatusOK {
				t.Errorf("%s: %q repeated hides what follows it", name, w)
			}
		}
	}
}

// The remembered contents of a ConfigMap or Secret have a fixed bound, and hold on to no text.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	const bound = 64 << 10
	texts := map[string]map[string]string{
		"a list of URLs":  {"BLOCKLIST": urls(large1000)},
		"a list of names": {"hosts": names(large1000)},
		"many keys":       manyKeys(large1000),
		"one long line":   {"x": hostile.Fill("orders.prod.db.example.com ", large1000)},
	}
	for name, data := range texts {
		t.Run(name, func(t *testing.T) {
			cm := &corev1.ConfigMap{Data: data}
			kept := make([]reference.Packed, 8)
			before := heap()
			for i := range kept {
				kept[i] = reference.Remembered(cm).Packed()
			}
			after := heap()
			if each := (after - before) / float64(len(kept)); each > bound {
				t.Errorf("%.0f bytes are kept, want at most %d", each, bound)
			}
			if size := kept[0].Size(); size > bound {
				t.Errorf("its size is %d, want at most %d", size, bound)
			}
			runtime.KeepAlive(kept)
		})
	}
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func urls(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "https://h%d.io,", i)
	}
	return b.String()
}

func names(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "h%d.example.com\n", i)
	}
	return b.String()
}

func manyKeys(size int) map[string]string {
	out := map[string]string{}
	for i := 0; i*12 < size; i++ {
		out[fmt.Sprintf("key%d", i)] = "x"
	}
	return out
}

// A long list of harmless URLs is harmless.
func TestLongListsAreAdmitted(t *testing.T) {
	h := newHostile(t)
	p := hostile.Places()["ConfigMap file"]
	for name, text := range map[string]string{"URLs": urls(large1000), "names": names(large1000)} {
		if got := h.judge(p, text); got.code != http.StatusOK {
			t.Errorf("%s: %d", name, got.code)
		}
	}
}

// BenchmarkHostile prints the texts that cost most by the byte, and how much more a byte costs in a large text.
func BenchmarkHostile(b *testing.B) {
	h := newHostile(b)
	type row struct {
		name        string
		ratio, unit float64
		alloc       float64
	}
	var rows []row
	where, all := hostile.Places(), hostile.Patterns()
	for _, name := range slices.Sorted(maps.Keys(where)) {
		for _, w := range vocabulary(b) {
			if len(w) > 2 {
				continue
			}
			for _, pattern := range slices.Sorted(maps.Keys(all)) {
				part := all[pattern](w)
				few, many := h.judge(where[name], hostile.Fill(part, small5)), h.judge(where[name], hostile.Fill(part, middle50))
				rows = append(rows, row{fmt.Sprintf("%s: %q %s", name, w, pattern), (many.units / many.input) / (few.units / few.input), many.units / many.input, many.bytes / many.input})
			}
		}
	}
	for title, by := range map[string]func(row) float64{
		"units by the byte, 100 KB against 10 KB": func(r row) float64 { return r.ratio },
		"units by the byte":                       func(r row) float64 { return r.unit },
		"bytes allocated by the byte":             func(r row) float64 { return r.alloc },
	} {
		slices.SortFunc(rows, func(x, y row) int { return cmp.Compare(by(y), by(x)) })
		fmt.Fprintf(os.Stderr, "worst %s\n", title)
		for _, r := range rows[:5] {
			fmt.Fprintf(os.Stderr, "  %8.2f  %s\n", by(r), r.name)
		}
	}
	for b.Loop() {
		h.judge(where["ConfigMap file"], hostile.Fill(rows[0].name, middle50))
	}
}
