// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

const (
	tick      = 25 * time.Millisecond // longer than one of a file system's clock
	skew      = 2 * time.Second       // a file server's clock may be ahead by
	scanTries = 4                     // scans before a file that is missing in each counts as gone
	flushMax  = 1000                  // files renamed in one go

	recheckAfter = 5 * time.Second // after own changes the folders are read again

	// recheckEach is what each message of a folder puts off that it is read again
	// after own changes: so that costs the same part of the time in large ones.
	recheckEach = time.Millisecond
)

// errFull says that UIDs are used up.
var errFull = errors.New("no UID is left")

// place is where the file of a key is.
type place struct {
	info  string // what follows the key in its name
	fresh bool   // in new/
}

// files is what a scan has found: the files of new/ and cur/ by key.
type files struct{ fresh, cur map[string]string }

// find finds a key, and says how many files have it; one in both folders counts
// as in cur/.
func (f *files) find(key string) (at place, n int) {
	if info, ok := f.cur[key]; ok {
		at, n = place{info, false}, 1
	}
	if info, ok := f.fresh[key]; ok {
		if n++; n == 1 {
			at = place{info, true}
		}
	}
	return at, n
}

// take is find, and takes the key out.
func (f *files) take(key string) (at place, ok bool) {
	at, n := f.find(key)
	if n > 0 {
		delete(f.fresh, key)
		delete(f.cur, key)
	}
	return at, n > 0
}

// without is f without the messages' files.
func (f files) without(msgs []*Message) files {
	for i := range msgs {
		f.take(msgs[i].Key())
	}
	return f
}

// settled tells whether a folder with this mtime, read now, cannot have changed
// after without another mtime. One far ahead was set by hand.
func settled(mtime int64, now time.Time) bool {
	age := time.Duration(now.UnixNano() - mtime)
	return age > tick || age < -skew
}

// mtimes is what new/ and cur/ look like now.
func (x *Index) mtimes() (d dirState, err error) {
	fresh, err := x.m.MTime(true)
	if err != nil {
		return d, err
	}
	cur, err := x.m.MTime(false)
	return dirState{fresh: fresh.Nano(), cur: cur.Nano()}, err
}

// scan reads new/ and, with full, cur/. new/ is read first, as mail moves.
func (x *Index) scan(full bool) (f files, err error) {
	x.stats.Scans++
	if full {
		x.stats.Scans++
	}
	return x.read(full)
}

// read is scan without x.mu.
func (x *Index) read(full bool) (f files, err error) {
	if f.fresh, err = x.m.Names(true); err != nil {
		return f, fmt.Errorf("read new/: %w", err)
	}
	if full {
		if f.cur, err = x.m.Names(false); err != nil {
			return f, fmt.Errorf("read cur/: %w", err)
		}
	}
	return f, nil
}

// recheck is how long after own changes the folders are read again.
func (x *Index) recheck() time.Duration {
	return max(x.opt.Recheck, time.Duration(len(x.s.msgs))*recheckEach)
}

// due tells whether it is time for that; also where it is so far off that the clock
// must have been set back.
func (x *Index) due(now time.Time) bool {
	at := x.s.dirs.recheck
	left := time.Duration(at - now.UnixNano())
	return at != 0 && (left <= 0 || left > 2*max(x.recheck(), recheckAfter))
}

// merge takes in what other programs did in new/ and cur/.
func (x *Index) merge() error {
	before, err := x.mtimes()
	if err != nil {
		return err
	}
	now, was := time.Now(), x.s.dirs
	due := x.due(now)
	if before.fresh == was.fresh && before.cur == was.cur && !due {
		x.task.merged = true
		return nil
	}
	full := due || before.cur != was.cur
	var seen files
	var known map[string]*Message // of those in new/
	if !full {
		if seen, err = x.scan(false); err != nil {
			return err
		}
		known, full = x.settledNew(seen.fresh)
	}
	if full {
		if s := x.task.survey; s.valid(before) {
			seen, now = s.files, s.at
		} else if x.later() {
			return x.mergeNew(before, now)
		} else {
			x.task.survey = nil // it, and what was compared with it, is past
			if seen, err = x.scan(true); err != nil {
				return err
			}
		}
	}
	x.task.merged = true
	pending := len(x.pend)
	if full {
		after, err := x.mtimes()
		if err != nil {
			return err
		}
		quiet := settled(before.fresh, now) && settled(before.cur, now) && before.fresh == after.fresh && before.cur == after.cur
		if err := x.absorb(seen, quiet); err != nil {
			return err
		}
	} else if err := x.absorbNew(seen, known); err != nil {
		return err
	}
	if !settled(before.fresh, now) {
		before.fresh = 0
	}
	if !full {
		before.cur, before.recheck = was.cur, was.recheck
	} else if !settled(before.cur, now) {
		before.cur = 0
	}
	if len(x.pend) == pending && (before.fresh == 0 || before.cur == 0) {
		return nil // nothing has come of it, and the next Sync looks again in any case
	}
	if err := x.put(record{kind: kindDirState, dirs: before}); err != nil {
		return err
	}
	if full {
		_, err = x.flush(1)
	}
	return err
}

