package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/fence"
	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

type staticOptions struct {
	registrations.Options
	out, caFile   string
	fence, stored bool
}

func (e *env) static() *cobra.Command {
	var o staticOptions
	cmd := &cobra.Command{
		Use:   "static-manifests --out FOLDER [--url https://…]",
		Short: "Write the files by which API servers load Firebreak from their disk, so that nobody can take it away through the API",
		Long: `Writes the admission configuration of an installation as files that API servers load at their start (Kubernetes 1.36 with the feature gate
ManifestBasedAdmissionControlConfig): the registrations, by URL; the policies that guard Firebreak's kinds; and one that guards Firebreak's
registrations, policies, definitions and namespace against everybody, system:masters included. It reads what the chart has rendered and the
certificate authority, and changes nothing in the cluster. With --fence the names and members of production are written as policies, too, which hold
always; they know the estate of that moment. Run it again after an upgrade, and where the certificate authority is replaced; the API
server reads files that change.`,
		Example: `  kubectl firebreak static-manifests --out firebreak --url https://firebreak.firebreak-system.svc:443
  # then, on the disk of each API server, as /etc/kubernetes/firebreak:
  #   --feature-gates=ManifestBasedAdmissionControlConfig=true
  #   --admission-control-config-file=/etc/kubernetes/firebreak/admission.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runStatic(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.fence, "fence", false, "write the fence, too: policies that know the names and members of production; write them anew when the estate changes")
	f.BoolVar(&o.stored, "stored", false, "write the files that the server keeps where staticManifests.keep of the chart is true; needs the right to read that ConfigMap, and no other")
	f.StringVar(&o.out, "out", "", "folder to write the files to (required)")
	f.StringVar(&o.URL, "url", "", "where API servers reach the webhook; default: the URL that it is registered with, if it is registered by URL")
	f.StringVar(&o.Folder, "folder", "/etc/kubernetes/firebreak", "absolute path of the files on the disk of each API server")
	f.StringVar(&o.caFile, "ca-file", "", "certificate authority of the webhook, in PEM; default: the one in its registration")
	f.StringSliceVar(&o.CAWriters, "ca-writer", nil, "username that writes the certificate authority into the registrations beside Firebreak, such as system:serviceaccount:cert-manager:cert-manager-cainjector")
	f.StringVar(&o.Namespace, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	f.StringVar(&o.Account, "service-account", "firebreak", "service account that Firebreak runs as")
	return cmd
}

func (e *env) runStatic(ctx context.Context, o *staticOptions) error {
	if o.out == "" {
		return errors.New("--out names the folder to write the files to")
	}
	c, _, err := e.client()
	if err != nil {
		return err
	}
	if o.stored {
		return e.writeStored(ctx, c, o)
	}
	if o.CABundle, err = authority(ctx, c, o.caFile); err != nil {
		return err
	}
	var cm corev1.ConfigMap
	if err := c.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: registrations.ConfigMapName}, &cm); err != nil {
		return fmt.Errorf("read what the chart has rendered (webhook.restore keeps it): %w", err)
	}
	rendered, err := registrations.Parse(cm.Data[registrations.Key])
	if err != nil {
		return fmt.Errorf("read what the chart has rendered: %w", err)
	}
	if o.fence {
		more, err := e.staticFence(ctx, c, o.Options)
		if err != nil {
			return err
		}
		rendered = append(rendered, more...)
	}
	files, err := registrations.Files(rendered, o.Options)
	if err != nil {
		return err
	}
	if err := e.writeFiles(o.out, files); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.ErrOut, `
Copy these to %s on the disk of each API server, and start it with:

  --feature-gates=ManifestBasedAdmissionControlConfig=true
  --admission-control-config-file=%s

An API server that has them refuses what persons write until Firebreak answers. To change or uninstall Firebreak, take %s away from each of them first.
`, o.Folder, path.Join(o.Folder, registrations.AdmissionFile), path.Join(o.Folder, registrations.GuardFile))
	return err
}

// writeFiles writes each file below a folder, and prints its path.
func (e *env) writeFiles(folder string, files map[string][]byte) error {
	for _, name := range registrations.Paths(files) {
		if err := replace(filepath.Join(folder, filepath.FromSlash(name)), files[name]); err != nil {
			return err
		}
		fmt.Fprintln(e.Out, filepath.Join(folder, filepath.FromSlash(name)))
	}
	return nil
}

// writeStored writes the files that the server keeps. It is for those who manage the disks of API servers, and says nothing more than which files.
func (e *env) writeStored(ctx context.Context, c client.Client, o *staticOptions) error {
	if o.fence || o.URL != "" || o.caFile != "" || len(o.CAWriters) > 0 {
		return errors.New("--stored writes what the server keeps; the values staticManifests of the chart say what that is, so --fence, --url, --ca-file and --ca-writer do not go with it")
	}
	var cm corev1.ConfigMap
	if err := c.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: registrations.StaticName}, &cm); err != nil {
		return fmt.Errorf("read the files that the server keeps (staticManifests.keep of the chart has it keep them): %w", err)
	}
	files, err := registrations.StaticFiles(&cm)
	if err != nil {
		return err
	}
	return e.writeFiles(o.out, files)
}

// staticFence returns the fence for files, of the estate that is stored now.
func (e *env) staticFence(ctx context.Context, c client.Client, o registrations.Options) ([]*unstructured.Unstructured, error) {
	var environments v1alpha1.EnvironmentList
	var stores v1alpha1.DataStoreList
	var exemptions v1alpha1.ExemptionList
	namespaces := &metav1.PartialObjectMetadataList{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	for _, l := range []client.ObjectList{&environments, &stores, &exemptions, namespaces} {
		if err := c.List(ctx, l); err != nil {
			return nil, fmt.Errorf("read the estate for the fence: %w", err)
		}
	}
	labels := map[string]map[string]string{}
	for i := range namespaces.Items {
		labels[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	out, left, err := fence.Static(fence.Input{Stores: stores.Items, Estate: estate.Compile(estate.Input{
		Environments: environments.Items, DataStores: stores.Items, Exemptions: exemptions.Items, Namespaces: labels, FirebreakNamespace: o.Namespace, FirebreakAccount: o.Account,
	})})
	if left > 0 {
		fmt.Fprintf(e.ErrOut, "Warning: %d names of production are not in the fence, which holds %d in a file\n", left, fence.MaxStatic)
	}
	return out, err
}

// authority returns the certificate authority of the webhook: that of a file, or the one in the registration.
func authority(ctx context.Context, c client.Client, file string) ([]byte, error) {
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		return raw, nil
	}
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	if err := c.Get(ctx, client.ObjectKey{Name: registrations.Name}, &v); err != nil {
		return nil, fmt.Errorf("read the certificate authority in the registration, or give --ca-file: %w", err)
	}
	if ca := registrations.CABundle(&v); ca != nil {
		return ca, nil
	}
	return nil, errors.New("the registration holds no certificate authority yet; give --ca-file")
}

// replace writes a file in one step: an API server that watches it never reads half of it.
func replace(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // the API server reads it as another user; it holds no secret
		return fmt.Errorf("make the folder: %w", err)
	}
	temporary := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".part")
	if err := os.WriteFile(temporary, content, 0o644); err != nil { //nolint:gosec // the API server reads it as another user; it holds no secret
		return fmt.Errorf("write the file: %w", err)
	}
	if err := os.Rename(temporary, name); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return nil
}
