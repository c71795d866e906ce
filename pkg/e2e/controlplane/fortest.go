package controlplane

import (
	"testing"
)

// ForTest starts a control plane for a test and stops it when the test is over. If the test failed, its output has the end of the
// components' logs.
func ForTest(t testing.TB, o Options) *ControlPlane {
	t.Helper()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the control plane's logs end with:\n%s", c.Logs(15))
		}
		if err := c.Stop(); err != nil {
			t.Errorf("stopping the control plane: %v", err)
		}
	})
	return c
}
