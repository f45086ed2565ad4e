// SPDX-License-Identifier: ISC

// Package safefile replaces small files so that after a power cut there is
// either the old content or the new, whole, and takes the locks that keep two
// writers apart. A file is written beside its place, synced, renamed, and its
// directory synced: the only order that holds on ext4, XFS and btrfs alike.
package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// WriteFile puts data at path with exactly this mode, whatever the umask, and
// when root writes, with the owner it had. On error the old file stands unharmed and nothing is left beside it.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	tmp := f.Name()
	err = keepOwner(f, path)
	if ferr := fill(f, data, mode); err == nil {
		err = ferr
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return SyncDir(filepath.Dir(path))
}

// keepOwner gives a file that root writes to whom its predecessor, or its
// folder, belongs: who reads it must be able to go on reading it.
func keepOwner(f *os.File, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	st, err := os.Stat(path)
	if err != nil {
		if st, err = os.Stat(filepath.Dir(path)); err != nil {
			return err
		}
	}
	own := st.Sys().(*syscall.Stat_t)
	return f.Chown(int(own.Uid), int(own.Gid))
}

// fill writes, sets the mode, syncs and closes; the first error counts.
func fill(f *os.File, data []byte, mode fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// SyncDir makes the names in a directory durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}

// Lock takes an exclusive flock on path, which it makes with mode 0600 where it
// is missing, and waits for it. Closing the file gives the lock back.
func Lock(path string) (*os.File, error) { return lock(path, 0) }

// TryLock is Lock that does not wait: ErrLocked where another process holds it.
func TryLock(path string) (*os.File, error) { return lock(path, unix.LOCK_NB) }

func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|how)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
}
