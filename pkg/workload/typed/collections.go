package typed

import (
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (r *reader) list(s *shape, v reflect.Value) {
	if !r.open('[') {
		return
	}
	items, n := r.lists[s.of], 0
	delete(r.lists, s.of) // a list may lie in another of its type
	for elem := s.elem(); r.more(']') && r.pays(elem); n++ {
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
		for i := range n {
			items.Index(i).SetZero()
		}
	}
	if items.IsValid() && items.Len()*int(s.of.Elem().Size()) <= maxKeptList {
		r.lists[s.of] = items
	}
}

// pays counts one more item of a list.
func (r *reader) pays(s *shape) bool {
	if s.form == structure {
		r.parts++
		if s.of.Size() >= large {
			r.parts += largeParts - 1
		}
		r.must(r.parts <= r.allowed)
	}
	return r.err == nil
}

// large is the least that an object takes which counts for largeParts: a container has 408 bytes.
const large, largeParts = 400, 8

func (r *reader) dictionary(s *shape, v reflect.Value) {
	if !r.open('{') {
		return
	}
	n := 0
	switch m := v.Addr().Interface().(type) { // the most frequent ones
	case *map[string]string:
		*m = map[string]string{}
		for ; r.more('}'); n++ {
			key := r.string()
			(*m)[key] = r.string()
		}
		r.must(n == len(*m))
		return
	case *corev1.ResourceList:
		*m = corev1.ResourceList{}
		for ; r.more('}'); n++ {
			key := corev1.ResourceName(r.string())
			(*m)[key] = r.quantity()
		}
		r.must(n == len(*m))
		return
	}
	m := reflect.MakeMap(s.of)
	v.Set(m)
	key, item := reflect.New(s.of.Key()).Elem(), reflect.New(s.of.Elem()).Elem()
	for ; r.more('}'); n++ {
		key.SetString(r.string())
		item.SetZero()
		r.value(s.elem(), item)
		m.SetMapIndex(key, item)
	}
	r.must(n == m.Len())
}

func (r *reader) quantity() (q resource.Quantity) {
	if raw, ok := r.whole(); ok {
		r.fail(q.UnmarshalJSON(raw))
	}
	return q
}

// time reads an instant; null is none.
func (r *reader) time() (out metav1.Time) {
	quoted := r.scalar()
	if quoted == null {
		return out
	}
	t, err := time.Parse(`"`+time.RFC3339+`"`, quoted)
	r.fail(err)
	out.Time = t.Local()
	return out
}

// must fails for what is not plain. Where a key stands twice, the API server's own decoder says which of them counts.
func (r *reader) must(is bool) {
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
		r.must(seen&(1<<i) == 0)
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
