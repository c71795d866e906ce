package api

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// plugin runs kubectl firebreak as a person does, and returns what it prints.
func plugin(t *testing.T, user string, args ...string) (string, error) {
	t.Helper()
	bin := filepath.Join(the.Root, "bin")
	if _, err := os.Stat(filepath.Join(bin, "kubectl-firebreak")); err != nil {
		t.Fatalf("%v: build it with: make build", err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return the.Kubectl(t.Context(), configOf(t, user), append([]string{"firebreak"}, args...)...)
}

func windowNamed(t *testing.T, name string) *v1alpha1.ChangeWindow {
	t.Helper()
	var w v1alpha1.ChangeWindow
	if err := as(t, admin).Get(t.Context(), client.ObjectKey{Namespace: "payments", Name: name}, &w); err != nil {
		t.Fatalf("read the window: %v", err)
	}
	return &w
}

func awaitApprovals(t *testing.T, name, want string) {
	t.Helper()
	await.True(t, "the window shows "+want+" approvals", func() bool { return windowNamed(t, name).Status.Approvals == want })
}

// An approval is for one window, by its UID: an equal window with the same name starts unapproved.
func TestRecreatedWindowStartsUnapproved(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "job.yaml")
	if err := os.WriteFile(manifest, []byte(jobManifest("revive")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := plugin(t, sam, "request", "-f", manifest, "-n", "payments", "--name", "revived", "--environment", "production",
		"--start", "now", "--duration", "1h", "--reason", "Rebuild the index", "--max-executions", "5")
	if err != nil {
		t.Fatal(err)
	}
	first := windowNamed(t, "revived")
	removeLater(t, asUnstructured(t, first))
	wantText(t, out, fmt.Sprintf("changewindow.firebreak.dev/revived requested in namespace payments\n"+
		"It opens at %s and closes at %s.\nSomebody else approves it with:\n\n  kubectl firebreak approve revived -n payments\n",
		said(first.Spec.Schedule.Start), said(first.Spec.Schedule.End)))
	if out, err := plugin(t, robin, "approve", "revived", "-n", "payments", "--yes"); err != nil || !strings.Contains(out, "changewindow.firebreak.dev/revived approved") {
		t.Fatalf("approve: %v\n%s", err, out)
	}
	start(t, "revive")
	awaitApprovals(t, "revived", "1/1")

	// The window is created again, as a requester might who had lost the argument.
	again := asUnstructured(t, first)
	again.Object["metadata"] = map[string]any{"name": "revived", "namespace": "payments"}
	delete(again.Object, "status")
	if err := as(t, sam).Delete(t.Context(), asUnstructured(t, first)); err != nil {
		t.Fatal(err)
	}
	if err := as(t, sam).Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	second := windowNamed(t, "revived")
	if second.UID == first.UID || !cmp.Equal(first.Spec, second.Spec) {
		t.Fatalf("the second window is not the first one's words under another UID:\n%s", cmp.Diff(first.Spec, second.Spec))
	}
	awaitApprovals(t, "revived", "0/1")
	const why = `this is maintenance in "production": it is started by a person; window "revived" does not permit it, since it has 0 of 1 approvals`
	const remedy = `have window "revived" approved by another member of "production" (not sam): kubectl firebreak approve revived -n payments`
	t.Run("the run is denied", func(t *testing.T) {
		wantRefused(t, as(t, sam).Create(t.Context(), job(t, "revive")), refusal{
			Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
			Message: webhook + `jobs.batch "revive" is forbidden: ` + remedy + ` (ChangeWindowRequired: ` + why + `)`,
			Causes:  []metav1.StatusCause{{Type: "ChangeWindowRequired", Message: why}},
		})
	})
	t.Run("the offline check says so too", func(t *testing.T) {
		out, err := plugin(t, sam, "check", "-f", manifest, "-n", "payments", "--operation", "create", "--as", sam, "--as-group", "sre")
		if err == nil || !strings.Contains(out, why) {
			t.Errorf("check answers %v:\n%s", err, out)
		}
	})
	t.Run("the old word is not taken again", func(t *testing.T) {
		word := object(t, v1alpha1.KindChangeApproval, about(t, asUnstructured(t, first), "Approve"))
		wantInvalid(t, as(t, robin).Create(t.Context(), word), webhook, v1alpha1.KindChangeApproval, "word",
			invalid("spec.window", fmt.Sprintf(`"revived": namespace "payments" has no change window of this name with UID %q: it was deleted, or made again; look at what is there, and approve that`, first.UID)))
	})
	t.Run("a word about other words is not taken for the new window", func(t *testing.T) {
		other := "v1:sha256:" + hexDigest
		word := object(t, v1alpha1.KindChangeApproval, about(t, asUnstructured(t, second), "Approve"), edits{"spec.digest": other})
		wantInvalid(t, as(t, robin).Create(t.Context(), word), webhook, v1alpha1.KindChangeApproval, "word",
			invalid("spec.digest", fmt.Sprintf("%q: change window %q has digest %s; look at it again before you approve it", other, "revived", change.WindowDigest(&second.Spec))))
	})
	t.Run("a person who types another environment approves nothing", func(t *testing.T) {
		out, err := plugin(t, robin, "approve", "revived", "-n", "payments")
		if err == nil || !strings.Contains(out, "nothing was typed, so nothing is approved") {
			t.Errorf("approve answers %v:\n%s", err, out)
		}
	})
}

func said(t *metav1.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func asUnstructured(t *testing.T, w *v1alpha1.ChangeWindow) *unstructured.Unstructured {
	t.Helper()
	u := toUnstructured(t, struct {
		metav1.TypeMeta `json:",inline"`
		*v1alpha1.ChangeWindow
	}{metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindChangeWindow}, w})
	return u
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}
