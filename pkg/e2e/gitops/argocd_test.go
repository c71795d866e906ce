package gitops

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

const (
	argocd     = "argocd/argocd-application-controller"
	hook       = "argocd.argoproj.io/hook"
	deletesHow = "argocd.argoproj.io/hook-delete-policy"
	wave       = "argocd.argoproj.io/sync-wave"
	trackingID = "argocd.argoproj.io/tracking-id"
	finalizer  = "argocd.argoproj.io/hook-finalizer"
)

var argocdConfig *rest.Config //nolint:gochecknoglobals // the account's token is minted once

// installArgoCD mints the token of Argo CD's account, and has it deploy version 1 of its applications.
func installArgoCD(ctx context.Context) (err error) {
	if argocdConfig, err = cluster.ServiceAccountConfig(ctx, "argocd", "argocd-application-controller"); err != nil {
		return err
	}
	for _, app := range []string{"hook", "wave"} {
		all, err := rendered(app, 1)
		if err != nil {
			return err
		}
		for _, u := range all {
			if u.GetKind() == "Job" {
				continue
			}
			if out, err := argocdApplies(ctx, u); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
		}
	}
	return nil
}

// rendered returns the objects of an application as Argo CD sends them: named, and with its mark.
func rendered(app string, version int) ([]*unstructured.Unstructured, error) {
	all, err := manifests(at(version, "argocd/"+app), "guestbook")
	for _, u := range all {
		annotations := u.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		if annotations[hook] != "" {
			u.SetFinalizers([]string{finalizer})
		}
		if prefix := u.GetGenerateName(); prefix != "" {
			// Argo CD counts seconds, and takes more than one for a sync.
			u.SetName(fmt.Sprintf("%s24b06fd-presync-%d", prefix, time.Now().UnixMilli()))
		}
		gvk := u.GroupVersionKind()
		annotations[trackingID] = fmt.Sprintf("%s:%s/%s:%s/%s", app, gvk.Group, gvk.Kind, u.GetNamespace(), u.GetName())
		u.SetAnnotations(annotations)
	}
	return all, err
}

// argocdApplies applies an object with kubectl, whose code Argo CD runs.
func argocdApplies(ctx context.Context, u *unstructured.Unstructured) (string, error) {
	raw, err := u.MarshalJSON()
	if err != nil {
		return "", err
	}
	return cluster.KubectlWith(ctx, argocdConfig, string(raw), "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-")
}

// place returns the phase and the wave of an object.
func place(u *unstructured.Unstructured) (presync bool, number int) {
	number, _ = strconv.Atoi(u.GetAnnotations()[wave])
	return u.GetAnnotations()[hook] == "PreSync", number
}

// sync does what a sync of Argo CD does, as syncContext of its gitops-engine: hooks first, then wave by wave, each when what is in the one
// before it is healthy, and beginning with what is pruned; hooks that have succeeded are deleted in the end. It returns what a refused request was
// told, after which nothing more is sent. Its dry run, which comes first, is the client's: it asks no webhook.
func sync(t *testing.T, app string, version int) string {
	t.Helper()
	all, err := rendered(app, version)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int {
		before, x := place(a)
		sooner, y := place(b)
		if before != sooner {
			return map[bool]int{true: -1, false: 1}[before]
		}
		return cmp.Compare(x, y)
	})
	if refused := prune(t, app, all); refused != "" {
		return refused
	}
	var hooks []*unstructured.Unstructured
	for _, u := range all {
		if out, err := argocdApplies(t.Context(), u); err != nil {
			return sentence(out)
		}
		healthy(t, u)
		if u.GetAnnotations()[hook] != "" {
			if refused := argocdDoes(t, "patch", "job", u.GetName(), "--type=json", `--patch=[{"op":"remove","path":"/metadata/finalizers"}]`); refused != "" {
				return refused
			}
			hooks = append(hooks, u)
		}
	}
	for _, u := range hooks {
		if u.GetAnnotations()[deletesHow] == "HookSucceeded" {
			if refused := argocdDoes(t, "delete", "job", u.GetName(), "--cascade=foreground"); refused != "" {
				return refused
			}
		}
	}
	return ""
}

