// SPDX-License-Identifier: ISC

package maildir

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Message is a message in new/ or cur/ as Scan found it.
type Message struct {
	Name  string    // the file's name, its info part included
	New   bool      // in new/, else in cur/
	Size  int64     // bytes on disk
	Wire  int64     // bytes when each line ends in CRLF; less than Size: not measured
	MTime time.Time // of the file; for what it is worth

	order int64 // microseconds by the name, or else the file
}

// UIDL is its unique-id, which stays when the file is moved or gets flags; see
// the function UIDL.
func (msg Message) UIDL() string { return UIDL(msg.Name) }

// Flags is its flags.
func (msg Message) Flags() []Flag { return Flags(msg.Name) }

// Measured says whether Wire is known.
func (msg Message) Measured() bool { return msg.Wire >= msg.Size }

// Key is the part of its name that stays.
func (msg Message) Key() string { key, _ := splitInfo(msg.Name); return key }

// Scan lists the messages in new/ and cur/, oldest first by the time in their
// names (or, where a name has none, the file's), so the order stays.
// Only regular files whose names begin with no dot are messages. The sizes are
// those in the name where ,S= is the file's true size and ,W= is possible, else
// the file is read. What is gone again when Scan comes to it, or may not be read
// then, is left out.
func (m *Maildir) Scan() ([]Message, error) {
	names, err := m.list()
	if err != nil {
		return nil, err
	}
	msgs := make([]Message, 0, len(names))
	for key, at := range names {
		msg, ok, err := m.measure(key, at)
		if err != nil {
			return nil, err
		}
		if ok {
			msgs = append(msgs, msg)
		}
	}
	slices.SortFunc(msgs, byTime)
	return msgs, nil
}

func byTime(a, b Message) int {
	if a.order != b.order {
		return cmp.Compare(a.order, b.order)
	}
	return cmp.Compare(a.Key(), b.Key())
}

// measure looks at one file, and reads it where its name does not tell its sizes;
// ok is false for what is no message or is gone.
func (m *Maildir) measure(key string, at place) (msg Message, ok bool, err error) {
	msg, ok, err = m.look(key, at)
	if !ok || err != nil || msg.Measured() {
		return msg, ok, err
	}
	f, err := m.Open(msg)
	if err != nil {
		if errors.Is(err, unix.EACCES) || errors.Is(err, ErrNotRegular) {
			err = nil
		}
		return msg, false, ignoreGone(err)
	}
	defer f.Close()
	msg.Size, msg.Wire, err = Sizes(f, msg.Size)
	return msg, err == nil, err
}

// look is measure without reading: Wire is 0 where the name does not tell it.
func (m *Maildir) look(key string, at place) (msg Message, ok bool, err error) {
	msg = Message{Name: key + at.info, New: at.fresh}
	var st unix.Stat_t
	err = unix.Fstatat(m.dir(at.fresh), msg.Name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return msg, false, nil
	}
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return msg, false, err
	}
	msg.Size, msg.MTime = st.Size, time.Unix(st.Mtim.Unix())
	if msg.order, ok = nameTime(key); !ok {
		msg.order = msg.MTime.UnixMicro()
	}
	size, wsize := nameSizes(msg.Name)
	if size == st.Size && wsize >= size && wsize <= 2*size {
		msg.Wire = wsize
	}
	return msg, true, nil
}

// Sizes reads a message to its end: its bytes as they are, and with each line
// ended by CRLF. about is what it may have.
func Sizes(r io.Reader, about int64) (size, wire int64, err error) {
	var c counter
	buf := make([]byte, min(64<<10, about+1)) // small for a small file: a Maildir has many, looked at one after another
	_, err = io.CopyBuffer(&c, struct{ io.Reader }{r}, buf)
	return c.size, c.wire, err
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// counter counts what goes through it: bytes as they are, and as they would be
// with each LF as CRLF. A CRLF is left as it is.
type counter struct {
	size, wire int64
	cr         bool // the last byte was CR
}

func (c *counter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.size += int64(len(p))
	c.wire += int64(len(p) + bytes.Count(p, []byte("\n")) - bytes.Count(p, []byte("\r\n")))
	if c.cr && p[0] == '\n' {
		c.wire--
	}
	c.cr = p[len(p)-1] == '\r'
	return len(p), nil
}

// dir is the descriptor of new/ or cur/.
func (m *Maildir) dir(fresh bool) int {
	if fresh {
		return m.new_
	}
	return m.cur
}

// place is where a key's file is: its folder and its info part with the ':'.
type place struct {
	fresh bool // in new/
	info  string
}

// list is the files of new/ and cur/ by their keys; one that is in both, because
// a reader moved it meanwhile, counts as in cur/.
func (m *Maildir) list() (map[string]place, error) {
	fresh, err := readKeys(m.new_)
	if err != nil {
		return nil, fmt.Errorf("read %s/new: %w", m.path, err)
	}
	cur, err := readKeys(m.cur)
	if err != nil {
		return nil, fmt.Errorf("read %s/cur: %w", m.path, err)
	}
	names := make(map[string]place, len(fresh)+len(cur))
	for key, info := range fresh {
		names[key] = place{true, info}
	}
	for key, info := range cur {
		names[key] = place{false, info}
	}
	return names, nil
}
