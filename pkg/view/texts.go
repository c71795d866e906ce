package view

import (
	"strings"
	"sync"
)

// texts keeps one copy of each text that very many objects repeat, such as the names of environments and what statuses say.
type texts struct {
	mu    sync.Mutex
	known map[string]string
}

// maxTexts is how many texts are kept, and maxText how many bytes the longest has: most objects repeat a few.
const maxTexts, maxText = 256, 256

// shared returns the copy of a text that is kept, and whether one is.
func (t *texts) shared(s string) (string, bool) {
	if len(s) > maxText {
		return "", false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.known[s]
	return known, ok
}

// once returns a text, and mostly the copy of it that was returned before.
func (t *texts) once(s string) string {
	if s == "" || len(s) > maxText {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.known[s]; ok {
		return known
	}
	if t.known == nil || len(t.known) >= maxTexts {
		t.known = map[string]string{} // what is still repeated comes again
	}
	s = strings.Clone(s)
	t.known[s] = s
	return s
}
