package controller

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/bell"
)

const hung = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: firebreak-bell-config, namespace: firebreak-system}, data: {config.yaml: "link: https://firebreak.example.com\ntargets:\n- {name: chat}\n- {name: mail, notices: [requested]}\n"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: addresses, namespace: firebreak-system}, data: {chat: Y2hhdDovLw==, mail: bWFpbDovLw==}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: firebreak, uid: role-1}}
---
`

// belfry is a cluster with a bell, and what it has sent.
type belfry struct {
	*stage
	*Bell
	events *record.FakeRecorder
	sent   []string
	broken map[string]bool
}

func newBelfry(t *testing.T, objects ...client.Object) *belfry {
	t.Helper()
	f := &belfry{stage: newStage(t, production+hung, objects...), broken: map[string]bool{}}
	f.hang()
	return f
}

// hang starts a bell as a new leader has it: it knows nothing but what is stored.
func (f *belfry) hang() {
	f.events = record.NewFakeRecorder(100)
	f.Bell = NewBell(f.stage.memory, f.stage.client, f.stage.client, "addresses", f.events, prometheus.NewRegistry(), f.stage.log())
	f.send = func(_ context.Context, address string, m *bell.Message) error {
		f.stage.mu.Lock()
		defer f.stage.mu.Unlock()
		if f.broken[address] {
			return errors.New("nobody answers")
		}
		f.sent = append(f.sent, address+" "+m.Title)
		return nil
	}
}

// rung rings, and returns what was sent since the last time, in order.
func (f *belfry) rung(t *testing.T) []string {
	t.Helper()
	f.sent = nil
	if err := f.ring(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.senders.Wait()
	slices.Sort(f.sent)
	return f.sent
}

func (f *belfry) told() []string {
	var out []string
	for {
		select {
		case e := <-f.events.Events:
			out = append(out, e)
		default:
			return out
		}
	}
}

// asked is a window that was requested at an instant.
func asked(name, clock string) *v1alpha1.ChangeWindow {
	return window(func(w *v1alpha1.ChangeWindow) {
		w.Name, w.UID, w.CreationTimestamp = name, typesUID("u-"+name), *instant(clock)
		w.Spec.RequestedBy = person("bob")
		w.Status.Approvals = "0/1"
	})
}

func TestBell(t *testing.T) {
	f := newBelfry(t, asked("old", "01:00:00"), asked("new", "02:29:00"))
	title := func(name string) string { return "bob asks for a change in production: payments/" + name }
	if diff := cmp.Diff([]string{"chat:// " + title("new"), "mail:// " + title("new")}, f.rung(t)); diff != "" {
		t.Errorf("what happened long before the bell was hung up is not told: %s", diff)
	}
	if diff := cmp.Diff([]string{"Normal NoticeRequested " + title("new")}, f.told()); diff != "" {
		t.Error(diff)
	}
	if got := append(f.rung(t), f.told()...); len(got) > 0 {
		t.Errorf("it tells the same again: %q", got)
	}
	f.hang()
	if got := append(f.rung(t), f.told()...); len(got) > 0 {
		t.Errorf("a new leader tells the same again: %q", got)
	}
}

// Nothing is lost while a target does not answer, over a change of the leader too; the other target does not wait for it.
func TestBellWithoutAnswers(t *testing.T) {
	f := newBelfry(t, asked("a", "02:29:00"))
	f.broken["chat://"] = true
	if diff := cmp.Diff([]string{"mail:// bob asks for a change in production: payments/a"}, f.rung(t)); diff != "" {
		t.Error(diff)
	}
	if got := f.rung(t); len(got) > 0 {
		t.Errorf("it is tried again at once: %q", got)
	}
	f.hang()
	f.rung(t)
	f.broken["chat://"] = false
	f.now = f.now.Add(6 * time.Second)
	if diff := cmp.Diff([]string{"chat:// bob asks for a change in production: payments/a"}, f.rung(t)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(strings.Join(f.logged, "\n"), `"target"="chat"`) {
		t.Errorf("the failure is not logged: %q", f.logged)
	}
}

// What cannot be read or written stops nothing for good.
func TestBellWithoutItsOwn(t *testing.T) {
	for _, broken := range []string{"get ConfigMap firebreak-bell-config", "get ConfigMap firebreak-bell", "get Secret addresses", "apply ConfigMap firebreak-bell as firebreak-bell", "list ChangeWindowList"} {
		t.Run(broken, func(t *testing.T) {
			f := newBelfry(t, asked("a", "02:29:00"))
			f.stage.broken[broken] = errBroken
			f.sent = nil
			if err := f.ring(t.Context()); (err == nil) != (strings.Contains(broken, "Secret") || strings.HasSuffix(broken, "config")) {
				t.Errorf("%v", err)
			}
			f.senders.Wait()
			if len(f.sent) > 0 {
				t.Errorf("sent %q", f.sent)
			}
			delete(f.stage.broken, broken)
			f.now = f.now.Add(time.Minute)
			if got := f.rung(t); len(got) != 2 {
				t.Errorf("afterwards %q", got)
			}
		})
	}
}

// A freeze that was told is told to have ended, though the leader has changed in between; once.
func TestBellOfFreezes(t *testing.T) {
	freeze := &v1alpha1.ChangeFreeze{Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Reason: "trading"}}
	freeze.Name, freeze.UID, freeze.CreationTimestamp = "xmas", "u-f", *instant("02:29:30")
	f := newBelfry(t, freeze)
	if diff := cmp.Diff([]string{"chat:// production is frozen"}, f.rung(t)); diff != "" {
		t.Error(diff)
	}
	f.stage.memory.view.Freezes.Delete("xmas")
	f.hang()
	f.now = f.now.Add(36 * time.Hour)
	if diff := cmp.Diff([]string{"chat:// production is not frozen any more by xmas"}, f.rung(t)); diff != "" {
		t.Error(diff)
	}
	f.now = f.now.Add(time.Minute)
	if got := f.rung(t); len(got) > 0 {
		t.Errorf("it is told again: %q", got)
	}
	f.now = f.now.Add(72 * time.Hour)
	f.rung(t)
	if n := len(f.book.pages); n > 0 {
		t.Errorf("%d pages are kept for ever: %+v", n, f.book.pages)
	}
}

// What other parts of the server tell of is heard once an hour, and noted before it is forgotten.
func TestBellHears(t *testing.T) {
	f := newBelfry(t)
	events := record.NewFakeRecorder(10)
	about := &corev1.ObjectReference{Kind: "ConfigMap", Namespace: own, Name: "firebreak-registrations", UID: "u-r"}
	for range 3 {
		f.Hear(events).Event(about, "Warning", "RegistrationRestored", "it was put back")
	}
	f.Hear(events).Event(about, "Warning", "FirewallHealed", "not for people")
	if len(events.Events) != 4 {
		t.Errorf("%d Events were passed on", len(events.Events))
	}
	if diff := cmp.Diff([]string{"chat:// Somebody changed Firebreak's admission configuration; it was put back"}, f.rung(t)); diff != "" {
		t.Error(diff)
	}
	if got := append(f.rung(t), f.told()...); len(got) > 0 || len(f.heard) > 0 {
		t.Errorf("%q, %d", got, len(f.heard))
	}
}

// The book never outgrows a ConfigMap; what finds no room is counted.
func TestTheBookIsBounded(t *testing.T) {
	b := &bellBook{pages: map[string]page{}}
	for i := range 2_000 {
		b.add(bell.Notice{Kind: bell.Requested, ID: fmt.Sprint(i), At: at("02:00:00").Add(time.Duration(i) * time.Second), Reason: strings.Repeat("x", 2_048)}, []string{"chat"})
	}
	lost := b.prune(at("03:00:00"))
	if lost < 1_000 || len(b.pages) != 2_000 || len(b.waiting())+lost != 2_000 {
		t.Errorf("%d are lost, %d are kept and %d wait", lost, len(b.pages), len(b.waiting()))
	}
	_, first := b.notice(pageKey("0"))
	_, last := b.notice(pageKey("1999"))
	if first || !last || !b.has("0") {
		t.Error("not the oldest are given up, or they are told again")
	}
	if again := b.prune(at("03:00:05")); again != 0 {
		t.Errorf("%d are lost once more", again)
	}
}

// A book that cannot be read, or unpacks to more than one may hold, is begun anew: it neither silences the bell nor takes the memory.
func TestADamagedBook(t *testing.T) {
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	for range 64 {
		if _, err := packed.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"no archive": []byte("book"), "too large": bomb.Bytes()} {
		t.Run(name, func(t *testing.T) {
			f := newBelfry(t, asked("a", "02:29:00"), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: bellState}, BinaryData: map[string][]byte{bookKey: raw}})
			if got := f.rung(t); len(got) != 2 {
				t.Errorf("sent %q", got)
			}
			if !strings.Contains(strings.Join(f.logged, "\n"), "which is begun anew") {
				t.Errorf("nobody is told: %q", f.logged)
			}
		})
	}
}
