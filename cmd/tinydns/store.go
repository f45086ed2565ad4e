// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"quill/internal/cdb"
	"quill/internal/dnsanswer"
)

const (
	dataFile  = "data.cdb"
	lookEvery = 100 * time.Millisecond // between looks for a new data.cdb
)

// version tells one data.cdb from the next.
type version struct {
	dev, ino uint64
	size     int64
	mtime    unix.Timespec
}

// mapped is a data.cdb in memory; data is nil where there has been none.
type mapped struct {
	data *dnsanswer.Data
	m    *cdb.Map
}

// store is data.cdb, mapped. A file that takes its place is used from then on;
// one that is missing or cannot be read leaves the old one in use. Readers take
// no lock: each says which map it uses, and one that is not current any more is
// unmapped when no reader says so.
type store struct {
	warn    func(error)
	current atomic.Pointer[mapped]
	tried   version
	told    string // the last trouble that may pass by itself
	loads   loads

	mu      sync.Mutex // guards readers
	readers []*reader
}

// newStore takes data.cdb of the current folder, if there is one. warn is told
// of files that cannot be used, once each.
func newStore(warn func(error)) *store {
	s := &store{warn: warn}
	s.current.Store(&mapped{})
	if v, err := look(); err != nil {
		warn(err)
	} else {
		s.load(v)
	}
	return s
}

// watch looks for a new data.cdb now and then, for ever.
func (s *store) watch() {
	for range time.Tick(lookEvery) {
		if v, err := look(); err == nil && v != s.tried {
			s.load(v)
		}
	}
}

// look sees which data.cdb there is. It is done all day: it costs no memory but
// the path's.
func look() (version, error) {
	var st unix.Stat_t
	if err := unix.Stat(dataFile, &st); err != nil {
		return version{}, &os.PathError{Op: "stat", Path: dataFile, Err: err}
	}
	return version{st.Dev, st.Ino, st.Size, st.Mtim}, nil
}

// load puts the new data.cdb in the place of the old. One goroutine does.
func (s *store) load(v version) {
	began := time.Now()
	m, err := cdb.Open(dataFile)
	if err != nil {
		s.failed(v, err, errors.Is(err, cdb.ErrCorrupt))
		return
	}
	data, err := open(m)
	if err != nil {
		m.Close()
		s.failed(v, fmt.Errorf("%s: %w", dataFile, err), true)
		return
	}
	s.tried, s.told = v, ""
	old := s.current.Swap(&mapped{data, m})
	s.loads.note(began)
	s.retire(old)
}

// failed says why a file cannot be used, once. Where it is the file that is
// wrong, it is not tried again; other trouble may pass.
func (s *store) failed(v version, err error, lasting bool) {
	if lasting {
		s.tried = v
	} else if s.told == err.Error() {
		return
	}
	s.told = err.Error()
	s.loads.failed.Add(1)
	s.warn(err)
}

// retire unmaps what is not current any more, once nobody reads it.
func (s *store) retire(old *mapped) {
	if old.m == nil {
		return
	}
	for s.inUse(old) {
		time.Sleep(time.Millisecond)
	}
	old.m.Close()
}

func (s *store) inUse(old *mapped) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.readers {
		if r.using.Load() == old {
			return true
		}
	}
	return false
}

// reader uses the data of a store, in one goroutine at a time.
type reader struct {
	s     *store
	using atomic.Pointer[mapped]
	_     [64]byte // no line of the processor's cache is shared with another reader
}

// reader makes one, for good.
func (s *store) reader() *reader {
	r := &reader{s: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers = append(s.readers, r)
	return r
}

// take is the data as they are now; they stay until give.
func (r *reader) take() *dnsanswer.Data {
	for {
		v := r.s.current.Load()
		r.using.Store(v)
		if r.s.current.Load() == v { // else it may have been unmapped before we said so
			return v.data
		}
	}
}

func (r *reader) give() { r.using.Store(nil) }

// open reads through m; a file that is cut short meanwhile is an error.
func open(m *cdb.Map) (data *dnsanswer.Data, err error) {
	debug.SetPanicOnFault(true)
	defer cdb.Faulted(func() { err = cdb.ErrCorrupt })
	if err := m.Whole(); err != nil {
		return nil, err
	}
	return dnsanswer.Open(m)
}
