package reference

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// What is packed comes back with every field, also with those that a later change adds.
func TestPacked(t *testing.T) {
	whole := Target{Addr: netip.MustParseAddr("fd00::1%eth0")}
	of := reflect.ValueOf(&whole).Elem()
	for i := range of.NumField() {
		switch f := of.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int:
			f.SetInt(3)
		case reflect.String:
			f.SetString("a name")
		}
		if of.Field(i).IsZero() {
			t.Errorf("the test does not set %s", of.Type().Field(i).Name)
		}
	}
	for name, c := range map[string]Contents{
		"nothing":   {},
		"large":     {Large: true},
		"all":       {Keys: []Content{{Name: "A", Targets: []Target{whole, {}}, Short: "x", Long: true}, {}}, Prints: []Print{0, 1, 1<<64 - 1}},
		"not UTF-8": {Keys: []Content{{Name: "A", Short: "\xff\x00"}}},
	} {
		if got := c.Packed().Contents(); !reflect.DeepEqual(got, c) {
			t.Errorf("%s: %+v comes back as %+v", name, c, got)
		}
		if got := c.Packed().Large(); got != c.Large {
			t.Errorf("%s is large: %t", name, got)
		}
	}
}

// A text that is none of ours admits nothing: the object is read again.
func TestNotPacked(t *testing.T) {
	good := string(Contents{Keys: []Content{{Name: "A", Short: "x"}}}.Packed())
	for _, text := range []string{"", "\xff", good[:len(good)-1], good + "x", "{}"} {
		if c := Packed(text).Contents(); !c.Large {
			t.Errorf("%q is unpacked as %+v, want it to be read again", text, c)
		}
	}
}

// The size that a namespace's share is counted by is about that of the memory.
func TestPackedSize(t *testing.T) {
	long := strings.Repeat("x", 200)
	p := Remembered(&corev1.ConfigMap{Data: map[string]string{"A": long, "B": "db.example.com"}}).Packed()
	if p.Size() < len(long) || p.Size() > 2*len(long)+packedSize {
		t.Errorf("%d bytes for %q", p.Size(), p)
	}
}
