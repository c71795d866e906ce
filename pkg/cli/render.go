package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomizations are the names under which kustomize looks for what a folder holds.
func kustomizations() []string {
	return []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}
}

// holds reports whether a folder has a file of one of some names.
func holds(folder string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		info, err := os.Stat(filepath.Join(folder, name))
		return err == nil && !info.IsDir()
	})
}

// kustomized returns what kustomize makes of a folder. Files outside the folder's root are not read. Each document says which file of the folder it
// began as, where kustomize knows it.
func kustomized(folder string) ([]document, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionNone
	made, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("render the kustomization in %s: %w", folder, err)
	}
	var out []document
	for i, r := range made.Resources() {
		object, err := r.Map()
		if err != nil {
			return nil, fmt.Errorf("render the kustomization in %s: %w", folder, err)
		}
		out = append(out, document{File: originOfResource(folder, r), Index: i, Object: &unstructured.Unstructured{Object: object}})
	}
	return out, nil
}

func originOfResource(folder string, r *resource.Resource) string {
	if o, err := r.GetOrigin(); err == nil && o != nil && o.Path != "" && o.Repo == "" {
		return filepath.Join(folder, o.Path)
	}
	return folder
}

// charted returns what helm makes of a chart, with values files and for a namespace. It runs the helm that is on the PATH, since that is the one that
// would install the chart. Each document says which template it came from.
func charted(ctx context.Context, chart string, values []string, namespace string) ([]document, error) {
	if strings.HasPrefix(chart, "-") {
		return nil, fmt.Errorf("--helm: %q is not a chart", chart) // helm would take it for an option
	}
	args := []string{"template", "release", chart, "--include-crds"}
	if namespace != "" {
		args = append(args, "--namespace", namespace)
	}
	for _, v := range values {
		args = append(args, "--values", v)
	}
	var out, says bytes.Buffer
	cmd := exec.CommandContext(ctx, "helm", args...)
	cmd.Stdout, cmd.Stderr = &out, &says
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("render the chart %s: there is no helm on the PATH", chart)
	case err != nil:
		return nil, fmt.Errorf("render the chart %s: %w: %s", chart, err, strings.TrimSpace(says.String()))
	}
	docs, err := read(chart, &out)
	for i := range docs {
		docs[i].File, docs[i].Line = templateOf(chart, docs[i].raw), 0
	}
	return docs, err
}

// templateOf returns the template that helm names in the first line of what it made of it.
func templateOf(chart string, raw []byte) string {
	for line := range bytes.Lines(raw) {
		if source, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "# Source: "); ok {
			if _, inside, ok := strings.Cut(source, "/"); ok {
				return filepath.Join(chart, inside)
			}
		}
	}
	return chart
}

// unrendered says why a document is not what would be sent; it is empty for any other. Both kinds are for programs that run on a developer's machine.
func unrendered(d *document) string {
	name := filepath.Base(d.File)
	switch {
	case slices.Contains(kustomizations(), name), d.Object != nil && strings.HasPrefix(d.Object.GetAPIVersion(), "kustomize.config.k8s.io/"):
		return fmt.Sprintf("it is a kustomization, which says what other files become; give its folder to have it rendered: -f %s", filepath.Dir(d.File))
	case name == "Chart.yaml" && d.Object == nil:
		return "it is a chart; have it rendered: --helm " + filepath.Dir(d.File)
	}
	return ""
}
