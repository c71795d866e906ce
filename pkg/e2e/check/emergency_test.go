package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const deletion = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ledger, namespace: payments, labels: {firebreak.dev/protected: "true"}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

// An emergency at three in the morning: one command opens the window and runs the fix. Afterwards the log says what changed, and
// another person reviews it.
func TestBreakGlass(t *testing.T) {
	file := filepath.Join(t.TempDir(), "claim.yaml")
	if err := os.WriteFile(file, []byte(deletion), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := cluster.AdminConfig()
	if _, err := cluster.Kubectl(t.Context(), admin, "create", "clusterrolebinding", "breakglass", "--clusterrole=firebreak-breakglass", "--group=sre"); err != nil {
		t.Fatal(err)
	}
	sam := cluster.UserConfig(stage.SRE)
	if out, err := cluster.Kubectl(t.Context(), sam, "apply", "-f", file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	remove := []string{"delete", "pvc", "ledger", "-n", "payments", "--wait=false"}
	if out, err := cluster.Kubectl(t.Context(), sam, remove...); err == nil || !strings.Contains(out, "ProtectedState: this deletes protected state") {
		t.Fatalf("without a window: %v %s", err, out)
	}
	if out, err := plugin(t, stage.Developer, "emergency", "-n", "payments", "--reason", "I am in a hurry", "--", "true"); err == nil {
		t.Fatalf("a developer breaks the glass: %s", out)
	}
	out, err := plugin(t, stage.SRE, append([]string{"emergency", "-n", "payments", "--reason", "the claim is corrupt, INC-7", "--ticket", "INC-7", "--", cluster.Bin("kubectl")}, remove...)...)
	if err != nil || !strings.Contains(out, `persistentvolumeclaim "ledger" deleted`) || !strings.Contains(out, "It stays unreviewed until somebody else looks at it") {
		t.Fatalf("the emergency: %v %s", err, out)
	}
	window := logged(t)
	reviewed(t, window, "False", "Unreviewed")
	if out, err := plugin(t, stage.SecondSRE, "approve", window, "-n", "payments", "--yes"); err != nil {
		t.Fatalf("look at it afterwards: %v %s", err, out)
	}
	reviewed(t, window, "True", "Reviewed")
	// Deleting a window closes it. Otherwise it would cover the requests of other tests.
	if out, err := cluster.Kubectl(t.Context(), sam, "delete", "changewindow", window, "-n", "payments"); err != nil {
		t.Errorf("close it: %v %s", err, out)
	}
}

// logged returns the window under which, by the log, the claim was deleted.
func logged(t *testing.T) string {
	t.Helper()
	log, err := plugin(t, stage.SRE, "log", "--since", "10m", "-n", "payments", "-o", "json")
	if err != nil {
		t.Fatalf("log: %v %s", err, log)
	}
	var entries []struct{ Who, Operation, Object, Reason, Ticket, Window string }
	if err := json.Unmarshal([]byte(log), &entries); err != nil {
		t.Fatalf("%v in %s", err, log)
	}
	window := ""
	for _, e := range entries {
		if e.Object == "persistentvolumeclaim/ledger" && e.Who == stage.SRE && e.Operation == "Delete" && e.Ticket == "INC-7" && e.Reason == "the claim is corrupt, INC-7" {
			window = strings.TrimPrefix(e.Window, "payments/")
		}
	}
	if window == "" {
		t.Fatalf("the log does not say what was done: %s", log)
	}
	return window
}

// reviewed waits until the status of an emergency says whether another person has reviewed it.
func reviewed(t *testing.T, name, status, reason string) {
	t.Helper()
	people := fixture.Everybody(t, cluster)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var w v1alpha1.ChangeWindow
		if err := people.Admin.Get(t.Context(), client.ObjectKey{Namespace: "payments", Name: name}, &w); err != nil {
			t.Fatal(err)
		}
		for _, c := range w.Status.Conditions {
			if c.Type == "Reviewed" && string(c.Status) == status && c.Reason == reason {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("window %s does not come to be %s: %+v", name, reason, w.Status.Conditions)
		}
	}
}
