// SPDX-License-Identifier: ISC

// Package inject is the one way in for a program that holds a message: to
// queued(8) by its socket, or to the program named by QMAILQUEUE by pipes, as
// the qmail family does. Either way the answer is a Result in the family's
// words. A message that was not committed never was; one whose answer got lost
// counts as not accepted, and its sender tries again.
package inject

import (
	"sync"
	"time"

	"quill/internal/mailid"
	"quill/queue"
)

// Wait is how long a client waits for a queued that is being restarted.
const Wait = 10 * time.Second

// DefaultProgram is run where QMAILQUEUE names no other.
const DefaultProgram = "qmail-queue"

// Result is what became of a message.
type Result struct {
	ID   mailid.ID
	Code int // qmail-queue(8)'s exit code: 0 is queued
	// Text is empty for a queued message, else Z (try later) or D (never) and
	// the reason, with the enhanced status code at its end.
	Text string
}

// OK says that the message is on disk.
func (r Result) OK() bool { return r.Code == 0 }

// Permanent says that trying again would not help.
func (r Result) Permanent() bool { return len(r.Text) > 0 && r.Text[0] == 'D' }

// Message is one that is being handed over. After Commit or Abort it is of no
// more use.
type Message interface {
	// Write adds to the message. An error means that Commit will refuse it.
	Write(p []byte) (int, error)
	// Commit gives the envelope and waits for the verdict.
	Commit(e *queue.Envelope) Result
	// Abort forgets the message.
	Abort()
}

// Injector hands messages over.
type Injector struct {
	home    string
	program string // by pipes; empty for the socket
	alone   bool   // there is one session in this process: pipes may block it

	dialing sync.Mutex // one dials at a time

	mu     sync.Mutex
	shared *queue.Client // carries small messages of all sessions
	idle   []*link       // connections for big ones that wait for work
	room   room
}

// maxIdle is how many connections to queued are kept.
const maxIdle = 16

// New makes an injector for a home. pipes chooses the family's way; program is
// then QMAILQUEUE's value, or empty for qmail-queue. A program set means pipes
// in any case.
func New(home, program string, pipes bool) *Injector {
	if pipes && program == "" {
		program = DefaultProgram
	}
	return &Injector{home: home, program: program, alone: pipes}
}

// Begin starts a message with this id; origin says how it came, as far as the
// caller may say (queued(7)), and facts are what travels with its sender.
func (j *Injector) Begin(id mailid.ID, facts queue.Params) (Message, error) {
	facts = facts.With("id", id.String())
	if j.program != "" {
		return j.beginPipe(id, facts)
	}
	return j.beginSocket(id, facts), nil
}
