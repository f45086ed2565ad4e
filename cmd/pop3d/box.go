// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"quill/maildir"
	"quill/maildir/index"
)

// indexWait is for the index's lock; who does not get it goes without.
const indexWait = 2 * time.Second

// box is a Maildir as a maildrop: locked, and as it was when the session began.
type box struct {
	m     *maildir.Maildir
	lock  io.Closer
	msgs  []maildir.Message
	uids  map[string]index.UID // by the key of the name; nil: there is no index
	valid uint32               // their UIDVALIDITY
	ids   []string             // made when they are first asked for
}

// newBox locks and reads the Maildir; one on a read-only file system it reads
// alone, as nobody can change it.
func newBox(m *maildir.Maildir) (*box, error) {
	lock, err := m.Lock()
	if errors.Is(err, unix.EROFS) {
		lock, err = io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, err
	}
	b := &box{m: m, lock: lock}
	if err := m.CleanTmp(time.Now()); err != nil {
		logf("warning: %v", err)
	}
	if b.read() {
		return b, nil
	}
	if b.msgs, err = m.Scan(); err != nil {
		lock.Close()
		return nil, err
	}
	return b, nil
}

// read takes the messages and their sizes from the index, where there is one: of
// the files it looks at those alone that are new to it (maildir-index(5)).
func (b *box) read() bool {
	if !index.Exists(b.m) {
		return false
	}
	x, err := index.Open(b.m, index.Options{Wait: indexWait})
	if err != nil {
		logf("warning: %v", err)
		return false
	}
	defer x.Close()
	if err := x.Measure(); err != nil {
		logf("warning: %v", err)
		return false
	}
	v := x.View()
	b.valid, b.uids = v.UIDValidity(), make(map[string]index.UID, v.Len())
	b.msgs = make([]maildir.Message, 0, v.Len())
	for i := range v.Len() {
		m := v.Message(i + 1)
		if !m.Measured() { // gone meanwhile
			continue
		}
		b.msgs = append(b.msgs, maildir.Known(m.Name, m.New, m.Size, m.Wire, m.InternalDate()))
		b.uids[m.Key()] = m.UID
	}
	slices.SortFunc(b.msgs, maildir.ByTime)
	return true
}

// expunge has the index delete messages, so that no IMAP session has to find out.
// What it leaves, for whatever reason, is there still.
func (b *box) expunge(gone []maildir.Message) {
	x, err := index.Open(b.m, index.Options{Wait: indexWait})
	if err == nil {
		defer x.Close()
		uids := make([]index.UID, len(gone))
		for i, msg := range gone {
			uids[i] = b.uids[msg.Key()]
		}
		err = x.ExpungeOf(b.valid, uids)
	}
	if err != nil {
		logf("warning: %v", err)
	}
}

func (b *box) close() { b.lock.Close() }

// Count implements pop3.Box.
func (b *box) Count() int { return len(b.msgs) }

// Size implements pop3.Box.
func (b *box) Size(i int) int64 { return b.msgs[i].Wire }

// ID implements pop3.Box.
func (b *box) ID(i int) string {
	if b.ids == nil {
		b.ids = maildir.UIDLs(b.msgs)
	}
	return b.ids[i]
}

// Open implements pop3.Box.
func (b *box) Open(i int) (io.ReadCloser, error) { return b.m.Open(b.msgs[i]) }

// Commit deletes the marked messages, directories synced, and moves the others
// to cur/, as qmail-pop3d does: they have been seen by a client.
func (b *box) Commit(deleted []int) (failed int, err error) {
	marked := make(map[int]bool, len(deleted))
	var gone, kept []maildir.Message
	for _, i := range deleted {
		marked[i] = true
		gone = append(gone, b.msgs[i])
	}
	for i, msg := range b.msgs {
		if !marked[i] && msg.New {
			kept = append(kept, msg)
		}
	}
	if len(gone) > 0 {
		if b.uids != nil {
			b.expunge(gone)
		}
		left, err := b.m.Remove(gone)
		if err != nil || len(left) > 0 {
			return len(left), err
		}
	}
	if len(kept) > 0 {
		if err := b.m.MoveToCur(kept); err != nil {
			logf("warning: %v", err) // nothing was promised of these
		}
	}
	return 0, nil
}
