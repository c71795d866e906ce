package workload

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload/typed"
)

// Decode decodes JSON into an object of a Kubernetes type. Field names match exactly, as in the API server: encoding/json
// would take "IMAGE" for "image". The API server refuses a value of the wrong type, such as a number where a string belongs.
// Decode reads such a value by its meaning, so that a manifest can be judged before it is corrected. A wrong structure is an
// error.
func Decode[T any](raw []byte) (*T, error) { return decode[T](raw, nil) }

// Metadata decodes the metadata of an object of any kind, but for its managed fields. The rest of the object is passed over.
func Metadata(raw []byte) (metav1.ObjectMeta, error) {
	type described struct {
		metav1.ObjectMeta `json:"metadata"`
	}
	var o described
	if typed.UnmarshalEnvelope(raw, &o) == nil {
		return o.ObjectMeta, nil
	}
	o = described{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &o); err != nil {
		return metav1.ObjectMeta{}, fmt.Errorf("decode metadata: %w", typed.Explain(err))
	}
	o.ManagedFields = nil
	return o.ObjectMeta, nil
}

// errParts is the error for an object that the budget does not pay for.
var errParts = errors.New("it has too many parts")

func decode[T any](raw []byte, b *budget.Budget) (*T, error) {
	out, allowed := new(T), math.MaxInt
	if b != nil {
		allowed = b.PartsLeft()
	}
	parts, err := typed.Unmarshal(raw, out, allowed)
	if b != nil && err != nil {
		parts = CountParts(raw) // before decoders that cannot stop
	}
	switch {
	case b != nil && !b.Part(parts):
		return nil, errParts
	case err == nil:
		return out, nil
	}
	out = new(T) // on what this decoder refuses, such as a key that stands twice, the API server's own has the last word
	err = kjson.UnmarshalCaseSensitivePreserveInts(raw, out)
	if err == nil {
		return out, nil
	}
	err = typed.Explain(err)
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return nil, err
	}
	mended, again := json.Marshal(mend(tree, reflect.TypeFor[T]()))
	if again != nil {
		return nil, err
	}
	out = new(T)
	if kjson.UnmarshalCaseSensitivePreserveInts(mended, out) != nil {
		return nil, err
	}
	return out, nil
}

// mend turns the values of a tree into values that a type can hold.
func mend(v any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return mendText(v, t)
	}
	switch v := v.(type) {
	case map[string]any:
		return mendMap(v, t)
	case []any:
		if t.Kind() != reflect.Slice {
			return v
		}
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, mend(item, t.Elem()))
		}
		return out
	case string:
		return mendString(v, t)
	case float64, bool:
		if t.Kind() == reflect.String {
			return fmt.Sprint(v)
		}
	}
	return v
}

// mendText drops a value that a type with its own notation, such as a quantity, cannot read.
func mendText(v any, t reflect.Type) any {
	raw, err := json.Marshal(v)
	if err != nil || json.Unmarshal(raw, reflect.New(t).Interface()) != nil {
		return nil
	}
	return v
}

func mendString(v string, t reflect.Type) any {
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return v
		}
		if _, err := base64.StdEncoding.DecodeString(v); err != nil {
			return base64.StdEncoding.EncodeToString([]byte(v)) // its author forgot to encode it
		}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Bool, reflect.Float64:
		return nil
	default:
	}
	return v
}

func mendMap(v map[string]any, t reflect.Type) any {
	out := make(map[string]any, len(v))
	for key, item := range v {
		switch t.Kind() {
		case reflect.Map:
			out[key] = mend(item, t.Elem())
		case reflect.Struct:
			if ft, ok := fieldOf(t, key); ok {
				out[key] = mend(item, ft)
			}
		default:
			return v
		}
	}
	return out
}

// fieldOf returns the type of the field of a name, including fields of embedded types.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for f := range fields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == key {
			return f.Type, true
		}
		if name == "" && (f.Anonymous || strings.Contains(options, "inline")) {
			if ft, ok := fieldOf(f.Type, key); ok {
				return ft, true
			}
		}
	}
	return nil, false
}

func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		if t.Kind() != reflect.Struct {
			return
		}
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
