// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tmpAge is how old a file in tmp/ must be before it counts as left behind: a
// delivery that takes longer than 24 hours gives up before.
const tmpAge = 36 * time.Hour

// Open opens a message for reading, also when another reader has moved it or
// changed its flags since the Scan. A message that is gone gives an error that
// is fs.ErrNotExist.
func (m *Maildir) Open(msg Message) (*os.File, error) {
	f, err := readFile(m.dir(msg.New), msg.Name)
	if !errors.Is(err, unix.ENOENT) {
		return f, err
	}
	now, ok, lerr := m.locate(msg)
	if lerr != nil || !ok {
		return nil, errors.Join(err, lerr)
	}
	return readFile(m.dir(now.New), now.Name)
}

// locate finds a message again by its key.
func (m *Maildir) locate(msg Message) (Message, bool, error) {
	key := msg.Key()
	for _, fresh := range []bool{true, false} { // as mail moves
		info, ok, err := m.known[b2i(fresh)].find(m.dir(fresh), key)
		if err != nil {
			return msg, false, fmt.Errorf("read %s: %w", m.path, err)
		}
		if ok {
			msg.New, msg.Name = fresh, key+info
			return msg, true, nil
		}
	}
	return msg, false, nil
}

// MoveToCur moves messages that are in new/ to cur/, as seen by nobody yet
// (info "2,"); those in cur/ already are left alone, and no file there is
// overwritten. It needs no sync: after a
// power cut each is in one folder or the other. The first error is reported
// after all were tried; a message that is gone is none.
func (m *Maildir) MoveToCur(msgs []Message) error {
	var first error
	for _, msg := range msgs {
		if !msg.New {
			continue
		}
		to := msg.Name
		if !strings.Contains(to, ":") {
			to += ":2,"
		}
		err := rename(m.new_, msg.Name, m.cur, to)
		if err != nil && !errors.Is(err, unix.ENOENT) && first == nil {
			first = fmt.Errorf("move %s/new/%s to cur/: %w", m.path, msg.Name, err)
		}
	}
	return first
}

// Remove deletes messages and returns when their deletion is on disk. All are
// tried: failed is those that still exist, err what the first of them, or the
// sync, met. A message that another reader deleted is no failure, one that it
// renamed is found.
func (m *Maildir) Remove(msgs []Message) (failed []Message, err error) {
	var touched [2]bool // cur/, new/
	for _, msg := range msgs {
		fresh, rerr := m.remove(msg)
		switch {
		case rerr == nil:
			touched[b2i(fresh)] = true
		case errors.Is(rerr, unix.ENOENT): // gone; whose doing is not known: sync both
			touched = [2]bool{true, true}
		default:
			failed = append(failed, msg)
			if err == nil {
				err = fmt.Errorf("delete %s: %w", msg.Name, rerr)
			}
		}
	}
	for _, fresh := range []bool{false, true} {
		if !touched[b2i(fresh)] {
			continue
		}
		if serr := fsync(m.dir(fresh)); serr != nil && err == nil {
			err = fmt.Errorf("sync %s: %w", m.path, serr)
		}
	}
	return failed, err
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// remove unlinks one message wherever it is now, and says where that was.
func (m *Maildir) remove(msg Message) (fresh bool, err error) {
	err = unix.Unlinkat(m.dir(msg.New), msg.Name, 0)
	if !errors.Is(err, unix.ENOENT) {
		return msg.New, err
	}
	now, ok, lerr := m.locate(msg)
	if lerr != nil {
		return msg.New, lerr
	}
	if !ok {
		return msg.New, unix.ENOENT
	}
	return now.New, unix.Unlinkat(m.dir(now.New), now.Name, 0)
}

// CleanTmp removes files from tmp/ that nobody has changed for 36 hours before
// now: deliveries that a crash cut off. A message that is being appended may have
// an old time of its own, so the time of the last change counts, whatever of. Errors
// with single files are passed over; the next time tries again.
func (m *Maildir) CleanTmp(now time.Time) error {
	fd, err := openat2(m.tmp, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("read %s/tmp: %w", m.path, err)
	}
	f := os.NewFile(uintptr(fd), m.path+"/tmp")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		var st unix.Stat_t
		if unix.Fstatat(m.tmp, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR {
			continue
		}
		changed := max(st.Mtim.Nano(), st.Ctim.Nano())
		if now.Sub(time.Unix(0, changed)) > tmpAge {
			unix.Unlinkat(m.tmp, name, 0)
		}
	}
	return nil
}
