package reference

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Of a Secret the names of the keys are remembered, and no value; of a ConfigMap, values of one line.
func TestRemembered(t *testing.T) {
	const value = "swordfish"
	secret := RememberedSecret(&corev1.Secret{Data: map[string][]byte{"PASSWORD": []byte(value), "TOKEN": []byte(value), "USER": []byte(value + "\n" + value)}})
	if got := secret.names(); !slices.Equal(got, []string{"PASSWORD", "TOKEN", "USER"}) || strings.Contains(string(secret.Packed()), value) {
		t.Errorf("%v are remembered as %q", got, secret.Packed())
	}
	cm := Remembered(&corev1.ConfigMap{Data: map[string]string{"A": "one", "B": "two\nlines", "C": ""}}).Packed().Contents()
	for i, want := range []Content{{Name: "A", Short: "one"}, {Name: "B", Long: true}, {Name: "C"}} {
		if k := cm.Keys[i]; k.Name != want.Name || k.Short != want.Short || k.Long != want.Long {
			t.Errorf("%+v is remembered, want %+v", k, want)
		}
	}
}
