package typed

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	json2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reader reads a text in one pass over its tokens. It allocates little more than the object: strings are parts of the text, and a list is
// allocated once, when its length is known.
type reader struct {
	*jsontext.Decoder
	// text is what the decoder reads.
	text string
	// lists are where lists grow until their length is known, by the type of the list.
	lists map[reflect.Type]reflect.Value
	err   error
}

// maxKeptList is how many bytes a list may have that is kept for the next object.
const maxKeptList = 32 << 10

var errNotPlain = errors.New("the JSON is not plain")

//nolint:gochecknoglobals // a pool is shared by its nature
var readers = sync.Pool{New: func() any {
	return &reader{Decoder: jsontext.NewDecoder(&bytes.Buffer{}), lists: map[reflect.Type]reflect.Value{}}
}}

// Unmarshal decodes JSON into a pointer to an empty object of a Kubernetes type, as sigs.k8s.io/json does, but without its managed fields.
// It returns an error for whatever is not plain: a key that stands twice, a number where a text belongs, bytes that are not UTF-8. What was
// read until then must not be used; a decoder that takes longer has the last word.
func Unmarshal(raw []byte, into any) error {
	if !utf8.Valid(raw) {
		return errNotPlain
	}
	r, _ := readers.Get().(*reader)
	r.Reset(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true)) // the fields of a type are compared here, where it costs less
	r.text, r.err = string(raw), nil
	v := reflect.ValueOf(into).Elem()
	r.value(shapeOf(v.Type()), v)
	if _, err := r.ReadToken(); r.err == nil && !errors.Is(err, io.EOF) {
		r.err = errNotPlain
	}
	err := r.err
	r.Reset(&bytes.Buffer{}) // so that the pool keeps nothing of what it read
	r.text, r.err = "", nil
	readers.Put(r)
	return err
}

func (r *reader) value(s *shape, v reflect.Value) {
	if r.err != nil {
		return
	}
	if r.PeekKind() == 'n' {
		r.skip()
		return
	}
	switch s.form {
	case text:
		v.SetString(r.string())
	case truth:
		if k := r.PeekKind(); k != 't' && k != 'f' {
			r.err = errNotPlain
			return
		}
		v.SetBool(r.scalar() == "true")
	case integer:
		n, err := strconv.ParseInt(r.scalar(), 10, s.of.Bits())
		v.SetInt(n)
		r.fail(err)
	case pointer:
		p := reflect.New(s.of.Elem())
		r.value(s.elem(), p.Elem())
		v.Set(p)
	case list:
		r.list(s, v)
	case dictionary:
		r.dictionary(s, v)
	case structure:
		r.structure(s, v)
	case own:
		if raw, err := r.ReadValue(); err != nil {
			r.fail(err)
		} else if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
			r.fail(u.UnmarshalJSON(raw))
		}
	case other:
		if raw, err := r.ReadValue(); err != nil {
			r.fail(err)
		} else {
			r.fail(json2.Unmarshal(raw, v.Addr().Interface()))
		}
	}
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) skip() { r.fail(r.SkipValue()) }

// open reads the beginning of an object or a list.
func (r *reader) open(kind jsontext.Kind) bool {
	if r.err == nil && r.PeekKind() != kind {
		r.err = errNotPlain
	}
	if r.err == nil {
		_, r.err = r.ReadToken()
	}
	return r.err == nil
}

// more reports whether an object or a list goes on; if not, its end is read.
func (r *reader) more(end jsontext.Kind) bool {
	if r.err == nil && r.PeekKind() == end {
		_, r.err = r.ReadToken()
		return false
	}
	return r.err == nil
}

// scalar reads a value that is neither an object nor a list, and returns it as it is written.
func (r *reader) scalar() string {
	raw, err := r.ReadValue()
	if err != nil {
		r.fail(err)
		return ""
	}
	end := int(r.InputOffset())
	return r.text[end-len(raw) : end]
}

// string reads a string.
func (r *reader) string() string {
	if r.err == nil && r.PeekKind() != '"' {
		r.err = errNotPlain
	}
	if r.err != nil {
		return ""
	}
	quoted := r.scalar()
	if r.err != nil {
		return ""
	}
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	plain, err := jsontext.AppendUnquote(nil, quoted)
	r.fail(err)
	return string(plain)
}

func (r *reader) list(s *shape, v reflect.Value) {
	if !r.open('[') {
		return
	}
	items, n := r.lists[s.of], 0
	delete(r.lists, s.of) // a list may lie in another of its type
	for elem := s.elem(); r.more(']'); n++ {
		if !items.IsValid() || n == items.Len() {
			larger := reflect.MakeSlice(s.of, max(4, 2*n), max(4, 2*n))
			if items.IsValid() {
				reflect.Copy(larger, items)
			}
			items = larger
		}
		r.value(elem, items.Index(n))
	}
	v.Grow(n)
	v.SetLen(n)
	if n == 0 {
		v.Set(reflect.MakeSlice(s.of, 0, 0))
	} else {
		reflect.Copy(v, items)
		items.Slice(0, n).Clear()
	}
	if items.IsValid() && items.Len()*int(s.of.Elem().Size()) <= maxKeptList {
		r.lists[s.of] = items
	}
}

func (r *reader) dictionary(s *shape, v reflect.Value) {
	if !r.open('{') {
		return
	}
	m := reflect.MakeMap(s.of)
	v.Set(m)
	if texts, ok := v.Interface().(map[string]string); ok {
		n := 0
		for ; r.more('}'); n++ {
			texts[r.string()] = r.textOrNull()
		}
		r.once(n == len(texts))
		return
	}
	n := 0
	for ; r.more('}'); n++ {
		key := reflect.ValueOf(r.string()).Convert(s.of.Key())
		item := reflect.New(s.of.Elem()).Elem()
		r.value(s.elem(), item)
		m.SetMapIndex(key, item)
	}
	r.once(n == m.Len())
}

func (r *reader) textOrNull() string {
	if r.err == nil && r.PeekKind() == 'n' {
		r.skip()
		return ""
	}
	return r.string()
}

// once fails where a key stands twice: which of them counts is for the API server's own decoder to say.
func (r *reader) once(is bool) {
	if !is {
		r.fail(errNotPlain)
	}
}

func (r *reader) structure(s *shape, v reflect.Value) {
	if !r.open('{') {
		return
	}
	fields := s.fields()
	seen, next := uint64(0), 0
	for r.more('}') {
		i := fieldAt(fields, r.string(), next)
		if i < 0 {
			r.skip()
			continue
		}
		r.once(seen&(1<<i) == 0)
		seen |= 1 << i
		next = i + 1
		f := v
		for _, j := range fields[i].index {
			f = f.Field(j)
		}
		r.value(fields[i].shape, f)
	}
}

// fieldAt returns the place of a field of a name; -1: there is none. API servers write fields in the order of their type, so it is mostly next.
func fieldAt(fields []typeField, name string, next int) int {
	for i := next; i < len(fields); i++ {
		if fields[i].name == name {
			return i
		}
	}
	for i := range min(next, len(fields)) {
		if fields[i].name == name {
			return i
		}
	}
	return -1
}
