// SPDX-License-Identifier: ISC

package folders

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"quill/maildir"
)

// Names in the root that no client sees: what is being made, and what is being
// removed. Those that nobody is at any more go with the next change.
const (
	newPrefix     = "qx.new."
	deletedPrefix = "qx.deleted."
)

// markFile tells programs that deliver that a folder is one of a Maildir++.
const markFile = "maildirfolder"

// change runs f with the folders locked and no rename half done.
func (a *Account) change(f func() error) error {
	lock, err := a.root.m.LockFolders(a.opt.Wait)
	if err != nil {
		return err
	}
	err = a.finish()
	left := a.leftovers() // of others; nobody but f makes any now
	if err == nil {
		err = f()
	}
	if err == nil {
		left = append(left, a.leftovers()...)
	}
	lock.Close()
	for _, name := range left { // takes its time: without the lock
		remove(a.dir(), name, 0)
	}
	return err
}

// leftovers is what is to be removed. What cannot be read now is next time.
func (a *Account) leftovers() (left []string) {
	all, _ := readEntries(a.dir())
	for _, e := range all {
		if name := e.Name(); strings.HasPrefix(name, newPrefix) || strings.HasPrefix(name, deletedPrefix) {
			left = append(left, name)
		}
	}
	return left
}

// Create makes a mailbox with these special uses, and those above it that do not
// exist, without.
func (a *Account) Create(name string, use []string) error {
	name, err := a.fresh(name)
	if err != nil {
		return err
	}
	return a.change(func() error { return a.create(name, use) })
}

func (a *Account) create(name string, use []string) error {
	use, err := a.checkUses(use)
	if err != nil {
		return err
	}
	if ok, err := exists(a.dir(), a.dirName(name)); err != nil {
		return err
	} else if ok {
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	if err := a.room(name); err != nil {
		return err
	}
	if err := a.makeAbove(name); err != nil {
		return err
	}
	return a.make(name, use)
}

// room is an error where there are too many mailboxes for one more, and those
// above it.
func (a *Account) room(name string) error {
	names, err := a.names()
	if err == nil && len(names)+strings.Count(name, ".")+1 > FoldersMax {
		err = fmt.Errorf("%w mailboxes: at most %d", ErrMany, FoldersMax)
	}
	return err
}

// makeAbove makes the mailboxes above name.
func (a *Account) makeAbove(name string) error {
	for i := range len(name) {
		if name[i] != '.' || name[:i] == Inbox {
			continue
		}
		if err := a.make(name[:i], nil); err != nil && !errors.Is(err, ErrExists) {
			return err
		}
	}
	return nil
}

// make makes one mailbox: whole and on disk under another name first.
func (a *Account) make(name string, use []string) error {
	if ok, err := exists(a.dir(), a.dirName(name)); err != nil {
		return err
	} else if ok {
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	tmp := newPrefix + randomHex()
	err := a.fill(tmp, use)
	if err == nil {
		err = move(a.dir(), tmp, a.dirName(name), unix.RENAME_NOREPLACE)
	}
	if err != nil {
		remove(a.dir(), tmp, 0)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: %s", ErrExists, name)
		}
		return err
	}
	return maildir.SyncFolder(a.dir())
}

// fill makes a folder and what is in it.
func (a *Account) fill(tmp string, use []string) error {
	if err := makeDir(a.dir(), tmp); err != nil {
		return err
	}
	dir, err := openDir(a.dir(), tmp)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := makeDir(dir, sub); err != nil {
			return err
		}
	}
	if err := maildir.WriteFile(dir, markFile, nil); err != nil {
		return err
	}
	if len(use) > 0 {
		if err := maildir.WriteFile(dir, useFile, []byte(strings.Join(use, " ")+"\n")); err != nil {
			return err
		}
	}
	return maildir.SyncFolder(dir)
}

// Delete deletes a mailbox and its messages; those below it stay, and it is a
// level above them then. Sessions that have it open get errors that are
// fs.ErrNotExist.
func (a *Account) Delete(name string) error {
	name, err := a.canonical(name)
	if err != nil {
		return err
	}
	if name == Inbox {
		return fmt.Errorf("%w: %s cannot be deleted", ErrName, name)
	}
	return a.change(func() error { return a.delete(name) })
}

func (a *Account) delete(name string) error {
	if ok, err := a.isMaildir(a.dirName(name)); err != nil {
		return err
	} else if !ok {
		return a.missing(name)
	}
	if err := move(a.dir(), a.dirName(name), deletedPrefix+randomHex(), unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	return maildir.SyncFolder(a.dir())
}
