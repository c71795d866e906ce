package typed_test

import (
	"encoding/json"
	"math"
	"math/rand" //nolint:depguard // of this version are the sources of the generator
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/workload/typed"
)

// whole are objects of which every field can be filled.
func whole() []runtime.Object {
	return []runtime.Object{
		&corev1.Pod{}, &corev1.PodTemplate{}, &corev1.ReplicationController{}, &corev1.ConfigMap{}, &corev1.Secret{}, &corev1.Service{}, &corev1.PersistentVolume{},
		&appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}, &appsv1.ReplicaSet{}, &batchv1.Job{}, &batchv1.CronJob{},
	}
}

// agree decodes a text into an object of the type of another, and reports what differs from what Kubernetes' own decoder reads.
func agree(t *testing.T, like any, raw []byte) (plain bool) {
	t.Helper()
	of := reflect.TypeOf(like).Elem()
	got, want := reflect.New(of), reflect.New(of)
	if _, err := typed.Unmarshal(raw, got.Interface(), math.MaxInt); err != nil {
		return false
	}
	copied := reflect.New(of)
	if err := typed.UnmarshalEnvelope(raw, copied.Interface()); err != nil || !reflect.DeepEqual(copied.Interface(), got.Interface()) {
		t.Fatalf("%s\nis another object where strings are copied one by one: %v", raw, err)
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, want.Interface()); err != nil {
		t.Fatalf("%s\nis taken for plain, and Kubernetes says: %v", raw, err)
	}
	if diff := cmp.Diff(want.Interface(), got.Interface(), cmpopts.IgnoreTypes([]metav1.ManagedFieldsEntry{})); diff != "" {
		t.Fatalf("%s\n(-Kubernetes +typed):\n%s", raw, diff)
	}
	return true
}

// Whatever an API server may write is read as its own decoder reads it.
func TestUnmarshalReadsEveryField(t *testing.T) {
	source := rand.NewSource(1) // of the same objects each time
	fill := fuzzer.FuzzerFor(metafuzzer.Funcs, source, serializer.NewCodecFactory(runtime.NewScheme()))
	for range 60 {
		for _, o := range whole() {
			fill.Fill(o)
			raw, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			if !agree(t, o, raw) {
				t.Fatalf("%s\nis not plain", raw)
			}
		}
	}
}

// What is not plain is left to others, and nothing of it remains for the next text.
func TestUnmarshalRefuses(t *testing.T) {
	const good = `{"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}}`
	for _, raw := range []string{
		``, `{`, `[]`, `7`, `"x"`, `{} {}`, `{"spec":7}`, `{"spec":{"containers":{}}}`, `{"spec":{"containers":[{"name":"x","image":"y"},7]}}`, `{"spec":{"hostPID":"true"}}`,
		`{"spec":{"priority":"7"}}`, `{"spec":{"priority":1.5}}`, `{"spec":{"priority":1e3}}`, `{"spec":{"priority":3000000000}}`, `{"spec":{"hostname":true}}`,
		`{"spec":{"hostname":"a","hostname":"b"}}`, `{"spec":{},"spec":{}}`, `{"metadata":{"labels":{"a":"1","a":"2"}}}`,
		`{"spec":{"overhead":{"cpu":"1","cpu":"2"}}}`, `{"spec":{"overhead":{"cpu":"many"}}}`, "{\"spec\":{\"hostname\":\"\xff\"}}", `{"spec":{"hostname":"\ud800"}}`,
		`{"spec":{"containers":[{"name":"x"}]}`, `{"spec":{"containers":[{"name":"x"},]}}`, `{"spec":{"hostname":"x",}}`, `{"spec":{"containers":[,{}]}}`, `{,}`,
		`{"metadata":{"creationTimestamp":""}}`, `{"metadata":{"creationTimestamp":7}}`, `{"metadata":{"creationTimestamp":"2026-11-28"}}`, `{"metadata":{"labels":{"a":1}}}`, `{"spec":{"containers":[{"env":[{"name":"x","value":"y"}],"args":[7]}]}}`,
	} {
		var pod corev1.Pod
		if parts, err := typed.Unmarshal([]byte(raw), &pod, math.MaxInt); err == nil {
			t.Errorf("%s: %d parts, want an error", raw, parts)
		}
		if !agree(t, &corev1.Pod{}, []byte(good)) {
			t.Errorf("after %s, %s is not plain", raw, good)
		}
	}
}

func TestUnmarshalReads(t *testing.T) {
	for _, raw := range []string{
		`null`, `{}`, `{"spec":null,"metadata":null,"unknown":{"a":[1,2,{"b":null}]}}`, `{"SPEC":{"hostname":"x"}}`, `{"sp\u0065c":{"hostn\u0061me":"a\u0062\n\"c\\"}}`,
		` { "spec" : { "containers" : [ { "name" : "x" , "args" : [ ] , "env" : null } , { } ] , "priority" : -7 } } `, `{"spec":{"containers":[]},"metadata":{"labels":{}}}`,
		`{"spec":{"containers":[null,{"name":"x","args":[null,"a"]}]},"metadata":{"labels":{"a":null}}}`, `{"spec":{"nodeSelector":{"":""}}}`,
		`{"metadata":{"creationTimestamp":null,"managedFields":[{"manager":"x"}]},"spec":{"overhead":{"cpu":"100m","memory":1}}}`,
		`{"spec":{"initContainers":[{"name":"a","ports":[{"containerPort":1},{"containerPort":2}]},{"ports":[{"hostPort":3}]}]}}`,
	} {
		if !agree(t, &corev1.Pod{}, []byte(raw)) {
			t.Errorf("%s is not plain", raw)
		}
	}
}

// Parts are counted before they are allocated, and one too many ends the reading.
func TestUnmarshalCountsParts(t *testing.T) {
	raw := []byte(`{"spec":{"containers":[{"env":[{},{}]},{}],"tolerations":[{}],"volumes":[]}}`) // 2 times 8, and 3
	for _, allowed := range []int{19, 18, 0} {
		var pod corev1.Pod
		if parts, err := typed.Unmarshal(raw, &pod, allowed); (err == nil) != (allowed >= 19) || err == nil && parts != 19 {
			t.Errorf("allowed %d: %d parts, %v", allowed, parts, err)
		}
	}
	long := []byte(`{"spec":{"containers":[` + strings.Repeat(`{},`, 300_000) + `{}]}}`)
	if bytes := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var pod corev1.Pod
			if _, err := typed.Unmarshal(long, &pod, 1000); err == nil {
				b.Fatal("want an error")
			}
		}
	}).AllocedBytesPerOp(); bytes > int64(len(long))+256<<10 { // one copy of the text, and little else
		t.Errorf("%d bytes are allocated", bytes)
	}
}

// Readers are shared by all requests.
func TestUnmarshalAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				agree(t, &batchv1.CronJob{}, []byte(`{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"a","args":["x"]},{"name":"b"}]}}}}}}`))
			}
		})
	}
	wg.Wait()
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"x","labels":{"a":"b"}},"spec":{"containers":[{"name":"c","env":[{"name":"A","value":"b"}],"resources":{"limits":{"cpu":"1"}}}]}}`))
	f.Add([]byte(`{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":"http"}}},null],"priority":1,"hostPID":true}}`))
	f.Fuzz(func(t *testing.T, raw []byte) { agree(t, &corev1.Pod{}, raw) })
}
