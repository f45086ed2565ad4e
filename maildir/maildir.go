// SPDX-License-Identifier: ISC

// Package maildir delivers into Maildirs and reads them. It promises that a
// message it reports as delivered or removed stays so through a power cut on
// ext4, XFS and btrfs; that no name in new/ or cur/ ever shows part of a
// message; that a second try of a delivery from the queue finds the first one's
// file; and that nothing is opened outside the mailbox, whatever lies in it:
// links are not followed and fifos not waited for. Many programs may work on
// one Maildir at once.
//
// It does not promise that a message that was delivered, read and removed is
// not delivered again when the queue had lost its result, and it keeps no
// index: the folder is the truth and is read anew.
package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// The three folders of a Maildir (maildir(5)).
const (
	tmpDir = "tmp"
	newDir = "new"
	curDir = "cur"
)

// Maildir is an open mailbox: descriptors of its folder and of tmp, new and cur
// below it. Its methods may be called from several goroutines.
type Maildir struct {
	path           string
	box            int
	tmp, new_, cur int
	known          [2]listing // of cur/ and new/
}

// Open opens the Maildir at path with the caller's rights. Links on the way to
// it are followed; tmp, new and cur themselves must be folders in it.
func Open(path string) (*Maildir, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open maildir", Path: path, Err: err}
	}
	return open(path, fd)
}

// OpenBeneath opens the Maildir at path below the folder home, which may be
// reached by links, while the way from there may not lead out of it: not by
// "..", nor by a link (openat2(2), RESOLVE_BENEATH). So users who share a uid
// cannot lend each other's mailboxes.
func OpenBeneath(home, path string) (*Maildir, error) {
	h, err := unix.Open(home, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open home", Path: home, Err: err}
	}
	defer unix.Close(h)
	return OpenAt(h, path)
}

// OpenAt is OpenBeneath for a home that is open already as descriptor home.
func OpenAt(home int, path string) (*Maildir, error) {
	fd, err := openat2(home, path, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS)
	if errors.Is(err, unix.EXDEV) {
		err = fmt.Errorf("it leads out of the home (%w); name its target by a full path", err)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open maildir", Path: path, Err: err}
	}
	return open(path, fd)
}

// open takes over the descriptor of the mailbox and opens its folders.
func open(path string, box int) (*Maildir, error) {
	m := &Maildir{path: path, box: box, tmp: -1, new_: -1, cur: -1}
	for name, fd := range map[string]*int{tmpDir: &m.tmp, newDir: &m.new_, curDir: &m.cur} {
		var err error
		if *fd, err = openat2(box, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, inside); err != nil {
			m.Close()
			return nil, &fs.PathError{Op: "open maildir", Path: strings.TrimSuffix(path, "/") + "/" + name, Err: err}
		}
	}
	return m, nil
}

// MTime is when names in new/ (fresh) or cur/ last changed. Where another folder
// has taken its place, and with it maybe that of others, m goes on with those.
func (m *Maildir) MTime(fresh bool) (unix.Timespec, error) {
	name := curDir
	if fresh {
		name = newDir
	}
	if m.replaced(name, m.dir(fresh)) {
		for name, fd := range map[string]int{tmpDir: m.tmp, newDir: m.new_, curDir: m.cur} {
			if err := m.follow(name, fd); err != nil {
				return unix.Timespec{}, err
			}
		}
	}
	return mtime(m.dir(fresh))
}

// replaced tells whether the folder of this name is another one than the open fd.
// One that is missing may come back.
func (m *Maildir) replaced(name string, fd int) bool {
	var is, was unix.Stat_t
	return unix.Fstatat(m.box, name, &is, unix.AT_SYMLINK_NOFOLLOW) == nil && unix.Fstat(fd, &was) == nil &&
		is.Mode&unix.S_IFMT == unix.S_IFDIR && (is.Ino != was.Ino || is.Dev != was.Dev)
}

// follow has fd be the folder that has this name now. The number stays, so that
// who works with it just then works in the one or in the other.
func (m *Maildir) follow(name string, fd int) error {
	if !m.replaced(name, fd) {
		return nil
	}
	now, err := openat2(m.box, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, inside)
	if err == nil {
		err = unix.Dup3(now, fd, unix.O_CLOEXEC)
		unix.Close(now)
	}
	if err != nil {
		return &fs.PathError{Op: "open maildir", Path: strings.TrimSuffix(m.path, "/") + "/" + name, Err: err}
	}
	return nil
}

// Path is the name the mailbox was opened by.
func (m *Maildir) Path() string { return m.path }

// Fd is the descriptor of the mailbox's folder, opened as a path; it stays m's
// own.
func (m *Maildir) Fd() int { return m.box }

// Close gives the descriptors back.
func (m *Maildir) Close() error {
	for _, fd := range []int{m.box, m.tmp, m.new_, m.cur} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	m.box, m.tmp, m.new_, m.cur = -1, -1, -1, -1
	return nil
}

// inside is how names in the mailbox are resolved: below it, by no link.
const inside = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// openat2 opens a name below dir, close-on-exec (openat2(2), Linux 5.6).
func openat2(dir int, name string, flags, resolve uint64) (int, error) {
	return openMode(dir, name, flags, 0, resolve)
}

func openMode(dir int, name string, flags, mode, resolve uint64) (int, error) {
	how := &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Mode: mode, Resolve: resolve}
	for {
		fd, err := unix.Openat2(dir, name, how)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN: // the latter: a rename raced with ".."
		case err == unix.EXDEV && resolve == inside && !strings.Contains(name, "/"):
			return -1, unix.ENOENT // it was moved to another folder while it was opened
		default:
			return fd, err
		}
	}
}

// retry calls f until no signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// fsync is not tried again after an error: the kernel may have forgotten what it
// could not write.
func fsync(fd int) error { return retry(func() error { return unix.Fsync(fd) }) }

// ErrNotRegular says that what has a message's name is none: a folder, a link, a
// fifo or a device.
var ErrNotRegular = errors.New("not a regular file")

// readFile opens a message for reading.
func readFile(dir int, name string) (*os.File, error) { return OpenRegular(dir, name, unix.O_RDONLY) }

// OpenRegular opens a name in the folder that is descriptor dir: a regular file
// and nothing else, by no link, without waiting for the other end of a fifo. One
// that it creates is its owner's alone.
func OpenRegular(dir int, name string, flags int) (*os.File, error) {
	mode := uint64(0)
	if flags&unix.O_CREAT != 0 {
		mode = 0o600
	}
	fd, err := openMode(dir, name, uint64(flags|unix.O_NOFOLLOW|unix.O_NONBLOCK), mode, inside)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = ErrNotRegular
	}
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
