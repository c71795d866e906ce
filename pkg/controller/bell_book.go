package controller

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/bell"
)

// bellState is the ConfigMap in which the bell keeps what it has told.
const bellState = "firebreak-bell"

// mostBook is how much the book may hold, in bytes: ConfigMaps hold a mebibyte.
const mostBook = 900 << 10

// bellBook is what the bell has told, and what is not delivered yet. The leader alone writes it.
type bellBook struct {
	mu        sync.Mutex
	namespace string
	pages     map[string]page
	// first is true if there was none before.
	first bool
	// dirty is true if it is not written as it is.
	dirty bool
	owner []metav1.OwnerReference
}

// page is one notice. Of one that is delivered, no more is kept than is needed to know it again; a freeze is kept until it is told that it has ended.
type page struct {
	At      time.Time    `json:"at"`
	Pending []string     `json:"pending,omitempty"`
	Notice  *bell.Notice `json:"notice,omitempty"`
}

// keyOf is the key of a notice in the book.
func pageKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// bookKey is the key of the ConfigMap under which the book is, packed: as plain text it would name namespaces of production, and the webhook refuses that in
// a namespace that is not production's.
const bookKey = "book"

func packBook(pages map[string]page) ([]byte, error) {
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	err := json.NewEncoder(packed).Encode(pages)
	if err = errors.Join(err, packed.Close()); err != nil {
		return nil, fmt.Errorf("encode what was told: %w", err)
	}
	return out.Bytes(), nil
}

func unpackBook(packed []byte) (map[string]page, error) {
	text, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack what was told: %w", err)
	}
	pages := map[string]page{}
	if err := json.NewDecoder(io.LimitReader(text, 2*mostBook)).Decode(&pages); err != nil {
		return nil, fmt.Errorf("decode what was told: %w", err)
	}
	return pages, nil
}

// readBook reads the book.
func readBook(ctx context.Context, c client.Client, namespace string) (*bellBook, error) {
	b := &bellBook{namespace: namespace, pages: map[string]page{}}
	var cm corev1.ConfigMap
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: bellState}, &cm)
	if apierrors.IsNotFound(err) {
		b.first, b.dirty = true, true
	} else if err != nil {
		return nil, fmt.Errorf("read ConfigMap %q: %w", bellState, err)
	}
	if packed := cm.BinaryData[bookKey]; len(packed) > 0 {
		if b.pages, err = unpackBook(packed); err != nil {
			return nil, fmt.Errorf("read ConfigMap %q: %w; if it is deleted, some messages are sent twice", bellState, err)
		}
	}
	owner, err := serverOwner(ctx, c)
	if err != nil {
		return nil, err
	}
	b.owner = []metav1.OwnerReference{owner}
	return b, nil
}

func (b *bellBook) has(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.pages[pageKey(id)]
	return ok
}

func (b *bellBook) add(n bell.Notice, targets []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := page{At: n.At, Pending: targets}
	if len(targets) > 0 || n.Kind == bell.Frozen {
		p.Notice = &n
	}
	if n.Kind == bell.Lifted {
		// The freeze itself needs not be kept any longer than others.
		key := pageKey(strings.Replace(n.ID, "lifted/", "frozen/", 1))
		if old, ok := b.pages[key]; ok && len(old.Pending) == 0 {
			old.Notice = nil
			b.pages[key] = old
		}
	}
	b.pages[pageKey(n.ID)], b.dirty = p, true
}

// frozen returns the notices of freezes of which nothing has told yet that they have ended.
func (b *bellBook) frozen() []bell.Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []bell.Notice
	for _, p := range b.pages {
		if p.Notice == nil || p.Notice.Kind != bell.Frozen {
			continue
		}
		if _, ended := b.pages[pageKey(strings.Replace(p.Notice.ID, "frozen/", "lifted/", 1))]; !ended {
			out = append(out, *p.Notice)
		}
	}
	return out
}

func (b *bellBook) notice(key string) (bell.Notice, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[key]
	if p.Notice == nil {
		return bell.Notice{}, false
	}
	return *p.Notice, true
}

// waiting returns what is not delivered yet, the oldest first.
func (b *bellBook) waiting() []delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []delivery
	for key, p := range b.pages {
		for _, t := range p.Pending {
			out = append(out, delivery{key, t})
		}
	}
	slices.SortFunc(out, func(x, y delivery) int {
		return cmp.Or(b.pages[x.key].At.Compare(b.pages[y.key].At), strings.Compare(x.key, y.key), strings.Compare(x.target, y.target))
	})
	return out
}

// arrived notes at once that a message has arrived: whoever leads next does not send it again.
func (b *bellBook) arrived(ctx context.Context, c client.Client, d delivery) error {
	b.mu.Lock()
	p := b.pages[d.key]
	p.Pending = slices.DeleteFunc(slices.Clone(p.Pending), func(t string) bool { return t == d.target })
	if len(p.Pending) == 0 && p.Notice != nil && p.Notice.Kind != bell.Frozen {
		p.Notice = nil
	}
	b.pages[d.key], b.dirty = p, true
	b.mu.Unlock()
	return b.write(ctx, c)
}

// prune forgets what is too old to be due again, and gives up what could not be delivered for as long, or finds no room. It returns how many messages that loses.
func (b *bellBook) prune(now time.Time) (lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	drop := func(key string) {
		lost += len(b.pages[key].Pending)
		delete(b.pages, key)
		b.dirty = true
	}
	type aged struct {
		key  string
		at   time.Time
		size int
	}
	var all []aged
	size := 0
	for key, p := range b.pages {
		holds := p.Notice != nil && p.Notice.Kind == bell.Frozen
		if now.Sub(p.At) > 2*bell.Horizon && !holds {
			drop(key)
			continue
		}
		raw, err := json.Marshal(p)
		if err != nil {
			drop(key)
			continue
		}
		all = append(all, aged{key, p.At, len(key) + len(raw)})
		size += len(key) + len(raw)
	}
	slices.SortFunc(all, func(x, y aged) int { return cmp.Or(x.at.Compare(y.at), strings.Compare(x.key, y.key)) })
	for _, a := range all {
		if size <= mostBook {
			break
		}
		drop(a.key)
		size -= a.size
	}
	return lost
}

// write writes the book, if it has changed.
func (b *bellBook) write(ctx context.Context, c client.Client) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dirty {
		return nil
	}
	packed, err := packBook(b.pages)
	if err != nil {
		return err
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: bellState, OwnerReferences: b.owner}, BinaryData: map[string][]byte{bookKey: packed}}
	if err := applyConfigMap(ctx, c, cm, bellState); err != nil {
		return err
	}
	b.dirty, b.first = false, false
	return nil
}

func typesUID(s string) types.UID { return types.UID(s) }

// capital returns a word with a capital letter.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
