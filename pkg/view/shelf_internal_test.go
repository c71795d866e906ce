package view

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

func contents(i int) reference.Packed {
	return reference.Contents{Keys: []reference.Content{{Name: fmt.Sprintf("key-%03d", i), Short: "0123456789"}}}.Packed()
}

func TestShelf(t *testing.T) {
	each := int64(contents(0).Size())
	s := newShelf(&Table[reference.Packed]{}, 8*each)
	place := func(key string) bool {
		s.put(key, contents(0))
		kept, _ := s.Get(key)
		return !kept.Large()
	}
	for _, step := range []struct {
		key, reason string
		want        bool
	}{
		{"a/1", "there is room", true},
		{"a/2", "there is room", true},
		{"a/2", "it takes its own place again", true},
		{"a/3", "one namespace holds a quarter at most", false},
		{"b/1", "another has its own share", true},
		{"b/2", "and may use it up", true},
		{"c/1", "there is room", true}, {"c/2", "there is room", true}, {"d/1", "there is room", true}, {"d/2", "there is room", true},
		{"e/1", "all of it is used up", false},
	} {
		if got := place(step.key); got != step.want {
			t.Errorf("%s finds a place: %t, want %t: %s", step.key, got, step.want, step.reason)
		}
	}
	s.drop("a/1")
	if !place("e/1") {
		t.Error("what was removed holds its place")
	}
	for _, key := range []string{"a/2", "b/1", "b/2", "c/1", "c/2", "d/1", "d/2", "e/1", "never/there"} {
		s.drop(key)
	}
	s.drop("a/3") // which found no place
	if s.total != 0 || s.Len() != 0 || len(s.used) != 0 {
		t.Errorf("an empty shelf holds %d bytes of %d objects, %v", s.total, s.Len(), s.used)
	}
}

// However many ConfigMaps there are, what the view keeps of them stays within the limit.
func TestTheViewIsBounded(t *testing.T) {
	v := New(Settings{Remembered: 20 * int64(contents(0).Size())}, time.Now)
	i := slices.IndexFunc(v.Kinds(), func(k *Kind) bool { return k.Kind == "ConfigMap" })
	k := v.Kinds()[i]
	add := func(ns, name string) {
		t.Helper()
		value, keep := k.Reduce(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Data: map[string]string{"key-000": "0123456789"}})
		if !keep {
			t.Fatal("nothing is kept")
		}
		k.Put(ns+"/"+name, value)
	}
	large := func() (n int) {
		v.configMaps.Each(func(_ string, c reference.Packed) {
			if c.Large() {
				n++
			}
		})
		return n
	}
	for i := range 100 {
		add("dev", fmt.Sprintf("x%d", i))
	}
	add("payments", "settings")
	if got := large(); got != 95 {
		t.Errorf("%d are to be read again, want 95: one namespace holds a quarter at most", got)
	}
	if c, ok := v.configMap("payments", "settings"); !ok || c.Large {
		t.Error("what one namespace holds is at another's expense")
	}
	for i := range 100 {
		k.Drop(fmt.Sprintf("dev/x%d", i))
	}
	add("dev", "again")
	if c, _ := v.configMap("dev", "again"); c.Large {
		t.Error("what was deleted holds its place")
	}
}
