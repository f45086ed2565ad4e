// SPDX-License-Identifier: ISC

package main

import (
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"quill/internal/dnsanswer"
	"quill/internal/dnsrate"
	"quill/internal/dnsserve"
	"quill/internal/dnswire"
	"quill/internal/transferfiles"
)

// server is what all workers share.
type server struct {
	config  config
	store   *store
	rate    *dnsrate.Table // nil: no limit
	log     *logger
	tallies tallies
	stopped atomic.Bool
	files   *transferfiles.Files
	leaving chan struct{} // has room for the transfers at once
}

func newServer(c config) *server {
	s := &server{config: c, log: newLogger(os.Stderr), leaving: make(chan struct{}, maxTransfers)}
	s.store, s.files = newStore(s.warn), transferfiles.New(s.warn)
	if c.rate != nil {
		s.rate = dnsrate.New(*c.rate)
	}
	return s
}

// stop ends answering, and has the last lines written.
func (s *server) stop() {
	s.stopped.Store(true)
	time.Sleep(logBatch)
	s.log.last()
}

// worker answers in one goroutine at a time.
type worker struct {
	*server
	engine *engine
	reader *reader
	data   *dnsanswer.Data // from Begin to End
	now    time.Time
	query  dnswire.Query
	tally  tally
	public *published
	lines  []byte // of this batch
	logged uint64
	skip   uint64 // questions until one is logged
}

// worker makes one, for good.
func (s *server) worker() dnsserve.Answerer {
	return &worker{server: s, engine: newEngine(&s.config), reader: s.store.reader(), public: s.tallies.worker()}
}

// Begin takes the data and the time for a batch.
func (w *worker) Begin(now time.Time) { w.data, w.now = w.reader.take(), now }

// Warm looks ahead at the questions of a batch.
func (w *worker) Warm(n int, packet func(i int) []byte) { w.engine.warm(w.data, n, packet) }

// End lets others know.
func (w *worker) End() {
	w.data = nil
	w.reader.give()
	w.public.set(&w.tally)
	if len(w.lines) > 0 {
		w.log.put(w.lines, w.logged)
		w.lines, w.logged = w.lines[:0], 0
	}
}

// Answer appends the answer to a packet to out; nothing where there is nothing
// to say.
func (w *worker) Answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte {
	if w.stopped.Load() {
		return nil
	}
	said, status := w.engine.compose(w.data, out, packet, from.Addr(), tcp, w.now, &w.query)
	return w.finish(out, said, from, tcp, status)
}

// finish keeps an answer to the rate, counts it and logs it.
func (w *worker) finish(out, said []byte, from netip.AddrPort, tcp bool, status dnsanswer.Status) []byte {
	if w.rate != nil && !tcp && len(said) > 0 {
		said, status = w.limit(out, said, from, status)
	}
	w.tally.note(&w.query, said, status, tcp)
	if w.config.sample > 0 {
		w.write(from, status)
	}
	return said
}

// limit keeps answers to the rate.
func (w *worker) limit(out, said []byte, from netip.AddrPort, status dnsanswer.Status) ([]byte, dnsanswer.Status) {
	if w.query.Cookie == dnswire.CookieGood {
		return said, status
	}
	switch w.rate.Check(from.Addr(), kind(said), w.query.Account, w.now) {
	case dnsrate.Drop:
		w.tally.rateDrop++
		return nil, '-'
	case dnsrate.Slip:
		w.tally.rateSlip++
		return w.engine.slip(out, from.Addr(), w.now, &w.query), status
	}
	return said, status
}

// write logs the question, if it is one of those.
func (w *worker) write(from netip.AddrPort, status dnsanswer.Status) {
	if w.skip++; w.skip < w.config.sample {
		return
	}
	w.skip = 0
	w.lines = line(w.lines, from, &w.query, status)
	w.logged++
}

// warn says in the log what went wrong without ending anything.
func (s *server) warn(err error) { s.say("warning: " + err.Error()) }

// say puts a line of our own into the log.
func (s *server) say(what string) { s.log.put([]byte(prog+": "+what+"\n"), 1) }
