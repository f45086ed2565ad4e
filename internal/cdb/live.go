// SPDX-License-Identifier: ISC

package cdb

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// Live is a database in a file that is replaced by rename now and then; it is
// mapped anew when that has happened.
type Live struct {
	path string
	// Fresh is how long Recent takes the file to be as it was last looked at.
	Fresh time.Duration

	mu    sync.Mutex
	m     *Map
	mtime time.Time
	ino   uint64
	size  int64
	seen  time.Time // when the file was looked at last
}

// NewLive is the database at path. That it cannot be read is an error of its
// use, so that a service can be started before its file is made.
func NewLive(path string) *Live { return &Live{path: path} }

// Current calls fn with the database as it is now. What fn takes from it must
// be copied.
func (l *Live) Current(fn func(*Map) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(); err != nil {
		return err
	}
	l.seen = time.Now()
	return fn(l.m)
}

// Recent calls fn with the database as it was within the last Fresh, if it was
// looked at then; ok says whether fn was called.
func (l *Live) Recent(fn func(*Map) error) (ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil || l.Fresh == 0 || time.Since(l.seen) >= l.Fresh {
		return false, nil
	}
	return true, fn(l.m)
}

// refresh maps the file, if it is not the one that is mapped.
func (l *Live) refresh() error {
	st, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if l.m != nil && ino == l.ino && st.Size() == l.size && st.ModTime().Equal(l.mtime) {
		return nil
	}
	m, err := Open(l.path)
	if err != nil {
		return err
	}
	if l.m != nil {
		l.m.Close()
	}
	l.m, l.ino, l.size, l.mtime = m, ino, st.Size(), st.ModTime()
	return nil
}

// Close unmaps the database.
func (l *Live) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		return nil
	}
	m := l.m
	l.m = nil
	return m.Close()
}
