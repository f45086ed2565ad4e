// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"quill/maildir"
	"quill/maildir/index"
)

// TestMoveRenumbered: a mailbox gets other UIDs while a message is moved from it;
// the message that has its UID now stays.
func TestMoveRenumbered(t *testing.T) {
	a, root := newAccount(t)
	must(t, a.Create("To", nil))
	for _, text := range []string{"one\n", "two\n", "three\n"} {
		add(t, a, Inbox, text, New{})
	}
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	show(t, in)
	v := in.Index().View()
	old := v.UIDValidity()
	must(t, os.Remove(filepath.Join(root, "cur", v.Message(1).Name)))
	v.Close()
	m, err := maildir.Open(root)
	must(t, err)
	defer m.Close()
	_, err = index.Rebuild(m, index.Options{})
	must(t, err)
	if _, err := a.Move(in, []index.UID{2}, to); !errors.Is(err, index.ErrReset) {
		t.Errorf("move: %v", err)
	}
	if got := texts(t, in); len(got) != 2 {
		t.Errorf("INBOX: %q", got)
	}
	if _, err := a.MoveOf(old, in, []index.UID{2}, to); !errors.Is(err, index.ErrReset) {
		t.Errorf("move of old UIDs: %v", err)
	}
	if _, err := a.CopyOf(old, in, []index.UID{2}, to); !errors.Is(err, index.ErrReset) {
		t.Errorf("copy of old UIDs: %v", err)
	}
	if got := texts(t, in); len(got) != 2 {
		t.Errorf("INBOX: %q", got)
	}
}

// TestCopyAfterError: a call that failed, so that the index is to be read again, is
// no reason to find no messages.
func TestCopyAfterError(t *testing.T) {
	a, _ := newAccount(t)
	must(t, a.Create("To", nil))
	must(t, addMany(a, Inbox, 2))
	in, to := openBox(t, a, Inbox), openBox(t, a, "To")
	v := in.Index().View()
	defer v.Close()
	limited(t, 0, func() error {
		_, err := v.Store([]index.UID{1}, index.Store{Op: index.Add, Keywords: []string{"k"}})
		return err
	})
	c, err := a.Copy(in, []index.UID{1, 2}, to)
	if must(t, err); len(c.Target) != 2 {
		t.Errorf("Copy = %+v", c)
	}
}
