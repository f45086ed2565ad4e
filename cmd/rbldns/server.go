// SPDX-License-Identifier: ISC

package main

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"quill/internal/cdb"
	"quill/internal/dnsrbl"
	"quill/internal/dnswire"
)

const (
	dataFile  = "data.cdb"
	lookEvery = 100 * time.Millisecond // between looks for a new data.cdb
)

// server answers from a store.
type server struct {
	list  *dnsrbl.List
	store *store
}

// Answer implements dnsdaemon.Engine.
func (s *server) Answer(out, packet []byte, tcp bool, q *dnswire.Query) (said []byte, status byte) {
	err := s.store.use(func(m *cdb.Map, serial uint32) {
		said, status = s.list.Answer(m, serial, out, packet, tcp, q)
	})
	if err != nil {
		*q = dnswire.Query{}
		said, status = s.list.Answer(broken{err}, 0, out, packet, tcp, q)
	}
	return said, status
}

// broken is data that cannot be read.
type broken struct{ err error }

// Value implements dnsrbl.Source.
func (b broken) Value([]byte) ([]byte, bool, error) { return nil, false, b.err }

// store is data.cdb, mapped. A file that takes its place is used from then on.
type store struct {
	live   *cdb.Live
	serial atomic.Uint32 // when data.cdb was made
	warn   func(error)

	mu     sync.Mutex // guards warned
	warned string
}

// newStore is data.cdb of the folder that is the current one when it is used. warn
// is told of trouble.
func newStore(warn func(error)) *store {
	s := &store{live: cdb.NewLive(dataFile), warn: warn}
	s.live.Fresh = lookEvery
	return s
}

// first looks whether there are data, so that trouble is told at once.
func (s *store) first() { s.use(func(*cdb.Map, uint32) {}) }

// use calls fn with the data as they were within lookEvery. It is an error, told
// once, that they cannot be read; also where data.cdb is cut short under us.
func (s *store) use(fn func(*cdb.Map, uint32)) (err error) {
	defer func() {
		if err != nil {
			s.trouble(err)
		}
	}()
	defer cdb.Faulted(func() { err = cdb.ErrCorrupt })
	call := func(m *cdb.Map) error {
		fn(m, s.serial.Load())
		return nil
	}
	if ok, err := s.live.Recent(call); ok {
		return err
	}
	if st, err := os.Stat(dataFile); err == nil {
		s.serial.Store(uint32(st.ModTime().Unix()))
	}
	err = s.live.Current(call)
	s.fine(err)
	return err
}

// trouble tells of an error, unless it was the last one told.
func (s *store) trouble(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.warned != err.Error() {
		s.warned = err.Error()
		s.warn(err)
	}
}

// fine forgets the last trouble when it is over.
func (s *store) fine(err error) {
	if err == nil {
		s.mu.Lock()
		s.warned = ""
		s.mu.Unlock()
	}
}
