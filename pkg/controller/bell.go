package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/bell"
)

// BellConfig is the ConfigMap with the bell's configuration, under the key config.yaml.
const BellConfig = "firebreak-bell-config"

// Bell tells people, by Events and messages, what they should know of windows, freezes, emergencies and what expires. It runs in the leading replica, keeps
// what it has told in a ConfigMap, and is never part of a decision.
type Bell struct {
	memory *Cache
	client client.Client
	// windows reads windows and approvals from caches.
	windows client.Reader
	log     logr.Logger
	events  record.EventRecorder
	secret  string
	sent    *prometheus.CounterVec
	waiting prometheus.Gauge
	lost    prometheus.Counter
	send    func(ctx context.Context, address string, m *bell.Message) error

	// mu guards the fields below it.
	mu sync.Mutex
	// heard are notices of other parts of the server.
	heard []bell.Notice
	// busy are the targets to which something is being sent, by senders.
	busy    map[string]bool
	senders sync.WaitGroup
	book    *bellBook
	// patience says how long a delivery that has failed waits, and again when it is tried again; complained is when a failure was last logged, by target.
	patience   workqueue.TypedRateLimiter[delivery]
	again      map[delivery]time.Time
	complained map[string]time.Time
}

// delivery is one notice to one target.
type delivery struct{ key, target string }

const (
	// ringEvery is how often the bell looks, and mostAtOnce how many messages it sends then.
	ringEvery, mostAtOnce = 5 * time.Second, 50
	// firstWait and lastWait are how long it waits before it tries a message again, the first time and at most.
	firstWait, lastWait = 5 * time.Second, 5 * time.Minute
	// mostHeard is how many notices of other parts wait at most.
	mostHeard = 200
)

// NewBell returns the bell, and registers its metrics. c must not read from a cache; windows reads from one. secret names the Secret with the addresses of the
// targets; it may be empty.
func NewBell(m *Cache, c client.Client, windows client.Reader, secret string, events record.EventRecorder, r prometheus.Registerer, log logr.Logger) *Bell {
	b := &Bell{
		memory: m, client: c, windows: windows, secret: secret, events: events, log: log, send: bell.Send,
		patience: workqueue.NewTypedItemExponentialFailureRateLimiter[delivery](firstWait, lastWait), again: map[delivery]time.Time{}, busy: map[string]bool{}, complained: map[string]time.Time{},
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "firebreak", Name: "bell_messages_total", Help: "Messages to people, by target and whether they were delivered: sent or failed. Failed ones are tried again. The leading replica reports it.",
		}, []string{"target", "result"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "firebreak", Name: "bell_messages_waiting", Help: "Messages to people that are not delivered yet. The leading replica reports it."}),
		lost:    prometheus.NewCounter(prometheus.CounterOpts{Namespace: "firebreak", Name: "bell_messages_lost_total", Help: "Messages to people that were given up after a day, or for want of room."}),
	}
	r.MustRegister(b.sent, b.waiting, b.lost)
	return b
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Bell) NeedLeaderElection() bool { return true }

// Start rings until the context ends.
func (b *Bell) Start(ctx context.Context) error {
	b.memory.onceSynced(ctx, ringEvery, b.ring, func(err error) { b.log.Error(err, "could not tell people what they should know; it is tried again") })
	b.senders.Wait()
	return nil
}

// Hear returns a recorder that passes Events on, and tells the bell of those that people should know of.
func (b *Bell) Hear(events record.EventRecorder) record.EventRecorder { return &hearing{events, b} }

// hearing is a recorder that tells the bell of Events.
type hearing struct {
	record.EventRecorder
	bell *Bell
}

// Event implements record.EventRecorder.
func (h *hearing) Event(object runtime.Object, kind, reason, message string) {
	h.EventRecorder.Event(object, kind, reason, message)
	about, ok := object.(*corev1.ObjectReference)
	if !ok {
		return
	}
	n, ok := bell.Heard(about, reason, message, h.bell.memory.clock())
	if !ok {
		return
	}
	h.bell.mu.Lock()
	defer h.bell.mu.Unlock()
	if len(h.bell.heard) >= mostHeard {
		h.bell.lost.Inc()
		return
	}
	h.bell.heard = append(h.bell.heard, n)
}

// ring notes what is due, tells of it by Events, and has what waits delivered.
func (b *Bell) ring(ctx context.Context) error {
	config, words, addresses := b.configured(ctx)
	if b.book == nil {
		book, err := readBook(ctx, b.client, b.memory.settings.Namespace)
		if err != nil {
			return err
		}
		if book.damage != nil {
			b.log.Error(book.damage, "what was told is not known any more")
		}
		b.book = book
	}
	s, due, heard, err := b.due(ctx)
	if err != nil {
		return err
	}
	if err := b.note(ctx, s, due, config, words); err != nil {
		b.book = nil // what is not written is noted again, and told then
		return err
	}
	b.forget(heard)
	b.deliver(ctx, words, addresses)
	return nil
}

