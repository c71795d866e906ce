package snapshot_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/snapshot"
)

func declared(hosts int) *snapshot.Snapshot {
	created := metav1.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC)
	s := &snapshot.Snapshot{Environments: []v1alpha1.Environment{
		{ObjectMeta: metav1.ObjectMeta{Name: "staging", CreationTimestamp: created}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierNonProduction}},
		{ObjectMeta: metav1.ObjectMeta{Name: "production", UID: "u-1", CreationTimestamp: created, Annotations: map[string]string{v1alpha1.AnnotationSealed: "true"}}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction}},
	}}
	d := v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: "orders", CreationTimestamp: created}, Spec: v1alpha1.DataStoreSpec{Environment: "production"}}
	for i := range hosts {
		sum := sha256.Sum256([]byte(fmt.Sprint(i)))
		d.Spec.Hosts = append(d.Spec.Hosts, hex.EncodeToString(sum[:])+".db.example.com")
	}
	s.Stores = append(s.Stores, d)
	return s
}

// stored are ConfigMaps by their names.
type stored map[string]*corev1.ConfigMap

func (s stored) get(name string) (*corev1.ConfigMap, error) {
	if cm := s[name]; cm != nil {
		return cm, nil
	}
	return nil, errors.New(name + " does not exist")
}

// write writes a snapshot beside what is stored.
func (s stored) write(t *testing.T, in *snapshot.Snapshot) {
	t.Helper()
	e, err := snapshot.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	shards, index := e.ConfigMaps("firebreak-system", s[snapshot.Index])
	if s[snapshot.Index] != nil {
		if before, err := snapshot.Read(s[snapshot.Index], s.get); err != nil || before == nil {
			t.Fatalf("the copy before cannot be read: %v", err)
		}
	}
	for _, cm := range append(shards, index) {
		if cm.Namespace != "firebreak-system" {
			t.Errorf("%s is written into %q", cm.Name, cm.Namespace)
		}
		s[cm.Name] = cm
	}
	if !snapshot.Says(index, e.Digest()) {
		t.Error("the index does not name its copy")
	}
}

// What is written is read again, without what was only observed.
func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	want := declared(40000)
	in := declared(40000)
	in.Environments[0].Status.Namespaces = 3
	in.Stores[0].ResourceVersion, in.Stores[0].Annotations = "7", map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
	s := stored{}
	s.write(t, in)
	if len(s) < 3 {
		t.Errorf("%d ConfigMaps hold 40,000 hosts, want several shards", len(s))
	}
	got, err := snapshot.Read(s[snapshot.Index], s.get)
	if err != nil {
		t.Fatal(err)
	}
	want.Environments[0], want.Environments[1] = want.Environments[1], want.Environments[0] // by name
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read (-want +got):\n%.2000s", diff)
	}
	if o := got.Objects(); len(o["Environment"]) != 2 || len(o["DataStore"]) != 1 {
		t.Errorf("%d environments and %d data stores, want 2 and 1", len(o["Environment"]), len(o["DataStore"]))
	}
}

// The next copy is written beside the present one, which stays whole until the index names the next.
func TestTheCopyBeforeStaysWhole(t *testing.T) {
	s := stored{}
	for n := range 4 {
		s.write(t, declared(n))
		before := s[snapshot.Index]
		e, err := snapshot.Encode(declared(n + 1))
		if err != nil {
			t.Fatal(err)
		}
		shards, _ := e.ConfigMaps("firebreak-system", before)
		for _, cm := range shards {
			s[cm.Name] = cm // and the writer ends before it writes the index
		}
		got, err := snapshot.Read(before, s.get)
		if err != nil || len(got.Stores[0].Spec.Hosts) != n {
			t.Fatalf("the copy before is broken: %v", err)
		}
	}
}

// Every ConfigMap that is ever written has one of the names that Firebreak may write.
func TestNames(t *testing.T) {
	s := stored{}
	s.write(t, declared(60000))
	s.write(t, declared(60001))
	for _, name := range snapshot.Names() {
		delete(s, name)
	}
	if len(s) > 0 {
		t.Errorf("these have other names: %v", s)
	}
}

func TestUnreadableCopies(t *testing.T) {
	index := func(copied, shards, digest string) *corev1.ConfigMap {
		return &corev1.ConfigMap{Data: map[string]string{"copy": copied, "shards": shards, "sha256": digest}}
	}
	pack := func(text string) (string, stored) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		sum := sha256.Sum256(b.Bytes())
		return hex.EncodeToString(sum[:]), stored{snapshot.Index + "-a-0": {BinaryData: map[string][]byte{"shard": b.Bytes()}}}
	}
	whole, shards := pack(`{"environment": {"metadata": {"name": "production"}}}`)
	torn, ends := pack(`{"environment": {`)
	bomb, grows := pack(strings.Repeat(`{"environment":{"metadata":{"name":"a"}}}`+strings.Repeat(" ", 1000), 140_000))
	sum := sha256.Sum256([]byte("x"))
	for name, tc := range map[string]struct {
		index *corev1.ConfigMap
		have  stored
		want  string
	}{
		"an empty index":       {&corev1.ConfigMap{}, nil, "the index of the copy of the estate cannot be read"},
		"too many shards":      {index("a", "9", whole), shards, "the index of the copy of the estate cannot be read"},
		"no shards":            {index("a", "0", whole), shards, "the index of the copy of the estate cannot be read"},
		"another copy":         {index("../a", "1", whole), shards, "the index of the copy of the estate cannot be read"},
		"a shard that is gone": {index("b", "1", whole), shards, "read the copy of the estate: firebreak-last-good-b-0 does not exist"},
		"another digest":       {index("a", "1", torn), shards, "the copy of the estate is not what its index says"},
		"no gzip":              {index("a", "1", hex.EncodeToString(sum[:])), stored{snapshot.Index + "-a-0": {BinaryData: map[string][]byte{"shard": []byte("x")}}}, "decompress the copy of the estate: unexpected EOF"},
		"a torn line":          {index("a", "1", torn), ends, "decode the copy of the estate: unexpected EOF"},
		"what grows":           {index("a", "1", bomb), grows, "the copy of the estate has more than 128 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := snapshot.Read(tc.index, tc.have.get); err == nil || err.Error() != tc.want {
				t.Errorf("read %v, %v\nwant %s", got != nil, err, tc.want)
			}
		})
	}
}

func TestTooMuchForACopy(t *testing.T) {
	s := declared(0)
	var b strings.Builder
	for i := range 260_000 {
		sum := sha256.Sum256([]byte(fmt.Sprint(i)))
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	s.Stores[0].Spec.Hosts = []string{b.String()}
	if _, err := snapshot.Encode(s); err == nil || !strings.HasSuffix(err.Error(), "KiB, more than the 7200 that fit into 8 ConfigMaps") {
		t.Errorf("%v", err)
	}
}
