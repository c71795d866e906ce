package view

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// Each text is kept once, and not very many of them.
func TestTexts(t *testing.T) {
	var all texts
	first := all.once(strings.Repeat("a", 10))
	if again := all.once(strings.Repeat("a", 10)); again != first || unsafe.StringData(again) != unsafe.StringData(first) {
		t.Errorf("%q is another copy of %q", again, first)
	}
	for i := range 10 * maxTexts {
		if s := fmt.Sprint(i); all.once(s) != s {
			t.Errorf("%q has become another text", s)
		}
	}
	if long := strings.Repeat("b", maxText+1); all.once(long) != long || all.once("") != "" {
		t.Error("a long text, or an empty one, has become another")
	}
	if len(all.known) > maxTexts {
		t.Errorf("%d texts are kept", len(all.known))
	}
}
