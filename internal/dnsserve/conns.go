// SPDX-License-Identifier: ISC

package dnsserve

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// spareFiles is the descriptors that are not for connections.
const spareFiles = 64

// connLimit is the connections that this process may have open.
func connLimit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > MaxConns+spareFiles {
		return MaxConns
	}
	return max(int(r.Cur)-spareFiles, 1)
}

// conn is a TCP connection.
type conn struct {
	net.Conn
	client netip.Prefix
	last   atomic.Int64 // when it last sent a question, or was made, in ns
}

// conns are the TCP connections. A new one above the limit takes the place of
// the longest silent, so that idle ones lock nobody out (RFC 7766 §6.2.3); above
// that of its client, of the longest silent of the same client.
type conns struct {
	limit int
	mu    sync.Mutex
	open  map[*conn]struct{}
	from  map[netip.Prefix]int
}

// enter adds a connection.
func (s *conns) enter(c net.Conn) *conn {
	ip := addrOf(c).Addr()
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits)
	n := &conn{Conn: c, client: prefix}
	n.asked()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open, s.from = make(map[*conn]struct{}), make(map[netip.Prefix]int)
	}
	if s.from[prefix] >= MaxClient {
		s.evict(func(o *conn) bool { return o.client == prefix })
	}
	if len(s.open) >= s.limit {
		s.evict(func(*conn) bool { return true })
	}
	s.open[n] = struct{}{}
	s.from[prefix]++
	return n
}

// evict closes the longest silent of these. The caller holds mu.
func (s *conns) evict(of func(*conn) bool) {
	var silent *conn
	for c := range s.open {
		if of(c) && (silent == nil || c.last.Load() < silent.last.Load()) {
			silent = c
		}
	}
	if silent != nil {
		silent.Close()
		s.forget(silent)
	}
}

// forget takes a connection out, once. The caller holds mu.
func (s *conns) forget(c *conn) {
	if _, in := s.open[c]; !in {
		return
	}
	delete(s.open, c)
	if s.from[c.client]--; s.from[c.client] == 0 {
		delete(s.from, c.client)
	}
}

// asked notes that a connection is in use.
func (c *conn) asked() { c.last.Store(time.Now().UnixNano()) }

// leave closes a connection and takes it out.
func (s *conns) leave(c *conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
}
