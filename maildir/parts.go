// SPDX-License-Identifier: ISC

package maildir

import (
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// What a store beside the Maildir needs, such as an index.

// Dir is the descriptor of new/ (fresh) or cur/; it stays m's own.
func (m *Maildir) Dir(fresh bool) int { return m.dir(fresh) }

// Names lists new/ (fresh) or cur/: of each name that begins with no dot the key
// that stays, and what follows it. What is there need not be a message.
func (m *Maildir) Names(fresh bool) (map[string]string, error) { return readKeys(m.dir(fresh)) }

// SyncFolder syncs the folder that is descriptor dir, which may be open as a path
// only.
func SyncFolder(dir int) error {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: ".", Err: err}
	}
	defer unix.Close(fd)
	if err := unix.Fsync(fd); err != nil {
		return &fs.PathError{Op: "sync", Path: ".", Err: err}
	}
	return nil
}

// WriteFile makes a new file in the folder that is descriptor dir, on disk but for
// its name.
func WriteFile(dir int, name string, data []byte) error {
	f, err := OpenRegular(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Look looks at one file of new/ (fresh) or cur/, as Scan does, but does not read
// it: where the name does not tell Wire, that is 0. ok is false for what is no
// message or is gone.
func (m *Maildir) Look(name string, fresh bool) (msg Message, ok bool, err error) {
	key, _ := splitInfo(name)
	return m.look(key, place{fresh, name[len(key):]})
}

// Known is a message of which all is known already, as Scan would tell of it.
func Known(name string, fresh bool, size, wire int64, mtime time.Time) Message {
	msg := Message{Name: name, New: fresh, Size: size, Wire: wire, MTime: mtime}
	var ok bool
	if msg.order, ok = nameTime(msg.Key()); !ok {
		msg.order = mtime.UnixMicro()
	}
	return msg
}

// ByTime orders messages as Scan does: by the time of their delivery, then name.
func ByTime(a, b Message) int { return byTime(a, b) }

// Rename moves a file of new/ (fresh) or cur/ to the name to in cur/, where it
// overwrites none.
func (m *Maildir) Rename(name string, fresh bool, to string) error {
	return rename(m.dir(fresh), name, m.cur, to)
}
