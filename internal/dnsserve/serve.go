// SPDX-License-Identifier: ISC

// Package dnsserve is the ground that DNS servers stand on: sockets, datagrams
// and connections. What is answered is another's business.
package dnsserve

import (
	"net/netip"
	"runtime/debug"
	"time"
)

// Limits; tinydns(8) lists them.
const (
	maxPacket = 4096 // bytes of a question
	MaxConns  = 100  // TCP connections at once
	tcpIdle   = 10 * time.Second
	tcpTime   = 2 * time.Minute
)

// Answerer answers questions. One is used by one goroutine at a time.
type Answerer interface {
	// Answer appends the answer to packet to out; nothing where it must not be
	// answered. from is the client, tcp how it came.
	Answer(out, packet []byte, from netip.AddrPort, tcp bool) []byte
}

// Server answers on sockets.
type Server struct {
	New   func() Answerer // called once for each worker and each connection
	Warn  func(error)     // told of what went wrong without ending anything
	conns conns
}

// Serve answers on all sockets, in goroutines of its own, for ever.
func (s *Server) Serve(on *Sockets) {
	for _, u := range on.udp {
		go s.udp(u)
	}
	for _, l := range on.tcp {
		go s.tcp(l)
	}
}

// udp answers datagrams for ever.
func (s *Server) udp(u udpSocket) {
	debug.SetPanicOnFault(true)
	to := s.New()
	in, out, control := make([]byte, maxPacket), make([]byte, 0, maxPacket), make([]byte, 128)
	for {
		n, cn, _, from, err := u.ReadMsgUDPAddrPort(in, control)
		if err != nil {
			s.Warn(err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if from.Port() == 0 {
			continue // nobody can be there
		}
		if out = to.Answer(out[:0], in[:n], from, false); len(out) > 0 {
			u.WriteMsgUDPAddrPort(out, u.source(control[:cn]), from) // lost like any datagram
		}
	}
}
