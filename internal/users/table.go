// SPDX-License-Identifier: ISC

// Package users knows who exists on this host and where their mail lives:
// users/assign and users/passwd, which people and `quill user` write, and
// users/cdb, compiled from both, which programs read (users(5)). It changes
// them under one lock, each by a new file that replaces the old.
package users

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"quill/internal/cdb"
	"quill/internal/route"
)

// Entry is where a user's mail goes.
type Entry struct {
	User      string
	UID, GID  int
	Home      string
	Dash, Ext string
}

// Table is users/cdb open for look-ups; it is read anew when it was replaced.
// Its Fresh is how long a user who was found counts as there without another
// look at the file; one who is not found is looked for in the file as it is now
// in any case.
type Table struct{ *cdb.Live }

// Open makes a table of the home's users/cdb. That it cannot be read is an
// error of Find, so that a service can be started before its users.
func Open(home string) *Table { return &Table{cdb.NewLive(filepath.Join(home, "users", "cdb"))} }

// Find looks a local part up: an exact entry, else the wildcard with the longest
// prefix, whose Ext then has the rest appended. An error means that nobody
// knows whether the user exists.
func (t *Table) Find(local string) (e Entry, ok bool, err error) {
	err = t.search(local, func(data []byte, rest string) (err error) {
		e, err = entry(data, rest)
		ok = err == nil
		return err
	})
	return e, ok, err
}

// Exists says whether Find would find somebody.
func (t *Table) Exists(local string) (ok bool, err error) {
	err = t.search(local, func([]byte, string) error {
		ok = true
		return nil
	})
	return ok, err
}

// search calls fn with the entry of a local part and what a wildcard leaves of
// it, if there is one.
func (t *Table) search(local string, fn func(data []byte, rest string) error) error {
	local = route.Lower(local)
	found := false
	look := func(m *cdb.Map) error {
		data, rest, ok, err := find(m, local)
		if err != nil || !ok {
			return err
		}
		found = true
		return fn(data, rest)
	}
	if _, err := t.Recent(look); found && err == nil {
		return nil
	}
	return t.Current(look)
}

// find is qmail-lspawn's search: "!local\0", then "!prefix" where the prefix
// ends in one of the characters under the empty key, then "!".
func find(m *cdb.Map, local string) (data []byte, rest string, ok bool, err error) {
	if strings.IndexByte(local, 0) >= 0 {
		return nil, "", false, nil
	}
	data, ok, err = m.Value([]byte("!" + local + "\x00"))
	if err != nil || ok {
		return data, "", ok, err
	}
	wild, _, err := m.Value(nil)
	if err != nil {
		return nil, "", false, err
	}
	for i := len(local); i >= 0; i-- {
		if i > 0 && bytes.IndexByte(wild, local[i-1]) < 0 {
			continue
		}
		if data, ok, err = m.Value([]byte("!" + local[:i])); err != nil || ok {
			return data, local[i:], ok, err
		}
	}
	return nil, "", false, nil
}

// errData says that an entry of the cdb is none.
var errData = errors.New("malformed entry in users/cdb: compile it again with quill user")

// entry reads what Entry.data wrote; rest is appended to its Ext.
func entry(data []byte, rest string) (Entry, error) {
	f := strings.Split(string(data), "\x00")
	if len(f) != 7 && len(f) != 6 {
		return Entry{}, errData
	}
	uid, err1 := strconv.ParseUint(f[1], 10, 31)
	gid, err2 := strconv.ParseUint(f[2], 10, 31)
	if err := errors.Join(err1, err2); err != nil {
		return Entry{}, errData
	}
	return Entry{f[0], int(uid), int(gid), f[3], f[4], f[5] + rest}, nil
}

// data is the entry as the cdb has it.
func (e Entry) data() []byte {
	return fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%s\x00", e.User, e.UID, e.GID, e.Home, e.Dash, e.Ext)
}
