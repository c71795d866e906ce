package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var cluster *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

func TestMain(m *testing.M) { os.Exit(fixture.On(m, stage.Options{}, &cluster, prepare)) }

// prepare has the controllers deploy version 1, which has no migrations, and declares the estate only then: what is deployed before there is a
// boundary needs no window.
func prepare(ctx context.Context) error {
	if err := cluster.Staff(ctx); err != nil {
		return err
	}
	admin := func(args ...string) error {
		_, err := cluster.Kubectl(ctx, cluster.AdminConfig(), args...)
		return err
	}
	if err := admin("apply", "-f", filepath.Join("testdata", "controllers.yaml")); err != nil {
		return err
	}
	for version := 1; version <= 3; version++ {
		if err := commit(version); err != nil {
			return err
		}
	}
	if err := installArgoCD(ctx); err != nil {
		return err
	}
	if err := installFlux(ctx); err != nil {
		return err
	}
	if err := installHelm(ctx); err != nil {
		return err
	}
	if err := admin("apply", "-f", filepath.Join("testdata", "estate.yaml")); err != nil {
		return err
	}
	return admin("wait", "--for=jsonpath={.status.dataStores}=1", "--for=jsonpath={.status.namespaces}=4", "--timeout=60s", "environment/production")
}

// at returns a folder of the repository at a version.
func at(version int, folder string) string {
	return filepath.Join(cluster.Dir(), "repository", strconv.Itoa(version), folder)
}

// digest returns the digest of the images of a version.
func digest(version int) string { return "sha256:" + strings.Repeat(strconv.Itoa(version), 64) }

// commit writes a version of the repository. Versions differ in their images, and in the names that say so; testdata holds the second one.
func commit(version int) error {
	return filepath.WalkDir("testdata", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		to := at(version, strings.TrimPrefix(file, "testdata/"))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(strings.NewReplacer(digest(2), digest(version), "-v2", "-v"+strconv.Itoa(version)).Replace(string(text))), 0o600)
	})
}

// manifests reads the objects of a folder. Those that name no namespace are meant for the given one.
func manifests(folder, namespace string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no manifests in %s: %w", folder, err)
	}
	var out []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a manifest: %w", err)
		}
		for d := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
			u := &unstructured.Unstructured{}
			err := d.Decode(&u.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if u.GetNamespace() == "" {
				u.SetNamespace(namespace)
			}
			out = append(out, u)
		}
	}
	return out, nil
}
