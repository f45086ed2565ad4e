// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"strings"
	"sync"
	"time"

	"quill/internal/imap"
)

// past is a deadline that ends a waiting now.
var past = time.Unix(1, 0)

// doIdle: RFC 2177. Until the client says DONE, changes are told as they come.
func (s *session) doIdle(*imap.Command) (string, string, error) {
	w := &waker{s: s, on: true}
	defer w.off()
	s.rest()
	poll := s.times.alive
	if s.box != nil {
		if !s.readOnly {
			if err := s.box.Settle(); err != nil {
				s.note(s.name + ": " + err.Error())
			}
		}
		stop, err := s.box.Watch(w.wake)
		if err != nil {
			poll = s.times.poll
		} else {
			defer stop()
		}
	}
	s.w.Continue("idling")
	s.in.fixed = true
	err := s.idle(w, poll)
	s.in.fixed = false
	w.off() // from now on the deadline is the reader's
	if err != nil {
		return "", "", err
	}
	line, err := s.r.Line()
	if err != nil {
		return "", "", fromConn(err)
	}
	if !strings.EqualFold(string(line), "DONE") {
		return "", "", wrong("expected DONE")
	}
	return "", "", nil
}

// idle tells news until the client says something.
func (s *session) idle(w *waker, poll time.Duration) error {
	end, alive := time.Now().Add(s.times.idle), time.Now().Add(s.times.alive)
	for {
		if s.box != nil {
			if err := s.news(true); err != nil {
				return err
			}
		}
		if err := s.w.Release(); err != nil {
			return connError{err}
		}
		next := time.Now().Add(poll)
		if alive.Before(next) {
			next = alive
		}
		if !w.sleep(next) {
			continue // something came meanwhile
		}
		err := s.r.Wait()
		now := time.Now()
		switch {
		case err == nil:
			return nil
		case !isTimeout(err):
			return connError{err}
		case now.After(end), s.Ending.begun():
			s.w.Status("", "BYE", "", s.byeText("idle for too long"))
			return connError{errIdle}
		case !now.Before(alive):
			s.w.Status("", "OK", "", "still here")
			alive = now.Add(s.times.alive)
		}
	}
}

// waker ends the waiting of an IDLE when there may be news.
type waker struct {
	s    *session
	mu   sync.Mutex
	on   bool // the session is in IDLE: its deadline is the waker's
	news bool
}

// wake is called from any goroutine, perhaps a little late.
func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.news = true; w.on {
		w.s.conn.SetReadDeadline(past)
	}
}

// sleep sets the deadline of the next waiting; false says that there are news
// already.
func (w *waker) sleep(until time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.news {
		w.news = false
		return false
	}
	w.s.deadline(until)
	return true
}

// off ends it.
func (w *waker) off() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = false
}

var errIdle = errors.New("session ended in IDLE: for too long, or all end")
