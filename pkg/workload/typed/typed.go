package typed

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	json2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// reader reads a text in one pass over its tokens. It allocates little more than the object: strings are parts of the text, and a list is
// allocated once, when its length is known.
type reader struct {
	*jsontext.Decoder
	// raw is what the decoder reads, and text a copy of it that strings are parts of; empty: each string is a copy of its own.
	raw  []byte
	text string
	// lists are where lists grow until their length is known, by the type of the list.
	lists map[reflect.Type]reflect.Value
	// parts are how many objects lists hold, and allowed how many they may.
	parts, allowed int
	err            error
}

// maxKeptList is how many bytes a list may have that is kept for the next object.
const maxKeptList = 32 << 10

var errNotPlain = errors.New("the JSON is not plain")

//nolint:gochecknoglobals // a pool is shared by its nature
var readers = sync.Pool{New: func() any {
	return &reader{Decoder: jsontext.NewDecoder(&bytes.Buffer{}), lists: map[reflect.Type]reflect.Value{}}
}}

// Unmarshal decodes JSON into a pointer to an empty object of a Kubernetes type, as sigs.k8s.io/json does, but without its managed fields.
// All strings of the object are parts of one copy of the text. What it keeps as JSON is part of the text itself, which must not change as long as
// the object is in use.
//
// It returns an error for whatever is not plain: a key that stands twice, a number where a text belongs, bytes that are not UTF-8. What was
// read until then must not be used; a decoder that takes longer has the last word.
//
// parts are how many objects were found in lists, where a container counts for eight; more than allowed are an error, too.
func Unmarshal(raw []byte, into any, allowed int) (parts int, err error) {
	return unmarshal(raw, string(raw), into, allowed)
}

// UnmarshalEnvelope does the same for an object that is little more than what it keeps as JSON: its strings are copied one by one.
func UnmarshalEnvelope(raw []byte, into any) error {
	_, err := unmarshal(raw, "", into, math.MaxInt)
	return err
}

func unmarshal(raw []byte, text string, into any, allowed int) (parts int, err error) {
	if !utf8.Valid(raw) {
		return 0, errNotPlain
	}
	r, _ := readers.Get().(*reader)
	r.Reset(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true)) // the fields of a type are compared here, where it costs less
	r.text, r.err = text, nil
	r.raw, r.parts, r.allowed = raw, 0, allowed
	v := reflect.ValueOf(into).Elem()
	r.value(shapeOf(v.Type()), v)
	if _, err := r.ReadToken(); r.err == nil && !errors.Is(err, io.EOF) {
		r.err = errNotPlain
	}
	parts, err = r.parts, r.err
	r.Reset(&bytes.Buffer{}) // so that the pool keeps nothing of what it read
	r.raw, r.text, r.err = nil, "", nil
	readers.Put(r)
	return parts, err
}

func (r *reader) value(s *shape, v reflect.Value) {
	switch s.form {
	case text:
		v.SetString(r.string())
	case truth:
		v.SetBool(r.truth())
	case integer:
		v.SetInt(r.integer(s.of.Bits()))
	case pointer:
		if r.PeekKind() == 'n' {
			r.skip()
			return
		}
		p := reflect.New(s.of.Elem())
		r.value(s.elem(), p.Elem())
		v.Set(p)
	case list:
		r.list(s, v)
	case dictionary:
		r.dictionary(s, v)
	case structure:
		r.structure(s, v)
	case moment:
		t, _ := v.Addr().Interface().(*metav1.Time)
		*t = r.time()
	case part, own, other:
		r.special(s, v)
	}
}

// special reads a value that is not taken apart here.
func (r *reader) special(s *shape, v reflect.Value) {
	raw, ok := r.whole()
	if !ok {
		return
	}
	switch s.form {
	case own:
		u, _ := v.Addr().Interface().(json.Unmarshaler)
		r.fail(u.UnmarshalJSON(raw))
	case part:
		if raw.Kind() != 'n' {
			end := int(r.InputOffset()) // the value itself is the decoder's
			o, _ := v.Addr().Interface().(*runtime.RawExtension)
			o.Raw = r.raw[end-len(raw) : end : end]
		}
	default:
		r.fail(json2.Unmarshal(raw, v.Addr().Interface()))
	}
}

func (r *reader) truth() bool {
	switch r.scalar() {
	case "true":
		return true
	case "false", null:
	default:
		r.fail(errNotPlain)
	}
	return false
}

func (r *reader) integer(bits int) int64 {
	digits := r.scalar()
	if digits == null {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, bits)
	r.fail(err)
	return n
}

func (r *reader) fail(err error) {
	if err != nil && r.err == nil {
		r.err = err
	}
}

func (r *reader) skip() { r.fail(r.SkipValue()) }

// open reads the beginning of an object or a list. It returns false for null, too.
func (r *reader) open(kind jsontext.Kind) bool {
	if r.err != nil {
		return false
	}
	t, err := r.ReadToken()
	switch {
	case err != nil:
		r.fail(err)
	case t.Kind() == kind:
		return true
	case t.Kind() != 'n':
		r.fail(errNotPlain)
	}
	return false
}

// more reports whether an object or a list goes on; if not, its end is read.
func (r *reader) more(end jsontext.Kind) bool {
	if r.err != nil {
		return false
	}
	if at := int(r.InputOffset()); at < len(r.raw) && r.raw[at] == ',' {
		return true // whatever follows, the decoder says whether it may
	}
	if r.PeekKind() == end {
		_, r.err = r.ReadToken()
		return false
	}
	return true
}

// whole reads a value of any kind.
func (r *reader) whole() (jsontext.Value, bool) {
	if r.err != nil {
		return nil, false
	}
	raw, err := r.ReadValue()
	r.fail(err)
	return raw, err == nil
}

// scalar reads a value that is neither an object nor a list, and returns it as it is written.
func (r *reader) scalar() string {
	if r.err != nil {
		return null
	}
	begin := r.InputOffset()
	t, err := r.ReadToken()
	if err != nil || t.Kind() == '{' || t.Kind() == '[' {
		r.fail(cmp.Or(err, errNotPlain))
		return null
	}
	i, end := int(begin), int(r.InputOffset())
	for i < end && between(r.raw[i]) {
		i++
	}
	if r.text == "" {
		return string(r.raw[i:end])
	}
	return r.text[i:end]
}

// between reports whether a character may stand before a value.
func between(c byte) bool {
	switch c {
	case ',', ':', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}

const null = "null"

// string reads a string; null is an empty one.
func (r *reader) string() string {
	quoted := r.scalar()
	switch {
	case quoted == null:
		return ""
	case quoted[0] != '"':
		r.fail(errNotPlain)
		return ""
	case strings.IndexByte(quoted, '\\') < 0:
		return quoted[1 : len(quoted)-1]
	}
	plain, err := jsontext.AppendUnquote(nil, quoted)
	r.fail(err)
	return string(plain)
}
