// SPDX-License-Identifier: ISC

package maildir

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/mailid"
	"quill/internal/random"
)

// Deliverer delivers into any number of Maildirs. Deliveries that arrive
// together at one Maildir share the sync of its new/. Its methods may be called
// from many goroutines.
type Deliverer struct {
	host    string
	count   atomic.Uint64 // of names made without a message's id
	last    atomic.Int64  // microsecond given to one of these
	syncs   syncs
	mu      sync.Mutex
	curs    map[inode]*listing // for Again; at most listingsMax
	buffers sync.Pool          // of *[]byte
}

// listingsMax is how many listings of cur/ are kept for deliveries tried again.
const listingsMax = 64

// bufferSize is the bytes read and written at once.
const bufferSize = 64 << 10

// NewDeliverer makes one that puts host in file names; "" is this machine's name.
func NewDeliverer(host string) *Deliverer {
	if host == "" {
		host, _ = os.Hostname() // Name writes localhost where there is none
	}
	d := &Deliverer{host: host, curs: make(map[inode]*listing)}
	d.buffers.New = func() any { b := make([]byte, bufferSize); return &b }
	return d
}

// Delivery is one message for one Maildir.
type Delivery struct {
	ID    mailid.ID   // 0: it comes from no queue, and gets a name of its own
	Rcpt  int         // the recipient's number in the message
	Again bool        // the outcome of an earlier try is not known
	Head  []byte      // lines before the message: Return-Path, Delivered-To
	Body  io.ReaderAt // the message, from 0 to its end
}

// content is the file's bytes from their begin.
func (del *Delivery) content() io.Reader {
	return io.MultiReader(bytes.NewReader(del.Head), io.NewSectionReader(del.Body, 0, math.MaxInt64))
}

// Deliver writes the message to m and returns its name when it is on disk under
// new/: the file synced, published without overwriting, and the folder synced.
// Where the file of an earlier try is found (always in new/ under its own name,
// with Again in cur/ as well), no second one is made. After an error nothing was
// published, or, when the last sync failed, the same call may be tried again.
func (d *Deliverer) Deliver(m *Maildir, del *Delivery) (name string, err error) {
	var old found
	if del.Again && del.ID != 0 {
		if old, err = d.earlier(m, del); err != nil {
			return "", fmt.Errorf("look for an earlier try in %s: %w", m.path, err)
		}
		if old.name != "" {
			return old.name, d.syncDir(m.dir(old.fresh), m.path)
		}
	}
	tmp, count, err := d.write(m, del.content(), time.Time{})
	if err != nil {
		return "", err
	}
	name, err = d.publish(m, del, tmp, count, old.taken)
	if err != nil {
		unix.Unlinkat(m.tmp, tmp, 0)
		return "", err
	}
	return name, d.syncDir(m.new_, m.path)
}

// write puts the message into a file of its own in tmp/, on disk, with this time;
// zero: now.
func (d *Deliverer) write(m *Maildir, r io.Reader, mtime time.Time) (tmp string, c counter, err error) {
	tmp = d.tmpName()
	fd, err := openMode(m.tmp, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600, inside)
	if err != nil {
		return "", c, &os.PathError{Op: "create", Path: m.path + "/tmp/" + tmp, Err: err}
	}
	f := os.NewFile(uintptr(fd), m.path+"/tmp/"+tmp)
	err = d.copy(io.MultiWriter(f, &c), r)
	if err == nil {
		err = setTime(m.tmp, tmp, mtime)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		unix.Unlinkat(m.tmp, tmp, 0)
		return "", c, err
	}
	return tmp, c, nil
}

// copy writes a message to w, the small ones at once.
func (d *Deliverer) copy(w io.Writer, r io.Reader) error {
	buf := d.buffers.Get().(*[]byte)
	defer d.buffers.Put(buf)
	for {
		n, err := io.ReadFull(r, *buf)
		if n > 0 {
			if _, werr := w.Write((*buf)[:n]); werr != nil {
				return werr
			}
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return fmt.Errorf("read message: %w", err)
		}
	}
}

