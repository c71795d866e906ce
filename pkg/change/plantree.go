package change

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/hide"
)

// An object is told apart field by field, so that an approver can read it, unless it has more than maxFields of them: a window holds 512 for each
// entry. Below a path of maxPath bytes it is pinned as a whole, so that no path is longer than a window holds, and paths cost no more than the
// object.
const (
	maxFields = 400
	maxPath   = 300
	maxKey    = 40
)

// object adds the fields below a path, each by itself if they are not too many. key is the name that the object stands under.
func (b *builder) object(path, key string, value any) {
	if leaves(value, maxFields) <= maxFields {
		b.below(path, key, value)
		return
	}
	of, ok := value.(map[string]any)
	if !ok || len(of) > maxFields {
		b.together(path, key, value)
		return
	}
	for k, item := range of {
		b.together(child(path, k), k, item)
	}
}

// together adds an object as one field.
func (b *builder) together(path, key string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		return
	}
	if len(raw) > maxSaid {
		b.say(path, json.RawMessage(raw)) // it is too long to be shown
		return
	}
	b.hidden(path, hide.Named(path, key, raw))
}

// below adds each value of an object: by the key that it stands under, so that credentials are hidden.
func (b *builder) below(path, key string, value any) {
	switch v := value.(type) {
	case nil:
	case string:
		b.hidden(path, hide.Value(path, key, v))
	case map[string]any:
		if whole(v) || len(path) > maxPath {
			b.together(path, key, v)
			return
		}
		b.fieldsOf(path, v)
	case []any:
		if words, ok := wordsIn(v); ok || len(path) > maxPath {
			b.list(path, key, v, words)
			return
		}
		for i, item := range v {
			at := fmt.Sprintf("%s[%d]", path, i)
			if item == nil {
				b.say(at, nil)
				continue
			}
			b.below(at, key, item)
		}
	default:
		b.together(path, key, v)
	}
}

// fieldsOf adds the fields of an object. What is a credential among the arguments of a command depends on the program.
func (b *builder) fieldsOf(path string, v map[string]any) {
	command, runs := v["command"].([]any)
	words, ok := wordsIn(command)
	list, has := v["args"].([]any)
	args, strings := wordsIn(list)
	joint := runs && ok && has && strings && len(words) > 0
	if joint {
		at := func(f string) string { return child(path, f) }
		b.say(at("command"), words)
		b.args(at, words, args)
	}
	for k, item := range v {
		if !joint || k != "command" && k != "args" {
			b.below(child(path, k), k, item)
		}
	}
}

// list adds a list of words, or one that is pinned as a whole.
func (b *builder) list(path, key string, v []any, words []string) {
	if len(v) > 0 && len(words) == len(v) && !hide.Names(key) {
		b.say(path, words)
		return
	}
	b.together(path, key, v)
}

// child returns the path of a field. A key that could be read as a path is quoted, and one that is long is shortened to a part with its digest, so
// that no two objects have the same paths.
func child(path, key string) string {
	switch {
	case len(key) > maxKey:
		sum := sha256.Sum256([]byte(key))
		return fmt.Sprintf("%s[%q sha256 %s]", path, strings.ToValidUTF8(key[:maxKey/2], ""), hex.EncodeToString(sum[:16]))
	case !plainKey.MatchString(key):
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// whole reports whether an object says one thing together: a name and its value, or nothing.
func whole(v map[string]any) bool {
	_, name := v["name"]
	_, key := v["key"]
	_, value := v["value"]
	_, from := v["valueFrom"]
	return len(v) == 0 || (name || key) && (value || from)
}

func wordsIn(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

// leaves counts the fields that below would add, up to one more than a limit.
func leaves(value any, limit int) int {
	n := 0
	switch v := value.(type) {
	case map[string]any:
		if whole(v) {
			return 1
		}
		for _, item := range v {
			if n += leaves(item, limit-n); n > limit {
				return n
			}
		}
		return n
	case []any:
		if _, ok := wordsIn(v); ok {
			return 1
		}
		for _, item := range v {
			if n += leaves(item, limit-n); n > limit {
				return n
			}
		}
		return n
	}
	return 1
}
