// SPDX-License-Identifier: ISC

// Package dnsserve is the ground that DNS servers stand on: sockets, datagrams
// and connections. What is answered is another's business.
//
// Each address has a socket and a worker for every processor this process may
// use, up to 256 in all. A worker takes the datagrams that wait, has them answered, and sends the
// answers, by two system calls for up to batch of them; it allocates nothing.
package dnsserve

import (
	"net"
	"net/netip"
	"runtime"
	"time"
)

// Limits; tinydns(8) lists them.
const (
	maxPacket = 4096 // bytes of a question
	batch     = 32   // datagrams that are taken, and answered, at once
	// maxAddresses is those of IP, and maxWorkers the workers of all of them where
	// each has several.
	maxAddresses = 64
	maxWorkers   = 256
	// MaxConns is the TCP connections at once, and MaxClient those of one client
	// address (of a /64 for IPv6).
	MaxConns  = 1024
	MaxClient = 128
	// TCPIdle is what a question may take to come, and its answer to be taken.
	TCPIdle = 10 * time.Second
)

// Answerer answers questions. One is used by one goroutine at a time.
type Answerer interface {
	// Answer appends the answer to packet to out; nothing where it must not be
	// answered. from is the client, tcp how it came.
	Answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte
}

// Batcher is an Answerer that is told where questions that came together begin
// and end; all its answers are composed and sent in between.
type Batcher interface {
	Answerer
	Begin(now time.Time)
	End()
}

// Warmer is an Answerer that looks ahead at the questions that came together.
type Warmer interface {
	Warm(n int, packet func(i int) []byte)
}

// Server answers on sockets.
type Server struct {
	New  func() Answerer // called once for each worker, and for questions over TCP that are answered at once
	Warn func(error)     // told of what went wrong without ending anything
	// Transfer, where it is not nil, is given each question over TCP first: one
	// that it handles it answers itself, by any number of messages. After an
	// error the connection is closed.
	Transfer func(packet []byte, from netip.AddrPort, write func(msg []byte) error) (handled bool, err error)

	conns conns
	spare spare
}

// Serve answers on all sockets, in goroutines of its own, for ever. Where the
// client was on descriptors 0 and 1 it is the only one; then ended is closed
// when it has gone.
func (s *Server) Serve(on *Sockets) (ended <-chan struct{}) {
	s.conns.limit = connLimit()
	// A worker that wakes in the kernel must not wait for others to let it go on.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	for _, u := range on.udp {
		go s.datagrams(u)
	}
	for _, l := range on.tcp {
		go s.accept(l)
	}
	end := make(chan struct{})
	if on.one != nil {
		go func() {
			defer close(end)
			defer on.one.Close()
			s.stream(&conn{Conn: on.one})
		}()
	}
	return end
}

// begin tells an Answerer that wants to know.
func begin(a Answerer) {
	if b, ok := a.(Batcher); ok {
		b.Begin(time.Now())
	}
}

func end(a Answerer) {
	if b, ok := a.(Batcher); ok {
		b.End()
	}
}

// addrOf is the address of a connection's client.
func addrOf(c net.Conn) netip.AddrPort {
	a, _ := c.RemoteAddr().(*net.TCPAddr)
	if a == nil {
		return netip.AddrPort{}
	}
	at := a.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}
