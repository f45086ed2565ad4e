// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile is an object to lock: its byte 0 is the index's, which also writes to
// it (maildir-index(5)), its byte 1 a POP3 session's. Other programs pass over it:
// it is in no folder of mail.
const lockFile = "qx.lock"

const sessionByte = 1

// ErrLocked says that another session has the mailbox.
var ErrLocked = errors.New("mailbox is in use by another session")

// foldersByte is locked while the folders of the account change whose root this
// is (package folders).
const foldersByte = 3

// Lock takes the mailbox for one POP3 session (RFC 1939 §3) without waiting:
// ErrLocked where another session of this or another process has it. It keeps
// nobody from delivering or reading. Close gives the lock back, and so does the
// end of the process, however it comes.
func (m *Maildir) Lock() (io.Closer, error) { return m.lockByte(sessionByte, unix.F_WRLCK) }

// LockFolders takes the folders of the account that m is the root of, to change
// them, and waits for them at most this long; ShareFolders takes them to read,
// as many may at once.
func (m *Maildir) LockFolders(wait time.Duration) (io.Closer, error) {
	return m.waitFolders(unix.F_WRLCK, wait)
}

// ShareFolders is explained at LockFolders.
func (m *Maildir) ShareFolders(wait time.Duration) (io.Closer, error) {
	return m.waitFolders(unix.F_RDLCK, wait)
}

func (m *Maildir) waitFolders(kind int16, wait time.Duration) (io.Closer, error) {
	end := time.Now().Add(wait)
	for {
		lock, err := m.lockByte(foldersByte, kind)
		if err != ErrLocked || time.Now().After(end) {
			return lock, err
		}
		time.Sleep(time.Millisecond)
	}
}

func (m *Maildir) lockByte(at int64, kind int16) (io.Closer, error) {
	fd, err := openMode(m.box, lockFile, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600, inside)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: m.path + "/" + lockFile, Err: err}
	}
	// An OFD lock belongs to this open file, so sessions in one process exclude
	// each other too (fcntl(2)).
	lk := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1}
	err = retry(func() error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lk) })
	if err == nil {
		return os.NewFile(uintptr(fd), lockFile), nil
	}
	unix.Close(fd)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, ErrLocked
	}
	return nil, &fs.PathError{Op: "lock", Path: m.path + "/" + lockFile, Err: err}
}
