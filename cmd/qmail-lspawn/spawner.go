// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"quill/internal/addr"
	"quill/internal/privilege"
	"quill/internal/spawn"
	"quill/internal/users"
	"quill/queue"
)

// deliveryLimit is how long one delivery may take: a home that hangs must not
// hold its slot for ever.
const deliveryLimit = 2 * time.Hour

// spawner is what all deliveries share.
type spawner struct {
	home            string
	defaultDelivery string
	foreign         string // QMAILLOCAL
	users           *users.Table

	outMu sync.Mutex
	out   *os.File

	mu      sync.Mutex
	serial  uint64
	idle    time.Duration // how long a worker stays that has nothing to do; 0 is for ever
	workers map[privilege.ID]*worker
}

// write writes to qmail-send whole.
func (s *spawner) write(b []byte) {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	if _, err := s.out.Write(b); err != nil {
		logf("warning: unable to report: %v", err)
	}
}

func (s *spawner) report(num int, report string) { s.write(spawn.AppendReport(nil, num, report)) }

// deliver does one delivery and gives its report.
func (s *spawner) deliver(d *spawn.Delivery) string {
	local, host, _ := addr.SplitLast(d.Recipient)
	if local == "" {
		return "K" // the family throws mail for nobody away
	}
	e, ok, err := s.users.Find(local)
	switch {
	case err != nil:
		logf("alert: unable to read users/cdb: %v", err)
		return "ZTrouble reading users/cdb. (#4.3.0)\n"
	case !ok:
		return "DSorry, no mailbox here by that name. (#5.1.1)\n"
	case e.UID == 0:
		return "ZNot allowed to perform deliveries as root. (#4.7.0)\n"
	case os.Getuid() != 0 && e.UID != os.Getuid():
		return fmt.Sprintf("ZUser %s has uid %d, but qmail-lspawn runs as uid %d and not as root. (#4.3.0)\n", e.User, e.UID, os.Getuid())
	}
	message, report := s.open(d)
	if report != "" {
		return report
	}
	defer message.Close()
	args := [8]string{e.User, e.Home, local, e.Dash, e.Ext, host, d.Sender, s.defaultDelivery}
	if s.foreign != "" {
		return s.runForeign(e, args, message)
	}
	return s.work(e, &spawn.Job{Again: d.Again, Args: args, ID: d.ID, Rcpt: d.Rcpt}, message)
}

// open opens the message of a delivery, or reports why it cannot.
func (s *spawner) open(d *spawn.Delivery) (*os.File, string) {
	p := queue.Place{File: d.File}
	if d.At != "" {
		var err error
		if p, err = queue.ParsePlace(d.At); err != nil {
			return nil, "Z" + err.Error() + " (#4.3.0)\n"
		}
	}
	f, err := queue.OpenPlace(s.home, p, d.ID)
	if errors.Is(err, queue.ErrMoved) {
		return nil, spawn.Moved + " (#4.3.0)\n"
	}
	if err != nil {
		logf("alert: unable to open msg %v: %v", d.ID, err)
		return nil, "ZUnable to read message. (#4.3.0)\n"
	}
	return f, ""
}

// work hands a job to the worker of its user, and waits for the answer.
func (s *spawner) work(e users.Entry, j *spawn.Job, message *os.File) string {
	w, err := s.worker(e)
	if err != nil {
		logf("alert: unable to start local-delivery for uid %d: %v", e.UID, err)
		return "ZUnable to run local-delivery. (#4.3.0)\n"
	}
	defer s.leave(w)
	s.mu.Lock()
	s.serial++
	j.Serial = s.serial
	s.mu.Unlock()
	answer := w.ask(j, message)
	select {
	case r := <-answer:
		return r
	case <-time.After(deliveryLimit):
		w.forget(j.Serial)
		return "ZDelivery took too long. (#4.3.0)\n"
	}
}

// close ends the workers; what they do they finish.
func (s *spawner) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		w.close()
	}
}