// mergeNew takes in what is new in new/, where all else is left for the background:
// who opens a mailbox wants its mail.
func (x *Index) mergeNew(before dirState, now time.Time) error {
	if !x.surveying || before.fresh == x.s.dirs.fresh {
		return nil
	}
	seen, err := x.scan(false)
	if err != nil {
		return err
	}
	known, moved := x.settledNew(seen.fresh)
	for key := range known {
		delete(seen.fresh, key)
	}
	if moved || !settled(before.fresh, now) {
		before.fresh = 0
	}
	dirs := x.s.dirs
	if err := x.adopt(seen); err != nil {
		return err
	}
	dirs.fresh = before.fresh
	return x.put(record{kind: kindDirState, dirs: dirs})
}

// settledNew is the messages that are in new/ as they were. moved tells that the
// files there do not explain the state: one that was there is gone, or one is back
// that was in cur/.
func (x *Index) settledNew(seen map[string]string) (there map[string]*Message, moved bool) {
	there, fresh := known(x.s, seen)
	for _, m := range there {
		moved = moved || !m.New
	}
	return there, moved || len(there) != fresh
}

// absorbNew puts records for what is in new/, where nothing has moved.
func (x *Index) absorbNew(seen files, known map[string]*Message) error {
	for key, m := range known {
		info := seen.fresh[key]
		delete(seen.fresh, key)
		for _, r := range renamed(m, key, place{info, true}) {
			if err := x.put(r); err != nil {
				return err
			}
		}
	}
	return x.adopt(seen)
}

// absorb puts records for what the scan has found. A file that is missing from a
// scan may have been renamed while the folder was read, so unless that was quiet
// it must be missing from several.
func (x *Index) absorb(seen files, quiet bool) error {
	c := x.task.survey.comparison(x.s.msgs)
	if c == nil {
		c = newComparison(seen)
	}
	c.with(seen, x.s.msgs[len(c.msgs):])
	puts, missing := c.puts, c.missing
	for try := 1; len(missing) > 0 && !quiet && try < scanTries; try++ {
		again, err := x.scan(true)
		if err != nil {
			return err
		}
		for key, uid := range missing {
			if at, ok := again.take(key); ok {
				puts = append(puts, renamed(x.s.msgs[x.s.at(uid)], key, at)...)
				delete(missing, key)
			}
		}
	}
	for _, r := range puts {
		if err := x.put(r); err != nil {
			return err
		}
	}
	gone := make([]UID, 0, len(missing))
	for _, uid := range missing {
		gone = append(gone, uid)
	}
	for part := range slices.Chunk(Ranges(gone), rangesMax) {
		if err := x.put(record{kind: kindExpunge, uids: part}); err != nil {
			return err
		}
	}
	if c.left == 0 { // as a rule: it saves taking each out of the maps
		return nil
	}
	return x.adopt(seen.without(x.s.msgs))
}

// renamed is the records for a message whose file is at this place: letters that
// came to or went from its name since it was seen last count as changes.
func renamed(m *Message, key string, at place) (puts []record) {
	if at.info == m.Name[len(key):] && at.fresh == m.New {
		return nil
	}
	name := key + at.info
	old, now := nameFlags(m.Name), nameFlags(name)
	c := change{on: now &^ old, off: old &^ now}
	if m.Flags&^c.off|c.on != m.Flags {
		puts = append(puts, record{kind: kindFlags, change: c, uids: []Range{{m.UID, m.UID}}})
	}
	return append(puts, record{kind: kindName, msg: Message{UID: m.UID, Name: name, New: at.fresh}})
}

