package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// assetsEnv names a folder of binaries that take precedence over our own, as in controller-runtime's envtest.
const assetsEnv = "KUBEBUILDER_ASSETS"

const buildScript = "hack/build-kube.sh"

// binaries finds programs.
type binaries struct {
	assets string // may be empty
	built  string // bin/kube of the checkout
}

// findBinaries looks for the checkout from the working folder upwards, where "go test" and make
// both start.
func findBinaries() (binaries, error) {
	dir, err := os.Getwd()
	if err != nil {
		return binaries{}, fmt.Errorf("finding the checkout: %w", err)
	}
	for {
		if exists(filepath.Join(dir, buildScript)) {
			return binaries{assets: os.Getenv(assetsEnv), built: filepath.Join(dir, "bin", "kube")}, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return binaries{}, fmt.Errorf("no folder from the working folder upwards has %s", buildScript)
		}
		dir = parent
	}
}

// path returns where the program is, or should be.
func (b binaries) path(name string) string {
	if b.assets != "" {
		if path := filepath.Join(b.assets, name); exists(path) {
			return path
		}
	}
	return filepath.Join(b.built, name)
}

// check returns an error that names missing programs and stage files, and how to get them.
func (b binaries) check() error {
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "stages"} {
		if !exists(b.path(name)) {
			return fmt.Errorf("%s is missing: run %s", b.path(name), buildScript)
		}
	}
	return nil
}

// stages returns kwok's files that say how nodes and Pods come to life.
func (b binaries) stages() ([]string, error) {
	return filepath.Glob(filepath.Join(b.path("stages"), "*.yaml"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
