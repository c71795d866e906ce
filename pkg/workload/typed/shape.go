package typed

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// form is a way in which values of a type are written in JSON.
type form int

const (
	// other is every form that is left to the general decoder.
	other form = iota
	// part is JSON that is kept as it is.
	part
	// moment is an instant, of which each object has some.
	moment
	// own is that of a type which reads itself.
	own
	text
	truth
	integer
	pointer
	list
	dictionary
	structure
)

// shape is how values of a type are read.
type shape struct {
	form form
	of   reflect.Type

	once  sync.Once
	item  *shape
	parts []typeField
}

// typeField is a field of a structure.
type typeField struct {
	name  string
	index []int
	shape *shape
}

//nolint:gochecknoglobals // types do not change
var shapes sync.Map

func shapeOf(of reflect.Type) *shape {
	if known, ok := shapes.Load(of); ok {
		s, _ := known.(*shape)
		return s
	}
	known, _ := shapes.LoadOrStore(of, &shape{of: of, form: formOf(of)})
	s, _ := known.(*shape)
	return s
}

func formOf(of reflect.Type) form {
	switch p := reflect.PointerTo(of); {
	case of == reflect.TypeFor[runtime.RawExtension]():
		return part
	case of == reflect.TypeFor[metav1.Time]():
		return moment
	case p.Implements(reflect.TypeFor[json.Unmarshaler]()):
		return own
	case p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return other
	}
	return formOfKind(of)
}

func formOfKind(of reflect.Type) form {
	switch of.Kind() {
	case reflect.String:
		return text
	case reflect.Bool:
		return truth
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return integer
	case reflect.Pointer:
		return pointer
	case reflect.Slice:
		if of.Elem().Kind() != reflect.Uint8 { // bytes are base64
			return list
		}
	case reflect.Map:
		if formOf(of.Key()) == text {
			return dictionary
		}
	case reflect.Struct:
		if fields, ok := fieldsOf(of, nil); ok && len(fields) <= maxFields {
			return structure
		}
	default:
	}
	return other
}

// maxFields is how many fields of a structure can be told apart.
const maxFields = 64

// elem is the shape of what a pointer, a list or a dictionary holds.
func (s *shape) elem() *shape {
	s.once.Do(func() { s.item = shapeOf(s.of.Elem()) })
	return s.item
}

func (s *shape) fields() []typeField {
	s.once.Do(func() {
		s.parts, _ = fieldsOf(s.of, nil)
		for i := range s.parts {
			s.parts[i].shape = shapeOf(s.of.FieldByIndex(s.parts[i].index).Type)
		}
	})
	return s.parts
}

// fieldsOf returns the fields of a structure, and of those that are embedded in it. It returns false where a name may mean several.
// The managed fields of an object are left out: they are long, and say nothing that is judged.
func fieldsOf(of reflect.Type, within []int) ([]typeField, bool) {
	var out []typeField
	for i := range of.NumField() {
		f := of.Field(i)
		index := append(slices.Clone(within), i)
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
			more, ok := fieldsOf(f.Type, index)
			if !ok {
				return nil, false
			}
			out = append(out, more...)
		case name == "-" && !tagged || !f.IsExported() || f.Type == reflect.TypeFor[[]metav1.ManagedFieldsEntry]():
		case name == "" || strings.Contains(options, "string") || strings.Contains(options, "inline"):
			return nil, false
		default:
			out = append(out, typeField{name: name, index: index})
		}
	}
	for i := range out {
		if slices.ContainsFunc(out[:i], func(f typeField) bool { return f.name == out[i].name }) {
			return nil, false
		}
	}
	return out, true
}
