// SPDX-License-Identifier: ISC

package dnsserve

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// datagrams answers those of one socket for ever.
func (s *Server) datagrams(u udpSocket) {
	debug.SetPanicOnFault(true)
	to, p := s.New(), newPackets(u.everywhere)
	ahead, _ := to.(Warmer)
	packet := p.packet
	for {
		n, err := p.receive(u.fd)
		if err != nil {
			s.trouble(u.fd, err)
			continue
		}
		begin(to)
		if ahead != nil && n > 1 {
			ahead.Warm(n, packet)
		}
		for i := range n {
			p.answer(u.fd, i, to)
		}
		p.send(u.fd)
		end(to)
	}
}

// answer has the i-th packet answered.
func (p *packets) answer(fd, i int, to Answerer) {
	from, ok := p.from(i)
	if !ok {
		return // nobody can be there
	}
	out := p.room()
	if out == nil {
		p.send(fd)
		out = p.room()
	}
	if out = to.Answer(out, p.packet(i), from, false); len(out) > 0 {
		p.add(i, out)
	}
}

// trouble is what to do about an error of receiving.
func (s *Server) trouble(fd int, err error) {
	switch {
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNREFUSED):
	case errors.Is(err, unix.EAGAIN): // who handed the socket over made it so
		unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
	default:
		s.Warn(fmt.Errorf("unable to receive datagrams: %w", err))
		time.Sleep(100 * time.Millisecond)
	}
}
