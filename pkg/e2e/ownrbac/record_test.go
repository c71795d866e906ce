package ownrbac

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// doesRecord freezes, and looks for the record of that.
func doesRecord(t *testing.T) func() bool {
	name := fresh("recorded")
	if _, err := the.Plugin(t.Context(), the.UserConfig(stage.SRE), "freeze", "staging", "--name", name, "--reason", "test"); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		var all v1alpha1.ChangeRecordList
		err := people.Admin.List(t.Context(), &all, client.InNamespace(stage.Namespace))
		return err == nil && slices.ContainsFunc(all.Items, func(r v1alpha1.ChangeRecord) bool { return r.Spec.Object.Name == name })
	}
}

// doesAuthorise reports whether a window is honoured: that takes to know whether its approver still holds the right.
func doesAuthorise(t *testing.T) func() bool {
	name := fresh("authorised")
	if _, err := people.Approved(t.Context(), name, name, 1); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		return client.IgnoreAlreadyExists(people.SRE.Create(t.Context(), fixture.Job(name))) == nil
	}
}

func doesSettle(t *testing.T) func() bool { return settled(t, false) }

var counter atomic.Int64 //nolint:gochecknoglobals // names that were not used before

func fresh(prefix string) string { return fmt.Sprintf("%s-%d", prefix, counter.Add(1)) }

// doesFence reports whether the fence knows a data store that was declared a moment ago.
func doesFence(t *testing.T) func() bool {
	host := fresh("fenced") + ".prod.example.com"
	d := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: strings.TrimSuffix(host, ".prod.example.com")}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{host}}}
	if err := people.SRE.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		var cm corev1.ConfigMap
		err := people.Admin.Get(t.Context(), client.ObjectKey{Namespace: stage.Namespace, Name: "firebreak-fence-hosts-0"}, &cm)
		return err == nil && cm.Data["host."+host] == "production"
	}
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := the.Kubectl(t.Context(), the.AdminConfig(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func doesLift(t *testing.T) func() bool {
	name := fresh("lifted")
	for _, step := range []struct {
		person string
		args   []string
	}{
		{stage.SRE, []string{"freeze", "staging", "--name", name, "--reason", "test", "--two-persons"}},
		{stage.SRE, []string{"unfreeze", name}},
		{stage.SecondSRE, []string{"unfreeze", name}},
	} {
		if _, err := the.Plugin(t.Context(), the.UserConfig(step.person), step.args...); err != nil {
			t.Fatal(err)
		}
	}
	return func() bool {
		err := people.Admin.Get(t.Context(), client.ObjectKey{Name: name}, &v1alpha1.ChangeFreeze{})
		return apierrors.IsNotFound(err)
	}
}

// doesForget declares an environment and deletes it again: without the right to look at the definition, Firebreak would hold to it.
func doesForget(t *testing.T) func() bool {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: fresh("forgotten")}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierNonProduction}}
	if err := people.SRE.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	await.True(t, "its status is written", func() bool {
		return people.Admin.Get(t.Context(), client.ObjectKeyFromObject(e), e) == nil && e.Status.ObservedGeneration > 0
	})
	if err := people.Admin.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // until the watch tells of it: before, nothing is held either
	return func() bool {
		out, err := the.Metrics(t.Context())
		return err == nil && strings.Contains(out, `firebreak_estate_held{kind="Environment"} 0`)
	}
}

// doesMendFence takes a binding of the fence away, and reports whether it is back.
func doesMendFence(t *testing.T) func() bool {
	const binding = "firebreak-fence-members"
	kubectl(t, "delete", "validatingadmissionpolicybinding", binding, "--ignore-not-found")
	return func() bool {
		out, err := the.Kubectl(t.Context(), the.AdminConfig(), "get", "validatingadmissionpolicybinding", binding, "-o", "name")
		return err == nil && strings.Contains(out, binding)
	}
}
