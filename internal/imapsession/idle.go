// SPDX-License-Identifier: ISC

package imapsession

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"quill/internal/imap"
)

// past is a deadline that ends a waiting now.
var past = time.Unix(1, 0)

// doIdle: RFC 2177. Until the client says DONE, changes are told as they come.
func (s *session) doIdle(*imap.Command) (string, string, error) {
	var news atomic.Bool
	s.rest()
	poll := s.times.alive
	if s.box != nil {
		if !s.readOnly {
			if err := s.box.Settle(); err != nil {
				s.note(s.name + ": " + err.Error())
			}
		}
		stop, err := s.box.Watch(func() {
			news.Store(true)
			s.conn.SetReadDeadline(past)
		})
		if err != nil {
			poll = s.times.poll
		} else {
			defer stop()
		}
	}
	s.w.Continue("idling")
	s.in.fixed = true
	err := s.idle(&news, poll)
	s.in.fixed = false
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
func (s *session) idle(news *atomic.Bool, poll time.Duration) error {
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
		s.conn.SetReadDeadline(next)
		if news.Swap(false) {
			continue // it came before the deadline was set
		}
		err := s.r.Wait()
		now := time.Now()
		switch {
		case err == nil:
			return nil
		case !isTimeout(err):
			return connError{err}
		case now.After(end):
			s.w.Status("", "BYE", "", "idle for too long")
			return connError{errIdle}
		case !now.Before(alive):
			s.w.Status("", "OK", "", "still here")
			alive = now.Add(s.times.alive)
		}
		news.Store(false)
	}
}

var errIdle = errors.New("client was idle for too long")
