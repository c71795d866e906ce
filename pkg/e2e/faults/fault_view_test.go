package faults

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
)

// viewFaults are faults of what a replica knows: of the cluster, and of the time.
func viewFaults() []fault {
	return []fault{
		{name: "one replica cut off from the API server", short: true, expect: mayFail, lasts: 5 * time.Second, inject: cut(1), heal: undone},
		{name: "all replicas cut off for 15 s", expect: fails, lasts: 15 * time.Second, inject: cut(replicas), heal: undone},
		{name: "two replicas cut off for 15 s while the estate grows", expect: mayFail, lasts: 15 * time.Second, inject: cut(replicas - 1), heal: grown},
		{name: "what is declared meanwhile holds at a replica that is cut off", expect: mayFail, inject: stale, heal: undone},
		{name: "watches resumed after a compaction and a restart of the API server", expect: mayFail, lasts: 3 * time.Second, inject: cutFollowers, heal: compacted},
		{name: "one replica's clock a minute ahead", expect: mayFail, lasts: 4 * time.Second, inject: shift(1, -time.Minute), heal: undone},
		{name: "all clocks an hour ahead", expect: fails, lasts: 4 * time.Second, inject: shift(replicas, -time.Hour), heal: undone},
		{name: "all clocks an hour behind", expect: fails, lasts: 4 * time.Second, inject: shift(replicas, time.Hour), heal: undone},
	}
}

// links calls f for the links of some replicas, of all of which the leading one is the first, and mends them in the end.
func (x *scene) links(from, to int, f func(*controlplane.Link)) error {
	pods, err := x.pods()
	if err != nil {
		return err
	}
	for _, name := range pods[from:to] {
		link, err := x.Pods.Link(name)
		if err != nil {
			return err
		}
		x.later(func() error { link.Mend(); return nil })
		f(link)
	}
	return nil
}

func cut(n int) func(*scene) error {
	return func(x *scene) error { return x.links(0, n, (*controlplane.Link).Cut) }
}

// cutFollowers spares the leading replica: one that cannot renew its lease ends, and would read everything again.
func cutFollowers(x *scene) error { return x.links(1, replicas, (*controlplane.Link).Cut) }

// shift has the API server tell so many replicas another time, which is all that a replica can know of its clock.
func shift(n int, by time.Duration) func(*scene) error {
	return func(x *scene) error { return x.links(0, n, func(l *controlplane.Link) { l.Shift(by) }) }
}

// grown declares a data store that some replicas are not told of yet, mends the links, and waits until naming it is denied.
func grown(x *scene) error { return x.grow(nil) }

// compacted does the same, and between both has the store and the API server forget what the watches would go on with.
func compacted(x *scene) error {
	return x.grow(func() error {
		var answer struct{ Header struct{ Revision string } }
		if err := etcd(x, "/v3/kv/range", `{"key":"Lw=="}`, &answer); err != nil {
			return err
		}
		if err := etcd(x, "/v3/kv/compaction", fmt.Sprintf(`{"revision":%q,"physical":true}`, answer.Header.Revision), &answer); err != nil {
			return err
		}
		return x.RestartAPIServer(x.t.Context())
	})
}

func (x *scene) grow(between func() error) error {
	host := x.declare()
	if between != nil {
		if err := between(); err != nil {
			return err
		}
	}
	if err := undone(x); err != nil {
		return err
	}
	await.NoError(x.t, "what was declared meanwhile is enforced by every replica", func() error { return x.enforced(host) })
	return nil
}

// declare declares a data store of production and returns its host. Replicas that are cut off refuse it, since they cannot record it.
func (x *scene) declare() string {
	host := x.tag + ".prod.db.example.com"
	store := &v1alpha1.DataStore{
		ObjectMeta: metav1.ObjectMeta{Name: x.tag},
		Spec:       v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{host}},
	}
	await.NoError(x.t, "a data store is declared", func() error { return x.sam.Create(x.t.Context(), store.DeepCopy()) })
	return host
}

// stale sends what names a data store that was declared meanwhile to a replica that is cut off. It is to be refused in the end: by
// that replica, or because it takes no requests any more.
func stale(x *scene) error {
	if err := cutFollowers(x); err != nil {
		return err
	}
	host := x.declare()
	pods, err := x.pods()
	if err != nil {
		return err
	}
	x.only(pods[1])
	await.NoError(x.t, "what was declared meanwhile is not admitted", func() error {
		if err := x.name(host); verdictOf(err) == isAdmitted {
			return errWrong
		}
		return nil
	})
	return nil
}

// name sends, as a developer, what names a host.
func (x *scene) name(host string) error {
	return x.dana.Create(x.t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "grown-", Namespace: "dev"}, Data: map[string]string{"url": "postgres://" + host + "/x"},
	}, client.DryRunAll)
}

// enforced sends more requests than there are replicas, and wants each denied.
func (x *scene) enforced(host string) error {
	for range 4 * replicas {
		err := x.name(host)
		if verdictOf(err) != isDenied {
			return errors.Join(errWrong, err)
		}
	}
	return nil
}
