package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/cli"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

var cluster *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

func TestMain(m *testing.M) {
	// These are created before there is a boundary: afterwards a namespace of production needs a window.
	os.Exit(fixture.Main(m, stage.Options{}, &cluster, func(ctx context.Context, s *stage.Stage) error {
		_, err := s.Kubectl(ctx, s.AdminConfig(), "create", "namespace", "prod-red")
		return err
	}))
}

// answer is the answer of the webhook or of check about one manifest, in a form that can be compared.
type answer struct {
	Allowed bool
	// Denied lists the rules and paths that deny, sorted.
	Denied []string
	// Message is the whole sentence of a denial.
	Message string
}

// live sends a manifest as a person and reads the webhook's answer from the API server's.
func live(t *testing.T, c client.Client, u *unstructured.Unstructured) (answer, time.Time) {
	t.Helper()
	at := time.Now()
	old := &unstructured.Unstructured{}
	old.SetGroupVersionKind(u.GroupVersionKind())
	err := c.Get(t.Context(), client.ObjectKeyFromObject(u), old)
	o := u.DeepCopy()
	if err == nil {
		o.SetResourceVersion(old.GetResourceVersion())
		err = c.Update(t.Context(), o)
	} else {
		err = c.Create(t.Context(), o)
	}
	if err == nil {
		return answer{Allowed: true}, o.GetCreationTimestamp().Time
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		t.Fatalf("send %s %q: %v", u.GetKind(), u.GetName(), err)
	}
	a := answer{Message: policy.WithoutDenialID(status.Status().Message)}
	if _, message, ok := strings.Cut(a.Message, "denied the request: "); ok {
		a.Message = message
	}
	for _, cause := range status.Status().Details.Causes {
		a.Denied = append(a.Denied, string(cause.Type)+" "+cause.Field)
	}
	slices.Sort(a.Denied)
	return a, at
}

// snapshot writes the cluster's objects, as `kubectl get -o yaml` prints them, into a folder.
func snapshot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, args := range map[string][]string{
		"cluster":    {"environments,datastores,exemptions,changefreezes,namespaces"},
		"namespaced": {"services,configmaps,changewindows,changeapprovals,changeexecutions", "-A"},
	} {
		out, err := cluster.Kubectl(t.Context(), cluster.AdminConfig(), append([]string{"get", "-o", "yaml"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// offline runs check without a cluster.
func offline(t *testing.T, file, with string, as, group string, at time.Time) (answer, cli.Result) {
	t.Helper()
	var out bytes.Buffer
	root, err := cli.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	if err != nil {
		t.Fatal(err)
	}
	root.SetArgs([]string{
		"check", "-f", file, "--with", with, "--as", as, "--as-group", group, "--at", at.UTC().Format(time.RFC3339),
		"--cluster-name", stage.Cluster, "-o", "json",
	})
	err = root.ExecuteContext(t.Context())
	var report cli.Report
	if jsonErr := json.Unmarshal(out.Bytes(), &report); jsonErr != nil || len(report.Results) != 1 {
		t.Fatalf("check: %v, %v: %s", err, jsonErr, out.String())
	}
	r := report.Results[0]
	if want := map[string]int{"allow": 0, "warn": 0, "deny": 1, "undecided": 2}[r.Decision]; cli.Code(err) != want {
		t.Errorf("exit status %d for %q, want %d", cli.Code(err), r.Decision, want)
	}
	a := answer{Allowed: r.Allowed, Message: r.Message}
	for _, f := range r.Findings {
		if f.Action == "deny" {
			a.Denied = append(a.Denied, f.Rule+" "+f.Path)
		}
	}
	slices.Sort(a.Denied)
	return a, r
}

func read(t *testing.T, file string) *unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(raw, &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// Every sample is judged by the live webhook and by the offline check, for a member of production and for a developer,
// without a window and with one. The answers are the same to the letter.
func TestCheckAnswersAsTheWebhookDoes(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join(cluster.Root, "config", "samples", "manifests", "*.yaml"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	p, err := fixture.Clients(cluster)
	if err != nil {
		t.Fatal(err)
	}
	compare := func(t *testing.T, file, user, group string, c client.Client) {
		t.Helper()
		u := read(t, file)
		with := snapshot(t)
		want, at := live(t, c, u)
		if strings.Contains(want.Message, fmt.Sprintf("User %q cannot", user)) {
			return // RBAC refused it before admission
		}
		got, result := offline(t, file, with, user, group, at)
		// The API server moves stringData into data before admission sees it.
		got.Message = strings.ReplaceAll(got.Message, "stringData[", "data[")
		for i := range got.Denied {
			got.Denied[i] = strings.ReplaceAll(got.Denied[i], "stringData[", "data[")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the check (+) differs from the webhook (-): %s\n%+v", diff, result)
		}
		if want.Allowed && u.GetKind() != v1alpha1.KindDataStore { // an existing data store stays, since deleting it would weaken the boundary
			if err := client.IgnoreNotFound(p.SRE.Delete(t.Context(), u, client.PropagationPolicy("Background"))); err != nil {
				t.Fatal(err)
			}
		}
	}
	people := []struct {
		name, group string
		c           client.Client
	}{{stage.Developer, "developers", p.Developer}, {stage.SRE, "sre", p.SRE}}
	for _, file := range samples {
		for _, who := range people {
			t.Run(filepath.Base(file)+" by "+who.name, func(t *testing.T) { compare(t, file, who.name, who.group, who.c) })
		}
	}
	if _, err := p.Approved(t.Context(), "reindex", "reindex-orders", 1); err != nil {
		t.Fatal(err)
	}
	for _, file := range samples {
		if strings.Contains(file, "job-production") {
			t.Run(filepath.Base(file)+" under a window", func(t *testing.T) { compare(t, file, stage.SRE, "sre", p.SRE) })
		}
	}
}

// A manifest that cannot be read is undecided, and the exit status says so.
func TestCheckSaysWhatItCannotJudge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: batch/v1\nkind: Job\nmetadata: {name: x, namespace: dev}\nspec: {template: {spec: {containers: 7}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, r := offline(t, file, filepath.Join(cluster.Root, "config", "samples", "estate"), "dana", "developers", time.Now())
	if a.Allowed || r.Decision != "undecided" || !strings.Contains(r.Message, "decode Job") {
		t.Errorf("%+v, want it undecided", r)
	}
}