// tries is how many names are tried before a delivery gives up.
const tries = 9

// publish gives the file in tmp/ its name in new/; taken: the plain one is
// another message's.
func (d *Deliverer) publish(m *Maildir, del *Delivery, tmp string, c counter, taken bool) (string, error) {
	extra := ""
	if taken {
		extra = "X" + randomHex(4)
	}
	for range tries {
		name := d.freshName()
		if del.ID != 0 {
			name = base(del.ID, del.Rcpt, extra, d.host)
		}
		name += sizes(c.size, c.wire)
		err := rename(m.tmp, tmp, m.new_, name)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return "", fmt.Errorf("publish %s/new/%s: %w", m.path, name, err)
		}
		same, err := d.same(m.new_, name, del, c.size)
		if err != nil {
			return "", fmt.Errorf("compare %s/new/%s with an earlier try: %w", m.path, name, err)
		}
		if same && del.ID != 0 {
			return name, unlink(m.tmp, tmp)
		}
		extra = "X" + randomHex(4)
	}
	return "", fmt.Errorf("publish in %s/new: every name is taken", m.path)
}

// rename publishes without overwriting: renameat2(2), or link and unlink where a
// file system knows no RENAME_NOREPLACE.
func rename(from int, tmp string, to int, name string) error {
	err := retry(func() error { return unix.Renameat2(from, tmp, to, name, unix.RENAME_NOREPLACE) })
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if err := retry(func() error { return unix.Linkat(from, tmp, to, name, 0) }); err != nil {
		return err
	}
	return unlink(from, tmp)
}

// unlink removes a name; that it is gone already is as good.
func unlink(dir int, name string) error {
	if err := retry(func() error { return unix.Unlinkat(dir, name, 0) }); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// same tells whether the file dir/name has exactly this delivery's bytes. A file
// that is gone, or no file at all, has others.
func (d *Deliverer) same(dir int, name string, del *Delivery, size int64) (bool, error) {
	f, err := readFile(dir, name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) || errors.Is(err, ErrNotRegular) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() != size {
		return false, err
	}
	eq := equal{r: f, buf: make([]byte, bufferSize), same: true}
	err = d.copy(&eq, del.content())
	return eq.same, err
}

// equal compares what is written to it with what r holds.
type equal struct {
	r    io.Reader
	buf  []byte
	same bool
}

func (e *equal) Write(p []byte) (int, error) {
	if _, err := io.ReadFull(e.r, e.buf[:len(p)]); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	e.same = e.same && bytes.Equal(p, e.buf[:len(p)])
	return len(p), nil
}

// syncDir shares the sync of a folder with whom it can.
func (d *Deliverer) syncDir(fd int, path string) error {
	at, err := identity(fd)
	if err == nil {
		err = d.syncs.sync(at, func() error { return fsync(fd) })
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

func identity(fd int) (inode, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return inode{uint64(st.Dev), st.Ino}, err
}

// tmpName is a name in tmp/ that no other delivery has, of this process or any.
func (d *Deliverer) tmpName() string { return d.freshName() }

// freshName is a name for a message without an id.
func (d *Deliverer) freshName() string {
	now := d.now()
	return fmt.Sprintf("%d.M%dP%d_%dR%s.%s", now.Unix(), now.Nanosecond()/1000, os.Getpid(), d.count.Add(1), randomHex(8), Host(d.host))
}

// now is the time, each time by a microsecond later at least, so that messages
// that arrive one after another are in that order by their names too.
func (d *Deliverer) now() time.Time {
	for {
		last := d.last.Load()
		usec := max(time.Now().UnixMicro(), last+1)
		if d.last.CompareAndSwap(last, usec) {
			return time.UnixMicro(usec)
		}
	}
}

// randomHex is n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	random.Fill(b)
	return hex.EncodeToString(b)
}
