// SPDX-License-Identifier: ISC

package folders

import (
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"quill/internal/random"
	"quill/maildir"
)

// openDir opens a folder of the folder dir, by no link; name has no slash.
func openDir(dir int, name string) (int, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// readEntries is what is in the folder dir.
func readEntries(dir int) ([]fs.DirEntry, error) {
	fd, err := openDir(dir, ".")
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	return f.ReadDir(-1)
}

// isDir tells whether name is a folder in dir, and no link to one. An error is one
// that may pass: a client must not hear that its mailbox is gone.
func isDir(dir int, name string) (bool, error) {
	var st unix.Stat_t
	switch err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
	case nil:
		return st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG, unix.EACCES:
		return false, nil
	default:
		return false, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
}

// exists tells whether there is anything of this name in dir; after an error there
// may be.
func exists(dir int, name string) (bool, error) {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		err = &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return true, err
}

// makeDir makes a folder that is its owner's alone.
func makeDir(dir int, name string) error {
	err := unix.Mkdirat(dir, name, 0o700)
	if err == nil {
		err = unix.Fchmodat(dir, name, 0o700, 0) // whatever the umask
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return nil
}

// readFile is a file's bytes, at most fileMax.
func readFile(dir int, name string) ([]byte, error) {
	f, err := maildir.OpenRegular(dir, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err == nil && len(b) > fileMax {
		err = fmt.Errorf("%s has more than %d bytes", name, fileMax)
	}
	return b, err
}

// replace gives a file new content, whole and on disk before it has the name.
func replace(dir int, name string, data []byte) error {
	tmp := newPrefix + randomHex()
	err := maildir.WriteFile(dir, tmp, data)
	if err == nil {
		err = move(dir, tmp, name, 0)
	}
	if err != nil {
		unix.Unlinkat(dir, tmp, 0)
		return err
	}
	return maildir.SyncFolder(dir)
}

// move renames within a folder.
func move(dir int, from, to string, flags uint) error {
	err := unix.Renameat2(dir, from, dir, to, flags)
	if (err == unix.EINVAL || err == unix.ENOSYS) && flags != 0 { // a file system without RENAME_NOREPLACE
		if ok, _ := exists(dir, to); ok {
			err = unix.EEXIST
		} else {
			err = unix.Renameat(dir, from, dir, to) // which overwrites no folder with anything in it
		}
	}
	if err != nil {
		return &fs.PathError{Op: "rename", Path: to, Err: err}
	}
	return nil
}

// removeMax is how deep folders are that are removed.
const removeMax = 16

// remove deletes a name and all below it, as far as it can.
func remove(dir int, name string, depth int) {
	if folder, err := isDir(dir, name); !folder || err != nil {
		unix.Unlinkat(dir, name, 0)
		return
	}
	fd, err := openDir(dir, name)
	if err != nil || depth == removeMax {
		return
	}
	defer unix.Close(fd)
	all, _ := readEntries(fd)
	for _, e := range all {
		remove(fd, e.Name(), depth+1)
	}
	unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}

func randomHex() string {
	b := make([]byte, 12)
	random.Fill(b)
	return hex.EncodeToString(b)
}
