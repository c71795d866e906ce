package cli

import "testing"

func TestLineOf(t *testing.T) {
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
		if got := lineOf([]byte(doc), path); got != want {
			t.Errorf("%s is on line %d, want %d", path, got, want)
		}
	}
	if got := lineOf([]byte("a: ["), "a"); got != 1 {
		t.Errorf("what is not YAML has line %d", got)
	}
}
