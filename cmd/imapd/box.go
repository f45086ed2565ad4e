// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"io/fs"
	"os"

	"quill/internal/imap"
	"quill/internal/mailbox"
	"quill/maildir/folders"
	"quill/maildir/index"
)

// box is a mailbox as one session has it open: an index that it may share, and a
// view of its own.
type box struct {
	a    *account
	name string // when it was opened
	b    *folders.Box
	x    *index.Index
	v    *index.View
	d    *index.Digests
	gone bool // deleted: there is nothing to go on with
}

// Sync implements mailbox.Mailbox.
func (b *box) Sync() error {
	err := b.x.Sync()
	if errors.Is(err, fs.ErrNotExist) && b.deleted() {
		b.gone = true
		return nil
	}
	return known(err)
}

// deleted says whether the folder's name is nobody's, or another folder's.
func (b *box) deleted() bool {
	now, err := b.a.f.Box(b.name)
	if err != nil {
		return errors.Is(err, folders.ErrNone) || errors.Is(err, folders.ErrLevel)
	}
	defer now.Close()
	return now.Maildir() != b.b.Maildir()
}

// kinds of events.
var kinds = map[index.EventKind]mailbox.EventKind{
	index.Added: mailbox.Added, index.Changed: mailbox.Changed, index.Expunged: mailbox.Expunged, index.Reset: mailbox.Reset,
}

// Update implements mailbox.Mailbox.
func (b *box) Update(expunges bool) []mailbox.Event {
	if b.gone {
		return []mailbox.Event{{Kind: mailbox.Reset}}
	}
	events := b.v.Update(expunges)
	if len(events) == 0 {
		return nil
	}
	out := make([]mailbox.Event, len(events))
	for i, e := range events {
		out[i] = mailbox.Event{Kind: kinds[e.Kind], Seq: e.Seq, UID: uint32(e.Msg.UID)}
	}
	return out
}

// Len implements mailbox.Mailbox.
func (b *box) Len() int { return b.v.Len() }

// Message implements mailbox.Mailbox.
func (b *box) Message(seq int, to *mailbox.Message) {
	m := b.v.Message(seq)
	*to = mailbox.Message{UID: uint32(m.UID), Flags: mailbox.Flags(m.Flags), New: m.New, Keywords: m.Keywords,
		ModSeq: m.ModSeq, Size: m.Size, Wire: m.Wire, Date: m.Date}
}

// Opening implements mailbox.Mailbox.
func (b *box) Opening() (fresh []imap.Range, unseen int) {
	for seq := b.v.Len(); seq > 0; seq-- {
		m := b.v.Message(seq)
		if m.New {
			fresh = append(fresh, imap.Range{Lo: uint32(m.UID), Hi: uint32(m.UID)})
		}
		if m.Flags&index.Seen == 0 {
			unseen = seq
		}
	}
	return imap.Normal(fresh), unseen
}

// Seq implements mailbox.Mailbox.
func (b *box) Seq(uid uint32) (int, bool) { return b.v.Seq(index.UID(uid)) }

// UIDValidity implements mailbox.Mailbox.
func (b *box) UIDValidity() uint32 { return b.v.UIDValidity() }

// UIDNext implements mailbox.Mailbox.
func (b *box) UIDNext() uint32 { return uint32(b.v.UIDNext()) }

// HighestModSeq implements mailbox.Mailbox.
func (b *box) HighestModSeq() uint64 { return b.v.HighestModSeq() }

// Held implements mailbox.Mailbox.
func (b *box) Held() bool { return b.v.Held() }

// Keywords implements mailbox.Mailbox.
func (b *box) Keywords() []string { return b.v.Keywords() }

// Vanished implements mailbox.Mailbox.
func (b *box) Vanished(modseq uint64) ([]imap.Range, bool) {
	gone, known := b.x.Vanished(modseq)
	out := make([]imap.Range, len(gone))
	for i, r := range gone {
		out[i] = imap.Range{Lo: uint32(r.Lo), Hi: uint32(r.Hi)}
	}
	return out, known
}

// Store implements mailbox.Mailbox.
func (b *box) Store(uids []uint32, st mailbox.Store) ([]uint32, error) {
	modified, err := b.v.Store(toIndex(uids), index.Store{Op: index.Op(st.Op), Flags: index.Flags(st.Flags), Keywords: st.Keywords, Unchanged: st.Unchanged})
	return fromIndex(modified), known(err)
}

// Expunge implements mailbox.Mailbox.
func (b *box) Expunge(uids []uint32) error { return known(b.v.ExpungeDeleted(toIndex(uids))) }

// Copy implements mailbox.Mailbox.
func (b *box) Copy(uids []uint32, to string) (*mailbox.Copied, error) {
	return b.transfer(uids, to, b.a.f.CopyOf)
}

// Move implements mailbox.Mailbox.
func (b *box) Move(uids []uint32, to string) (*mailbox.Copied, error) {
	return b.transfer(uids, to, b.a.f.MoveOf)
}

func (b *box) transfer(uids []uint32, to string, do func(valid uint32, from *folders.Box, uids []index.UID, to *folders.Box) (*folders.Copied, error)) (*mailbox.Copied, error) {
	target, err := b.a.f.Box(to)
	if err != nil {
		return nil, known(err)
	}
	defer target.Close()
	return copied(do(b.v.UIDValidity(), b.b, toIndex(uids), target))
}

func copied(c *folders.Copied, err error) (*mailbox.Copied, error) {
	if err != nil {
		return nil, known(err)
	}
	return &mailbox.Copied{UIDValidity: c.UIDValidity, Source: fromIndex(c.Source), Target: fromIndex(c.Target)}, nil
}

func toIndex(uids []uint32) []index.UID {
	out := make([]index.UID, len(uids))
	for i, u := range uids {
		out[i] = index.UID(u)
	}
	return out
}

func fromIndex(uids []index.UID) []uint32 {
	out := make([]uint32, len(uids))
	for i, u := range uids {
		out[i] = uint32(u)
	}
	return out
}

// content is a message's file.
type content struct {
	*os.File
	size int64
}

// Size implements mailbox.Content.
func (c content) Size() int64 { return c.size }

// Open implements mailbox.Source.
func (b *box) Open(seq int) (mailbox.Content, error) {
	f, err := b.v.File(seq)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return content{f, st.Size()}, nil
}

// Kept implements mailbox.Source.
func (b *box) Kept(seq int) []byte { return b.d.Of(b.v.Message(seq).UID) }

// Keep implements mailbox.Source.
func (b *box) Keep(seq int, digest []byte) { b.v.Keep(b.v.Message(seq).UID, digest) }

// Settle implements mailbox.Mailbox.
func (b *box) Settle() error {
	if b.gone {
		return nil
	}
	return known(b.x.Settle(b.v.UIDNext() - 1))
}

// Watch implements mailbox.Mailbox.
func (b *box) Watch(f func()) (stop func(), err error) {
	m := b.b.Maildir()
	return b.a.p.watcher.Add([]int{m.Fd(), m.Dir(true), m.Dir(false)}, f)
}

// Close implements mailbox.Mailbox.
func (b *box) Close() error {
	b.d.Close()
	b.v.Close()
	return b.b.Close()
}
