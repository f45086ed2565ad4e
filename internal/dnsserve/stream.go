// SPDX-License-Identifier: ISC

package dnsserve

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"
)

// conns are the TCP connections and when each last sent a question. A new one
// above MaxConns takes the place of the longest silent, so that idle ones lock
// nobody out (RFC 7766 §6.2.3).
type conns struct {
	mu   sync.Mutex
	last map[net.Conn]time.Time
}

// enter adds a connection.
func (s *conns) enter(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = make(map[net.Conn]time.Time)
	}
	if len(s.last) >= MaxConns {
		var silent net.Conn
		for o, t := range s.last {
			if silent == nil || t.Before(s.last[silent]) {
				silent = o
			}
		}
		silent.Close()
		delete(s.last, silent)
	}
	s.last[c] = time.Now()
}

// asked notes that a connection is in use.
func (s *conns) asked(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, in := s.last[c]; in {
		s.last[c] = time.Now()
	}
}

// leave closes a connection and takes it out.
func (s *conns) leave(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, c)
}

// tcp accepts connections for ever.
func (s *Server) tcp(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			s.Warn(err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		s.conns.enter(c)
		go func() {
			defer s.conns.leave(c)
			s.stream(c)
		}()
	}
}

// stream answers the questions of one connection, one after another; each is to
// come, and its answer to be taken, within tcpIdle (RFC 7766).
func (s *Server) stream(c net.Conn) {
	debug.SetPanicOnFault(true)
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return
	}
	to := s.New()
	in := make([]byte, maxPacket)
	for end := time.Now().Add(tcpTime); time.Now().Before(end); {
		c.SetDeadline(time.Now().Add(tcpIdle))
		if _, err := io.ReadFull(c, in[:2]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(in))
		if n > maxPacket {
			s.Warn(fmt.Errorf("question of %d bytes over TCP from %s; at most %d", n, from, maxPacket))
			return
		}
		if _, err := io.ReadFull(c, in[:n]); err != nil {
			return
		}
		s.conns.asked(c)
		out := to.Answer(make([]byte, 2, 2048), in[:n], from, true)
		if len(out) <= 2 {
			return
		}
		binary.BigEndian.PutUint16(out, uint16(len(out)-2))
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}
