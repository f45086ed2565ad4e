// SPDX-License-Identifier: ISC

package imapsession

import (
	"sync"
	"time"
)

// Ending is how sessions learn that their process is to end: those that wait for
// their client say BYE, those that work do so when they have answered. The zero
// value is ready; its methods may be called from any goroutine.
type Ending struct {
	mu    sync.Mutex
	done  bool
	conns map[Conn]bool
}

// Begin has all sessions end, and those that come.
func (e *Ending) Begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = true
	for conn := range e.conns {
		conn.SetReadDeadline(past)
	}
}

func (e *Ending) add(conn Conn) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns == nil {
		e.conns = make(map[Conn]bool)
	}
	e.conns[conn] = true
}

func (e *Ending) remove(conn Conn) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, conn)
}

func (e *Ending) begun() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.done
}

// deadline is the connection's, unless all is to end.
func (s *session) deadline(t time.Time) {
	s.conn.SetReadDeadline(t)
	if s.Ending.begun() {
		s.conn.SetReadDeadline(past)
	}
}

// byeText is why a session that waited ends.
func (s *session) byeText(why string) string {
	if s.Ending.begun() {
		return "the server is going down, please connect again"
	}
	return why
}
