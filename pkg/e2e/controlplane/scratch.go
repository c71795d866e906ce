package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// ownerFile in a scratch folder is locked by the process that uses the folder. The kernel drops the lock however that process
	// ends. A recorded process id would not do, since ids are reused.
	ownerFile = "owner.lock"
	// keepFile marks a folder that its user wants to look at.
	keepFile = "keep"
)

// scratch is the folder that holds everything a control plane writes.
type scratch struct {
	dir   string
	owner *os.File
}

// newScratch creates a scratch folder, after removing those whose owner has ended.
func newScratch() (*scratch, error) {
	pattern := fmt.Sprintf("firebreak-%d-", os.Getuid())
	// The lock is held while folders are swept and created, so that no folder is seen before its owner has locked it.
	registry, err := lockFile(filepath.Join(os.TempDir(), "."+pattern+"lock"), syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("locking the list of scratch folders: %w", err)
	}
	defer func() { _ = registry.Close() }()
	removeStale(filepath.Join(os.TempDir(), pattern+"*"))

	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return nil, fmt.Errorf("making a scratch folder: %w", err)
	}
	owner, err := lockFile(filepath.Join(dir, ownerFile), syscall.LOCK_EX)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the scratch folder: %w", err), os.RemoveAll(dir))
	}
	// kwok runs the commands of "kubectl exec" as nobody, who must be able to enter the folder. Secret files in it have their own
	// permissions.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // nobody passes through, and reads nothing
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &scratch{dir: dir, owner: owner}, nil
}

// path joins names to the folder.
func (s *scratch) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// mkdir creates a folder that only its owner can read, and returns its path.
func (s *scratch) mkdir(names ...string) (string, error) {
	path := s.path(names...)
	return path, os.MkdirAll(path, 0o700)
}

// keep exempts the folder from removal by later control planes.
func (s *scratch) keep() error {
	return os.WriteFile(s.path(keepFile), nil, 0o600)
}

func (s *scratch) remove() error {
	err := os.RemoveAll(s.dir)
	return errors.Join(err, s.owner.Close())
}

// removeStale removes the folders whose owner ended without removing them: a test binary that panicked, timed out or was
// interrupted. Its processes are dead already (see spawner). A folder that cannot be removed is left for a later try, since it is
// in nobody's way.
func removeStale(glob string) {
	dirs, err := filepath.Glob(glob)
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, keepFile)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		owner, err := lockFile(filepath.Join(dir, ownerFile), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue // in use, or not ours
		}
		_ = os.RemoveAll(dir)
		_ = owner.Close()
	}
}

// lockFile opens path, creating it if need be, and locks it as how says (see flock(2)). Closing the file unlocks it.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
