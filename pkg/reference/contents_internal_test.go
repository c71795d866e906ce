package reference

import (
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
)

// What is remembered lies in one piece of memory. Between the names of a Secret's keys, no value does.
func TestRememberedTextsAreJoined(t *testing.T) {
	const value = "swordfish"
	address := func(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }
	secret := RememberedSecret(&corev1.Secret{Data: map[string][]byte{"HOST": []byte(value), "PASSWORD": []byte(value), "USER": []byte(value)}})
	for i := range len(secret.Keys) - 1 {
		if k, next := secret.Keys[i], secret.Keys[i+1]; k.Short != "" || address(next.Name) != address(k.Name)+uintptr(len(k.Name)) {
			t.Errorf("something lies between %q and %q", k.Name, next.Name)
		}
	}
	cm := Remembered(&corev1.ConfigMap{Data: map[string]string{"A": "one", "B": "two\nlines", "C": ""}})
	for i, want := range []Content{{Name: "A", Short: "one"}, {Name: "B", Long: true}, {Name: "C"}} {
		if k := cm.Keys[i]; k.Name != want.Name || k.Short != want.Short || k.Long != want.Long {
			t.Errorf("%+v is remembered, want %+v", k, want)
		}
	}
}
