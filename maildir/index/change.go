// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// Op is what a Store does with the flags and keywords it names.
type Op uint8

// The three kinds of STORE (RFC 3501 §6.4.6).
const (
	Replace Op = iota
	Add
	Remove
)

// Store is a change of flags and keywords.
type Store struct {
	Op        Op
	Flags     Flags
	Keywords  []string
	Unchanged *uint64 // only messages with no greater modseq (RFC 7162 §3.1.3); nil: all
}

// What a caller can do something about.
var (
	ErrKeyword  = errors.New("not a keyword")
	ErrKeywords = fmt.Errorf("a folder has at most %d keywords", KeywordsMax)
)

// storeOf is View.Store under this UIDVALIDITY; 0: any.
func (x *Index) storeOf(valid uint32, uids []UID, st Store) (modified []UID, err error) {
	for _, k := range st.Keywords {
		if !ValidKeyword(k) {
			return nil, fmt.Errorf("%w: %q", ErrKeyword, k)
		}
	}
	err = x.updateOf(valid, func() error {
		modified, err = x.store(uids, st)
		return err
	})
	return modified, err
}

func (x *Index) store(uids []UID, st Store) (modified []UID, err error) {
	c, err := x.change(st)
	if err != nil {
		return nil, err
	}
	var todo []UID
	for m := range x.s.those(Ranges(uids)) {
		switch {
		case st.Unchanged != nil && m.ModSeq > *st.Unchanged:
			modified = append(modified, m.UID)
		case m.Flags&^c.off|c.on != m.Flags || m.Keywords&^c.kwOff|c.kwOn != m.Keywords:
			todo = append(todo, m.UID)
		}
	}
	for part := range slices.Chunk(Ranges(todo), rangesMax) {
		if err := x.put(record{kind: kindFlags, change: c, uids: part}); err != nil {
			return modified, err
		}
	}
	// A crash between the renames and the commit leaves changes that look foreign.
	return modified, x.rename(todo[:min(len(todo), flushMax)])
}

// change is what the Store does to each message; keywords without a number get
// one, unless they are to be removed.
func (x *Index) change(st Store) (c change, err error) {
	var kw uint64
	for _, k := range st.Keywords {
		n := x.s.keyword(k)
		if n < 0 && st.Op == Remove {
			continue
		}
		if n < 0 {
			if n = len(x.s.keywords); n == KeywordsMax {
				return c, ErrKeywords
			}
			if err := x.put(record{kind: kindKeyword, number: uint8(n), keyword: k}); err != nil {
				return c, err
			}
		}
		kw |= 1 << n
	}
	flags := st.Flags & allFlags
	switch st.Op {
	case Replace:
		c = change{on: flags, off: allFlags, kwOn: kw, kwOff: ^uint64(0)}
	case Add:
		c = change{on: flags, kwOn: kw}
	case Remove:
		c = change{off: flags, kwOff: kw}
	}
	return c, nil
}

// expunge is View.Take under this UIDVALIDITY, 0 for any, of those that have all of
// these flags.
func (x *Index) expunge(valid uint32, uids []UID, must Flags) (there []UID, err error) {
	want := Ranges(uids)
	err = x.updateOf(valid, func() error {
		defer x.sweep()
		there = nil
		for m := range x.s.those(want) {
			if m.Flags&must == must {
				there = append(there, m.UID)
			}
		}
		for part := range slices.Chunk(Ranges(there), rangesMax) {
			if err := x.intend(part); err != nil {
				return err
			}
			if err := x.finish(1); err != nil {
				return err
			}
		}
		return nil
	})
	return there, err
}

// intend has it on disk that the messages are about to be expunged.
func (x *Index) intend(uids []Range) error {
	if err := x.put(record{kind: kindIntent, uids: uids}); err != nil {
		return err
	}
	return x.commit()
}

// finish deletes the files of the messages that are about to be expunged, and
// records that they are gone. So many Views of x are told of it at once.
func (x *Index) finish(told int) error {
	base, err := x.steady()
	if err != nil {
		return err
	}
	var gone []UID
	var failed error
	files := x.remover(told)
	defer files.close()
	lost := make(map[string]UID)
	for m := range x.s.those(x.s.intents) {
		err := files.remove(m.UID, m.Name, m.New)
		switch {
		case err == nil:
			gone = append(gone, m.UID)
		case err == unix.ENOENT:
			lost[m.Key()] = m.UID
		default:
			failed = fmt.Errorf("delete %s: %w", m.Name, err)
		}
	}
	found, err := x.hunt(files, lost)
	if err != nil {
		return err
	}
	gone = append(gone, found...)
	if err := x.syncDirs(); err != nil {
		return err
	}
	r := record{kind: kindExpunge, uids: Ranges(gone)}
	if len(gone) == 0 {
		r.kind = kindIntent // withdrawn: none could be deleted
	}
	if err := x.put(r); err != nil {
		return err
	}
	if err := x.touched(base); err != nil {
		return err
	}
	return errors.Join(failed, x.commit())
}

// hunt deletes files that others have renamed. One that is found in none of
// several scans is gone already.
func (x *Index) hunt(files *remover, lost map[string]UID) (gone []UID, err error) {
	for try := 0; len(lost) > 0 && try < scanTries; try++ {
		seen, err := x.scan(true)
		if err != nil {
			return nil, err
		}
		for key, uid := range lost {
			if at, ok := seen.take(key); ok && files.remove(uid, key+at.info, at.fresh) == nil {
				gone = append(gone, uid)
				delete(lost, key)
			}
		}
	}
	for _, uid := range lost {
		gone = append(gone, uid)
	}
	return gone, nil
}

// Flush renames the files that a Store of very many messages left for later, some
// at a time, so that others get the lock meanwhile. Without it this is done bit by
// bit; nothing is lost either way.
func (x *Index) Flush() error {
	for from := UID(1); from != 0; {
		err := x.update(func() (err error) {
			from, err = x.flush(from)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Settle moves the messages up to this UID that are in new/ to cur/, as a session
// does that has told its client of them. Where x knows of none it takes no lock.
func (x *Index) Settle(last UID) error {
	x.mu.Lock()
	none := x.s != nil && len(x.s.fresh(last)) == 0
	x.mu.Unlock()
	if none {
		return nil
	}
	return x.update(func() error { return x.rename(x.s.fresh(last)) })
}

// fresh is the messages up to this UID that are in new/.
func (s *state) fresh(last UID) (uids []UID) {
	for i := range s.msgs {
		if s.msgs[i].New && s.msgs[i].UID <= last {
			uids = append(uids, s.msgs[i].UID)
		}
	}
	return uids
}

// File opens a message for reading, wherever its file is now, also one that was
// expunged and that a View still shows; one that is gone gives an error that is
// fs.ErrNotExist.
func (x *Index) File(uid UID) (*os.File, error) {
	x.mu.Lock()
	var m maildir.Message
	valid := uint32(0)
	if x.s != nil {
		valid = x.s.valid
		if i := x.s.at(uid); i < len(x.s.msgs) && x.s.msgs[i].UID == uid {
			m = maildir.Message{Name: x.s.msgs[i].Name, New: x.s.msgs[i].New}
		}
	}
	x.mu.Unlock()
	if m.Name != "" {
		if f, err := x.m.Open(m); !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return x.openExpunged(valid, uid)
}
