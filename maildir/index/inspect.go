// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// Figures is what an index says of its folder as a whole.
type Figures struct {
	Messages, Unseen int
	Bytes            int64 // of all messages' files
	UIDValidity      uint32
	UIDNext          UID
	HighestModSeq    uint64
	Generation       uint64
	Snapshot         int64 // bytes of the index's files
	Log, Cache       int64
}

// Stat reads the index of m as it is on disk, and changes nothing: what other
// programs did since it was last open does not show. Where there is none the
// error is fs.ErrNotExist.
func Stat(m *maildir.Maildir) (f Figures, err error) {
	p, err := peek(m)
	if err != nil {
		return f, fmt.Errorf("index of %s: %w", m.Path(), err)
	}
	s := p.s
	f = Figures{Messages: len(s.msgs), UIDValidity: s.valid, UIDNext: s.next, HighestModSeq: s.modseq, Generation: s.gen,
		Snapshot: p.snap, Log: p.log}
	for i := range s.msgs {
		f.Unseen += int(bit(s.msgs[i].Flags&Seen == 0))
		f.Bytes += s.msgs[i].Size
	}
	var st unix.Stat_t
	if unix.Fstatat(m.Fd(), "qx.cache", &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		f.Cache = st.Size
	}
	return f, nil
}

// peeked is an index that was read without its lock.
type peeked struct {
	s         *state
	snap, log int64 // bytes
}

// peekTries is how often a reader without the lock begins anew because others
// made a new generation meanwhile.
const peekTries = 5

func peek(m *maildir.Maildir) (p peeked, err error) {
	for range peekTries {
		var before, after unix.Stat_t
		unix.Fstatat(m.Fd(), snapFile, &before, unix.AT_SYMLINK_NOFOLLOW)
		if p, err = peekOnce(m.Fd()); err == nil {
			return p, nil
		}
		unix.Fstatat(m.Fd(), snapFile, &after, unix.AT_SYMLINK_NOFOLLOW)
		if before.Ino == after.Ino && before.Mtim == after.Mtim {
			break
		}
	}
	return p, err
}

// peekOnce reads the mark first, as it only grows.
func peekOnce(dir int) (p peeked, err error) {
	f, err := maildir.OpenRegular(dir, lockFile, unix.O_RDONLY)
	if err != nil {
		return p, err
	}
	defer f.Close()
	k, ok := readMark(f)
	b, err := slurp(dir, snapFile)
	if err != nil {
		return p, err
	}
	p.snap = int64(len(b))
	if p.s, err = decode(b); err != nil {
		return p, err
	}
	if b, err = slurp(dir, logName(p.s.gen)); err != nil {
		return p, err
	}
	p.log = int64(len(b))
	good := int64(0)
	for rest := b; len(rest) > 0; {
		rec, n := nextRecord(rest)
		if n == 0 {
			break
		}
		head := rec.kind == kindHead
		if head != (good == 0) || head && (rec.gen != p.s.gen || rec.valid != p.s.valid) {
			return p, fmt.Errorf("%w: log and snapshot are of two indexes", errDamaged)
		}
		if err := p.s.apply(&rec); err != nil {
			return p, err
		}
		rest, good = rest[n:], good+int64(n)
	}
	if good == 0 || !ok && good < p.log || ok && (k.gen > p.s.gen || k.gen == p.s.gen && k.len > good) {
		return p, fmt.Errorf("%w: %s ends at %d", errDamaged, logName(p.s.gen), good)
	}
	return p, nil
}

func slurp(dir int, name string) ([]byte, error) {
	f, err := maildir.OpenRegular(dir, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readFrom(f, 0)
}

// Check reads the index of m and every message, changes nothing, and says what is
// wrong, a line each; pending is how many changes of other programs the next
// opening will take in, which is nothing wrong. An index that never was is whole.
func Check(m *maildir.Maildir) (wrong []string, pending int, err error) {
	p, err := peek(m)
	switch {
	case errors.Is(err, errDamaged), errors.Is(err, fs.ErrNotExist):
		if never(m.Fd()) {
			return nil, 0, nil
		}
		return []string{err.Error()}, 0, nil
	case err != nil:
		return nil, 0, err
	}
	c := checker{m: m, s: p.s}
	if err := c.run(); err != nil {
		return nil, 0, err
	}
	return c.wrong, c.pending, nil
}

// never tells that a folder has no index, and had none or gave it up.
func never(dir int) bool {
	has := func(name string) bool {
		var st unix.Stat_t
		return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != unix.ENOENT
	}
	f, err := maildir.OpenRegular(dir, lockFile, unix.O_RDONLY)
	marked := false
	if err == nil {
		_, marked = readMark(f)
		f.Close()
	}
	return !has(snapFile) && (!marked || has(exportedFile))
}

// checker compares an index with its Maildir.
type checker struct {
	m       *maildir.Maildir
	s       *state
	known   bool // the index says that it knows the folders as they are
	wrong   []string
	pending int
}

func (c *checker) run() error {
	x := &Index{m: c.m, s: c.s}
	now, err := x.mtimes()
	if err != nil {
		return err
	}
	d := c.s.dirs
	c.known = d.fresh == now.fresh && d.cur == now.cur && d.recheck == 0
	seen, err := x.scan(true)
	if err != nil {
		return err
	}
	for i := range c.s.msgs {
		m := c.s.msgs[i]
		at, ok := seen.take(m.Key())
		switch name := m.Key() + at.info; {
		case !ok:
			c.differs("UID %d: file %s is gone", m.UID, m.Name)
		case name != m.Name || at.fresh != m.New:
			c.differs("UID %d: file %s has the name %s", m.UID, m.Name, name)
			fallthrough
		default:
			if err := c.sizes(m, name, at.fresh); err != nil {
				return err
			}
		}
	}
	for _, left := range []map[string]string{seen.fresh, seen.cur} {
		for key, info := range left {
			if validName(key + info) {
				c.differs("file %s has no UID", key+info)
			}
		}
	}
	return nil
}

// differs notes what another program may have done just now.
func (c *checker) differs(format string, a ...any) {
	if !c.known {
		c.pending++
		return
	}
	c.wrong = append(c.wrong, fmt.Sprintf(format, a...))
}

// sizes reads a message.
func (c *checker) sizes(m *Message, name string, fresh bool) error {
	f, err := maildir.OpenRegular(c.m.Dir(fresh), name, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		c.pending++
		return nil
	}
	if err != nil {
		c.wrong = append(c.wrong, fmt.Sprintf("UID %d: %v", m.UID, err))
		return nil
	}
	defer f.Close()
	size, wire, err := maildir.Sizes(f, m.Size)
	if err != nil {
		return err
	}
	switch {
	case !m.Measured() && size != m.Size:
		c.wrong = append(c.wrong, fmt.Sprintf("UID %d: file %s has %d bytes; the index says %d", m.UID, name, size, m.Size))
	case m.Measured() && (size != m.Size || wire != m.Wire):
		c.wrong = append(c.wrong, fmt.Sprintf("UID %d: file %s has %d bytes, %d with CRLF; the index says %d, %d", m.UID, name, size, wire, m.Size, m.Wire))
	}
	return nil
}
