package fence

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/fence"
)

// documents reads a stream of manifests.
func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []*unstructured.Unstructured
	d := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	for {
		u := &unstructured.Unstructured{}
		switch err := d.Decode(&u.Object); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		}
		if len(u.Object) > 0 {
			out = append(out, u)
		}
	}
}

// fixtures is the folder of the cases that the webhook's rules are tested with.
const fixtures = "../../policy/testdata"

// fixtureEstate returns what the fence is made of for the estate of the fixtures, without exemptions, which would take rules out of it.
func fixtureEstate(t *testing.T) fence.Input {
	t.Helper()
	in := estate.Input{Namespaces: map[string]map[string]string{}, FirebreakNamespace: stage.Namespace, Cluster: stage.Cluster}
	for _, u := range documents(t, filepath.Join(fixtures, "estate.yaml")) {
		var err error
		switch u.GetKind() {
		case v1alpha1.KindEnvironment:
			var e v1alpha1.Environment
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &e)
			in.Environments = append(in.Environments, e)
		case v1alpha1.KindDataStore:
			var d v1alpha1.DataStore
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &d)
			in.DataStores = append(in.DataStores, d)
		case "Namespace":
			in.Namespaces[u.GetName()] = u.GetLabels()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fence.Input{Estate: estate.Compile(in), Stores: in.DataStores, Mode: fence.Always, AliveUntil: time.Now().Add(time.Hour)}
}

// learns has the fence know another estate.
func learns(t *testing.T, in fence.Input) {
	t.Helper()
	sa, err := the.ServiceAccountConfig(t.Context(), stage.Namespace, "firebreak")
	if err != nil {
		t.Fatal(err)
	}
	own, err := the.Client(sa)
	if err != nil {
		t.Fatal(err)
	}
	maps, left := fence.ConfigMaps(in)
	if left > 0 || len(maps) != 3 {
		t.Fatalf("%d ConfigMaps, %d names left out", len(maps), left)
	}
	for name, cm := range maps {
		now := &corev1.ConfigMap{}
		if err := own.Get(t.Context(), client.ObjectKeyFromObject(cm), now); err != nil {
			t.Fatal(err)
		}
		before := now.DeepCopy()
		now.Data = cm.Data
		if err := own.Patch(t.Context(), now, client.MergeFrom(before)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// The fence refuses nothing that the rules admit. What it admits although the rules refuse it is listed in weaker.txt, which the documents are made
// from: a case that is missing there, or that the fence refuses by now, fails the test.
func TestTheFenceAgreesWithTheRules(t *testing.T) {
	learns(t, fixtureEstate(t))
	admin, err := the.Client(the.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	awaitFixtures(t, admin)
	var weaker []string
	judged := 0
	for _, file := range cases(t) {
		docs := documents(t, file)
		u := docs[0].DeepCopy()
		if len(docs) > 1 || u.GetNamespace() == "" || otherwise(t, file, u.GetKind()) {
			continue
		}
		by := refusedBy(t, admin, u)
		if by == "invalid" {
			continue // the API server would never send it to the webhook
		}
		judged++
		name := strings.TrimPrefix(filepath.ToSlash(file), fixtures+"/")
		switch admitted := !strings.Contains(name, "/deny/"); {
		case admitted && by != "" && !strings.Contains(name, "exempted"):
			t.Errorf("the rules admit %s, and the fence does not: %s", name, by)
		case !admitted && by == "" && names(t, file):
			weaker = append(weaker, name)
		}
	}
	t.Logf("%d cases can be judged by both; the fence is weaker in %d", judged, len(weaker))
	want, err := os.ReadFile("testdata/weaker.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(weaker, "\n") + "\n"; got != string(want) {
		t.Errorf("testdata/weaker.txt is not what the fence admits although the rules refuse it; it is:\n%s", got)
	}
}

// names reports whether a case is denied for naming a data store.
func names(t *testing.T, file string) bool {
	t.Helper()
	golden, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".golden")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(golden), "DataStoreAcrossTiers")
}

// awaitFixtures waits until the API server's fence knows the estate of the fixtures.
func awaitFixtures(t *testing.T, c client.Client) {
	t.Helper()
	await.True(t, "the fence knows the estate of the fixtures", func() bool {
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "probe", "namespace": "dev"}, "data": map[string]any{"a": "orders.prod.db.example.com"}}}
		return c.Create(t.Context(), u, client.DryRunAll) != nil
	})
}

// otherwise reports whether a case is about something else than the creation of what the fence judges.
func otherwise(t *testing.T, file, kind string) bool {
	t.Helper()
	if !slices.Contains([]string{"ConfigMap", "Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}, kind) {
		return true
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(raw), "#   operation: ")
}

// cases returns the files of all fixtures, sorted.
func cases(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*/allow/*.yaml", "*/deny/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(fixtures, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		out = append(out, files...)
	}
	slices.Sort(out)
	return out
}

// refusedBy returns the fence's sentence about a creation; "invalid" if the API server takes no such object, empty if nothing objects.
func refusedBy(t *testing.T, c client.Client, u *unstructured.Unstructured) string {
	t.Helper()
	ns := &corev1.Namespace{}
	ns.Name = u.GetNamespace()
	_ = c.Create(t.Context(), ns) // it may be there
	u.SetUID("")
	err := c.Create(t.Context(), u, client.DryRunAll)
	switch {
	case err == nil:
		return ""
	case strings.Contains(err.Error(), "fence refuses this: it names"):
		return err.Error()
	}
	return "invalid"
}
