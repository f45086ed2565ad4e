// SPDX-License-Identifier: ISC

package mailboxtest

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"quill/internal/imap"
	"quill/internal/mailbox"
)

// view is a mailbox as one session sees it.
type view struct {
	m        *Mail
	b        *box
	readOnly bool
	closed   bool

	shown, known []entry // by UID
	modseq       uint64  // known
	told         uint64  // modseq after which nothing that is shown was expunged
	held         bool    // what is shown is not all there
	uidNext      uint32
	keywords     []string
	reset        bool
}

// entry is a message as it was when the session took it in.
type entry struct {
	mailbox.Message
	of *message
}

func (v *view) Sync() error {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.sync()
	return nil
}

// sync is Sync where the mail is locked.
func (v *view) sync() {
	b := v.b
	v.reset = b.deleted
	if b.modseq == v.modseq {
		return
	}
	v.modseq, v.uidNext, v.keywords = b.modseq, b.uidNext, slices.Clone(b.keywords)
	v.known = make([]entry, len(b.messages))
	for i, msg := range b.messages {
		v.known[i] = entry{msg.Message, msg}
	}
}

func (v *view) Update(expunges bool) (events []mailbox.Event) {
	if v.reset {
		return []mailbox.Event{{Kind: mailbox.Reset}}
	}
	var next []entry
	var changed, added []mailbox.Event
	known := v.known
	for _, e := range v.shown {
		if len(known) == 0 || known[0].UID != e.UID {
			if expunges {
				events = append(events, mailbox.Event{Kind: mailbox.Expunged, Seq: len(next) + 1, UID: e.UID})
				continue
			}
			next = append(next, e)
			continue
		}
		if known[0].ModSeq != e.ModSeq {
			changed = append(changed, mailbox.Event{Kind: mailbox.Changed, Seq: len(next) + 1, UID: e.UID})
			known[0].New = e.New
			e = known[0]
		}
		next, known = append(next, e), known[1:]
	}
	for _, e := range known {
		next = append(next, e)
		added = append(added, mailbox.Event{Kind: mailbox.Added, Seq: len(next), UID: e.UID})
	}
	v.shown, v.held = next, len(next) > len(v.known)
	if !v.held {
		v.told = v.modseq
	}
	return slices.Concat(events, changed, added)
}

func (v *view) Len() int { return len(v.shown) }

func (v *view) Message(seq int, m *mailbox.Message) { *m = v.shown[seq-1].Message }

func (v *view) Opening() (fresh []imap.Range, unseen int) {
	for i, msg := range v.shown {
		if msg.New {
			fresh = append(fresh, imap.Range{Lo: msg.UID, Hi: msg.UID})
		}
		if unseen == 0 && msg.Flags&mailbox.Seen == 0 {
			unseen = i + 1
		}
	}
	return imap.Normal(fresh), unseen
}

func (v *view) Seq(uid uint32) (seq int, ok bool) {
	i, ok := slices.BinarySearchFunc(v.shown, uid, func(e entry, uid uint32) int { return int(int64(e.UID) - int64(uid)) })
	return i + 1, ok
}

func (v *view) UIDValidity() uint32   { return v.b.validity }
func (v *view) UIDNext() uint32       { return v.uidNext }
func (v *view) HighestModSeq() uint64 { return v.told }
func (v *view) Held() bool            { return v.held }
func (v *view) Keywords() []string    { return v.keywords }

func (v *view) Vanished(modseq uint64) (uids []imap.Range, known bool) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return v.b.vanished(modseq, v.modseq), modseq >= v.b.horizon
}

// change does something to the box, and takes in what has changed.
func (v *view) change(f func() error) (err error) {
	if v.readOnly {
		return errReadOnly
	}
	v.m.locked(v.b, func() {
		err = f()
		v.sync()
		v.keywords = slices.Clone(v.b.keywords)
	})
	return err
}

func (v *view) Store(uids []uint32, st mailbox.Store) (modified []uint32, err error) {
	err = v.change(func() error {
		modified, err = v.b.store(uids, st)
		return err
	})
	return modified, err
}

func (v *view) Expunge(uids []uint32) error {
	return v.change(func() error {
		v.b.expunge(uids)
		return nil
	})
}

func (v *view) Copy(uids []uint32, to string) (*mailbox.Copied, error) {
	return v.copy(uids, to, false)
}

func (v *view) Move(uids []uint32, to string) (*mailbox.Copied, error) {
	if v.readOnly {
		return nil, errReadOnly
	}
	return v.copy(uids, to, true)
}

func (v *view) copy(uids []uint32, name string, move bool) (c *mailbox.Copied, err error) {
	v.m.mu.Lock()
	to, err := v.m.at(name)
	v.m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	v.m.locked(to, func() { c, err = v.b.copyTo(to, uids) })
	if err != nil || !move {
		return c, err
	}
	return c, v.Expunge(c.Source)
}

func (v *view) Settle() error {
	if v.readOnly {
		return nil
	}
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	for _, e := range v.shown {
		e.of.New = false
	}
	return nil
}

func (v *view) Watch(f func()) (stop func(), err error) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.b.watchers[v] = f
	return func() {
		v.m.mu.Lock()
		defer v.m.mu.Unlock()
		delete(v.b.watchers, v)
	}, nil
}

func (v *view) Close() error {
	if v.closed {
		return errors.New("mailbox was closed twice")
	}
	v.closed = true
	return nil
}

// content is a message that was opened.
type content struct{ *strings.Reader }

func (content) Close() error { return nil }

func (v *view) Open(seq int) (mailbox.Content, error) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.m.opened++
	of := v.shown[seq-1].of
	if of.shut {
		return nil, &fs.PathError{Op: "open", Path: "message", Err: fs.ErrPermission}
	}
	if of.lost {
		return nil, &fs.PathError{Op: "open", Path: "message", Err: fs.ErrNotExist}
	}
	return content{strings.NewReader(of.text)}, nil
}

func (v *view) Kept(seq int) []byte {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return v.shown[seq-1].of.digest
}

func (v *view) Keep(seq int, digest []byte) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.shown[seq-1].of.digest = slices.Clone(digest)
}
