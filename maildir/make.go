// SPDX-License-Identifier: ISC

package maildir

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"quill/internal/safefile"
)

// Make makes a new Maildir: path and tmp, new, cur in it, all with mode 0700
// whatever the umask. What exists already is an error that is fs.ErrExist. When
// it returns, the folders are on disk; after an error some of them may be there.
func Make(path string) error {
	path = filepath.Clean(path)
	for _, dir := range []string{path, path + "/" + tmpDir, path + "/" + newDir, path + "/" + curDir} {
		err := unix.Mkdir(dir, 0o700)
		if err == nil {
			err = unix.Chmod(dir, 0o700)
		}
		if err != nil {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
		}
	}
	if err := safefile.SyncDir(path); err != nil {
		return err
	}
	return safefile.SyncDir(filepath.Dir(path))
}
