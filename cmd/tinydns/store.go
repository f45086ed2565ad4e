// SPDX-License-Identifier: ISC

package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsanswer"
)

const (
	dataFile  = "data.cdb"
	lookEvery = 100 * time.Millisecond // between looks for a new data.cdb
	loadWait  = 50 * time.Millisecond  // a question waits for a new data.cdb; then the old one answers
)

// version tells one data.cdb from the next.
type version struct {
	dev, ino uint64
	size     int64
	mtime    time.Time
}

// store is data.cdb, mapped. A file that takes its place is used from then on;
// one that is missing or cannot be read leaves the old one in use.
type store struct {
	warn    func(error)
	began   time.Time
	looked  atomic.Int64 // when data.cdb was last looked at, in ns since began
	loading sync.Mutex   // guards tried
	tried   version

	mu   sync.RWMutex    // guards what follows; held while an answer reads it
	data *dnsanswer.Data // nil: none so far
	m    *cdb.Map
}

// newStore takes data.cdb of the current folder, if there is one. warn is told
// of files that cannot be used, once each.
func newStore(warn func(error)) *store {
	s := &store{warn: warn, began: time.Now()}
	if v, err := look(); err != nil {
		warn(err)
	} else {
		s.load(v)
	}
	return s
}

// use calls fn with the data as they are now.
func (s *store) use(fn func(*dnsanswer.Data)) {
	s.refresh()
	s.mu.RLock()
	defer s.mu.RUnlock()
	fn(s.data)
}

// refresh takes a new data.cdb, if it is time to look for one.
func (s *store) refresh() {
	now, last := int64(time.Since(s.began)), s.looked.Load()
	if now-last < int64(lookEvery) || !s.looked.CompareAndSwap(last, now) {
		return
	}
	v, err := look()
	if err != nil || !s.loading.TryLock() {
		return
	}
	if v == s.tried {
		s.loading.Unlock()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.loading.Unlock()
		s.load(v)
	}()
	select {
	case <-done:
	case <-time.After(loadWait):
	}
}

// look sees which data.cdb there is.
func look() (version, error) {
	st, err := os.Stat(dataFile)
	if err != nil {
		return version{}, err
	}
	sys := st.Sys().(*syscall.Stat_t)
	return version{uint64(sys.Dev), sys.Ino, st.Size(), st.ModTime()}, nil
}

// load puts the new data.cdb in the place of the old. The caller holds loading,
// or is alone.
func (s *store) load(v version) {
	s.tried = v
	m, err := cdb.Open(dataFile)
	if err != nil {
		s.warn(err)
		return
	}
	data, err := open(m)
	if err != nil {
		s.warn(fmt.Errorf("%s: %w", dataFile, err))
		m.Close()
		return
	}
	s.mu.Lock()
	old := s.m
	s.data, s.m = data, m
	s.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// open reads through m; a file that is cut short meanwhile is an error.
func open(m *cdb.Map) (data *dnsanswer.Data, err error) {
	debug.SetPanicOnFault(true)
	defer recovered(func() { err = cdb.ErrCorrupt })
	return dnsanswer.Open(m)
}

// recovered, deferred, calls fn where the file under a map was cut short and
// reading it faulted. Other panics go on.
func recovered(fn func()) {
	switch r := recover(); r.(type) {
	case nil:
	case interface{ Addr() uintptr }: // runtime/debug.SetPanicOnFault
		fn()
	default:
		panic(r)
	}
}
