package reference

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// settingsInJSON reads a text that is one document of JSON, each string of it by its key. It returns false if the text is not one.
func (r *reader) settingsInJSON(text string) ([]Target, bool) {
	text = strings.TrimSpace(text)
	if len(text) < minJSON || text[0] != '{' && text[0] != '[' || r.depth >= maxTexts || !r.spend(text) {
		return nil, false
	}
	r.depth++
	defer func() { r.depth-- }()
	w := jsonReader{reader: r, d: jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	err := w.value("", 0, 0)
	if err == nil {
		_, err = w.d.ReadToken()
	}
	if !errors.Is(err, io.EOF) {
		for _, t := range w.out {
			delete(r.seen, t) // it is read again, as a text
		}
		return nil, false
	}
	return w.out, true
}

// minJSON is the shortest document that names anything: {"a":"b.c"} is as short.
const minJSON = 9

// maxTexts is how many documents within each other are read.
const maxTexts = 3

type jsonReader struct {
	*reader
	d   *jsontext.Decoder
	out []Target
}

// value reads a value that stands under a key. held is what the keys above hold back.
func (w *jsonReader) value(key string, held hush, depth int) error {
	if depth > maxNesting {
		return errors.New("too deep") // then it is read as a text, line by line
	}
	if !w.budget.Spend(tokenCost) {
		return errors.New("too much")
	}
	t, err := w.d.ReadToken()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case '{':
		return w.fields(held, depth)
	case '[':
		for k := w.d.PeekKind(); k != ']' && k != 0; k = w.d.PeekKind() {
			if err := w.value(key, held, depth+1); err != nil {
				return err
			}
		}
		_, err = w.d.ReadToken()
		return err
	case '"':
		if held&hushAll == 0 {
			w.text(t.String(), key, held)
		}
	}
	return nil
}

// fields reads the fields of an object, up to its end.
func (w *jsonReader) fields(held hush, depth int) error {
	for w.d.PeekKind() == '"' {
		name, err := w.d.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		h := hushOf(key)
		if neutral(strings.ToLower(key)) {
			h |= held
		}
		if needle(key) {
			w.out = append(w.out, w.whole(key, "", "", Value)...)
		}
		if err := w.value(key, h, depth+1); err != nil {
			return err
		}
	}
	_, err := w.d.ReadToken()
	return err
}

func (w *jsonReader) text(v, key string, held hush) {
	if v == "" {
		return
	}
	before := w.base
	w.base |= held
	w.out = append(w.out, w.find(v, key, position(key))...)
	w.base = before
	w.out = append(w.out, w.find(unwrapped(v), key, Value)...)
	if strings.EqualFold(key, "namespace") {
		w.out = append(w.out, w.namespace(v)...)
	}
}
