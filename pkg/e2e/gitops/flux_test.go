package gitops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

const flux = "flux-system/kustomize-controller"

var fluxClient client.Client //nolint:gochecknoglobals // the account's token is minted once

// kustomization is what of a Kustomization decides on the order.
type kustomization struct {
	Metadata struct{ Name string }
	Spec     struct {
		DependsOn       []struct{ Name string }
		Path            string
		TargetNamespace string
		Wait, Force     bool
	}
}

// installFlux mints the token of Flux's account, and has it deploy version 1.
func installFlux(ctx context.Context) error {
	config, err := cluster.ServiceAccountConfig(ctx, "flux-system", "kustomize-controller")
	if err != nil {
		return err
	}
	config.WarningHandler = rest.NoWarnings{} // kustomize-controller only logs them
	if fluxClient, err = cluster.Client(config); err != nil {
		return err
	}
	for name, folder := range map[string]string{"app-deploy": "flux/deploy", "cart": "cart"} {
		all, err := built(name, at(1, folder), "my-app")
		if err != nil {
			return err
		}
		for _, u := range all {
			if u.GetKind() == "Job" {
				continue
			}
			if err := fluxApplies(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// built returns the objects of a Kustomization as Flux sends them: with its labels, and in its order of kinds.
func built(name, folder, namespace string) ([]*unstructured.Unstructured, error) {
	all, err := manifests(folder, namespace)
	for _, u := range all {
		u.SetLabels(map[string]string{"kustomize.toolkit.fluxcd.io/name": name, "kustomize.toolkit.fluxcd.io/namespace": "flux-system"})
	}
	order := []string{"Service", "Deployment", "Job"}
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int {
		return slices.Index(order, a.GetKind()) - slices.Index(order, b.GetKind())
	})
	return all, err
}

// fluxApplies applies an object as Flux's own client does.
func fluxApplies(ctx context.Context, u *unstructured.Unstructured, more ...client.ApplyOption) error {
	return fluxClient.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), append(more, client.FieldOwner("kustomize-controller"), client.ForceOwnership)...)
}

// interval does what kustomize-controller does with some Kustomizations at an interval. It returns what each of them that is not ready says.
func interval(t *testing.T, version int, all ...kustomization) map[string]string {
	t.Helper()
	told := map[string]string{}
	for _, k := range all {
		name := k.Metadata.Name
		for _, d := range k.Spec.DependsOn {
			if told[d.Name] != "" {
				told[name] = fmt.Sprintf("dependency 'flux-system/%s' is not ready", d.Name)
			}
		}
		if told[name] != "" {
			continue
		}
		objects, err := built(name, at(version, k.Spec.Path), k.Spec.TargetNamespace)
		if err != nil {
			t.Fatal(err)
		}
		if err := applyAll(t, objects, k.Spec.Force); err != nil {
			told[name] = sentence(err.Error())
			continue
		}
		for _, u := range objects {
			if k.Spec.Wait {
				healthy(t, u)
			}
		}
	}
	return told
}

// applyAll does what ApplyAll of fluxcd/pkg/ssa does: it applies everything as a dry run, then what that would change, until something is refused.
func applyAll(t *testing.T, objects []*unstructured.Unstructured, force bool) error {
	t.Helper()
	var drifted []*unstructured.Unstructured
	for _, u := range objects {
		stored := u.DeepCopy()
		if err := client.IgnoreNotFound(fluxClient.Get(t.Context(), client.ObjectKeyFromObject(u), stored)); err != nil {
			t.Fatal(err)
		}
		dry := u.DeepCopy()
		err := fluxApplies(t.Context(), dry, client.DryRunAll)
		if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "field is immutable") && force {
			if err := fluxClient.Delete(t.Context(), u.DeepCopy(), client.PropagationPolicy("Background")); err != nil {
				return err
			}
			await.True(t, "it is gone", func() bool {
				return apierrors.IsNotFound(fluxClient.Get(t.Context(), client.ObjectKeyFromObject(u), u.DeepCopy()))
			})
			dry = u.DeepCopy()
			err = fluxApplies(t.Context(), dry, client.DryRunAll)
		}
		if err != nil {
			t.Fatalf("a dry run of %s is refused: %v", u.GetKind(), err) // it changes nothing, so it is never change control that refuses it
		}
		if !reflect.DeepEqual(compared(stored), compared(dry)) {
			drifted = append(drifted, u)
		}
	}
	for _, u := range drifted {
		if err := fluxApplies(t.Context(), u.DeepCopy()); err != nil {
			return err
		}
	}
	return nil
}

