// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"quill/maildir"
	"quill/maildir/index"
)

// intentFile in the root says which folders are being renamed: a line each, the
// old name and the new with a tab between them. Whoever finds it ends that first.
const intentFile = "qx.rename"

// Rename renames a mailbox, or a level, and all below it, under a name that has
// nothing yet; those above the new name are made. Of INBOX the messages move to a
// new mailbox, and it and those below it stay (RFC 3501 §6.3.5); after an error
// the new one may be there without them.
func (a *Account) Rename(from, to string) error {
	from, err := a.canonical(from)
	if err != nil {
		return err
	}
	if to, err = a.fresh(to); err != nil {
		return err
	}
	if from == Inbox {
		return a.renameInbox(to)
	}
	if strings.HasPrefix(to, from+".") {
		return fmt.Errorf("%w: below itself", ErrName)
	}
	return a.change(func() error { return a.rename(from, to) })
}

func (a *Account) rename(from, to string) error {
	intent, err := a.intent(from, to)
	if err != nil {
		return err
	}
	if err := a.room(to); err != nil {
		return err
	}
	if err := a.makeAbove(to); err != nil {
		return err
	}
	if err := replace(a.dir(), intentFile, []byte(intent)); err != nil {
		return err
	}
	return a.finish()
}

// intent is the renames that make from, with all below it, to.
func (a *Account) intent(from, to string) (string, error) {
	names, err := a.names()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range names {
		if name != from && !strings.HasPrefix(name, from+".") {
			continue
		}
		target, err := a.canonical(to + name[len(from):])
		if err != nil {
			return "", err
		}
		if ok, err := exists(a.dir(), a.dirName(target)); err != nil {
			return "", err
		} else if ok {
			return "", fmt.Errorf("%w: %s", ErrExists, target)
		}
		b.WriteString(a.dirName(name) + "\t" + a.dirName(target) + "\n")
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("%w: %s", ErrNone, from)
	}
	return b.String(), nil
}

// settle ends a rename that a crash has cut off.
func (a *Account) settle() error {
	if ok, err := exists(a.dir(), intentFile); !ok || err != nil {
		return err
	}
	return a.change(func() error { return nil })
}

// finish does what the intent says. A name that something else has got meanwhile
// stays its own.
func (a *Account) finish() error {
	b, err := readFile(a.dir(), intentFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		from, to, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if _, ok := a.nameOf(from); !ok {
			continue // not ours
		}
		if _, ok := a.nameOf(to); !ok {
			continue
		}
		err := move(a.dir(), from, to, unix.RENAME_NOREPLACE)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := maildir.SyncFolder(a.dir()); err != nil {
		return err
	}
	if err := unix.Unlinkat(a.dir(), intentFile, 0); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "delete", Path: intentFile, Err: err}
	}
	return maildir.SyncFolder(a.dir())
}

// renameInbox moves INBOX's messages to a new mailbox.
func (a *Account) renameInbox(to string) error {
	if err := a.Create(to, nil); err != nil {
		return err
	}
	inbox, err := a.Box(Inbox)
	if err != nil {
		return err
	}
	defer inbox.Close()
	target, err := a.Box(to)
	if err != nil {
		return err
	}
	defer target.Close()
	v, err := inbox.Index().Show()
	if err != nil {
		return err
	}
	defer v.Close()
	uids := make([]index.UID, v.Len())
	for i := range uids {
		uids[i] = v.Message(i + 1).UID
	}
	_, err = a.MoveOf(v.UIDValidity(), inbox, uids, target)
	return err
}
