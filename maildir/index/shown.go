// SPDX-License-Identifier: ISC

package index

import (
	"errors"
	"io/fs"
	"os"

	"quill/maildir"
)

// A View's UIDs are those of its UIDVALIDITY: where the folder has got another
// one since, they must not be taken for those of the messages that have them now.

// ErrReset says that the folder has another UIDVALIDITY than the View.
var ErrReset = errors.New("the folder has got new UIDs")

// Show is Sync and View; the View shows the folder, and not nothing because a
// call of somebody else's has just failed.
func (x *Index) Show() (*View, error) {
	for range scanTries {
		if err := x.Sync(); err != nil {
			return nil, err
		}
		v := x.View()
		if v.valid != 0 {
			return v, nil
		}
		v.Close()
	}
	return nil, ErrBusy
}

// updateOf is update for who means the UIDs of this UIDVALIDITY; 0: of any.
func (x *Index) updateOf(valid uint32, f func() error) error {
	return x.update(func() error {
		if valid != 0 && x.s.valid != valid {
			return ErrReset
		}
		return f()
	})
}

// ExpungeOf is View.Take of what has the UIDs under this UIDVALIDITY.
func (x *Index) ExpungeOf(valid uint32, uids []UID) error {
	_, err := x.expunge(valid, uids, 0)
	return err
}

// Store changes messages that the View shows, also after its Close; uids that are
// not there are passed over. The change is on disk when it returns. modified is the
// UIDs that Unchanged spared.
func (v *View) Store(uids []UID, st Store) (modified []UID, err error) {
	return v.x.storeOf(v.valid, uids, st)
}

// ExpungeDeleted is Take of those that have the flag Deleted still: another session
// may just have taken it away.
func (v *View) ExpungeDeleted(uids []UID) error {
	_, err := v.x.expunge(v.valid, uids, Deleted)
	return err
}

// Take deletes messages and their files. That they are gone is on disk when it
// returns, and a crash on the way does not give them new UIDs. After an error some
// may be left. It says which were there: of several who take a message at once, one
// is told so.
func (v *View) Take(uids []UID) (there []UID, err error) { return v.x.expunge(v.valid, uids, 0) }

// Keep keeps what a Digests gives out for this message from now on, in any
// process. It is written when there is 1 MB of such, with the next change or at
// Close, and lost where that fails.
func (v *View) Keep(uid UID, digest []byte) { v.x.keep(v.valid, uid, digest) }

// Digests begins to read what was kept of messages that the View shows; Close ends
// it.
func (v *View) Digests() *Digests { return &Digests{x: v.x, v: v} }

// File is the Index's, for the message with this sequence number; it needs nothing
// of the Index but where the file was last.
func (v *View) File(seq int) (*os.File, error) {
	x, was := v.x, v.msgs[seq-1]
	x.mu.Lock()
	if x.s != nil && x.s.valid == v.valid {
		i := x.s.at(was.UID)
		if i == len(x.s.msgs) || x.s.msgs[i].UID != was.UID {
			x.mu.Unlock()
			return x.openExpunged(v.valid, was.UID)
		}
		was = x.s.msgs[i]
	}
	m := maildir.Message{Name: was.Name, New: was.New}
	x.mu.Unlock()
	f, err := x.m.Open(m)
	if errors.Is(err, fs.ErrNotExist) {
		return x.openExpunged(v.valid, was.UID)
	}
	return f, err
}
