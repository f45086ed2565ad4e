// SPDX-License-Identifier: ISC

package index

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// Options of Open; the zero value will do.
type Options struct {
	Root    *maildir.Maildir // keeps UIDVALIDITY for all of a user's folders; nil: this one itself
	Wait    time.Duration    // at most for the lock; 0: 10 s
	Recheck time.Duration    // after own changes the folders are read again this much later; 0: 5 s, or 1 ms a message

	// Background has Open, Sync and changes leave it to a goroutine to read a folder
	// of very many messages that others have changed; then News is called, which
	// may not call methods of the Index.
	Background bool
	News       func()

	// Deliver is for who only brings messages, by their names: cur/ is not read, and
	// an index that is damaged, or has to be made, is an error.
	Deliver bool

	backgroundMin int   // 0: backgroundMin
	logMin        int64 // bytes of log that are no cause for a new snapshot; 0: logMin
}

// Stats counts what an Index has done.
type Stats struct {
	Scans    int // of new/ or cur/
	Rebuilds int // indexes made anew
	Rotates  int
	Compacts int // of the cache
}

// Index is an open index. Its methods may be called from several goroutines, and
// any number of Indexes, of any processes, may be open on one Maildir.
type Index struct {
	m         *maildir.Maildir
	opt       Options
	mu        sync.Mutex
	lock      *os.File
	s         *state  // nil: to be read
	reached   reached // what Views may have seen of it
	snap      identity
	size      int64 // of the snapshot
	log       *os.File
	good      int64    // bytes of the log that s stands for
	disk      int64    // of these known to be on disk
	pend      []byte   // records that s stands for but the log has not
	cache     *os.File // open for writing; nil: not yet
	kept      gathered
	dead      bool           // the cache may have more of dead messages than before
	views     map[*View]bool // that were not closed
	pins      map[int64]bool // of theirs
	task      *task          // what the update that goes on is about
	surveying bool           // in the background
	closing   bool
	work      sync.WaitGroup
	stats     Stats
}

// identity tells whether a file is the one that was read.
type identity struct {
	dev, ino uint64
	size     int64
	mtime    unix.Timespec
}

// Open reads the index of m, which must stay open, makes one where there is none
// that is whole, and merges what other programs have done.
func Open(m *maildir.Maildir, opt Options) (*Index, error) {
	opt.Wait, opt.Recheck = cmp.Or(opt.Wait, 10*time.Second), cmp.Or(opt.Recheck, recheckAfter)
	opt.logMin, opt.backgroundMin = cmp.Or(opt.logMin, logMin), cmp.Or(opt.backgroundMin, backgroundMin)
	x := &Index{m: m, opt: opt}
	if err := x.Sync(); err != nil {
		x.Close()
		return nil, err
	}
	x.sweep()
	return x, nil
}

