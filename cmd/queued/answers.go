// SPDX-License-Identifier: ISC

package main

import (
	"errors"
	"os"
	"sync"
	"time"

	"quill/queue"
)

// answers are a connection's answers, which go out in the order of the
// questions, whatever order they become known in; those that become known
// together go out in one write, by flush.
type answers struct {
	w *os.File

	mu    sync.Mutex
	slots []*slot
	out   []byte    // known and not written
	limit time.Time // the write deadline that is set
	open  sync.WaitGroup
}

// slot is the place of one answer.
type slot struct {
	a     *answers
	bytes []byte // nil until it is known
}

// answerLimit is how long a client may take to read an answer, at least.
const answerLimit = time.Second

// next is the place for the answer to the question just read.
func (a *answers) next() *slot {
	s := &slot{a: a}
	a.mu.Lock()
	a.slots = append(a.slots, s)
	a.mu.Unlock()
	a.open.Add(1)
	return s
}

// fill gives the answer; it goes out with the next flush.
func (s *slot) fill(kind byte, payload ...[]byte) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.slots[0] == s {
		a.slots = a.slots[1:]
		a.out = queue.AppendFrame(a.out, kind, payload...)
		a.open.Done()
	} else {
		s.bytes = queue.AppendFrame(nil, kind, payload...)
	}
	for len(a.slots) > 0 && a.slots[0].bytes != nil {
		a.out = append(a.out, a.slots[0].bytes...)
		a.slots = a.slots[1:]
		a.open.Done()
	}
}

// flush writes what is known.
func (a *answers) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.out) == 0 {
		return
	}
	if now := time.Now(); a.limit.Sub(now) < answerLimit {
		a.limit = now.Add(2 * answerLimit)
		a.w.SetWriteDeadline(a.limit)
	}
	if _, err := a.w.Write(a.out); err != nil {
		a.w.SetReadDeadline(time.Now()) // the client is gone: let the connection end
	}
	if a.out = a.out[:0]; cap(a.out) > 64<<10 {
		a.out = nil
	}
}

// refuse answers E with the error's code and text.
func (s *slot) refuse(err error) {
	var r *queue.Refusal
	if errors.As(err, &r) {
		s.fill(queue.FrameError, []byte{byte(r.Code)}, []byte(r.Text))
		return
	}
	code, text := queue.Explain(err)
	s.fill(queue.FrameError, []byte{byte(code)}, []byte(text))
}

// wait waits until every question is answered, and writes the answers.
func (a *answers) wait() {
	a.open.Wait()
	a.flush()
}
