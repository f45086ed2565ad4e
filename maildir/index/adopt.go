// SPDX-License-Identifier: ISC

package index

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// Attr is what a message is to have from the start.
type Attr struct {
	Flags    Flags
	Keywords []string
	Date     time.Time // INTERNALDATE; zero: the file's time
	EmailID  uint64    // of the message it is a copy of; 0: its own
	Digest   []byte    // as for Keep; nil: none yet
}

// Adoption is a message to take in: its file's name in new/ or cur/.
type Adoption struct {
	Name string
	Attr
}

// Adopt takes in a message that was just delivered under this name in new/ or
// cur/, and is on disk there, and says what the index knows of it. That is on disk
// when it returns.
func (x *Index) Adopt(name string, a Attr) (Message, error) {
	msgs, err := x.AdoptAll([]Adoption{{name, a}})
	if err != nil {
		return Message{}, err
	}
	if msgs[0].UID == 0 {
		return Message{}, &fs.PathError{Op: "adopt", Path: name, Err: fs.ErrNotExist}
	}
	return msgs[0], nil
}

// AdoptAll is Adopt for many messages under one lock. Those that nobody has taken
// in before get ascending UIDs in the list's order. Where a file is not there the
// Message has UID 0, and the others are taken in.
func (x *Index) AdoptAll(list []Adoption) (msgs []Message, err error) {
	_, msgs, err = x.AdoptIn(list)
	return msgs, err
}

// AdoptIn is AdoptAll, and says under which UIDVALIDITY.
func (x *Index) AdoptIn(list []Adoption) (valid uint32, msgs []Message, err error) {
	e := &expected{list, make(map[string]int, len(list))}
	for i := range list {
		for _, k := range list[i].Keywords {
			if !ValidKeyword(k) {
				return 0, nil, fmt.Errorf("%w: %q", ErrKeyword, k)
			}
		}
		if _, twice := e.at[list[i].key()]; !twice {
			e.at[list[i].key()] = i
		}
	}
	err = x.updateFor(&task{expected: e}, func() error {
		uids := x.whose(e)
		if slices.Contains(uids, 0) {
			if err := x.adoptNamed(e, uids); err != nil {
				return err
			}
			uids = x.whose(e)
		}
		// Moved, or gone; one that is moved again while it is looked for may escape.
		for try := 0; try < scanTries && slices.Contains(uids, 0) && !x.opt.Deliver; try++ {
			if err := x.look(); err != nil {
				return err
			}
			uids = x.whose(e)
		}
		if err := x.dress(list, uids); err != nil {
			return err
		}
		valid, msgs = x.s.valid, make([]Message, len(uids))
		for i, uid := range uids {
			if uid != 0 {
				msgs[i] = *x.s.msgs[x.s.at(uid)]
			}
		}
		return nil
	})
	return valid, msgs, err
}

func (a *Adoption) key() string { key, _, _ := strings.Cut(a.Name, ":"); return key }

// expected is what an AdoptAll is about; nil: nothing.
type expected struct {
	list []Adoption
	at   map[string]int // where a key is in list
}

// order brings the messages that are expected into the list's order, on the
// places that they have all in all.
func (e *expected) order(msgs []maildir.Message) {
	if e == nil {
		return
	}
	var places []int
	var some []maildir.Message
	for i := range msgs {
		if _, ok := e.at[msgs[i].Key()]; ok {
			places, some = append(places, i), append(some, msgs[i])
		}
	}
	slices.SortFunc(some, func(a, b maildir.Message) int { return e.at[a.Key()] - e.at[b.Key()] })
	for i, p := range places {
		msgs[p] = some[i]
	}
}

// all tells whether all of the messages are expected: these are on disk.
func (e *expected) all(msgs []maildir.Message) bool {
	if e == nil {
		return false
	}
	return !slices.ContainsFunc(msgs, func(m maildir.Message) bool { _, ok := e.at[m.Key()]; return !ok })
}

// emailID is a new message's EMAILID.
func (x *Index) emailID(key string) uint64 {
	if e := x.task.expected; e != nil {
		if i, ok := e.at[key]; ok && e.list[i].EmailID != 0 {
			return e.list[i].EmailID
		}
	}
	hash := sha256.Sum256([]byte(key))
	return binary.LittleEndian.Uint64(hash[:])
}

// whose is the UIDs of the messages that are expected, 0 for those that are not
// there.
func (x *Index) whose(e *expected) []UID {
	uids := make([]UID, len(e.list))
	there, _ := known(x.s, e.at)
	for i := range e.list {
		if m := there[e.list[i].key()]; m != nil {
			uids[i] = m.UID
		}
	}
	return uids
}

// dress gives the messages what they are to have.
func (x *Index) dress(list []Adoption, uids []UID) error {
	var stores []Store // one for all that are to have the same
	var keys []string
	whom := make(map[string][]UID)
	for i, a := range list {
		if uids[i] == 0 {
			continue
		}
		m := x.s.msgs[x.s.at(uids[i])]
		if a.EmailID != 0 && a.EmailID != m.EmailID {
			if err := x.put(record{kind: kindEmail, msg: Message{UID: m.UID, EmailID: a.EmailID}}); err != nil {
				return err
			}
		}
		if !a.Date.IsZero() && a.Date.UnixNano() != m.Date {
			if err := x.date(uids[i], a.Date); err != nil {
				return err
			}
		}
		x.gather(uids[i], a.Digest)
		if a.Flags != 0 || len(a.Keywords) > 0 {
			k := fmt.Sprint(a.Flags, a.Keywords)
			if whom[k] == nil {
				keys, stores = append(keys, k), append(stores, Store{Op: Add, Flags: a.Flags, Keywords: a.Keywords})
			}
			whom[k] = append(whom[k], uids[i])
		}
	}
	for i, st := range stores {
		if _, err := x.store(whom[keys[i]], st); err != nil {
			return err
		}
	}
	return nil
}

// look reads new/ and cur/ whatever their times say.
func (x *Index) look() error {
	d := x.s.dirs
	d.recheck, x.task.force = 1, true
	if err := x.put(record{kind: kindDirState, dirs: d}); err != nil {
		return err
	}
	return x.merge()
}

// date sets a message's INTERNALDATE, and its file's time, so that an index made
// anew has it too.
func (x *Index) date(uid UID, t time.Time) error {
	m := x.s.msgs[x.s.at(uid)]
	ts := unix.NsecToTimespec(t.UnixNano())
	err := unix.UtimesNanoAt(x.m.Dir(m.New), m.Name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && err != unix.ENOENT {
		return fmt.Errorf("set the time of %s: %w", m.Name, err)
	}
	return x.put(record{kind: kindDate, msg: Message{UID: uid, Date: t.UnixNano()}})
}
