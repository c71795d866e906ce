package controlplane

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// dataLink is the symbolic link in a volume's folder that leads to the present content.
const dataLink = "..data"

// writeFolder makes dir hold exactly files, by path, and does nothing if it does already. All files change at once, as in a
// kubelet's volumes and for programs that watch them: the content is in a folder of its own, ..data leads to it, and each file is a
// link through ..data.
func writeFolder(dir string, files map[string]string) error {
	if upToDate(dir, files) {
		return nil
	}
	version, err := os.MkdirTemp(dir, "..version-")
	if err != nil {
		return err
	}
	for path, text := range files {
		if !filepath.IsLocal(path) {
			return errors.New("the path " + path + " leads out of the volume")
		}
		target := filepath.Join(version, path)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := writeFile(target, text); err != nil {
			return err
		}
	}
	before, _ := os.Readlink(filepath.Join(dir, dataLink)) // there is none at first
	link := filepath.Join(dir, dataLink)
	if err := errors.Join(os.Symlink(filepath.Base(version), link+"_tmp"), os.Rename(link+"_tmp", link)); err != nil {
		return err
	}
	if err := linkFiles(dir, files); err != nil {
		return err
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(dir, before))
}

// linkFiles creates the visible names, which are the first elements of the paths.
func linkFiles(dir string, files map[string]string) error {
	wanted := map[string]bool{}
	for path := range files {
		first, _, _ := strings.Cut(filepath.Clean(path), "/")
		wanted[first] = true
		err := os.Symlink(filepath.Join(dataLink, first), filepath.Join(dir, first))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "..") && !wanted[entry.Name()] {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// upToDate reports whether dir holds the files already.
func upToDate(dir string, files map[string]string) bool {
	root, err := filepath.EvalSymlinks(filepath.Join(dir, dataLink))
	if err != nil {
		return false
	}
	found := 0
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if want, ok := files[name]; err != nil || !ok || want != string(text) {
			return errors.Join(err, fs.ErrInvalid)
		}
		found++
		return nil
	})
	return err == nil && found == len(files)
}