// Exists tells whether the Maildir has an index.
func Exists(m *maildir.Maildir) bool {
	return unix.Faccessat(m.Fd(), snapFile, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// Close gives the descriptors back, and ends all Views; the Maildir stays open.
func (x *Index) Close() error {
	x.mu.Lock()
	x.closing = true
	x.mu.Unlock()
	x.work.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.s != nil && len(x.kept.places) > 0 {
		x.save(min(closeWait, x.opt.Wait))
	}
	x.drop()
	if x.cache != nil {
		x.cache.Close()
		x.cache = nil
	}
	if x.lock != nil {
		x.views = nil
		x.repin()
		x.sweep()
		x.lock.Close()
		x.lock = nil
	}
	return nil
}

// Stats is what x has done so far.
func (x *Index) Stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stats
}

// drop forgets what was read; the next who needs it reads it anew.
func (x *Index) drop() {
	if x.log != nil {
		x.log.Close()
	}
	x.s, x.log, x.pend, x.good, x.disk = nil, nil, nil, 0, 0
}

// Sync takes in what others have done, in the index and in the Maildir. Where
// nothing has changed it takes no lock. What it has learnt is on disk when it
// returns; Views tell of it.
func (x *Index) Sync() error {
	x.mu.Lock()
	same := x.unchanged()
	x.mu.Unlock()
	if same {
		return nil
	}
	return x.update(func() error { return nil })
}

// update runs f under the lock on a state that is up to date, and commits.
func (x *Index) update(f func() error) error { return x.updateFor(&task{}, f) }

// updateFor is update for this task.
func (x *Index) updateFor(t *task, f func() error) (err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.task = t
	defer func() {
		if err != nil {
			err = fmt.Errorf("index of %s: %w", x.m.Path(), err)
		}
	}()
	if err = x.take(x.opt.Wait); err != nil {
		return err
	}
	defer unlockByte(x.lock, indexByte)
	if err = x.refresh(); err == nil {
		err = f()
	}
	if err == nil {
		x.writeKept()
		x.compact()
	}
	if cerr := x.commit(); err == nil {
		err = cerr
	}
	if err == nil && x.good > max(x.opt.logMin, x.size/8) && x.rotate() != nil {
		x.drop() // what was asked for is done; the next one tries again
	}
	if len(x.pend) > 0 { // could not be written: the state is not what the files say
		x.drop()
	}
	x.reached = x.reach()
	return err
}

// take locks the index.
func (x *Index) take(wait time.Duration) (err error) {
	was := x.lock
	if x.lock, err = lockIn(was, x.m.Fd(), indexByte, wait); x.lock != was {
		x.pins = nil
		x.repin()
	}
	return err
}

// unchanged tells, without the lock, that there is nothing to take in.
func (x *Index) unchanged() bool {
	if x.s == nil || x.due(time.Now()) {
		return false
	}
	id, err := x.identify()
	size, live := x.logSize()
	dirs, derr := x.mtimes()
	return err == nil && derr == nil && id == x.snap && live && size == x.good && x.good == x.disk &&
		dirs.fresh == x.s.dirs.fresh && dirs.cur == x.s.dirs.cur
}

func (x *Index) identify() (identity, error) {
	var st unix.Stat_t
	err := unix.Fstatat(x.m.Fd(), snapFile, &st, unix.AT_SYMLINK_NOFOLLOW)
	return identity{uint64(st.Dev), st.Ino, st.Size, st.Mtim}, err
}

// logSize is the length of the open log, and whether it still has a name.
func (x *Index) logSize() (int64, bool) {
	var st unix.Stat_t
	err := unix.Fstat(int(x.log.Fd()), &st)
	return st.Size, err == nil && st.Nlink > 0
}

// refresh reads what is new in the files, ends what a crash cut off, and merges
// the Maildir.
func (x *Index) refresh() error {
	if err := x.reread(); err != nil {
		if x.opt.Deliver || !errors.Is(err, errDamaged) && !errors.Is(err, fs.ErrNotExist) {
			x.drop() // commit would mark as whole what was read of it
			return err
		}
		if err = x.rebuild(); err != nil {
			return err
		}
	}
	if len(x.s.intents) > 0 {
		if err := x.finish(0); err != nil {
			return err
		}
	}
	err := x.merge()
	if errors.Is(err, errFull) && !x.opt.Deliver {
		x.task.survey = nil // its files are taken out
		if err = x.rebuild(); err == nil {
			err = x.merge()
		}
	}
	return err
}

// reread reads the log's end, or all where the generation has changed.
func (x *Index) reread() error {
	id, err := x.identify()
	if err != nil {
		return &fs.PathError{Op: "stat", Path: snapFile, Err: err}
	}
	live, size := false, int64(0)
	if x.s != nil {
		size, live = x.logSize()
	}
	if live && size < x.good {
		return fmt.Errorf("%w: %s was cut", errDamaged, x.log.Name())
	}
	if !live || id != x.snap {
		if err := x.load(); err != nil {
			return err
		}
	}
	if err := x.replay(); err != nil {
		return err
	}
	if x.reached.ahead(x.reach()) {
		return fmt.Errorf("%w: %s is older than what was there", errDamaged, snapFile)
	}
	return nil
}

// load reads the snapshot and opens its log.
func (x *Index) load() error {
	x.drop()
	f, err := maildir.OpenRegular(x.m.Fd(), snapFile, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := readFrom(f, 0)
	if err != nil {
		return err
	}
	s, err := decode(b)
	if err != nil {
		return err
	}
	if x.log, err = maildir.OpenRegular(x.m.Fd(), logName(s.gen), unix.O_RDWR); err != nil {
		return err
	}
	x.s, x.size = s, int64(len(b))
	x.snap, err = x.identify()
	return err
}

// replay applies the log from where it was read last. What is bad at its end is
// cut off where it was never committed; else the index is damaged.
func (x *Index) replay() error {
	b, err := readFrom(x.log, x.good)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		rec, n := nextRecord(b)
		if n == 0 {
			break
		}
		head := rec.kind == kindHead
		if head != (x.good == 0) || head && (rec.gen != x.s.gen || rec.valid != x.s.valid) {
			return fmt.Errorf("%w: log and snapshot are of two indexes", errDamaged)
		}
		if err := x.s.apply(&rec); err != nil {
			return err
		}
		b, x.good = b[n:], x.good+int64(n)
	}
	m, ok, err := markIn(x.lock)
	switch {
	case err != nil:
		return err
	case x.good == 0:
		return fmt.Errorf("%w: log without a head", errDamaged)
	case !ok && len(b) > 0, ok && m.gen > x.s.gen, ok && m.gen == x.s.gen && m.len > x.good:
		return fmt.Errorf("%w: %s ends at %d", errDamaged, x.log.Name(), x.good)
	case ok && m.gen == x.s.gen:
		x.disk = m.len
	default:
		x.disk = 0
	}
	if len(b) > 0 {
		return x.log.Truncate(x.good)
	}
	return nil
}

// rebuild makes an index anew: the first one as another server left the folder,
// else an empty one with a new UIDVALIDITY.
func (x *Index) rebuild() error { return x.renew(true, nil) }

// renew is rebuild, which takes another server's folder over only where foreign.
// Where there is a fill, it puts what is to be in the new index before that takes
// the old one's place; after its error the old one is still there.
func (x *Index) renew(foreign bool, fill func() error) error {
	gen := uint64(0)
	if x.s != nil {
		gen = x.s.gen
	}
	m, ok, err := markIn(x.lock)
	if err != nil {
		return err
	}
	if ok && m.gen < 1<<62 {
		gen = max(gen, m.gen)
	}
	x.drop()
	root := x.m
	if x.opt.Root != nil {
		root = x.opt.Root
	}
	var s *state
	if foreign {
		s, err = x.seed(root, gen)
	}
	if err == nil && s == nil {
		s, err = anew(root, gen, x.reached.valid, x.opt.Wait)
	}
	if err != nil {
		return err
	}
	if fill != nil {
		x.s = s
		err := fill()
		s = x.s
		if x.drop(); err != nil {
			return err
		}
	}
	x.stats.Rebuilds++
	if err := x.write(s); err != nil {
		x.drop()
		return err
	}
	unix.Unlinkat(x.m.Fd(), logName(gen), 0) // of no use, where there is one
	unix.Unlinkat(x.m.Fd(), exportedFile, 0) // now there is an index again
	return nil
}

// write makes the state, as the next generation, the index; x has that log open
// then.
func (x *Index) write(s *state) error {
	s.gen++
	dir := x.m.Fd()
	b := s.encode()
	if err := create(dir, tmpFile, b); err != nil {
		return err
	}
	head := appendRecord(nil, &record{kind: kindHead, gen: s.gen, valid: s.valid})
	if err := create(dir, logName(s.gen), head); err != nil {
		return err
	}
	log, err := maildir.OpenRegular(dir, logName(s.gen), unix.O_RDWR)
	if err != nil {
		return err
	}
	if err := unix.Renameat(dir, tmpFile, dir, snapFile); err != nil {
		log.Close()
		return &fs.PathError{Op: "rename", Path: snapFile, Err: err}
	}
	x.drop()
	x.s, x.log, x.size, x.good = s, log, int64(len(b)), int64(len(head))
	if err := maildir.SyncFolder(dir); err != nil {
		return err
	}
	if x.snap, err = x.identify(); err != nil {
		return err
	}
	if err := x.note(); err != nil {
		return err
	}
	return x.lock.Sync()
}

// rotate makes a new snapshot of the state, which is committed, and an empty log.
func (x *Index) rotate() error {
	s := x.s
	end := appendRecord(nil, &record{kind: kindRotate, gen: s.gen + 1})
	was := x.log
	x.log = nil // write closes x's
	defer was.Close()
	if err := x.write(s); err != nil {
		return err
	}
	x.stats.Rotates++
	if st, err := was.Stat(); err == nil {
		was.WriteAt(end, st.Size()) // for those who watch it; nobody needs it
	}
	for back := uint64(1); back <= logsBack && back < s.gen; back++ { // more than one where crashes kept them
		name := logName(s.gen - back)
		if err := unix.Unlinkat(x.m.Fd(), name, 0); err != nil && err != unix.ENOENT {
			return &fs.PathError{Op: "delete", Path: name, Err: err}
		}
	}
	return nil
}
