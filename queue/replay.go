// SPDX-License-Identifier: ISC

package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quill/internal/mailid"
	"quill/internal/safefile"
)

// replay reads the whole log and rebuilds what lives. Damaged records are set
// aside in queue/corrupt and logged; everything else goes on.
func (l *Log) replay() error {
	if err := removeIfThere(filepath.Join(l.dir, "log", "next.tmp")); err != nil {
		return err
	}
	numbers, err := segmentNumbers(l.dir)
	if err != nil {
		return err
	}
	for _, number := range numbers {
		l.number = number
		err := l.load(number)
		if errors.Is(err, errNoSegment) {
			err = l.setAsideWhole(number, err)
			if err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", number, err)
		}
	}
	return l.removeOrphans()
}

// unused takes the newest segments into use again in which nothing was ever
// written: the first becomes the current one, the others are spares.
func (l *Log) unused() (current *segment) {
	first := l.number + 1
	for s := l.segments[first-1]; s != nil && s.virgin; s = l.segments[first-1] {
		first--
	}
	for n := first; n <= l.number; n++ {
		s := l.segments[n]
		f, err := os.OpenFile(segmentPath(l.dir, n), os.O_RDWR, 0)
		if err != nil {
			delete(l.segments, n)
			continue // somebody else's: its number is not used again
		}
		s.file.Close()
		s.file, s.virgin = f, false
		if current == nil {
			current = s
		} else {
			l.spares = append(l.spares, s)
		}
	}
	return current
}

// load replays one segment.
func (l *Log) load(number uint64) (err error) {
	f, err := os.Open(segmentPath(l.dir, number))
	if err != nil {
		return err
	}
	s := &segment{number: number, file: f, guards: make(map[*segment]int)}
	l.segments[number] = s
	defer func() {
		if err != nil {
			delete(l.segments, number)
			err = errors.Join(err, f.Close())
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	s.size = st.Size()
	s.virgin = s.size >= minSegment
	var bad []damage
	s.nonce, s.end, err = scanSegment(f, s.size, func(off int64, r record) {
		s.virgin = false
		l.seq = max(l.seq, r.seq)
		l.x.apply(&r, s, off)
	}, func(d damage) { bad = append(bad, d) })
	if err != nil {
		return err
	}
	for _, d := range bad {
		s.virgin = false
		if err := l.setAside(s, d); err != nil {
			return err
		}
	}
	return nil
}

// setAside copies a damaged stretch to queue/corrupt, once, and logs it.
func (l *Log) setAside(s *segment, d damage) error {
	path := filepath.Join(l.dir, "corrupt", fmt.Sprintf("%010d-%d", s.number, d.from))
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	b := make([]byte, d.to-d.from)
	n, _ := s.file.ReadAt(b, d.from)
	b = b[:n]
	if d.tail {
		for len(b) > 0 && b[len(b)-1] == 0 {
			b = b[:len(b)-1]
		}
	}
	what := "alert: damaged record"
	if d.tail {
		what = "warning: record cut off by a crash or damaged"
	}
	l.logf("%s in segment %d at %d: %d bytes set aside in %s", what, s.number, d.from, len(b), path)
	return safefile.WriteFile(path, b, 0o640)
}

// setAsideWhole moves a segment that cannot be read at all out of the way; an
// empty one, made and never filled, is removed.
func (l *Log) setAsideWhole(number uint64, why error) error {
	path := segmentPath(l.dir, number)
	to := filepath.Join(l.dir, "corrupt", fmt.Sprintf("%010d", number))
	l.logf("alert: segment %d: %v; moved to %s", number, why, to)
	if err := os.Rename(path, to); err != nil {
		return err
	}
	return errors.Join(safefile.SyncDir(filepath.Dir(to)), safefile.SyncDir(filepath.Dir(path)))
}

// removeOrphans removes files of messages that no record names: their messages
// have ended, or were never committed.
func (l *Log) removeOrphans() error {
	names, err := os.ReadDir(filepath.Join(l.dir, "mess"))
	if err != nil {
		return err
	}
	for _, n := range names {
		id, ok := mailid.Parse(n.Name())
		if ok && l.x.has(id) || !ok && !strings.HasPrefix(n.Name(), "tmp-") {
			continue
		}
		if err := os.Remove(filepath.Join(l.dir, "mess", n.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Make makes the folders of a queue in dir, as far as they are missing.
func Make(dir string) error {
	for _, d := range []struct {
		name string
		mode os.FileMode
	}{{"", 0o751}, {"lock", 0o755}, {"log", 0o750}, {"mess", 0o750}, {"corrupt", 0o750}} {
		path := filepath.Join(dir, d.name)
		err := os.Mkdir(path, d.mode)
		if err == nil {
			err = os.Chmod(path, d.mode) // whatever the umask: others have to reach the socket
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return errors.Join(safefile.SyncDir(dir), safefile.SyncDir(filepath.Dir(dir)))
}

// ReceivedDate is a time as the Received line has it.
func ReceivedDate(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 -0000") }