// adopt gives UIDs to the files, in the order of their delivery. The folders they
// are in are synced: a UID must not outlive its message.
func (x *Index) adopt(found files) error {
	msgs := make([]maildir.Message, 0, len(found.fresh)+len(found.cur))
	for _, fresh := range []bool{true, false} {
		names := found.cur
		if fresh {
			names = found.fresh
		}
		for key, info := range names {
			if _, both := found.cur[key]; fresh && both || !validName(key+info) {
				continue
			}
			msg, ok, err := x.m.Look(key+info, fresh)
			if err != nil {
				return err
			}
			if ok {
				msgs = append(msgs, msg)
			}
		}
	}
	if len(msgs) == 0 {
		return nil
	}
	if uint64(x.s.next)+uint64(len(msgs)) > uidMax {
		return errFull
	}
	slices.SortFunc(msgs, maildir.ByTime)
	x.task.expected.order(msgs)
	if !x.task.expected.all(msgs) {
		if err := x.syncDirs(); err != nil {
			return err
		}
	}
	saved := uint32(time.Now().Unix())
	for _, f := range msgs {
		m := Message{UID: x.s.next, Flags: nameFlags(f.Name), New: f.New, Size: f.Size, Wire: f.Wire, Date: f.MTime.UnixNano(),
			Saved: saved, EmailID: x.emailID(f.Key()), Name: f.Name}
		if err := x.put(record{kind: kindAdd, msg: m}); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) syncDirs() error {
	for _, fresh := range []bool{true, false} {
		if err := unix.Fsync(x.m.Dir(fresh)); err != nil {
			return fmt.Errorf("sync new/ or cur/: %w", err)
		}
	}
	return nil
}

// flush renames files, of messages from this UID on, whose names do not yet say
// what the index does; next is where it has come to, 0 at the end. A file that
// cannot be renamed keeps its name: the index has its flags.
func (x *Index) flush(from UID) (next UID, err error) {
	var uids []UID
	for i := x.s.at(from); i < len(x.s.msgs); i++ {
		if !x.s.msgs[i].dirty() {
			continue
		}
		if len(uids) == flushMax {
			next = x.s.msgs[i].UID
			break
		}
		uids = append(uids, x.s.msgs[i].UID)
	}
	return next, x.rename(uids)
}

// rename gives the files of the messages the names they should have, and records
// what new/ and cur/ look like then, so that this causes no scan.
func (x *Index) rename(uids []UID) error {
	base, err := x.steady()
	if err != nil {
		return err
	}
	touched := false
	for _, uid := range uids {
		i := x.s.at(uid)
		if i == len(x.s.msgs) || x.s.msgs[i].UID != uid {
			continue
		}
		m := x.s.msgs[i]
		to := flagName(m.Name, m.Flags)
		if !m.New && to == m.Name {
			continue
		}
		err := x.m.Rename(m.Name, m.New, to)
		gone := errors.Is(err, unix.ENOENT)
		if touched = touched || err == nil || gone; gone {
			base.fresh, base.cur = 0, 0 // another program was faster
		}
		if err != nil {
			continue
		}
		if err := x.put(record{kind: kindName, msg: Message{UID: uid, Name: to}}); err != nil {
			return err
		}
	}
	if !touched {
		return nil
	}
	return x.touched(base)
}

// steady is what is recorded of the folders, with 0 for one that is not so any more.
func (x *Index) steady() (dirState, error) {
	base := x.s.dirs
	now, err := x.mtimes()
	if base.fresh != now.fresh {
		base.fresh = 0
	}
	if base.cur != now.cur {
		base.cur = 0
	}
	return base, err
}

// touched records the folders after changes of our own; those that were not as
// recorded before them are still to be read. Another program's change amid ours
// would not show, so both are read again some time later.
func (x *Index) touched(base dirState) error {
	d, err := x.mtimes()
	if err != nil {
		return err
	}
	if base.fresh == 0 {
		d.fresh = 0
	}
	if base.cur == 0 {
		d.cur = 0
	}
	d.recheck = time.Now().Add(x.recheck()).UnixNano()
	if base.recheck != 0 {
		d.recheck = min(d.recheck, base.recheck)
	}
	return x.put(record{kind: kindDirState, dirs: d})
}
