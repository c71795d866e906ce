package view

import (
	"reflect"
	"strings"
)

// compact puts all texts of a value into one piece of memory, but for those that are shared. What is kept of an object for long then lies apart from
// what was decoded with it and is soon garbage; memory that nobody uses would stay taken between the two. The value must not share slices or
// pointers with others.
func compact(v reflect.Value, shared func(string) (string, bool)) {
	var all strings.Builder
	eachText(v, func(s string) string {
		if known, ok := shared(s); ok {
			return known
		}
		all.WriteString(s)
		return s
	})
	rest := strings.Clone(all.String()) // of just that length
	eachText(v, func(s string) (out string) {
		if known, ok := shared(s); ok {
			return known
		}
		out, rest = rest[:len(s)], rest[len(s):]
		return out
	})
}

// eachText replaces every text in a value by another, always in the same order.
func eachText(v reflect.Value, replace func(string) string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(replace(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			eachText(v.Elem(), replace)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachText(v.Field(i), replace)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			eachText(v.Index(i), replace)
		}
	default: // maps are few, and nothing else holds texts
	}
}
