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
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

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
type Table struct {
	path string
	// Fresh is how long a user who was found counts as there without another
	// look at the file; 0 looks each time. One who is not found is looked for in
	// the file as it is now in any case.
	Fresh time.Duration

	mu    sync.Mutex
	m     *cdb.Map
	mtime time.Time
	ino   uint64
	seen  time.Time // when the file was looked at last
}

// Open makes a table of the home's users/cdb. That it cannot be read is an
// error of Find, so that a service can be started before its users.
func Open(home string) *Table { return &Table{path: filepath.Join(home, "users", "cdb")} }

// refresh maps the file, if it is not the one that is mapped.
func (t *Table) refresh() error {
	st, err := os.Stat(t.path)
	if err != nil {
		return err
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if t.m != nil && ino == t.ino && st.ModTime().Equal(t.mtime) {
		return nil
	}
	m, err := cdb.Open(t.path)
	if err != nil {
		return err
	}
	if t.m != nil {
		t.m.Close()
	}
	t.m, t.ino, t.mtime = m, ino, st.ModTime()
	return nil
}

// Find looks a local part up: an exact entry, else the wildcard with the longest
// prefix, whose Ext then has the rest appended. An error means that nobody
// knows whether the user exists.
func (t *Table) Find(local string) (e Entry, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	local = route.Lower(local)
	now := time.Now()
	if t.m != nil && now.Sub(t.seen) < t.Fresh {
		if e, ok, err = find(t.m, local); ok && err == nil {
			return e, ok, err
		}
	}
	if err := t.refresh(); err != nil {
		return Entry{}, false, err
	}
	t.seen = now
	return find(t.m, local)
}

// Close unmaps the table.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		return nil
	}
	m := t.m
	t.m = nil
	return m.Close()
}

// find is qmail-lspawn's search: "!local\0", then "!prefix" where the prefix
// ends in one of the characters under the empty key, then "!".
func find(m *cdb.Map, local string) (Entry, bool, error) {
	if strings.IndexByte(local, 0) >= 0 {
		return Entry{}, false, nil
	}
	data, ok, err := m.Value([]byte("!" + local + "\x00"))
	if err != nil || ok {
		return found(data, "", ok, err)
	}
	wild, _, err := m.Value(nil)
	if err != nil {
		return Entry{}, false, err
	}
	for i := len(local); i >= 0; i-- {
		if i > 0 && bytes.IndexByte(wild, local[i-1]) < 0 {
			continue
		}
		if data, ok, err = m.Value([]byte("!" + local[:i])); err != nil || ok {
			return found(data, local[i:], ok, err)
		}
	}
	return Entry{}, false, nil
}

// errData says that an entry of the cdb is none.
var errData = errors.New("malformed entry in users/cdb: compile it again with quill user")

func found(data []byte, rest string, ok bool, err error) (Entry, bool, error) {
	if err != nil || !ok {
		return Entry{}, false, err
	}
	f := strings.Split(string(data), "\x00")
	if len(f) != 7 && len(f) != 6 {
		return Entry{}, false, errData
	}
	uid, err1 := strconv.ParseUint(f[1], 10, 31)
	gid, err2 := strconv.ParseUint(f[2], 10, 31)
	if err := errors.Join(err1, err2); err != nil {
		return Entry{}, false, errData
	}
	return Entry{f[0], int(uid), int(gid), f[3], f[4], f[5] + rest}, true, nil
}

// data is the entry as the cdb has it.
func (e Entry) data() []byte {
	return fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%s\x00", e.User, e.UID, e.GID, e.Home, e.Dash, e.Ext)
}
