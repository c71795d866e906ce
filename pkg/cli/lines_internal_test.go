package cli

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func TestLinesOf(t *testing.T) {
	const doc = `# a comment
kind: X
spec:
  list:
  - a
  - name: b
    "odd.key": &anchor
      deep: 1
  other: *anchor
data:
  "a\"b": c
`
	for path, want := range map[string]int{
		"kind": 2, "spec": 3, "spec.list[0]": 5, "spec.list[1].name": 6, `spec.list[1]["odd.key"].deep`: 8, "spec.other.deep": 8, `data["a\"b"]`: 11,
		// What is not there is shown where its parent is, and nothing at the beginning.
		"spec.list[7].name": 4, "spec.none.deep": 3, "none": 1, "": 1, "[0]": 1, `spec["`: 3, "kind.deep": 2,
	} {
		if got := linesOf([]byte(doc)).of(path); got != want {
			t.Errorf("%s is on line %d, want %d", path, got, want)
		}
	}
	if got := linesOf([]byte("a: [")).of("a"); got != 1 {
		t.Errorf("what is not YAML has line %d", got)
	}
}

// A document with a hundred thousand findings is parsed once, and each of its keys looked up once.
func BenchmarkLines(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			doc := []byte("data:\n" + strings.Repeat("  k: v\n", 1))
			for i := range n {
				doc = fmt.Appendf(doc, "  key-%d: v\n", i)
			}
			for b.Loop() {
				l := linesOf(doc)
				for i := range n {
					l.of(fmt.Sprintf("data[\"key-%d\"]", i))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/finding")
		})
	}
}