// prune deletes the Jobs of an application, other than hooks, that its manifests do not hold any more.
func prune(t *testing.T, app string, all []*unstructured.Unstructured) (refused string) {
	t.Helper()
	var stored batchv1.JobList
	if err := fixture.Everybody(t, cluster).Admin.List(t.Context(), &stored, client.InNamespace("guestbook")); err != nil {
		t.Fatal(err)
	}
	for _, j := range stored.Items {
		held := slices.ContainsFunc(all, func(u *unstructured.Unstructured) bool { return u.GetKind() == "Job" && u.GetName() == j.Name })
		if held || j.Annotations[hook] != "" || !strings.HasPrefix(j.Annotations[trackingID], app+":") {
			continue
		}
		if refused := argocdDoes(t, "delete", "job", j.Name, "--cascade=foreground"); refused != "" {
			return refused
		}
	}
	return ""
}

// argocdDoes runs kubectl as Argo CD, and returns what a refused request was told.
func argocdDoes(t *testing.T, args ...string) string {
	t.Helper()
	if out, err := cluster.Kubectl(t.Context(), argocdConfig, append(args, "-n", "guestbook")...); err != nil {
		return sentence(out)
	}
	return ""
}

// A migration in an earlier wave: while it is refused, nothing after it is applied; under one window for both, all of it is. Another sync of the
// same takes nothing more. The next version prunes the migration of this one, which takes a window of its own.
func TestArgoCDWithAnEarlierWave(t *testing.T) {
	said(t, `jobs.batch "upgrade-sql-schema-v2" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n guestbook --for-service-account argocd/argocd-application-controller `+
		`(ChangeWindowRequired: this is maintenance in "production": it names data store "orders" and runs flyway)`, sync(t, "wave", 2))
	absent(t, "guestbook", "upgrade-sql-schema-v2")
	runs(t, "guestbook", "frontend", 1)

	window(t, "guestbook", "wave-2", argocd, "Create,Update", "-f", at(2, "argocd/wave"))
	for range 2 {
		said(t, "", sync(t, "wave", 2))
		runs(t, "guestbook", "frontend", 2)
		used(t, "guestbook", "wave-2", "Create Job upgrade-sql-schema-v2", "Update Deployment frontend")
	}

	window(t, "guestbook", "wave-3", argocd, "Create,Update", "-f", at(3, "argocd/wave"))
	said(t, "", sync(t, "wave", 3)) // which also prunes the migration of before
	runs(t, "guestbook", "frontend", 3)
	used(t, "guestbook", "wave-3", "Create Job upgrade-sql-schema-v3", "Update Deployment frontend")
	absent(t, "guestbook", "upgrade-sql-schema-v2")
}

// A migration that is a hook is deleted once it has succeeded, which takes no window. It runs at each sync, and each run takes an execution.
func TestArgoCDWithAHook(t *testing.T) {
	const job = `jobs.batch "upgrade-sql-schema-24b06fd-presync-…" is forbidden: request `
	said(t, job+`a window: kubectl firebreak request -f MANIFEST -n guestbook --for-service-account argocd/argocd-application-controller `+
		`(ChangeWindowRequired: this is maintenance in "production": it names data store "orders" and runs flyway)`, sync(t, "hook", 2))
	runs(t, "guestbook", "backend", 1)

	window(t, "guestbook", "hook-2", argocd, "Create,Update", "-f", at(2, "argocd/hook"))
	said(t, "", sync(t, "hook", 2))
	runs(t, "guestbook", "backend", 2)
	used(t, "guestbook", "hook-2", "Create Job upgrade-sql-schema-24b06fd-presync-…", "Update Deployment backend")

	window(t, "guestbook", "hook-3", argocd, "Create,Update", "--executions=2", "-f", at(3, "argocd/hook"))
	for range 2 {
		said(t, "", sync(t, "hook", 3))
		runs(t, "guestbook", "backend", 3)
	}
	const created = "Create Job upgrade-sql-schema-24b06fd-presync-…"
	used(t, "guestbook", "hook-3", created, created, "Update Deployment backend")
	said(t, job+`another window: kubectl firebreak request -f MANIFEST -n guestbook --for-service-account argocd/argocd-application-controller; `+
		`or, if that came to nothing, have it given back: kubectl firebreak release … (ExecutionsExhausted: window "hook-3" covers this, but it has been used for this object 2 times, `+
		`of the 2 that it allows: last by system:serviceaccount:argocd:argocd-application-controller, to create Job "upgrade-sql-schema-24b06fd-presync-…", at …)`, sync(t, "hook", 3))
	runs(t, "guestbook", "backend", 3)
}
