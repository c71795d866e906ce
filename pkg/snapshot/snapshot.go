package snapshot

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

const (
	// Index is the name of the ConfigMap that says which shards make up the present copy.
	Index = "firebreak-last-good"
	// MaxShards is how many ConfigMaps one copy takes at most. There are names for two copies: the next is written beside the present one.
	MaxShards = 8

	// maxShard is how many bytes of the compressed copy one shard holds; a ConfigMap holds 1 MiB.
	maxShard = 900 << 10
	// maxText is how many bytes a copy has at most once it is decompressed: what a ConfigMap says of itself is not trusted.
	maxText = 128 << 20

	shardKey, copyKey, shardsKey, digestKey = "shard", "copy", "shards", "sha256"
)

// Snapshot is what was declared at some time.
type Snapshot struct {
	Environments []v1alpha1.Environment
	Stores       []v1alpha1.DataStore
}

// Names returns the names of every ConfigMap that a copy may be kept in.
func Names() []string {
	out := []string{Index}
	for _, c := range copies() {
		for i := range MaxShards {
			out = append(out, shardName(c, i))
		}
	}
	return out
}

func copies() []string { return []string{"a", "b"} }

func shardName(copied string, i int) string { return fmt.Sprintf("%s-%s-%d", Index, copied, i) }

// Encoded is a copy that is ready to be written.
type Encoded struct {
	text   []byte
	digest string
}

// Digest identifies what a copy says.
func (e *Encoded) Digest() string { return e.digest }

// Encode returns the copy of a snapshot. Statuses, and what only the API server needs, are left out. The same declarations give the same copy. It is
// an error if they do not fit into MaxShards ConfigMaps.
func Encode(s *Snapshot) (*Encoded, error) {
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	lines := json.NewEncoder(packed)
	for _, e := range sorted(s.Environments, func(e *v1alpha1.Environment) string { return e.Name }) {
		e.Status = v1alpha1.EnvironmentStatus{}
		e.ObjectMeta = bare(&e.ObjectMeta)
		if err := lines.Encode(line{Environment: &e}); err != nil {
			return nil, fmt.Errorf("encode environment %q: %w", e.Name, err)
		}
	}
	for _, d := range sorted(s.Stores, func(d *v1alpha1.DataStore) string { return d.Name }) {
		d.Status = v1alpha1.DataStoreStatus{}
		d.ObjectMeta = bare(&d.ObjectMeta)
		if err := lines.Encode(line{DataStore: &d}); err != nil {
			return nil, fmt.Errorf("encode data store %q: %w", d.Name, err)
		}
	}
	if err := packed.Close(); err != nil {
		return nil, fmt.Errorf("compress the copy of the estate: %w", err)
	}
	if out.Len() > MaxShards*maxShard {
		return nil, fmt.Errorf("the copy of the estate has %d KiB, more than the %d that fit into %d ConfigMaps", out.Len()>>10, MaxShards*maxShard>>10, MaxShards)
	}
	sum := sha256.Sum256(out.Bytes())
	return &Encoded{text: out.Bytes(), digest: hex.EncodeToString(sum[:])}, nil
}

// line is one declaration; one of the fields is set.
type line struct {
	Environment *v1alpha1.Environment `json:"environment,omitempty"`
	DataStore   *v1alpha1.DataStore   `json:"dataStore,omitempty"`
}

func sorted[T any](in []T, name func(*T) string) []T {
	out := slices.Clone(in)
	slices.SortFunc(out, func(a, b T) int { return strings.Compare(name(&a), name(&b)) })
	return out
}

// bare keeps the metadata that decides something.
func bare(m *metav1.ObjectMeta) metav1.ObjectMeta {
	out := metav1.ObjectMeta{Name: m.Name, UID: m.UID, CreationTimestamp: m.CreationTimestamp, Labels: m.Labels}
	if sealed, ok := m.Annotations[v1alpha1.AnnotationSealed]; ok {
		out.Annotations = map[string]string{v1alpha1.AnnotationSealed: sealed}
	}
	return out
}

// ConfigMaps returns the shards of a copy, which are written first, and the index that then names them. present is the stored index, or nil: the
// shards that it names are left alone, so that at every moment one copy is whole.
func (e *Encoded) ConfigMaps(namespace string, present *corev1.ConfigMap) (shards []*corev1.ConfigMap, index *corev1.ConfigMap) {
	next := copies()[0]
	if present != nil && present.Data[copyKey] == next {
		next = copies()[1]
	}
	for part := range slices.Chunk(e.text, maxShard) {
		shards = append(shards, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: shardName(next, len(shards))},
			BinaryData: map[string][]byte{shardKey: part},
		})
	}
	return shards, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: Index},
		Data:       map[string]string{copyKey: next, shardsKey: strconv.Itoa(len(shards)), digestKey: e.digest},
	}
}

// Says reports whether an index names the copy with a digest.
func Says(index *corev1.ConfigMap, digest string) bool {
	return index != nil && index.Data[digestKey] == digest
}

// Read returns the snapshot that an index names; get reads a ConfigMap by its name. It is an error if the copy is not whole, or not what the index says.
func Read(index *corev1.ConfigMap, get func(name string) (*corev1.ConfigMap, error)) (*Snapshot, error) {
	n, err := strconv.Atoi(index.Data[shardsKey])
	if err != nil || n < 1 || n > MaxShards || !slices.Contains(copies(), index.Data[copyKey]) {
		return nil, errors.New("the index of the copy of the estate cannot be read")
	}
	var text []byte
	for i := range n {
		shard, err := get(shardName(index.Data[copyKey], i))
		if err != nil {
			return nil, fmt.Errorf("read the copy of the estate: %w", err)
		}
		text = append(text, shard.BinaryData[shardKey]...)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != index.Data[digestKey] {
		return nil, errors.New("the copy of the estate is not what its index says")
	}
	return decode(text)
}

func decode(text []byte) (*Snapshot, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("decompress the copy of the estate: %w", err)
	}
	rest := &io.LimitedReader{R: unpacked, N: maxText + 1}
	lines := json.NewDecoder(rest)
	var out Snapshot
	for {
		var l line
		err := lines.Decode(&l)
		switch {
		case rest.N <= 0:
			return nil, fmt.Errorf("the copy of the estate has more than %d MiB", maxText>>20)
		case errors.Is(err, io.EOF):
			return &out, nil
		case err != nil:
			return nil, fmt.Errorf("decode the copy of the estate: %w", err)
		case l.Environment != nil:
			out.Environments = append(out.Environments, *l.Environment)
		case l.DataStore != nil:
			out.Stores = append(out.Stores, *l.DataStore)
		}
	}
}

// Objects returns the declarations of each kind.
func (s *Snapshot) Objects() map[string][]client.Object {
	out := map[string][]client.Object{}
	for i := range s.Environments {
		out[v1alpha1.KindEnvironment] = append(out[v1alpha1.KindEnvironment], &s.Environments[i])
	}
	for i := range s.Stores {
		out[v1alpha1.KindDataStore] = append(out[v1alpha1.KindDataStore], &s.Stores[i])
	}
	return out
}
