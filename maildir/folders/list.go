// SPDX-License-Identifier: ISC

package folders

import (
	"slices"
	"strings"
)

// Folder is a mailbox, or a level above others.
type Folder struct {
	Name     string
	NoSelect bool     // only a level above others
	Children bool     // there are others below it
	Use      []string // \Sent … (RFC 6154)
}

// List is INBOX, all other mailboxes and the levels above them, in order of their
// names. What lies in the root that is no Maildir, or has no name that a mailbox
// can have, is not in it.
func (a *Account) List() ([]Folder, error) {
	names, err := a.steady()
	if err != nil {
		return nil, err
	}
	byName := make(map[string]*Folder, len(names)+1)
	for _, name := range append(names, Inbox) {
		f := folderIn(byName, name)
		f.NoSelect = false
		a.levels(byName, name)
	}
	list := make([]Folder, 0, len(byName))
	for _, f := range byName {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(x, y Folder) int { return strings.Compare(x.Name, y.Name) })
	a.addUses(list)
	return list, nil
}

// folderIn is the Folder of that name, which is a mere level if it is new.
func folderIn(byName map[string]*Folder, name string) *Folder {
	f := byName[name]
	if f == nil {
		f = &Folder{Name: name, NoSelect: true}
		byName[name] = f
	}
	return f
}

// levels marks those above a mailbox.
func (a *Account) levels(byName map[string]*Folder, name string) {
	for {
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return
		}
		name = name[:i]
		folderIn(byName, name).Children = true
	}
}

// steady is names while no program of ours changes them.
func (a *Account) steady() (names []string, err error) {
	for {
		if err := a.settle(); err != nil {
			return nil, err
		}
		lock, err := a.root.m.ShareFolders(a.opt.Wait)
		if err != nil {
			return nil, err
		}
		cut, err := exists(a.dir(), intentFile) // since settle
		if !cut {
			names, err = a.names()
		}
		lock.Close()
		if !cut || err != nil {
			return names, err
		}
	}
}

// names is the mailboxes but for INBOX, in no order.
func (a *Account) names() ([]string, error) {
	all, err := readEntries(a.dir())
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(all))
	for _, e := range all {
		if !e.IsDir() { // also a link
			continue
		}
		name, ok := a.nameOf(e.Name())
		if !ok || a.dirName(name) != e.Name() {
			continue
		}
		if ok, err = a.hasMail(e.Name()); err != nil {
			return nil, err
		}
		if ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// isMaildir tells whether a name in the root is a Maildir, and no link.
func (a *Account) isMaildir(dirName string) (bool, error) {
	if ok, err := isDir(a.dir(), dirName); !ok || err != nil {
		return false, err
	}
	return a.hasMail(dirName)
}

// hasMail tells whether a folder of the root has those of a Maildir.
func (a *Account) hasMail(dirName string) (bool, error) {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if ok, err := isDir(a.dir(), dirName+"/"+sub); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}