// configured reads the configuration, and the addresses of the targets. What cannot be read is logged, and costs no more than itself: Events are written in the
// built-in words all the same.
func (b *Bell) configured(ctx context.Context) (*bell.Config, *bell.Templates, map[string][]byte) {
	home := b.memory.settings.Namespace
	config, words, err := b.config(ctx)
	if err != nil {
		b.complain(BellConfig, fmt.Errorf("read ConfigMap %q: %w", BellConfig, err))
	}
	if b.secret == "" || config == nil || len(config.Targets) == 0 {
		return config, words, nil
	}
	var s corev1.Secret
	if err := b.client.Get(ctx, client.ObjectKey{Namespace: home, Name: b.secret}, &s); err != nil {
		// What is due is noted all the same, and delivered once the addresses can be read.
		b.complain("", fmt.Errorf("read Secret %q: %w", b.secret, err))
		return config, words, nil
	}
	return config, words, s.Data
}

// config returns the configuration, which is nil if it is not known, and the words that it gives, or the built-in ones.
func (b *Bell) config(ctx context.Context) (*bell.Config, *bell.Templates, error) {
	own, err := bell.NewTemplates(nil)
	if err != nil {
		return nil, nil, err
	}
	var cm corev1.ConfigMap
	if err := b.client.Get(ctx, client.ObjectKey{Namespace: b.memory.settings.Namespace, Name: BellConfig}, &cm); err != nil {
		return nil, own, err
	}
	config, err := bell.ParseConfig(cm.Data["config.yaml"])
	if err != nil {
		return nil, own, err
	}
	given, err := bell.NewTemplates(config.Templates)
	if err != nil {
		return config, own, err
	}
	return config, given, nil
}

// due returns the notices that are due, those that were heard included, and how many were heard.
func (b *Bell) due(ctx context.Context) (s *bell.Sources, due []bell.Notice, heard int, err error) {
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	for _, l := range []client.ObjectList{&windows, &approvals} {
		if err := b.windows.List(ctx, l, client.UnsafeDisableDeepCopy); err != nil {
			return nil, nil, 0, fmt.Errorf("list windows and approvals: %w", err)
		}
	}
	v := b.memory.view
	s = &bell.Sources{
		Windows: windows.Items, Approvals: approvals.Items, Freezes: v.Freezes.Values(), Executions: v.Executions.Values(),
		Exemptions: v.Exemptions.Values(), Environments: v.Environments.Values(), Frozen: b.book.frozen(),
	}
	due = bell.Due(s, b.memory.clock())
	b.mu.Lock()
	defer b.mu.Unlock()
	return s, append(due, b.heard...), len(b.heard), nil
}

// forget drops the first notices that were heard: they are noted.
func (b *Bell) forget(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = slices.Delete(b.heard, 0, min(n, len(b.heard)))
}

// note writes what is due and not noted yet into the book, with the targets that it goes to, before anything is sent: neither a restart nor another leader
// loses it. Then it tells of it by Events.
func (b *Bell) note(ctx context.Context, s *bell.Sources, due []bell.Notice, config *bell.Config, words *bell.Templates) error {
	now := b.memory.clock()
	if config == nil {
		return b.book.write(ctx, b.client) // where it goes is not known: it is due until it is
	}
	var fresh []bell.Notice
	for _, n := range due {
		if b.book.has(n.ID) {
			b.book.touch(&n)
			continue
		}
		n.Cluster = b.memory.settings.Cluster
		if config.Link != "" && n.ObjectKind == v1alpha1.KindChangeWindow {
			n.Link = fmt.Sprintf("%s/c/%s/window/%s/%s", config.Link, n.Cluster, n.Namespace, n.Object)
		}
		var targets []string
		for i := range config.Targets {
			if config.Targets[i].Takes(&n) {
				targets = append(targets, config.Targets[i].Name)
			}
		}
		if b.book.first && n.At.Before(now.Add(-tellOfBefore)) || n.At.Before(now.Add(-bell.Horizon)) {
			targets = nil // the bell was hung up after it had happened, or nobody could be told in time
		} else {
			fresh = append(fresh, n)
		}
		b.book.add(n, targets)
	}
	b.book.end(s.Holding)
	b.book.only(config.Targets)
	b.lost.Add(float64(b.book.prune(now)))
	if err := b.book.write(ctx, b.client); err != nil {
		return err
	}
	for _, n := range fresh {
		b.tell(n, words)
	}
	return nil
}