// compared returns what of an object tells whether it has drifted.
func compared(u *unstructured.Unstructured) map[string]any {
	o := runtime.DeepCopyJSON(u.Object)
	delete(o, "status")
	metadata, _ := o["metadata"].(map[string]any)
	delete(metadata, "managedFields")
	delete(metadata, "resourceVersion")
	return o
}

// ready checks that every Kustomization is ready.
func ready(t *testing.T, told map[string]string) {
	t.Helper()
	for name, why := range told {
		t.Errorf("%s: %s", name, why)
	}
}

// pipeline returns the Kustomizations of the repository: the migration, and what depends on it.
func pipeline(t *testing.T) []kustomization {
	t.Helper()
	all, err := manifests(at(1, "flux/flux"), "")
	if err != nil {
		t.Fatal(err)
	}
	var out []kustomization
	for _, u := range all {
		var k kustomization
		raw, err := u.MarshalJSON()
		if err = errors.Join(err, json.Unmarshal(raw, &k)); err != nil {
			t.Fatal(err)
		}
		k.Spec.Path = "flux/" + k.Spec.Path
		out = append(out, k)
	}
	slices.SortStableFunc(out, func(a, b kustomization) int { return len(a.Spec.DependsOn) - len(b.Spec.DependsOn) })
	return out
}

func TestFlux(t *testing.T) {
	all := pipeline(t)
	t.Run("waits for the migration", func(t *testing.T) { waitsForTheMigration(t, all) })
	t.Run("recreates the migration", func(t *testing.T) { recreatesTheMigration(t, all) })
}

// A migration in a Kustomization of its own, on which that of the Deployment depends. While it is refused, nothing is applied of the other; under
// one window for both, all is. The next intervals take nothing more.
func waitsForTheMigration(t *testing.T, all []kustomization) {
	t.Helper()
	told := interval(t, 2, all...)
	said(t, `jobs.batch "db-migration" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n my-app --for-service-account flux-system/kustomize-controller `+
		`(ChangeWindowRequired: this is maintenance in "production": it names data store "orders" and runs rails db:*)`, told["app-pre-deploy"])
	said(t, "dependency 'flux-system/app-pre-deploy' is not ready", told["app-deploy"])
	absent(t, "my-app", "db-migration")
	runs(t, "my-app", "my-app", 1)

	window(t, "my-app", "release-2", flux, "Create,Update", "-f", at(2, "flux/pre-deploy"), "-f", at(2, "flux/deploy"))
	for range 2 {
		ready(t, interval(t, 2, all...))
		runs(t, "my-app", "my-app", 2)
		used(t, "my-app", "release-2", "Create Job db-migration", "Update Deployment my-app")
	}
}

// With force, Flux deletes the migration of before, since a Job cannot change. What has ended is cleared up without a window.
func recreatesTheMigration(t *testing.T, all []kustomization) {
	t.Helper()
	told := interval(t, 3, all...)
	said(t, `jobs.batch "db-migration" is forbidden: run what was approved, or request a window for this: kubectl firebreak request -f MANIFEST -n my-app --for-service-account flux-system/kustomize-controller `+
		`(PlanMismatch: window "release-2" is for something else: containers["migration"].image: approved "registry.example.com/my-app@sha256:…………222222222222", `+
		`submitted "registry.example.com/my-app@sha256:…………333333333333")`, told["app-pre-deploy"])
	said(t, "dependency 'flux-system/app-pre-deploy' is not ready", told["app-deploy"])
	runs(t, "my-app", "my-app", 2)

	window(t, "my-app", "release-3", flux, "Create,Update", "-f", at(3, "flux/pre-deploy"), "-f", at(3, "flux/deploy"))
	for range 2 {
		ready(t, interval(t, 3, all...))
		runs(t, "my-app", "my-app", 3)
		used(t, "my-app", "release-3", "Create Job db-migration", "Update Deployment my-app")
	}
}
