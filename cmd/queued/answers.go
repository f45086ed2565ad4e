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
// questions, whatever order they become known in.
type answers struct {
	w *os.File

	mu    sync.Mutex
	slots []*slot
	open  sync.WaitGroup
}

// slot is the place of one answer.
type slot struct {
	a     *answers
	bytes []byte // nil until it is known
}

// answerLimit is how long a client may take to read an answer.
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

// fill gives the answer, and sends what can be sent.
func (s *slot) fill(kind byte, payload ...[]byte) {
	a := s.a
	defer a.open.Done()
	a.mu.Lock()
	defer a.mu.Unlock()
	s.bytes = queue.AppendFrame(nil, kind, payload...)
	var out []byte
	for len(a.slots) > 0 && a.slots[0].bytes != nil {
		if out == nil {
			out = a.slots[0].bytes
		} else {
			out = append(out, a.slots[0].bytes...)
		}
		a.slots = a.slots[1:]
	}
	if out == nil {
		return
	}
	a.w.SetWriteDeadline(time.Now().Add(answerLimit))
	if _, err := a.w.Write(out); err != nil {
		a.w.SetReadDeadline(time.Now()) // the client is gone: let the connection end
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

// wait waits until every question is answered.
func (a *answers) wait() { a.open.Wait() }
