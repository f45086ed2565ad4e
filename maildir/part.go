// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// OpenFolder opens the Maildir that is the folder name of the folder dir, with
// no link in place of it.
func OpenFolder(dir int, name string) (*Maildir, error) {
	fd, err := openat2(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, inside)
	if err != nil {
		return nil, &fs.PathError{Op: "open maildir", Path: name, Err: err}
	}
	return open(name, fd)
}

// ErrRemoved says that a Maildir that is open has been deleted.
var ErrRemoved = errors.New("mailbox has been deleted")

// removed tells whether the folder dir has been deleted.
func removed(dir int) bool {
	var st unix.Stat_t
	return unix.Fstat(dir, &st) == nil && st.Nlink == 0
}

// Part is a message in tmp/, whole and on disk, that nobody sees yet.
type Part struct {
	m          *Maildir
	tmp        string // "": it is no longer there
	Size, Wire int64  // bytes as written, and when each line ends in CRLF
}

// Write makes a Part of all that r gives, with mtime as its file's time; zero:
// now.
func (d *Deliverer) Write(m *Maildir, r io.Reader, mtime time.Time) (*Part, error) {
	tmp, c, err := d.write(m, r, mtime)
	if err != nil {
		return nil, err
	}
	return &Part{m, tmp, c.size, c.wire}, nil
}

// Publish gives the message its name in cur/, with these flags, where it
// overwrites none. The caller syncs cur/ (Sync).
func (d *Deliverer) Publish(p *Part, flags []Flag) (name string, err error) {
	return d.unused(p.m, p.Size, p.Wire, flags, func(name string) error {
		err := rename(p.m.tmp, p.tmp, p.m.cur, name)
		if err == nil {
			p.tmp = ""
		}
		return err
	})
}

// Drop removes a message that was not published.
func (p *Part) Drop() {
	if p.tmp != "" {
		unix.Unlinkat(p.m.tmp, p.tmp, 0) // else CleanTmp's, some day
		p.tmp = ""
	}
}

// Link makes a copy of a message of m in to's cur/, with these flags and a name of
// its own: a hard link, or where there can be none a file with the same bytes. A
// message that is gone gives an error that is fs.ErrNotExist. The caller syncs cur/
// (Sync).
func (d *Deliverer) Link(m *Maildir, msg Message, to *Maildir, flags []Flag) (name string, err error) {
	name, err = d.link(m, msg, to, flags)
	if errors.Is(err, unix.ENOENT) {
		if removed(to.cur) {
			return "", ErrRemoved
		}
		now, ok, lerr := m.locate(msg)
		if lerr != nil || !ok {
			return "", errors.Join(err, lerr)
		}
		name, err = d.link(m, now, to, flags)
	}
	if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EMLINK) {
		return d.duplicate(m, msg, to, flags)
	}
	return name, err
}

func (d *Deliverer) link(m *Maildir, msg Message, to *Maildir, flags []Flag) (string, error) {
	return d.unused(to, msg.Size, msg.Wire, flags, func(name string) error {
		return retry(func() error { return unix.Linkat(m.dir(msg.New), msg.Name, to.cur, name, 0) })
	})
}

// duplicate copies a message's bytes, and its time.
func (d *Deliverer) duplicate(m *Maildir, msg Message, to *Maildir, flags []Flag) (string, error) {
	f, err := m.Open(msg)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	p, err := d.Write(to, io.NewSectionReader(f, 0, math.MaxInt64), st.ModTime())
	if err != nil {
		return "", err
	}
	defer p.Drop()
	return d.Publish(p, flags)
}

// unused calls publish with names for cur/ until one is not taken.
func (d *Deliverer) unused(m *Maildir, size, wire int64, flags []Flag, publish func(name string) error) (string, error) {
	for range tries {
		name := WithFlags(d.freshName()+sizes(size, wire), flags)
		err := publish(name)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return "", fmt.Errorf("publish %s/cur/%s: %w", m.path, name, err)
		}
	}
	return "", fmt.Errorf("publish in %s/cur: every name is taken", m.path)
}

// Sync returns when the names in new/ (fresh) or cur/ are on disk.
func (m *Maildir) Sync(fresh bool) error {
	if err := fsync(m.dir(fresh)); err != nil {
		return fmt.Errorf("sync %s: %w", m.path, err)
	}
	return nil
}

// setTime gives the file dir/name a time; zero: leaves it.
func setTime(dir int, name string, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	ts := unix.NsecToTimespec(t.UnixNano())
	if err := unix.UtimesNanoAt(dir, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "set the time of", Path: name, Err: err}
	}
	return nil
}
