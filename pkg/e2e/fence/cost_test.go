package fence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/fence"
)

// largest are objects that are meant to cost as much as an object can: many values, long values, many names, nothing but the letters that the
// search begins with.
func largest() map[string]string {
	many := func(n int, value string) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, "k%d: %q, ", i, value)
		}
		return "{" + s.String() + "}"
	}
	config := func(data string) string {
		return "{apiVersion: v1, kind: ConfigMap, metadata: {name: large, namespace: dev}, data: " + data + "}"
	}
	pods := func(containers int, container string) string {
		list := make([]string, containers)
		for i := range list {
			list[i] = fmt.Sprintf("{name: c%d, image: a, %s}", i, container)
		}
		return "{apiVersion: v1, kind: Pod, metadata: {name: large, namespace: dev}, spec: {containers: [" + strings.Join(list, ", ") + "]}}"
	}
	env := func(n int, value string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("{name: E%d, value: %q}", i, value)
		}
		return "env: [" + strings.Join(list, ", ") + "]"
	}
	return map[string]string{
		"one value of a megabyte":       config(many(1, strings.Repeat("a.b.c ", 170000))),
		"just as much as is judged":     config(many(1, strings.Repeat("a.b.c ", 5400))),
		"names from end to end":         config(many(1, strings.Repeat("a.", 16000)+"b")),
		"lines":                         config(many(1, strings.Repeat("\n", 32000))),
		"256 values":                    config(many(256, strings.Repeat("a.b.c ", 20))),
		"ten thousand values":           config(many(10000, "a.b.c")),
		"32 containers with much":       pods(32, env(256, "a.b.c.d")),
		"33 containers":                 pods(33, env(2, "a.b.c.d")),
		"an environment of half a MB":   pods(1, env(256, strings.Repeat("a.b.c ", 400))),
		"a thousand variables":          pods(1, env(1000, strings.Repeat("a.b.c ", 40))),
		"small, with nothing to object": config("{a: b}"),
	}
}

// With as many names as one ConfigMap holds, no object that the API server accepts exceeds what a policy may cost, which would refuse it. What each
// took is printed.
func TestNothingExceedsWhatAPolicyMayCost(t *testing.T) {
	sa, err := the.ServiceAccountConfig(t.Context(), stage.Namespace, "firebreak")
	if err != nil {
		t.Fatal(err)
	}
	own, err := the.Client(sa)
	if err != nil {
		t.Fatal(err)
	}
	full := map[string]string{}
	for i := range fence.MaxHosts {
		full[fmt.Sprintf("host.db-%d.prod.example.com", i)] = "production"
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "firebreak-fence-hosts-0", Namespace: stage.Namespace}}
	if err := own.Get(t.Context(), client.ObjectKeyFromObject(cm), cm); err != nil {
		t.Fatal(err)
	}
	before := cm.DeepCopy()
	for k, v := range full {
		cm.Data[k] = v
	}
	if err := own.Patch(t.Context(), cm, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	developer, err := the.Client(the.UserConfig(stage.Developer))
	if err != nil {
		t.Fatal(err)
	}
	object := func(text string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		return u
	}
	await.True(t, "the fence knows all names", func() bool {
		return developer.Create(t.Context(), object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: last, namespace: dev}, data: {a: db-14999.prod.example.com}}`), client.DryRunAll) != nil
	})
	manyNames(t, developer)
	for name, text := range largest() {
		u := object(text)
		began := time.Now()
		err := developer.Create(t.Context(), u, client.DryRunAll)
		took := time.Since(began)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%-32s %8d bytes %8s", name, len(text), took.Round(time.Millisecond/10))
	}
}

// manyNames checks an update of an object that named many of production's hosts before the fence knew them: a label costs little, what it adds is
// refused, and what it takes away is not.
func manyNames(t *testing.T, developer client.Client) {
	t.Helper()
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "host = db-%d.prod.example.com\n", i)
	}
	sa, err := the.ServiceAccountConfig(t.Context(), stage.Namespace, "firebreak")
	if err != nil {
		t.Fatal(err)
	}
	own, err := the.Client(sa)
	if err != nil {
		t.Fatal(err)
	}
	gate := func(data map[string]any) {
		t.Helper()
		raw, _ := json.Marshal(map[string]any{"data": data})
		if err := own.Patch(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "firebreak-fence-hosts-0", Namespace: stage.Namespace}}, client.RawPatch(types.MergePatchType, raw)); err != nil {
			t.Fatal(err)
		}
	}
	open, shut := map[string]any{}, map[string]any{}
	for i := range 500 {
		open[fmt.Sprintf("gate.db-%d.prod.example.com", i)], shut[fmt.Sprintf("gate.db-%d.prod.example.com", i)] = "x", nil
	}
	gate(open)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "many", Namespace: "dev"}, Data: map[string]string{"a": text.String()}}
	await.True(t, "it is stored while nothing objects", func() bool { return client.IgnoreAlreadyExists(developer.Create(t.Context(), cm.DeepCopy())) == nil })
	gate(shut)
	await.True(t, "the fence objects to a new one", func() bool {
		fresh := cm.DeepCopy()
		fresh.Name = "many-more"
		return developer.Create(t.Context(), fresh, client.DryRunAll) != nil
	})
	patch := func(text string) error {
		return developer.Patch(t.Context(), cm.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)), client.DryRunAll)
	}
	if err := patch(`{"metadata":{"labels":{"a":"b"}}}`); err != nil {
		t.Errorf("a label: %v", err)
	}
	if err := patch(`{"data":{"b":"mine.example.org"}}`); err != nil {
		t.Errorf("what is nobody's: %v", err)
	}
	if err := patch(`{"data":{"a":"host = db-1.prod.example.com"}}`); err != nil {
		t.Errorf("fewer of them: %v", err)
	}
	if err := patch(`{"data":{"a":"host = db-501.prod.example.com"}}`); err == nil || !strings.Contains(err.Error(), "it names db-501.prod.example.com, which is production's") {
		t.Errorf("another: %v", err)
	}
	if err := patch(`{"binaryData":{"c":"aG9zdA=="},"data":null}`); err != nil {
		t.Errorf("no data at all: %v", err)
	}
}
