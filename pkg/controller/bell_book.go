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
	"maps"
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
	// damage says that the book that was there could not be read.
	damage error
}

// page is one notice. Of one that is delivered, no more is kept than is needed to know it again; a freeze is kept until it is told that it has ended.
type page struct {
	At      time.Time    `json:"at"`
	Pending []string     `json:"pending,omitempty"`
	Notice  *bell.Notice `json:"notice,omitempty"`
	// Ended is true for a freeze that holds no more.
	Ended bool `json:"ended,omitempty"`
}

// holds reports whether a page is about a freeze of which it is not known that it has ended.
func (p *page) holds() bool { return p.Notice != nil && p.Notice.Kind == bell.Frozen && !p.Ended }

// close drops what is not needed any more once everybody was told.
func (p *page) close() {
	if len(p.Pending) == 0 && !p.holds() {
		p.Notice = nil
	}
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
			// What cannot be read is as good as gone: what happens from now on is told.
			b.pages, b.first, b.dirty, b.damage = map[string]page{}, true, true, fmt.Errorf("read ConfigMap %q, which is begun anew: %w", bellState, err)
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
	b.pages[pageKey(n.ID)], b.dirty = p, true
}

// frozen returns the notices of freezes of which nothing has told yet that they have ended.
func (b *bellBook) frozen() []bell.Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []bell.Notice
	for _, p := range b.pages {
		if p.holds() {
			out = append(out, *p.Notice)
		}
	}
	return out
}

// end notes which freezes hold no more. What was to be told of that is in the book.
func (b *bellBook) end(holding map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, p := range b.pages {
		if p.holds() && !holding[p.Notice.ID] {
			p.Ended = true
			p.close()
			b.pages[key], b.dirty = p, true
		}
	}
}

// only drops what waits for targets that there are no more, or that do not take it any more.
func (b *bellBook) only(targets []bell.Target) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, p := range b.pages {
		if p.Notice == nil || len(p.Pending) == 0 {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(p.Pending), func(name string) bool {
			return !slices.ContainsFunc(targets, func(t bell.Target) bool { return t.Name == name && t.Takes(p.Notice) })
		})
		if len(left) < len(p.Pending) {
			p.Pending = left
			p.close()
			b.pages[key], b.dirty = p, true
		}
	}
}

// touch keeps the page of a notice that is still due from growing old.
func (b *bellBook) touch(n *bell.Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := pageKey(n.ID)
	if p, ok := b.pages[key]; ok && n.At.Sub(p.At) > time.Hour {
		p.At = n.At
		b.pages[key], b.dirty = p, true
	}
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
	p.close()
	b.pages[d.key], b.dirty = p, true
	b.mu.Unlock()
	return b.write(ctx, c)
}

// prune gives up what could not be delivered for a day, and forgets what is too old to be due again. Where there is no room, the oldest is given up sooner, and
// kept only as told: it would be told again. It returns how many messages that loses.
func (b *bellBook) prune(now time.Time) (lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := 0
	keys := slices.SortedFunc(maps.Keys(b.pages), func(x, y string) int {
		return cmp.Or(b.pages[x].At.Compare(b.pages[y].At), strings.Compare(x, y))
	})
	sizes := make(map[string]int, len(keys))
	for _, key := range keys {
		p := b.pages[key]
		age := now.Sub(p.At)
		if age > 2*bell.Horizon && !p.holds() {
			delete(b.pages, key)
			b.dirty = true
			continue
		}
		if age > bell.Horizon && len(p.Pending) > 0 {
			lost += len(p.Pending)
			p.Pending = nil
			p.close()
			b.pages[key], b.dirty = p, true
		}
		sizes[key] = sizeOf(key, &p)
		size += sizes[key]
	}
	for _, key := range keys {
		if size <= mostBook {
			break
		}
		p, ok := b.pages[key]
		if !ok || p.Notice == nil {
			continue
		}
		lost += len(p.Pending)
		p.Pending, p.Notice = nil, nil
		b.pages[key], b.dirty = p, true
		size -= sizes[key] - sizeOf(key, &p)
	}
	for _, key := range keys { // so many that were told do not fit either
		if size <= mostBook {
			break
		}
		if p, ok := b.pages[key]; ok {
			size -= sizeOf(key, &p)
			delete(b.pages, key)
		}
	}
	return lost
}

// sizeOf is about how much a page takes in the book, in bytes.
func sizeOf(key string, p *page) int {
	raw, err := json.Marshal(p)
	if err != nil {
		return mostBook // it cannot be written, and goes first
	}
	return len(key) + len(raw) + 6
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
