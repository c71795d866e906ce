package faults

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// stepFaults kill a replica at one step of what it does for a request, and take the lead away.
func stepFaults() []fault {
	return []fault{
		{name: "killed as it asks for an execution", expect: fails, inject: killedAt(before(posts("changeexecutions"))), heal: undone},
		{name: "killed as its execution is stored", short: true, expect: fails, inject: killedAt(after(posts("changeexecutions"))), heal: undone},
		{name: "killed as it reads the approvals once more", expect: fails, inject: killedAt(afterwards(posts("changeexecutions"), reads("changeapprovals"))), heal: undone},
		{name: "killed as it writes a record", expect: fails, inject: killedAt(after(posts("changerecords"))), heal: undone},
		{name: "leading replica killed in mid-write", expect: fails, inject: leaderKilled, heal: led},
		{name: "lead taken away from the leading replica", expect: mayFail, lasts: 5 * time.Second, inject: usurp, heal: led},
	}
}

// step says, for a request that a replica sends, whether to kill it before the request is forwarded or after it is answered. Each
// replica has one of its own.
type step func() func(*http.Request) (before, after bool)

func posts(resource string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/"+resource)
	}
}

func reads(resource string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/"+resource) && r.URL.Query().Get("watch") == ""
	}
}

func before(what func(*http.Request) bool) step {
	return func() func(*http.Request) (bool, bool) {
		return func(r *http.Request) (bool, bool) { return what(r), false }
	}
}

func after(what func(*http.Request) bool) step {
	return func() func(*http.Request) (bool, bool) {
		return func(r *http.Request) (bool, bool) { return false, what(r) }
	}
}

// afterwards is the first second that comes after a first.
func afterwards(first, second func(*http.Request) bool) step {
	return func() func(*http.Request) (bool, bool) {
		var begun atomic.Bool
		return func(r *http.Request) (bool, bool) {
			if first(r) {
				begun.Store(true)
			}
			return second(r) && begun.CompareAndSwap(true, false), false
		}
	}
}

// kills is how often a replica is killed at a step.
func kills() int64 {
	if full() {
		return 3
	}
	return 1
}

// killedAt kills whichever replica comes to the step, so many times.
func killedAt(at step) func(*scene) error {
	return func(x *scene) error {
		pods, err := x.pods()
		if err != nil {
			return err
		}
		return x.killAt(pods, at, kills())
	}
}

// killAt kills those of the replicas that come to the step, and returns once it was done often enough.
func (x *scene) killAt(pods []string, at step, times int64) error {
	var killed atomic.Int64
	var one sync.Mutex
	kill := func(name string) {
		one.Lock()
		defer one.Unlock()
		if killed.Load() < times && x.Pods.Kill(name) == nil {
			killed.Add(1)
		}
	}
	for _, name := range pods {
		link, err := x.Pods.Link(name)
		if err != nil {
			return err
		}
		x.later(func() error { link.Mend(); return nil })
		when := at()
		link.Watch(func(r *http.Request) func() {
			before, after := when(r)
			if before {
				kill(name)
			}
			if after {
				return func() { kill(name) }
			}
			return nil
		})
	}
	await.True(x.t, fmt.Sprintf("replicas are killed %d times at the step", times), func() bool { return killed.Load() >= times })
	return nil
}

// leaderKilled kills the leading replica while it reserves an execution.
func leaderKilled(x *scene) error {
	pods, err := x.pods()
	if err != nil {
		return err
	}
	// The API server may have no connection to it.
	x.only(pods[0])
	err = x.killAt(pods[:1], after(posts("changeexecutions")), 1)
	x.Pods.Divert(nil)
	return err
}

// led waits until a replica leads.
func led(x *scene) error {
	_, err := x.leader()
	return errors.Join(err, undone(x))
}

// usurp writes into the Lease that somebody else leads, who never renews it.
func usurp(x *scene) error {
	if _, err := x.leader(); err != nil {
		return err
	}
	var lease coordinationv1.Lease
	if err := x.admin.Get(x.t.Context(), client.ObjectKey{Namespace: stage.Namespace, Name: "firebreak"}, &lease); err != nil {
		return fmt.Errorf("read the lease: %w", err)
	}
	nobody, now := "nobody", metav1.NowMicro()
	lease.Spec.HolderIdentity, lease.Spec.AcquireTime, lease.Spec.RenewTime = &nobody, &now, &now
	return x.admin.Update(x.t.Context(), &lease)
}