// tellOfBefore is how long before the bell was hung up for the first time something may have happened to be told.
const tellOfBefore = 10 * time.Minute

// tell writes an Event about a notice. Of what was heard there is one already.
func (b *Bell) tell(n bell.Notice, words *bell.Templates) {
	m, err := words.Write(n)
	if err != nil {
		b.complain("", err)
		return
	}
	if n.Kind == bell.Restored || n.Kind == bell.Weakening {
		return
	}
	kind := corev1.EventTypeNormal
	if slices.Contains([]bell.Kind{bell.Emergency, bell.Unreviewed, bell.Unused, bell.Expiring}, n.Kind) {
		kind = corev1.EventTypeWarning
	}
	about := &corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion().String(), Kind: n.ObjectKind, Namespace: n.Namespace, Name: n.Object}
	about.UID = typesUID(n.UID)
	b.events.Event(about, kind, "Notice"+capital(string(n.Kind)), clip(m.Title, maxEvent))
}

// deliver has what waits sent, each target's messages in their order. It waits for none: a target that is slow holds up nothing but its own messages, and has one
// sender at a time, which ends when its message was taken or refused.
func (b *Bell) deliver(ctx context.Context, words *bell.Templates, addresses map[string][]byte) {
	waiting := b.book.waiting()
	b.waiting.Set(float64(len(waiting)))
	now := b.memory.clock()
	b.mu.Lock()
	defer b.mu.Unlock()
	due := map[string][]delivery{}
	late := map[string]bool{}
	still := make(map[delivery]bool, len(waiting))
	for _, d := range waiting {
		still[d] = true
		switch {
		case b.busy[d.target], late[d.target], len(due[d.target]) >= mostAtOnce:
		case b.again[d].After(now):
			late[d.target] = true // none overtakes another
		default:
			due[d.target] = append(due[d.target], d)
		}
	}
	for d := range b.again {
		if !still[d] {
			delete(b.again, d)
			b.patience.Forget(d)
		}
	}
	// What was begun is ended and noted when the server stops, too.
	ending := context.WithoutCancel(ctx)
	for target, mine := range due {
		b.busy[target] = true
		book := b.book
		b.senders.Go(func() {
			defer func() {
				b.mu.Lock()
				defer b.mu.Unlock()
				delete(b.busy, target)
			}()
			for _, d := range mine {
				if ctx.Err() != nil || !b.arrives(ending, book, d, words, addresses, now) {
					return
				}
			}
		})
	}
}

// one delivers one message.
func (b *Bell) one(ctx context.Context, book *bellBook, d delivery, words *bell.Templates, addresses map[string][]byte) error {
	address := addresses[d.target]
	if len(address) == 0 {
		return fmt.Errorf("there is no address under the key %q of Secret %q", d.target, b.secret)
	}
	n, ok := book.notice(d.key)
	if !ok {
		return nil
	}
	m, err := words.Write(n)
	if err != nil {
		return err
	}
	return b.send(ctx, string(address), &m)
}

// arrives sends a message, notes at once that it has arrived, and reports whether it has.
func (b *Bell) arrives(ctx context.Context, book *bellBook, d delivery, words *bell.Templates, addresses map[string][]byte, now time.Time) bool {
	err := b.one(ctx, book, d, words, addresses)
	if err == nil {
		within, cancel := context.WithTimeout(ctx, noteWithin)
		defer cancel()
		if err := book.arrived(within, b.client, d); err != nil {
			b.complain("", err) // it is written with what is noted next
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.patience.Forget(d)
		delete(b.again, d)
		b.sent.WithLabelValues(d.target, "sent").Inc()
		return true
	}
	b.again[d] = now.Add(b.patience.When(d))
	b.sent.WithLabelValues(d.target, "failed").Inc()
	b.complaint(d.target, err)
	return false
}

// noteWithin is how long it may take to note that a message has arrived.
const noteWithin = 10 * time.Second

// complainAgain is after what time a failure of a target is logged again.
const complainAgain = 10 * time.Minute

// complain logs a failure of a target, once in a while.
func (b *Bell) complain(target string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaint(target, err)
}

// complaint does the same where the lock is held.
func (b *Bell) complaint(target string, err error) {
	if now := b.memory.clock(); now.Sub(b.complained[target]) >= complainAgain {
		b.complained[target] = now
		b.log.Error(err, "a message was not delivered; it is tried again", "target", cmp.Or(target, "(all)"))
	}
}
