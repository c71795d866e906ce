package registrations_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

func TestStored(t *testing.T) {
	files := map[string][]byte{"admission.yaml": []byte("a"), "policies/guard.yaml": []byte("b"), "validating/webhooks.yaml": []byte("c")}
	cm := registrations.StaticConfigMap("firebreak-system", files)
	got, err := registrations.StaticFiles(cm)
	if d := cmp.Diff(files, got); d != "" || err != nil {
		t.Errorf("%v: %s", err, d)
	}
	for key, want := range map[string]string{
		"..__..__etc__passwd": `ConfigMap "firebreak-static-files" holds "..__..__etc__passwd", which is not the name of a file`,
		"__etc__passwd":       `ConfigMap "firebreak-static-files" holds "__etc__passwd", which is not the name of a file`,
		"policies__..__x":     `ConfigMap "firebreak-static-files" holds "policies__..__x", which is not the name of a file`,
	} {
		bad := cm.DeepCopy()
		bad.Data[key] = "x"
		if _, err := registrations.StaticFiles(bad); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	delete(cm.Data, "admission.yaml")
	if _, err := registrations.StaticFiles(cm); err == nil || err.Error() != `ConfigMap "firebreak-static-files" does not hold admission.yaml: it is not what the server writes` {
		t.Errorf("%v", err)
	}
}
