package recorded

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/cli"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// approvalOf approves the window as it is now.
func approvalOf(w *v1alpha1.ChangeWindow, a *v1alpha1.ChangeApproval) *v1alpha1.ChangeApproval {
	a.Spec.Digest = change.WindowDigest(&w.Spec)
	return a
}

// A permission that expires stops counting at that instant, whether or not any program has looked at it: in the webhook, in check,
// and in the audit.
func TestWhatHasExpiredCountsNowhere(t *testing.T) {
	expires := instant(t, "2027-03-28T01:00:00Z")
	until := metav1.NewTime(expires)
	job := recording(t, "job-by-sam")
	w, a := standard(t, job, "reindex-*", v1alpha1.Recurrence{
		Cron: "0 0 * * *", TimeZone: "UTC", Duration: metav1.Duration{Duration: 8 * time.Hour}, ValidUntil: metav1.NewTime(expires.AddDate(0, 2, 0)),
	}, expires.Add(-v1alpha1.DefaultStandardApprovalValidity))
	exemption := v1alpha1.Exemption{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindExemption},
		ObjectMeta: metav1.ObjectMeta{Name: "dana-looks"},
		Spec: v1alpha1.ExemptionSpec{
			Rules: []v1alpha1.RuleName{v1alpha1.RuleDataStoreAcrossTiers}, Subjects: v1alpha1.Subjects{Users: []v1alpha1.Glob{"dana"}},
			Objects: v1alpha1.ExemptObjects{Group: "apps", Kind: "Deployment", Namespaces: []v1alpha1.Glob{"dev"}, Names: []v1alpha1.Glob{"shop"}},
			Reason:  "CHG-7", ExpiresAt: until,
		},
	}
	const crosses = `names "orders.prod.db.example.com", data store "orders" of "production"; ` +
		`"dev" is in "development"`
	const leads = `names "masker.prod-masking.svc.cluster.local", in namespace "prod-masking" of "production"; ` +
		`"staging" is in "staging"`
	for name, tc := range map[string]struct {
		recording, person, group string
		estate                   func(*estate.Input)
		state                    []client.Object
		// denial is the message afterwards. standing and then are the audit's lines about the permission, before and after.
		denial         string
		standing, then string
		// changes is true if the permission is for a change, which stored objects do not show.
		changes bool
	}{
		"an exemption": {
			recording: "deployment-by-dana", person: "dana", group: "developers",
			estate: func(in *estate.Input) { in.Exemptions = []v1alpha1.Exemption{exemption} },
			denial: crosses, standing: `Exemption "dana-looks": counts: counts until 2027-03-28 01:00:00 UTC`,
			then: `Exemption "dana-looks": counts not: expired at 2027-03-28 01:00:00 UTC and counts no longer; delete it`,
		},
		"a gateway": {
			recording: "gateway-by-dana", person: "dana", group: "developers",
			estate: func(in *estate.Input) {
				in.Environments[0].Spec.Gateways = []v1alpha1.Gateway{{Host: "masker.prod-masking.svc.cluster.local", From: []string{"staging"}, Reason: "CHG-8", ExpiresAt: until}}
			},
			denial: leads, standing: `Environment "production": counts: its gateway through "masker.prod-masking.svc.cluster.local" counts until 2027-03-28 01:00:00 UTC`,
			then: `Environment "production": counts not: its gateway through "masker.prod-masking.svc.cluster.local" expired at 2027-03-28 01:00:00 UTC and counts no longer; delete it`,
		},
		"an approval": {
			recording: "job-by-sam", person: "sam", group: "sre", estate: func(*estate.Input) {}, state: []client.Object{w, approvalOf(w, a)},
			denial:   `window "nightly" does not permit it, since it has 0 of 1 approvals (the approval of robin was given too long before)`,
			standing: `ChangeWindow "nightly" in namespace "payments": counts: until 2027-03-28 08:00:00 UTC`,
			then:     `ChangeWindow "nightly" in namespace "payments": counts not: 0 of 1 approvals (the approval of robin was given too long before)`, changes: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := estateOf(nil)
			tc.estate(&in)
			review := recording(t, tc.recording)
			s := serverOf(t, in, tc.state...)
			files := written(t, in, tc.state, object(t, review))
			for at, denied := range map[time.Time]bool{expires.Add(-time.Second): false, expires: true} {
				when := []string{"--at", at.Format(time.RFC3339), "--cluster-name", cluster}
				said := s.send(review, at, nil)
				if (said != "") != denied || denied && !strings.Contains(said, tc.denial) {
					t.Errorf("the webhook at %s: %q, want denied: %t", at, said, denied)
				}
				answers(t, denied, tc.denial, append([]string{"check", "-f", files.manifest, "--with", files.estate, "--as", tc.person, "--as-group", tc.group, "--operation", "create"}, when...))
				out := answers(t, denied && !tc.changes, tc.denial, append([]string{"audit", "--with", files.estate, "--with", files.manifest}, when...))
				want := tc.standing
				if denied {
					want = tc.then
				}
				if !slices.Contains(strings.Split(out, "\n"), want) {
					t.Errorf("audit at %s says nothing of %q:\n%s", at, want, out)
				}
			}
		})
	}
}

// answers runs the plugin and returns its output. The plugin must deny the request with a message, or deny nothing.
func answers(t *testing.T, denied bool, denial string, args []string) string {
	t.Helper()
	out, code := run(t, args...)
	if (code == 1) != denied || denied && !strings.Contains(out, denial) {
		t.Errorf("%s: exit %d, want denied: %t\n%s", strings.Join(args, " "), code, denied, out)
	}
	return out
}

type files struct{ estate, manifest string }

// written writes the estate and the change state into files, and the sent object into another.
func written(t *testing.T, in estate.Input, state []client.Object, sent map[string]any) files {
	t.Helper()
	var all bytes.Buffer
	add := func(o any) {
		raw, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("---\n")
		all.Write(raw)
	}
	for i := range in.Environments {
		add(&in.Environments[i])
	}
	for i := range in.DataStores {
		add(&in.DataStores[i])
	}
	for i := range in.Exemptions {
		add(&in.Exemptions[i])
	}
	for name := range in.Namespaces {
		add(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}})
	}
	for _, o := range state {
		add(o)
	}
	dir := t.TempDir()
	out := files{filepath.Join(dir, "estate.yaml"), filepath.Join(dir, "manifest.json")}
	raw, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{out.estate: all.Bytes(), out.manifest: raw} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// run runs the plugin and returns its output and exit status.
func run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	root, err := cli.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	if err != nil {
		t.Fatal(err)
	}
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	var silent cli.ExitError
	if err != nil && !errors.As(err, &silent) {
		out.WriteString(err.Error())
	}
	return out.String(), cli.Code(err)
}
