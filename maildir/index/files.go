// SPDX-License-Identifier: ISC

package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// The files of an index (maildir-index(5)).
const (
	snapFile  = "qx.snap"
	tmpFile   = "qx.snap.tmp"
	logPrefix = "qx.log."
	lockFile  = "qx.lock"
	validFile = "qx.uidvalidity"
	cacheFile = "qx.cache"
	cacheTmp  = "qx.cache.tmp"
	goneDir   = "qx.gone"
)

// Bytes of qx.lock that are locked; byte 1 is a POP3 session's (package maildir).
const (
	indexByte = 0
	validByte = 2
)

const (
	fileMax  = 8 << 30 // bytes of a file that is read
	markSize = 24      // bytes of the mark in qx.lock
	logMin   = 64 << 10
	logsBack = 16 // generations whose logs are deleted
)

// ErrBusy says that others kept the index locked for too long.
var ErrBusy = errors.New("mailbox index is locked by others")

// readFrom is all of the file after off.
func readFrom(f *os.File, off int64) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > fileMax {
		return nil, fmt.Errorf("%w: %s has %d bytes", errDamaged, f.Name(), st.Size())
	}
	b := make([]byte, max(0, st.Size()-off))
	n, err := f.ReadAt(b, off)
	if err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// lockByte locks a byte of the open file f for writing, for at most wait. The
// lock is the open file's (F_OFD_SETLK), so two handles in one process exclude
// each other too. It asks again and again, since a wait in the kernel has no end.
func lockByte(f *os.File, at int64, wait time.Duration) error {
	end, pause := time.Now().Add(wait), 50*time.Microsecond
	for {
		lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: at, Len: 1}
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk)
		switch {
		case err == nil:
			return nil
		case err == unix.EINTR:
		case err != unix.EAGAIN && err != unix.EACCES:
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		case time.Now().After(end):
			return ErrBusy
		}
		time.Sleep(pause)
		pause = min(2*pause, 5*time.Millisecond)
	}
}

func unlockByte(f *os.File, at int64) error {
	lk := unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart, Start: at, Len: 1}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk)
}

// lockIn opens the lock file of folder dir and locks the byte; a file that was
// deleted meanwhile locks nobody out, so then it is opened anew.
func lockIn(f *os.File, dir int, at int64, wait time.Duration) (*os.File, error) {
	for {
		if f == nil {
			var err error
			if f, err = maildir.OpenRegular(dir, lockFile, unix.O_RDWR|unix.O_CREAT); err != nil {
				return nil, err
			}
		}
		if err := lockByte(f, at, wait); err != nil {
			return f, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Nlink > 0 {
			return f, err
		}
		f.Close()
		f = nil
	}
}

// mark is how much of which log was on disk at least, at the last commit. It
// tells a log that was cut from one whose last writer did not finish.
type mark struct {
	gen uint64
	len int64
}

func (m mark) encode() []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, m.gen)
	b = le.AppendUint64(b, uint64(m.len))
	b = le.AppendUint32(b, sum(b))
	return le.AppendUint32(b, 0)
}

// markIn is the mark in the lock file; ok is false where there is none.
func markIn(f *os.File) (m mark, ok bool, err error) {
	b := make([]byte, markSize)
	if _, err := f.ReadAt(b, 0); err == io.EOF {
		return m, false, nil
	} else if err != nil {
		return m, false, err
	}
	r := reader{b: b}
	m = mark{r.u64(), r.i64()}
	return m, r.u32() == sum(b[:16]) && m.len >= 0, nil
}

// readMark is markIn for who takes one that cannot be read for none.
func readMark(f *os.File) (m mark, ok bool) {
	m, ok, _ = markIn(f)
	return m, ok
}

// nextValidity is a UIDVALIDITY greater than every one before below root, of which
// the caller knows one (or 0): the time, or else one more than the last.
func nextValidity(root int, known uint32, wait time.Duration) (uint32, error) {
	lock, err := lockIn(nil, root, validByte, wait)
	if lock != nil {
		defer lock.Close()
	}
	if err != nil {
		return 0, err
	}
	last := int64(0)
	f, err := maildir.OpenRegular(root, validFile, unix.O_RDONLY)
	if err == nil {
		b := make([]byte, 8)
		n, _ := io.ReadFull(f, b)
		f.Close()
		last, _ = strconv.ParseInt(string(b[:n]), 16, 64) // unreadable: the time is all there is
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	v := max(time.Now().Unix(), last+1, int64(known)+1)
	if v >= 1<<32 {
		return 0, fmt.Errorf("no UIDVALIDITY is left after %d; delete %s", last, validFile)
	}
	return uint32(v), replace(root, validFile+".tmp", validFile, fmt.Appendf(nil, "%08x\n", v))
}

// replace writes a file whole and on disk before it has its name.
func replace(dir int, tmp, name string, data []byte) error {
	if err := create(dir, tmp, data); err != nil {
		return err
	}
	if err := unix.Renameat(dir, tmp, dir, name); err != nil {
		return &fs.PathError{Op: "rename", Path: name, Err: err}
	}
	return maildir.SyncFolder(dir)
}

// create makes a file anew, on disk but for its name.
func create(dir int, name string, data []byte) error {
	if err := unix.Unlinkat(dir, name, 0); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "delete", Path: name, Err: err}
	}
	return maildir.WriteFile(dir, name, data)
}

func logName(gen uint64) string { return logPrefix + strconv.FormatUint(gen, 10) }
