// SPDX-License-Identifier: ISC

package main

import (
	"io"
	"time"

	"quill/maildir"
)

// box is a Maildir as a maildrop: locked, and as it was when the session began.
type box struct {
	m    *maildir.Maildir
	lock io.Closer
	msgs []maildir.Message
	ids  []string // made when they are first asked for
}

// newBox locks and reads the Maildir.
func newBox(m *maildir.Maildir) (*box, error) {
	lock, err := m.Lock()
	if err != nil {
		return nil, err
	}
	b := &box{m: m, lock: lock}
	if err := m.CleanTmp(time.Now()); err != nil {
		logf("warning: %v", err)
	}
	if b.msgs, err = m.Scan(); err != nil {
		lock.Close()
		return nil, err
	}
	return b, nil
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
