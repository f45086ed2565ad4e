// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// What was expunged stays in qx.gone as long as a View shows it. A View has a
// byte of qx.lock locked for reading that says how far it has come, its pin. It
// is the kernel that counts: the pins of a process that is killed are gone.
// What was expunged at a modseq is shown by no View when there is no pin before.

// pinAt is the pin of a View that has come to this modseq.
func pinAt(valid uint32, modseq uint64) int64 {
	return 1<<61 | int64(valid&(1<<20-1))<<40 | int64(modseq&(1<<40-1))
}

// repin has the pins say what the Views show now. It is under x.mu.
func (x *Index) repin() {
	if x.lock == nil {
		return
	}
	pins := make(map[int64]bool, len(x.views))
	for v := range x.views {
		at := pinAt(v.valid, v.told)
		if pins[at] = true; !x.pins[at] {
			setPin(x.lock, unix.F_RDLCK, at)
		}
	}
	for at := range x.pins {
		if !pins[at] {
			setPin(x.lock, unix.F_UNLCK, at)
		}
	}
	x.pins = pins
}

// setPin cannot be refused: nobody locks these bytes for writing. Without it a
// message that was expunged may be gone too early.
func setPin(f *os.File, kind int16, at int64) {
	lk := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1}
	unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk)
}

// shown tells whether a View may show what was expunged at this modseq: one of
// another Index, or, with own, of this.
func (x *Index) shown(valid uint32, modseq uint64, own bool) bool {
	from, to := pinAt(valid, 0), pinAt(valid, modseq)
	for at := range x.pins {
		if own && from <= at && at < to {
			return true
		}
	}
	if from == to {
		return false
	}
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: from, Len: to - from}
	err := unix.FcntlFlock(x.lock.Fd(), unix.F_OFD_GETLK, &lk)
	return err == nil && lk.Type != unix.F_UNLCK
}

// remover takes away the files of messages that are expunged.
type remover struct {
	x      *Index
	gone   *os.File // qx.gone; nil: nobody needs the files
	modseq uint64   // of the expunge
}

// remover: a session that expunges is told at once, so its View, where it is the
// only one of x, does not count.
func (x *Index) remover(told int) *remover {
	r := &remover{x: x, modseq: x.s.modseq + 1}
	if x.shown(x.s.valid, r.modseq, len(x.views) > told) {
		unix.Mkdirat(x.m.Fd(), goneDir, 0o700)
		r.gone, _ = openGone(x.m) // without it the file is deleted
	}
	return r
}

func (r *remover) close() {
	if r.gone != nil {
		r.gone.Close()
	}
}

func (r *remover) remove(uid UID, name string, fresh bool) error {
	from := r.x.m.Dir(fresh)
	if r.gone != nil {
		to := fmt.Sprintf("%s%d", gonePrefix(r.x.s.valid, uid), r.modseq)
		err := unix.Renameat(from, name, int(r.gone.Fd()), to)
		if err == nil || err == unix.ENOENT {
			return err
		}
	}
	return unix.Unlinkat(from, name, 0)
}

// gonePrefix is what the name of an expunged message's file begins with; the
// modseq of its end follows.
func gonePrefix(valid uint32, uid UID) string { return fmt.Sprintf("%d.%d.", valid, uid) }

func openGone(m *maildir.Maildir) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(m.Fd(), goneDir, &how)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: goneDir, Err: err}
	}
	return os.NewFile(uintptr(fd), goneDir), nil
}

// openExpunged opens the file of a message that is gone, where it was kept.
func (x *Index) openExpunged(valid uint32, uid UID) (*os.File, error) {
	none := &fs.PathError{Op: "open", Path: fmt.Sprintf("UID %d", uid), Err: fs.ErrNotExist}
	dir, err := openGone(x.m)
	if err != nil {
		return nil, none
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	prefix := gonePrefix(valid, uid)
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			return maildir.OpenRegular(int(dir.Fd()), name, unix.O_RDONLY)
		}
	}
	return nil, none
}

// sweep deletes what no View shows any more. It needs no lock: what is there is
// expunged, or will be by who finds the intent.
func (x *Index) sweep() {
	if x.lock == nil {
		return
	}
	dir, err := openGone(x.m)
	if err != nil {
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return
	}
	known := make(map[expunged]bool)
	for _, name := range names {
		e, err := parseGone(name)
		if err != nil {
			continue // not ours
		}
		needed, ok := known[e]
		if !ok {
			needed = x.shown(e.valid, e.modseq, true)
			known[e] = needed
		}
		if !needed {
			unix.Unlinkat(int(dir.Fd()), name, 0)
		}
	}
}

// expunged is what the name of a file in qx.gone says.
type expunged struct {
	valid  uint32
	modseq uint64
}

func parseGone(name string) (e expunged, err error) {
	f := strings.Split(name, ".")
	if len(f) != 3 {
		return e, strconv.ErrSyntax
	}
	valid, err1 := strconv.ParseUint(f[0], 10, 32)
	_, err2 := strconv.ParseUint(f[1], 10, 32)
	modseq, err3 := strconv.ParseUint(f[2], 10, 64)
	return expunged{uint32(valid), modseq}, errors.Join(err1, err2, err3)
}
